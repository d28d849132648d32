"""The default floating-point type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cnet import config, initializers, layers, random, utils


@pytest.fixture(autouse=True)
def _put_floatx_back() -> Iterator[None]:
    floatx = config.floatx()
    yield
    config.set_floatx(floatx)


def test_it_is_float32_until_set() -> None:
    assert config.floatx() == "float32"
    config.set_floatx("float64")
    assert config.floatx() == "float64"


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_it_decides_what_no_argument_does(floatx: str) -> None:
    config.set_floatx(floatx)
    dense = layers.Dense(2)
    assert dense.dtype == floatx
    for array in (
        dense([[1.0]]),
        initializers.Ones()((2,)),
        random.uniform((2,)),
        utils.to_categorical([1]),
    ):
        assert array.dtype == floatx


def test_an_argument_decides_before_it() -> None:
    config.set_floatx("float64")
    assert layers.Dense(2, dtype="float32")([[1.0]]).dtype == np.float32
    assert initializers.Ones()((2,), dtype="float32").dtype == np.float32
    assert random.uniform((2,), dtype="float32").dtype == np.float32


def test_layers_keep_what_they_were_made_with() -> None:
    dense = layers.Dense(2)
    config.set_floatx("float64")
    assert dense([[1.0]]).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float64, np.dtype("float64")])
def test_numpys_types_are_taken_as_their_names(dtype: Any) -> None:
    dense = layers.Dense(2, dtype=dtype)
    assert dense.dtype == "float64"
    assert dense([[1.0]]).dtype == np.float64


@pytest.mark.parametrize("value", ["float16", "double", "", 32, None])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"set_floatx: expected .*'float32' or 'float64', got"):
        config.set_floatx(value)
    assert config.floatx() == "float32"


@pytest.mark.parametrize("dtype", ["float16", "int32", np.float16])
def test_layers_of_other_types_are_refused(dtype: Any) -> None:
    with pytest.raises(ValueError, match=r"Dense: expected dtype 'float32' or 'float64', got"):
        layers.Dense(2, dtype=dtype)
