"""The perceptron as a graph: the loss falls, few points are misclassified, the line separates the clouds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.example_scripts import assert_pictures, output_of, run_example
from support.forms import in_ci


@pytest.mark.parametrize("seed", ["0", *in_ci("1")])
def test_output_and_plots(tmp_path: Path, seed: str) -> None:
    text = output_of("perceptron_graph.py", "--seed", seed, "--plots", tmp_path)
    found = re.findall(r"(.+): misclassified ([\d.]+)%, J = ([\d.]+)", text)
    figures = {name: (float(wrong), float(j)) for name, wrong, j in found}
    assert list(figures) == ["by hand", "random", "learned"]
    # Φ(-2√2) = 0.23 % of a cloud are beyond the line in the middle.
    assert figures["by hand"][0] <= 2
    # The line of maximum likelihood need not misclassify the fewest points.
    assert figures["learned"][0] <= 2
    assert figures["learned"][1] < figures["by hand"][1]
    losses = [float(j) for j in re.findall(r"step [\d,]+: J = ([\d.]+)", text)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == figures["random"][1]
    slope, offset = map(float, re.findall(r"y = (\S+) x \+ (\S+)", text)[0])
    for x, y in ((2, 2), (-2, -2)):
        assert np.sign(y - (slope * x + offset)) == np.sign(y)

    dot = (tmp_path / "perceptron_graph.dot").read_text(encoding="utf-8")
    for name in ("points", "classes", "weights", "bias", "matmul", "log", "reduce_sum", "negative"):
        assert f'"{name}' in dot
    (tmp_path / "perceptron_graph.dot").unlink()
    assert_pictures(tmp_path, "perceptron_graph.png")


def test_the_loss_is_the_formula() -> None:
    text = output_of("perceptron_graph.py", "--seed", "3")
    rng = np.random.default_rng(3)
    y = np.repeat([1.0, -1.0], 100)
    x = 2 * y[:, None] + rng.normal(size=(200, 2))
    # For two classes −log softmax is log(1 + exp(−margin)), and the margin by hand is 2 (x₀ + x₁).
    expected = np.log1p(np.exp(-y * 2 * x.sum(axis=1))).sum()
    assert (
        f"by hand: misclassified {np.mean(y * x.sum(axis=1) < 0):.1%}, J = {expected:.4f}" in text
    )


def test_bad_arguments_get_one_clear_line() -> None:
    result = run_example("perceptron_graph.py", "--plots", "/dev/null/folder")
    assert result.returncode == 2
    assert "error: " in result.stderr.splitlines()[-1]
