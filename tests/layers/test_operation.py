"""Operations on symbolic tensors: the numbers of `cnet.ops`, before and after the model is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.keras_operations import ARRAYS, CALLS, parameters_of

import cnet
from cnet import autodiff, layers, models, ops
from cnet.layers.operation import Operation

Array = npt.NDArray[Any]

rng = np.random.default_rng(0)
# Samples of models have an axis besides that of the batch.
CUBE = rng.normal(size=(5, 3, 4)).astype(np.float32)
MATRIX = rng.normal(size=(4, 2)).astype(np.float32)
IDS = rng.integers(0, 3, (5, 2))

# Operations of the batch as a whole, of no array, or of the numbers; some are among the calls for samples below.
NOT_OF_SAMPLES = {
    *("arange", "eye", "full", "identity", "linspace", "ones", "tri", "zeros"),
    *("cond", "convert_to_numpy", "dtype", "ndim", "shape", "size"),
    *("broadcast_to", "dot", "inner", "matmul"),
    *("moments", "moveaxis", "nan_to_num", "outer", "pad", "ravel", "reshape"),
    *("sparse_categorical_crossentropy", "swapaxes", "tensordot", "transpose", "vdot"),
}


def leaves(result: Any) -> list[Any]:
    if isinstance(result, (list, tuple)):
        return [leaf for each in result for leaf in leaves(each)]
    return [result]


def assert_equal_in_models(function: Callable[..., Any], arrays: list[Array]) -> None:
    """Compare a function of symbolic tensors with that of arrays."""
    inputs = [
        cnet.Input(x.shape[1:], dtype="int64" if x.dtype.kind == "i" else x.dtype.name)
        for x in arrays
    ]
    model = models.Model(inputs, leaves(function(*inputs)))
    expected = leaves(function(*arrays))
    x = arrays if len(arrays) > 1 else arrays[0]
    for each in (model, models.model_from_json(model.to_json())):
        for found, numbers in zip(leaves(each(x)), expected, strict=True):
            assert found.shape == np.shape(numbers)
            np.testing.assert_allclose(found, numbers, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CALLS)
def test_calls_of_arrays_are_those_of_symbolic_tensors(name: str) -> None:
    passed = 0
    for call in CALLS[name]:
        arrays = [ARRAYS[each] for each in parameters_of(call)]
        if not arrays or any(x.ndim < 2 for x in arrays):
            continue
        try:
            assert_equal_in_models(lambda *x, call=call: call(ops, *x), arrays)
        except (TypeError, ValueError):  # samples are mixed, for one
            continue
        passed += 1
    assert (passed == 0) == (name in NOT_OF_SAMPLES)


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (lambda x: ops.matmul(x, MATRIX), [CUBE]),
        (lambda x: ops.dot(x, MATRIX), [CUBE]),
        (lambda x: ops.tensordot(x, MATRIX, 1), [CUBE]),
        (lambda x: ops.einsum("bij,jk->bik", x, MATRIX), [CUBE]),
        (lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))), [CUBE]),
        (lambda x: ops.swapaxes(x, 1, 2), [CUBE]),
        (lambda x: ops.moveaxis(x, 2, 1), [CUBE]),
        (lambda x: ops.reshape(x, (-1, 2, 6)), [CUBE]),
        (lambda x: ops.squeeze(ops.expand_dims(x, 1), 1), [CUBE]),
        (lambda x: ops.pad(x, ((0, 0), (1, 0), (0, 2))), [CUBE]),
        (lambda x: ops.count_nonzero(ops.relu(x), axis=-1), [CUBE]),
        (lambda x: ops.moments(x, axes=[1]), [CUBE]),
        (lambda x: ops.norm(x, axis=-1), [CUBE]),
        (lambda x: ops.categorical_crossentropy(ops.softmax(x), x, from_logits=True), [CUBE]),
        (lambda x: ops.nan_to_num(ops.log(x), nan=0.5), [CUBE]),
        (lambda x: x[:, 1:], [CUBE]),
        (lambda x: x[..., None, ::-1], [CUBE]),
        (lambda x: x[:, [2, 0]], [CUBE]),
        (lambda x: x[:, 0], [CUBE]),
        (lambda x: ops.one_hot(x, 3, dtype=np.float32), [IDS]),
        (lambda x: ops.multi_hot(x, 3), [IDS]),
        (lambda x: ops.take(MATRIX, x, axis=0), [IDS]),
        (lambda x: autodiff.cast(x, np.dtype("float32")), [CUBE]),
        (lambda x, y: ops.take_along_axis(x, y[..., None], axis=1), [CUBE, IDS]),
    ],
)
def test_operations_on_samples(function: Callable[..., Any], arrays: list[Array]) -> None:
    assert_equal_in_models(function, arrays)


def test_quotients_are_saved() -> None:
    assert_equal_in_models(lambda x, y: x / y, [CUBE, CUBE + 9])


def test_models_of_operations_learn() -> None:
    x = rng.normal(size=(64, 3)).astype(np.float32)
    inputs = cnet.Input((3,))
    hidden = ops.leaky_relu(layers.Dense(8)(inputs))
    model = models.Model(inputs, layers.Dense(1)(ops.concatenate([hidden, inputs], axis=-1)))
    model.compile("adam", "mse")
    y = x[:, :1] * x[:, 1:2]
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=20, verbose=0)
    assert model.evaluate(x, y, verbose=0) < before


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ops.sum(x), ValueError, "sum: .* reduce_sum of .batch, 4. gives no result for"),
        (lambda x: ops.unstack(x), ValueError, "unstack: num: expected the size of axis 0, which"),
        (lambda x: ops.size(x), TypeError, "size: the size of the batch of a symbolic tensor"),
        (lambda x: ops.convert_to_numpy(x), TypeError, "is a symbolic tensor, which has no num"),
        (lambda _: Operation("nothing"), ValueError, "expected an operation of cnet, got 'nothi"),
        (lambda _: Operation(3), TypeError, "Operation: operation: expected text, got 3"),
    ],
)
def test_errors(call: Callable[[Any], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(cnet.Input((4,)))


@pytest.mark.parametrize(
    ("name", "constants", "parameters", "shapes"),
    [
        ("repeat", [None], {"repeats": 2**27, "axis": 1}, [(4,)]),
        ("repeat", [None, 2**27, 1], {}, [(4,)]),
        ("one_hot", [None, 2**28], {}, [(4,)]),
        ("one_hot", [None], {"num_classes": 2**28}, [(4,)]),
        ("tile", [None, [1, 2**24]], {}, [(4,)]),
        ("pad", [None, [[0, 0], [0, 2**26]]], {}, [(4,)]),
        ("tanh", [None], {}, [(2**28,)]),
        ("add", [None, None], {}, [(2**13, 1), (1, 2**13)]),
        ("matmul", [None, None], {}, [(2**13, 1), (1, 2**13)]),
    ],
)
def test_results_that_take_much_memory(
    name: str, constants: list[Any], parameters: Any, shapes: list[tuple[int, ...]]
) -> None:
    """A description in a file may ask for any; an operation is computed once when it is called."""
    inputs = [cnet.Input(shape) for shape in shapes]
    layer = Operation(name, constants, parameters, name="large")
    with pytest.raises(ValueError, match=f"'large': {name}: expected at most 8388608 numbers"):
        layer(inputs if len(inputs) > 1 else inputs[0])


def test_large_results_that_are_no_larger_than_needed() -> None:
    x = cnet.Input((1000, 1000))
    assert ops.matmul(x, np.ones((1000, 3))).shape == (None, 1000, 3)
    assert ops.reshape(x, (-1, 10**6)).shape == (None, 10**6)
    assert ops.repeat(x[:, :10], 3, axis=1).shape == (None, 30, 1000)
