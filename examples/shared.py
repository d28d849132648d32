"""Code that the examples share: data and plot options of the command line, error messages."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnet.datasets import fashion_mnist, mnist

BUNDLED = Path(__file__).parent / "data" / "mnist_5k.npz"

Images = npt.NDArray[np.uint8]
Classes = npt.NDArray[np.integer[Any]]


def run(parser: argparse.ArgumentParser, program: Callable[[argparse.Namespace], None]) -> None:
    """Run a program with the command-line arguments; print errors in one line."""
    args = parser.parse_args()
    try:
        program(args)
    except KeyboardInterrupt:
        parser.exit(130, "\nstopped\n")
    except (ImportError, OSError, ValueError, ArithmeticError, MemoryError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that select the images for `load_data`."""
    data = parser.add_argument_group("data", "default: the 5,000 bundled digits")
    data.add_argument(
        "--fashion",
        action="store_true",
        help="Fashion-MNIST: 70,000 images of clothes, downloaded once",
    )
    source = data.add_mutually_exclusive_group()
    source.add_argument(
        "--full", action="store_true", help="MNIST: 70,000 images of digits, downloaded once"
    )
    source.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="read images from a folder of IDX files, or an .npz file",
    )


def load_data(
    args: argparse.Namespace,
) -> tuple[tuple[Images, Classes], tuple[Images, Classes], Sequence[str]]:
    """Return training images and labels, test images and labels, and class names."""
    dataset = fashion_mnist if args.fashion else mnist
    published = args.full or args.fashion
    train, test = dataset.load_data(args.data or (None if published else BUNDLED))
    return train, test, fashion_mnist.CLASS_NAMES if args.fashion else "0123456789"


def positive(text: str) -> int:
    """Parse an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, got {text}")
    return int(text)


def picture(text: str) -> Path:
    """Parse the path of a plot; refuse before training what would fail after it."""
    path = Path(text)
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise argparse.ArgumentTypeError(f"expected a .png, .pdf or .svg file, got {text}")
    folder(str(path.parent))
    return path


def folder(text: str) -> Path:
    """Parse the path of a folder for plots; create it before training if it is missing."""
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"no folder: {path}: {error.strerror}") from None
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("plots need matplotlib: pip install matplotlib")
    return path
