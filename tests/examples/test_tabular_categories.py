"""Columns of words: with them the error is close to the noise, and the months form a year."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.example_scripts import assert_pictures, output_of, run_example
from support.forms import in_ci


@pytest.mark.parametrize("seed", ["0", *in_ci("1", "2")])
def test_output_and_plots(tmp_path: Path, seed: str) -> None:
    text = output_of("tabular_categories.py", "--seed", seed, "--plots", tmp_path)
    sizes = {name: int(size) for name, size in re.findall(r"(\w+): (\d+) ids", text)}
    assert sizes == {"month": 13, "kiosk": 31, "weather": 5}
    errors = dict(re.findall(r"(numbers.*): test error ([\d.]+)", text))
    assert list(errors) == ["numbers only", "numbers and words"]
    noise = float(re.findall(r"noise in the sales: ([\d.]+)", text)[0])
    # The standard deviation of the effects of the words is about 0.9.
    assert float(errors["numbers only"]) > 0.8
    assert noise < float(errors["numbers and words"]) < 1.1 * noise
    # Of the file's model, which takes the words.
    sold, predicted = map(float, re.findall(r"sold ([\d.]+), predicted ([\d.]+)", text)[0])
    assert abs(np.log(predicted / sold)) < 4 * noise
    assert text.endswith("around the year: Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec\n")
    assert_pictures(tmp_path, "tabular_categories.png")


def test_bad_arguments_get_one_clear_line() -> None:
    result = run_example("tabular_categories.py", "--rows", "none")
    assert result.returncode == 2
    assert "error: " in result.stderr.splitlines()[-1]
