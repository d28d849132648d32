"""Wide and deep: both together are closer to the truth than either part."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.example_scripts import assert_pictures, output_of, run_example
from support.forms import in_ci


@pytest.mark.parametrize("seed", ["0", *in_ci("1")])
def test_output_and_plots(tmp_path: Path, seed: str) -> None:
    text = output_of("wide_and_deep.py", "--seed", seed, "--plots", tmp_path)
    found = re.findall(r"(.*): test loss ([\d.]+), AUC ([\d.]+)\n.*probabilities ([\d.]+)", text)
    assert [name for name, *_ in found] == ["wide", "deep", "wide and deep"]
    losses, areas, distances = (
        [float(value) for value in column] for column in list(zip(*found, strict=True))[1:]
    )
    least = float(re.findall(r"loss of the true probabilities: ([\d.]+)", text)[0])
    wide, deep, both = losses
    assert least < both < least + 0.03 < least + 0.05 < deep < wide
    wide, deep, both = areas
    assert wide < deep < both - 0.02
    wide, deep, both = distances
    assert both < deep - 0.02 < deep < wide

    dot = (tmp_path / "wide_and_deep.dot").read_text(encoding="utf-8")
    assert dot.count("<b>Embedding</b>") == 2
    (tmp_path / "wide_and_deep.dot").unlink()
    assert_pictures(tmp_path, "wide_and_deep.png")


def test_bad_arguments_get_one_clear_line() -> None:
    result = run_example("wide_and_deep.py", "--plots", "/dev/null/folder")
    assert result.returncode == 2
    assert "error: " in result.stderr.splitlines()[-1]
