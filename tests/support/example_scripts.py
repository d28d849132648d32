"""The examples as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_example(
    name: str, *arguments: str | Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script of the examples, with additions to the environment."""
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
    """Return what an example prints; it must not fail."""
    result = run_example(name, *arguments, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def assert_pictures(folder: Path, *names: str) -> None:
    """Check that these, and no others, are the PNG files of a folder, and not empty."""
    from matplotlib.image import imread

    assert {path.name for path in folder.glob("*.*")} == set(names)
    for name in names:
        pixels = imread(folder / name)
        assert min(pixels.shape[:2]) > 100, name
        assert len({*map(bytes, (pixels * 255).astype("uint8").reshape(-1, pixels.shape[-1]))}) > 20
