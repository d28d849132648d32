"""The pipeline comes close to the true probabilities, and finds the columns that matter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.example_scripts import assert_pictures, output_of, run_example
from support.forms import in_ci


@pytest.mark.parametrize("seed", ["0", *in_ci("1", "2")])
def test_output_and_plots(tmp_path: Path, seed: str) -> None:
    text = output_of("sklearn_pipeline.py", "--seed", seed, "--plots", tmp_path)
    (found,) = re.findall(r"test log-loss ([\d.]+)", text)
    (truth,) = re.findall(r"log-loss of the true probabilities ([\d.]+)", text)
    # Half of the customers renew: a constant has the log-loss log 2.
    assert float(truth) < float(found) < float(truth) + 0.03 < 0.62
    importances = {
        name: float(value)
        for name, value in re.findall(r"importance of ([\w ]+): (-?[\d.]+)", text)
    }
    assert set(importances) == {"age", "city", "breakdowns", "trips", "plan", "shoe size"}
    assert min(importances, key=importances.__getitem__) == "shoe size"
    assert min(importances[name] for name in ("age", "city", "breakdowns", "trips")) > 0.02
    assert_pictures(tmp_path, "sklearn_pipeline.png")


def test_bad_arguments_get_one_clear_line() -> None:
    result = run_example("sklearn_pipeline.py", "--rows", "none")
    assert result.returncode == 2
    assert "error: " in result.stderr.splitlines()[-1]
