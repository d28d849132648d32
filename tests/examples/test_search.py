"""The search gives the same results on each backend, whose workers fit with one thread each."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.example_scripts import assert_pictures, output_of, run_example
from support.forms import in_ci

OPTIONS = ("--candidates", "4", "--epochs", "15")
BACKENDS = ["loky", *in_ci("dask"), *(["ray"] if find_spec("ray") else [])]  # of the extra "peers"


@pytest.mark.parametrize("backend", BACKENDS)
def test_output_and_plots(tmp_path: Path, backend: str) -> None:
    text = output_of("search.py", "--backend", backend, "--plots", tmp_path, *OPTIONS)
    assert "threads in each worker: 1\n" in text
    assert f"workers of {backend}\n" in text
    (accuracy,) = re.findall(r"test accuracy ([\d.]+)", text)
    assert float(accuracy) == pytest.approx(0.96, abs=0.02)
    assert_pictures(tmp_path, "search.png")
    same = output_of("search.py", "--jobs", "1", *OPTIONS)
    assert [line for line in same.splitlines() if "best" in line or "accuracy" in line] == [
        line for line in text.splitlines() if "best" in line or "accuracy" in line
    ]


def test_an_unknown_backend_is_refused() -> None:
    result = run_example("search.py", "--backend", "spark")
    assert result.returncode == 2
    assert "invalid choice: 'spark'" in result.stderr.splitlines()[-1]
