"""`out` of every operation that has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from support.op_arguments import (
    BAD_OUTS,
    DENSE,
    DTYPES,
    ELEMENTWISE,
    MAKE_ARRAYS,
    MAKE_SEVERAL,
    SIZES,
    Array,
    arrays_of,
    as_out,
    assert_same,
    call,
    draw,
    make_outs,
)

from cnet import ops


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MAKE_ARRAYS)
def test_out_is_written_and_returned(name: str, dtype: type) -> None:
    for size in SIZES:
        arguments = draw(name, 17, size, size, dtype)
        expected = call(ops, name, arguments)
        outs = make_outs(expected)
        results = call(ops, name, arguments, out=as_out(name, outs))
        assert_same(results, expected)
        arrays = [result for result in results if isinstance(result, np.ndarray)]
        assert all(result is out for result, out in zip(arrays, outs, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MAKE_ARRAYS)
def test_invalid_outs_are_refused(name: str, dtype: type) -> None:
    arguments = draw(name, 17, 13, 11 if name in DENSE else 13, dtype)
    good = make_outs(call(ops, name, arguments))
    for spoil, error in BAD_OUTS.values():
        for position, out in enumerate(good):
            outs = (*good[:position], spoil(out), *good[position + 1 :])
            before = [np.copy(each) for each in outs]
            with pytest.raises(error, match=name):
                call(ops, name, arguments, out=as_out(name, outs))
            assert_nothing_written(outs, before)


def assert_nothing_written(arrays: Sequence[Any], before: Sequence[Array]) -> None:
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_fortran_out_is_refused() -> None:
    x = np.ones((3, 4), np.float32)
    with pytest.raises(ValueError, match="relu_forward"):
        ops.relu_forward(x, out=np.empty((3, 4), np.float32, order="F"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MAKE_ARRAYS)
def test_an_out_that_overlaps_an_input_is_refused(name: str, dtype: type) -> None:
    arguments = draw(name, 17, 13, 13, dtype, "soft")
    outs = make_outs(call(ops, name, arguments))
    for key in arrays_of(arguments):
        array = arguments[key]
        for position, out in enumerate(outs):
            # The last element of the input is the first of the result.
            memory = np.zeros(array.size + out.size - 1, dtype)
            overlapping = memory[: array.size].reshape(array.shape)
            overlapping[...] = array
            bad = memory[array.size - 1 :].reshape(out.shape)
            before = memory.copy()
            replaced = (*outs[:position], bad, *outs[position + 1 :])
            with pytest.raises(ValueError, match=name):
                call(ops, name, arguments | {key: overlapping}, out=as_out(name, replaced))
            np.testing.assert_array_equal(memory, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in MAKE_ARRAYS if name not in MAKE_SEVERAL])
def test_only_elementwise_ops_accept_an_input_as_out(name: str, dtype: type) -> None:
    arguments = draw(name, 13, 13, 13, dtype, "soft")
    expected = call(ops, name, arguments)
    for key in arrays_of(arguments):
        if arguments[key].shape != (13, 13):
            continue  # bias
        array = arguments[key].copy()
        if name in ELEMENTWISE:
            (result,) = call(ops, name, arguments | {key: array}, out=array)
            assert result is array
            assert_same([result], expected)
        else:
            with pytest.raises(ValueError, match=name):
                call(ops, name, arguments | {key: array}, out=array)
            np.testing.assert_array_equal(array, arguments[key])
