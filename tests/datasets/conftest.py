"""Datasets to read, written from the definition of the IDX format, not by cnet."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[np.uint8]


@pytest.fixture(scope="session")
def encode() -> Callable[[Array], bytes]:
    """Return a function that encodes an array as the bytes of an IDX file."""

    def encode(array: Array) -> bytes:
        lengths = struct.pack(f">{array.ndim}I", *array.shape)
        return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()

    return encode


@pytest.fixture
def arrays() -> list[Array]:
    """Return x_train, y_train, x_test and y_test with six training and three test images."""
    images = (np.arange(9 * 28 * 28) % 251).astype(np.uint8).reshape(9, 28, 28)
    labels = np.arange(1, 10, dtype=np.uint8)
    return [images[:6], labels[:6], images[6:], labels[6:]]


@pytest.fixture
def folder(tmp_path: Path, arrays: list[Array], encode: Callable[[Array], bytes]) -> Path:
    """Return a folder with `arrays` in the four gzipped IDX files of MNIST."""
    folder = tmp_path / "published"
    folder.mkdir()
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    for name, array in zip(names, arrays, strict=True):
        (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(encode(array)))
    return folder
