"""Figures: written to files, shown in notebooks, without pyplot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from cnet import plots

RECORD = {"loss": [2.0, 1.0], "val_loss": [3.0, 1.5]}


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"figure.{suffix}"
    plots.history(RECORD).savefig(path)
    assert path.stat().st_size > 1000


def test_notebooks_display_a_figure_as_png(tmp_path: Path) -> None:
    figure: Any = plots.history(RECORD)
    (tmp_path / "cell.png").write_bytes(figure._repr_png_())
    height, width = imread(tmp_path / "cell.png").shape[:2]
    assert (width, height) == (3.4 * 150, 2.6 * 150)


def test_the_error_without_matplotlib_names_the_package() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from cnet import plots\n"
        "try: plots.history({'loss': [1.0]})\n"
        "except ImportError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("history: ")
    assert found.stdout.endswith("; pip install matplotlib\n")


def test_matplotlib_is_imported_lazily() -> None:
    code = "import sys, cnet.plots; assert not any(m.startswith('matplotlib') for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pyplot_and_rcparams_are_unchanged() -> None:
    code = """
import sys, matplotlib
# Not by items(): to ask for the backend is to choose it, which imports pyplot.
settings = lambda: {key: dict.__getitem__(matplotlib.rcParams, key) for key in matplotlib.rcParams}
before = settings()
import numpy as np
from cnet import plots
plots.history({"loss": [1.0, 2.0]})._repr_png_()
plots.images(np.zeros((2, 4, 4)), [0, 1], [0, 0])._repr_png_()
plots.confusion_matrix([0, 1], [0, 0])._repr_png_()
plots.decision_boundary(lambda x: x, [[0, 1], [1, 0]], [0, 1])._repr_png_()
assert settings() == before
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
