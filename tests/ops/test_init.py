"""cnet.ops against cnet.reference: the same results for any input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from support.op_arguments import (
    DENSE,
    DTYPES,
    ELEMENTWISE,
    LAYOUTS,
    NAMES,
    SCALARS,
    SIZES,
    UPDATED,
    UPDATES,
    Arguments,
    arrays_of,
    assert_same,
    call,
    draw,
    label_kinds,
    updated_by,
)
from support.op_error_bounds import assert_parity

import cnet
from cnet import ops, reference


def widths(name: str, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Return the pairs of input and output widths to test an op with."""
    return product(sizes, sizes) if name in DENSE else zip(sizes, sizes, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_parity_with_the_reference(name: str, dtype: type) -> None:
    for kind, batch in product(label_kinds(name), SIZES):
        for inputs, outputs in widths(name, SIZES):
            assert_parity(name, draw(name, batch, inputs, outputs, dtype, kind), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_parity_without_the_optional_arguments(dtype: type) -> None:
    arguments = draw("dense_forward", 17, 31, 33, dtype)
    without_bias = ops.dense_forward(arguments["x"], arguments["kernel"])
    arguments["bias"] = np.zeros(33, dtype)
    assert_same([without_bias], [ops.dense_forward(**arguments)])

    arguments = draw("rescaling_forward", 17, 31, 31, dtype)
    without_offset = ops.rescaling_forward(arguments["x"], arguments["scale"])
    arguments["offset"] = 0.0
    assert_same([without_offset], [ops.rescaling_forward(**arguments)])

    arguments = draw("sgd_momentum_update", 17, 31, 33, dtype)
    arguments["nesterov"] = False
    assert_parity("sgd_momentum_update", arguments, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_sizes_of_zero(name: str, dtype: type) -> None:
    for kind, batch in product(label_kinds(name), [0, 3]):
        for inputs, outputs in widths(name, [0, 3]):
            if batch and inputs and outputs:
                continue  # no size is zero
            if kind == "ids" and batch and not outputs:
                continue  # no id is valid
            arguments = draw(name, batch, inputs, outputs, dtype, kind)
            with np.errstate(divide="ignore"):  # in the reference: log of an empty sum
                expected = call(reference, name, arguments)
            assert_same(call(ops, name, arguments), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*ELEMENTWISE, *UPDATES])
def test_elementwise_ops_take_any_shape(name: str, dtype: type) -> None:
    shapes: list[tuple[int, ...]] = [(), (0,), (1,), (100,), (3, 5, 7), (2, 0, 3)]
    for shape in shapes:
        arguments = draw(name, 1, math.prod(shape), math.prod(shape), dtype)
        for key in arrays_of(arguments):
            arguments[key] = arguments[key].reshape(shape)
        assert_parity(name, arguments, dtype)


@pytest.mark.parametrize(
    "name",
    ["dense_forward", "softmax", "log_softmax", "standardize", "layer_normalization_forward"],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_has_the_same_bits_in_any_batch(name: str, dtype: type) -> None:
    arguments = draw(name, 100, 33, 17 if name in DENSE else 33, dtype)
    first = next(iter(arguments))  # x or logits
    (whole,) = call(ops, name, arguments)
    for start, stop in [(0, 1), (57, 58), (3, 20), (31, 64)]:
        (part,) = call(ops, name, arguments | {first: arguments[first][start:stop]})
        np.testing.assert_array_equal(part, whole[start:stop])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_inputs_of_any_layout(name: str, dtype: type) -> None:
    for layout, kind in product(LAYOUTS, label_kinds(name)):
        assert_layout_has_no_effect(name, dtype, layout, kind)


def assert_layout_has_no_effect(name: str, dtype: type, layout: str, kind: str) -> None:
    arguments = draw(name, 17, 13, 13, dtype, kind)
    changed = {
        key: LAYOUTS[layout](arguments[key])
        for key in arrays_of(arguments)
        if key not in updated_by(name)
    }
    before = {key: value.copy() for key, value in changed.items()}
    expected = call(ops, name, arguments)
    if name in UPDATES:  # call() copies their arguments, which changes the layout
        updated = {key: np.copy(value) for key, value in arguments.items() if key not in SCALARS}
        arguments |= updated | changed
        getattr(ops, name)(**arguments)
        results: Sequence[Any] = [updated[k] for k in UPDATED if k in updated]
    else:
        results = call(ops, name, arguments | changed)
    assert_same(results, expected)
    for key, value in changed.items():
        np.testing.assert_array_equal(value, before[key])


@pytest.mark.parametrize("name", NAMES)
def test_other_kinds_of_numbers_become_float32(name: str) -> None:
    for kind in ("list", "int8", "uint8", "int64", "float16", "bool"):
        assert_become_float32(name, kind)


def assert_become_float32(name: str, kind: str) -> None:
    arguments = draw(name, 17, 13, 13, np.float32)
    rng = np.random.default_rng(0)
    changed: Arguments = {}
    for key in arrays_of(arguments):
        if key not in ("labels", *updated_by(name)):
            arguments[key] = rng.integers(0, 2, size=arguments[key].shape).astype(np.float32)
            arguments[key][..., 0] = 1  # no row of probabilities is all zeros
            changed[key] = (
                arguments[key].tolist() if kind == "list" else arguments[key].astype(kind)
            )
    expected = call(ops, name, arguments)
    if name in UPDATES:
        updated = {key: arguments[key] for key in UPDATED if key in arguments}
        getattr(ops, name)(**(arguments | changed))
        assert_same(list(updated.values()), expected)
    else:
        assert_same(call(ops, name, arguments | changed), expected)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in UPDATES])
def test_floatx_determines_the_dtype_of_lists(name: str) -> None:
    arguments = draw(name, 3, 5, 5, np.float64)
    lists = {key: arguments[key].tolist() for key in arrays_of(arguments)}
    expected = call(ops, name, arguments)
    floatx = cnet.config.floatx()
    cnet.config.set_floatx("float64")
    try:
        assert_same(call(ops, name, arguments | lists), expected)
    finally:
        cnet.config.set_floatx(floatx)


def test_one_float64_array_makes_the_result_float64() -> None:
    single, double = np.ones((2, 2), np.float32), np.ones((2, 2))
    assert ops.dense_forward(single, single).dtype == np.float32
    assert ops.dense_forward(single, single, double[0]).dtype == np.float64
    assert ops.dense_forward(double, single).dtype == np.float64
    assert ops.dense_forward([[1.0, 1.0]], double).dtype == np.float64
    assert ops.dense_forward([[1.0, 1.0]], single).dtype == np.float32
    assert ops.softmax_backward(np.ones((2, 2), np.float16), double).dtype == np.float64
    assert ops.rescaling_forward(single, np.float64(2.0)).dtype == np.float32
