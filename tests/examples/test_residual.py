"""Residual blocks: the deep network learns with shortcuts, and hardly without them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from support.example_scripts import EXAMPLES, assert_pictures, output_of, run_example
from support.forms import in_ci


@pytest.mark.parametrize("seed", ["0", *in_ci("1")])
def test_output_and_plots(tmp_path: Path, seed: str) -> None:
    text = output_of("residual.py", "--seed", seed, "--plots", tmp_path)
    assert "residual: 222,538 weights in 40 blocks" in text
    assert "plain: 222,538 weights in 40 blocks" in text
    loss = {
        (name, int(epoch)): float(value)
        for name, epoch, value in re.findall(r"(\w+): epoch (\d+): loss ([\d.]+)", text)
    }
    assert loss["residual", 1] < 1
    assert loss["residual", 12] < 0.05
    assert loss["plain", 1] > 2
    assert loss["plain", 12] > 1
    accuracy = dict(re.findall(r"(\w+): test accuracy ([\d.]+)", text))
    assert float(accuracy["residual"]) > 0.9
    assert float(accuracy["plain"]) < 0.5
    assert_pictures(tmp_path, "residual.png")


def test_few_layers_learn_without_shortcuts() -> None:
    text = output_of("residual.py", "--blocks", "2", "--epochs", "4")
    for _, value in re.findall(r"(\w+): test accuracy ([\d.]+)", text):
        assert float(value) > 0.9


def test_shortcuts_add_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example: dict[str, Any] = runpy.run_path(str(EXAMPLES / "residual.py"))
    for has_shortcuts, adds in ((True, 3), (False, 0)):
        model = example["make_model"](3, has_shortcuts=has_shortcuts)
        kinds = [type(layer).__name__ for layer in model.layers]
        assert (kinds.count("Dense"), kinds.count("Add")) == (5, adds)


def test_bad_arguments_get_one_clear_line() -> None:
    result = run_example("residual.py", "--blocks", "0")
    assert result.returncode == 2
    assert "error: " in result.stderr.splitlines()[-1]
