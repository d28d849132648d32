"""fashion_mnist.load_data reads Debian's copy; the hashes are those of the published files."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnet.datasets import fashion_mnist

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
needs_debian = pytest.mark.skipif(
    not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)


def test_class_names() -> None:
    assert len(set(fashion_mnist.CLASS_NAMES)) == 10
    listed = ", ".join(f"{i} {name}" for i, name in enumerate(fashion_mnist.CLASS_NAMES))
    assert listed in " ".join((fashion_mnist.load_data.__doc__ or "").split())


@needs_debian
def test_the_folder_of_debian() -> None:
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data(DEBIAN)
    assert x_train.shape == (60_000, 28, 28)
    assert x_test.shape == (10_000, 28, 28)
    assert x_train.dtype == y_train.dtype == x_test.dtype == y_test.dtype == np.uint8
    assert np.bincount(y_train).tolist() == [6000] * 10
    assert np.bincount(y_test).tolist() == [1000] * 10
    assert fashion_mnist.CLASS_NAMES[y_train[0]] == "Ankle boot"


@needs_debian
def test_the_published_files_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian removes names and times from the gzip headers; with them the files equal Zalando's."""
    (tmp_path / "fashion_mnist").mkdir()
    for file in fashion_mnist.DATASET.files:
        time = 1504176606 if file.name.startswith("train") else 1504176627
        header = b"\x1f\x8b\x08\x08" + struct.pack("<I", time) + b"\x00\x03"
        name = file.name.removesuffix(".gz").encode() + b"\x00"
        deflated = (DEBIAN / file.name).read_bytes()[10:]
        (tmp_path / "fashion_mnist" / file.name).write_bytes(header + name + deflated)

    monkeypatch.setenv("CNET_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "DATASET", replace(fashion_mnist.DATASET, mirrors=()))
    (x_train, _), (x_test, _) = fashion_mnist.load_data()
    assert (len(x_train), len(x_test)) == (60_000, 10_000)
