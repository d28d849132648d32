"""The checks of arguments of Keras's operations, and the errors that name the call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.keras_operations import NAMES

from cnet import ops

x = np.arange(6, dtype=np.float32).reshape(2, 3)

# Their errors may be those of the user's functions; properties that anything has.
NEVER_RAISE = {"cond", "dtype", "ndim", "shape", "size"}


@pytest.mark.parametrize("name", sorted(set(NAMES) - NEVER_RAISE))
def test_errors_begin_with_the_name_of_the_call(name: str) -> None:
    """For no array, and for an argument of the wrong type in each place."""
    function = getattr(ops, name)
    parameters = list(inspect.signature(function).parameters.values())
    required = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    for bad in (object(), "text", [None], np.array([1j]), {"a": 1}):
        with pytest.raises((TypeError, ValueError)) as caught:
            function(*[bad] * len(required))
        assert str(caught.value).startswith((f"{name}: ", f"{name}() ")), str(caught.value)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.sum(x, axis=2), ValueError, r"^sum: axis 2 is out of bounds .* shapes \(2, 3"),
        (lambda: ops.sum(x, 1.5), TypeError, r"^sum: axis: expected integers, got 1\.5$"),
        (lambda: ops.sum(x, axis="0"), TypeError, "^sum: axis: expected integers, got '0'"),
        (lambda: ops.sum(x, axis=True), TypeError, "^sum: axis: expected integers, got True"),
        (lambda: ops.sum(x, axis=2**64), ValueError, r"^sum: axis: expected an integer in "),
        (lambda: ops.reshape(x, [[[3]]]), TypeError, "^reshape: newshape: expected integers"),
        (lambda: ops.reshape(x, (4, 2)), ValueError, r"^reshape: .* given shapes \(2, 3\)"),
        (lambda: ops.take(x, [7], axis=0), ValueError, "^take: index 7 is out of bounds"),
        (lambda: ops.take(x, [0.5], axis=0), ValueError, "^take: indices: 0.5 at row 0 is not"),
        (lambda: ops.get_item(x, 5), ValueError, "^get_item: index 5 is out of bounds"),
        (lambda: ops.zeros(2, dtype="a"), TypeError, "^zeros: dtype: expected a numeric type"),
        (lambda: ops.zeros(2, dtype=">f4"), TypeError, "^zeros: dtype: expected a numeric type"),
        (lambda: ops.zeros(2, dtype=[]), TypeError, "^zeros: dtype: expected a numeric type"),
        (lambda: ops.cast(x, None), TypeError, "^cast: dtype: expected a numeric type, got None"),
        (lambda: ops.norm(x, 1j), TypeError, "^norm: ord: expected a number, got 1j"),
        (lambda: ops.normalize(x, epsilon="a"), TypeError, "^normalize: epsilon: expected a num"),
        (lambda: ops.arange("a"), TypeError, "^arange: stop: expected a number, got 'a'"),
        (lambda: ops.arange(0, 3, 0), ValueError, "^arange: step: expected another number"),
        (lambda: ops.full(2, 1j), TypeError, "^full: fill_value: expected numbers, got complex"),
        (
            lambda: ops.add(x, x + 1j),
            TypeError,
            "^add: expected numbers, got ndarray of dtype comp",
        ),
        (lambda: ops.add(x, np.array([None])), TypeError, "^add: expected numbers, got ndarray of"),
        (lambda: ops.add(2**70, 1), ValueError, "^add: .*too large"),
        (lambda: ops.exp(np.ma.masked_array(x)), TypeError, "^exp: masked arrays"),
        (lambda: ops.sum(), TypeError, r"^sum: sum\(\) missing 1 required"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_an_endless_list_is_no_axis() -> None:
    endless: list[Any] = []
    endless.append(endless)
    for call in (ops.sum, ops.tile, ops.roll, ops.transpose):
        with pytest.raises(TypeError, match="expected integers"):
            call(x, endless)
    with pytest.raises((TypeError, ValueError), match=r"^exp: "):
        ops.exp(endless)


@pytest.mark.parametrize(
    "axis", [1, np.int8(1), [1], (1,), np.array(1), np.array([1]), range(1, 2)]
)
def test_integers_in_any_form(axis: Any) -> None:
    np.testing.assert_array_equal(ops.sum(x, axis), [3, 12])


@pytest.mark.parametrize("dtype", ["int32", np.int32, np.dtype("int32"), np.dtype(">i4")])
def test_dtypes_in_any_form(dtype: Any) -> None:
    assert ops.cast(x, dtype).dtype == np.dtype("int32")
    assert ops.cast(x, dtype).dtype.isnative


def test_arrays_of_other_byte_orders_are_converted() -> None:
    result = ops.add(x.astype(">f4"), x)
    assert result.dtype.isnative
    np.testing.assert_array_equal(result, 2 * x)
