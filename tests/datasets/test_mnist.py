"""mnist.load_data reads the digits of the examples, and only MNIST from the cache."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnet.datasets import mnist

DIGITS = Path(__file__).parents[2] / "examples" / "data" / "mnist_5k.npz"


def test_digits_of_the_examples() -> None:
    (x_train, y_train), (x_test, y_test) = mnist.load_data(DIGITS)
    assert x_train.shape == (4000, 28, 28)
    assert x_test.shape == (1000, 28, 28)
    assert x_train.dtype == y_train.dtype == x_test.dtype == y_test.dtype == np.uint8
    assert np.bincount(y_train).tolist() == [400] * 10
    assert np.bincount(y_test).tolist() == [100] * 10


def test_another_data_set_in_the_cache_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.rename(tmp_path / "mnist")
    monkeypatch.setenv("CNET_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(mnist, "DATASET", replace(mnist.DATASET, mirrors=()))
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    message = f"{path}: expected SHA-256 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f"
    with pytest.raises(OSError, match=re.escape(message)):
        mnist.load_data()
