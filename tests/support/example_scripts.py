"""Helpers that run the examples as a user would."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_example(
    name: str, *arguments: str | Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run an example, with additional environment variables."""
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=600,
        env=os.environ | environment,
    )


def output_of(name: str, *arguments: str | Path, **environment: str) -> str:
    """Run an example that must succeed, and return what it prints."""
    result = run_example(name, *arguments, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def count_colors(path: Path) -> int:
    """Return the number of count_colors in a PNG file of more than 100 x 100 pixels."""
    from matplotlib.image import imread

    pixels = imread(path)
    assert min(pixels.shape[:2]) > 100, path
    channels = (pixels * 255).astype(np.uint32).reshape(-1, pixels.shape[-1])
    return len(np.unique(channels @ (1 << 8 * np.arange(channels.shape[1], dtype=np.uint32))))


def assert_pictures(folder: Path, *names: str) -> None:
    """Check that the folder contains exactly these PNG files, and that none is blank."""
    assert {path.name for path in folder.glob("*.*")} == set(names)
    for name in names:
        assert count_colors(folder / name) > 20, name


def write_digits(folder: Path, count: int | None = None) -> None:
    """Write the first `count` bundled digits, or all, as the files of MNIST."""
    digits = np.load(EXAMPLES / "data" / "mnist_5k.npz")
    for part, prefix in (("train", "train"), ("test", "t10k")):
        for kind, name in (("x", "images-idx3"), ("y", "labels-idx1")):
            array = digits[f"{kind}_{part}"][:count]
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            content = gzip.compress(header + array.tobytes())
            (folder / f"{prefix}-{name}-ubyte.gz").write_bytes(content)
