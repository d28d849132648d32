"""Two outputs: classes and slants are learned together."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.example_scripts import EXAMPLES, assert_pictures, output_of, run_example
from support.forms import in_ci


@pytest.mark.parametrize("seed", ["0", *in_ci("1")])
def test_output_and_plots(tmp_path: Path, seed: str) -> None:
    text = output_of("two_heads.py", "--seed", seed, "--plots", tmp_path)
    found = {name: float(x) for name, x in re.findall(r"test (\w+): ([\d.]+)", text)}
    assert list(found) == ["loss", "digit_loss", "slant_loss", "digit_accuracy", "slant_mae"]
    rounding = (1 + 1 + 5) * 0.5e-4
    total = found["digit_loss"] + 5 * found["slant_loss"]
    assert found["loss"] == pytest.approx(total, abs=rounding)
    assert found["digit_accuracy"] > 0.92
    (always,) = re.findall(r"always the same slant: ([\d.]+)", text)
    assert found["slant_mae"] < float(always) / 3
    means = re.findall(r"(\d): mean slant (\S+), in the images (\S+)", text)
    assert [digit for digit, _, _ in means] == list("0123456789")
    assert all(abs(float(mine) - float(theirs)) < 0.1 for _, mine, theirs in means)
    assert_pictures(tmp_path, "two_heads.png")


def test_slants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example: dict[str, Any] = runpy.run_path(str(EXAMPLES / "two_heads.py"))
    upright, falling = np.zeros((28, 28), np.uint8), 200 * np.eye(28, dtype=np.uint8)
    upright[5:20, 7:9] = 255
    steep = np.zeros((28, 28), np.uint8)
    steep[np.arange(4, 24), 20 - np.arange(20) // 2] = (
        9  # half a column to the right for each row up
    )
    images = np.array([upright, falling, falling[:, ::-1], steep])
    slants = example["slant_of"](images)
    assert slants.dtype == np.float32
    np.testing.assert_allclose(slants[:3], [0, -1, 1], atol=1e-6)
    assert 0.49 < slants[3] < 0.51


def test_bad_arguments_get_one_clear_line() -> None:
    result = run_example("two_heads.py", "--epochs", "0")
    assert result.returncode == 2
    assert "error: " in result.stderr.splitlines()[-1]
