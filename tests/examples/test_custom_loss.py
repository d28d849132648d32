"""Custom losses: the quantiles are right, and the focal loss equals the engine's."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.example_scripts import EXAMPLES, assert_pictures, output_of, run_example

from cnet import losses


# The mean distance from the true quantiles; the standard deviation of the noise is 0.05 to 0.43.
@pytest.mark.parametrize(
    ("epochs", "largest"), [("20", 0.1), pytest.param("100", 0.06, marks=pytest.mark.ci)]
)
def test_output_and_plots(tmp_path: Path, epochs: str, largest: float) -> None:
    text = output_of("custom_loss.py", "--epochs", epochs, "--plots", tmp_path)
    below = re.findall(r"below the (\d+)% quantile: ([\d.]+)% of the points", text)
    assert [int(quantile) for quantile, _ in below] == [10, 50, 90]
    for quantile, share in below:
        q = int(quantile) / 100
        # Five standard deviations of the share of 4,000 points below a quantile.
        assert abs(float(share) / 100 - q) <= 5 * np.sqrt(q * (1 - q) / 4000)
    distances = re.findall(r"[\d.]+", text.split("true quantiles: ")[1].splitlines()[0])
    assert max(map(float, distances)) < largest
    figures = dict(re.findall(r"(\w+): (loss .*)", text))
    assert figures["focal"] == figures["BinaryFocalCrossentropy"]
    assert figures["focal"] != figures["binary_crossentropy"]
    assert_pictures(tmp_path, "custom_loss.png")


def test_losses_match_their_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example: dict[str, Any] = runpy.run_path(str(EXAMPLES / "custom_loss.py"))
    rng = np.random.default_rng(0)
    y, p = rng.integers(2, size=(20, 1)), rng.uniform(0.01, 0.99, (20, 1))
    expected = losses.binary_focal_crossentropy(y, p)
    np.testing.assert_allclose(example["focal"](y, p)[:, 0], expected, rtol=1e-4)
    # Among constants, these quantiles minimize the pinball losses of 0.1, 0.5 and 0.9.
    drawn = rng.normal(size=(1001, 1))
    grid = np.sort(drawn, axis=0)
    totals = np.array([example["pinball"](drawn, np.full(3, each)).sum(axis=0) for each in grid])
    assert totals.argmin(axis=0).tolist() == [100, 500, 900]


def test_bad_arguments_get_one_clear_line() -> None:
    result = run_example("custom_loss.py", "--epochs", "0")
    assert result.returncode == 2
    assert "error: " in result.stderr.splitlines()[-1]
