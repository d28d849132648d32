"""The operations with Keras's names: values by NumPy, tensors, nodes, shapes alone, errors."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from support.keras_operations import ARRAYS, CALLS, NAMES, UNSET, Call, parameters_of
from support.numpy_operations import NUMPY
from support.tolerances import ELEMENTARY_ROUNDINGS, relative_bound

from cnet import autodiff, graph, layers, ops
from cnet.autodiff.operations.operation import Operation
from cnet.autodiff.operators import Operators

EACH = [
    pytest.param(name, call, id=f"{name}-{number}")
    for name, calls in CALLS.items()
    for number, call in enumerate(calls)
]
# Calls that read numbers, or return properties of an array.
NOT_OF_NODES = {"cond", "convert_to_numpy", "dtype", "linspace", "ndim", "shape", "size"}
# Calls that need the shape of an input, which a placeholder may lack.
NEED_SHAPES = {"dot", "inner", "multi_hot", "norm", "tensordot", "unstack", "einsum", "normalize"}
NEED_SHAPES |= {"sparse_categorical_crossentropy"}


def leaves(result: Any) -> list[Any]:
    """Return the arrays of a result, which may be several."""
    if isinstance(result, (list, tuple)):
        return [leaf for each in result for leaf in leaves(each)]
    return [result]


def inputs_of(call: Call) -> list[Any]:
    return [ARRAYS[name] for name in parameters_of(call)]


def computed(call: Call, *inputs: Any) -> list[Any]:
    with np.errstate(all="ignore"):
        return leaves(call(ops, *inputs))


def test_every_name_has_a_call() -> None:
    assert set(CALLS) | UNSET == set(NAMES)
    for name in UNSET:
        x = np.zeros((2, 3), np.float32)
        made = ops.empty((2, 3)) if name == "empty" else ops.empty_like(x)
        assert (made.shape, made.dtype) == (x.shape, x.dtype)


@pytest.mark.parametrize(("name", "call"), EACH)
def test_values(name: str, call: Call) -> None:
    """Sums of up to thirty products of elementary functions, with terms up to about 2⁶."""
    found = computed(call, *inputs_of(call))
    with np.errstate(all="ignore"):
        expected = leaves(call(NUMPY, *inputs_of(call)))
    for ours, theirs in zip(found, expected, strict=True):
        if isinstance(theirs, str):
            assert ours == theirs
            continue
        assert np.shape(ours) == np.shape(theirs)
        single = np.asarray(ours).dtype == np.float32 or np.asarray(theirs).dtype == np.float32
        largest = np.abs(theirs, dtype=float).max(initial=1, where=np.isfinite(theirs))
        bound = relative_bound(30 + 4 * ELEMENTARY_ROUNDINGS, np.float32 if single else np.float64)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=64 * bound * largest, err_msg=name)


@pytest.mark.parametrize(("name", "call"), EACH)
def test_tensors_and_variables_have_the_numbers_of_arrays(name: str, call: Call) -> None:
    arrays = inputs_of(call)
    if name == "linspace":
        return
    expected = computed(call, *arrays)
    for kind in (autodiff.constant, autodiff.Variable):
        for ours, array in zip(computed(call, *map(kind, arrays)), expected, strict=True):
            np.testing.assert_array_equal(np.asarray(ours), array)
            assert isinstance(ours, (autodiff.Tensor, np.ndarray, np.generic, int, str))


@pytest.mark.parametrize(("name", "call"), EACH)
def test_nodes_have_the_numbers_of_arrays(name: str, call: Call) -> None:
    arrays = inputs_of(call)
    if name in NOT_OF_NODES or not arrays:
        return
    if name in NEED_SHAPES:
        nodes = [graph.placeholder(array.shape) for array in arrays]
    elif name == "get_item" or "matmul" in name:
        nodes = [graph.constant(array) for array in arrays]
    else:
        nodes = [graph.placeholder() for _ in arrays]
    made = leaves(call(ops, *nodes))
    expected = computed(call, *arrays)
    feed = dict(zip(nodes, arrays, strict=True)) if isinstance(nodes[0], graph.Placeholder) else {}
    with np.errstate(all="ignore"):
        found = graph.Session().run(made, feed)
    for ours, array in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, array)


class Symbolic(Operators):
    """A tensor that knows its shape and type only."""

    def __init__(self, array: Any) -> None:
        self.shape, self.dtype = np.shape(array), np.asarray(array).dtype

    @staticmethod
    def __apply__(operation: Operation, inputs: list[Any], parameters: dict[str, Any]) -> Symbolic:
        values = [
            np.zeros(each.shape, each.dtype) if isinstance(each, Symbolic) else each
            for each in inputs
        ]
        return Symbolic(operation.forward(*values, **parameters))


@pytest.mark.parametrize(("name", "call"), EACH)
def test_shapes_and_types_are_found_without_numbers(name: str, call: Call) -> None:
    arrays = inputs_of(call)
    if name in NOT_OF_NODES or not arrays:
        return
    expected = computed(call, *arrays)
    found = computed(call, *map(Symbolic, arrays))
    assert [(x.shape, x.dtype) for x in found] == [
        (np.shape(x), np.asarray(x).dtype) for x in expected
    ]


@pytest.mark.parametrize(("name", "call"), EACH)
def test_shapes_and_types_do_not_depend_on_the_numbers(name: str, call: Call) -> None:
    """So that they can be found from zeros."""
    arrays = inputs_of(call)
    if name == "cond":
        return
    expected = computed(call, *arrays)
    found = computed(call, *map(np.zeros_like, arrays))
    assert [(np.shape(x), np.asarray(x).dtype) for x in found] == [
        (np.shape(x), np.asarray(x).dtype) for x in expected
    ]


def test_weights_are_recorded() -> None:
    layer = layers.Dense(2, kernel_initializer="ones")
    layer.build((None, 3))
    with autodiff.GradientTape() as tape:
        y = ops.sum(ops.square(layer.weights[0]))
    np.testing.assert_array_equal(tape.gradient(y, layer.weights[0]).numpy(), 2 * np.ones((3, 2)))


def test_every_name_has_its_own_signature_and_docstring() -> None:
    for name in NAMES:
        function = getattr(ops, name)
        assert function.__name__ == name
        assert function.__doc__
        assert inspect.signature(function).parameters


def test_the_default_type_is_floatx() -> None:
    for made in (ops.zeros(2), ops.eye(2), ops.arange(2.0), ops.linspace(0, 1, 3), ops.full(2, 1)):
        assert made.dtype == np.float32
    for made in (ops.mean([1, 2]), ops.divide(1, 2), ops.one_hot([1], 2), ops.norm([3, 4])):
        assert made.dtype == np.float32


def test_gradients_where_the_norm_is_zero() -> None:
    x = autodiff.Variable([[0.0, 0.0]])
    with autodiff.GradientTape() as tape:
        y = ops.normalize(x)
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), np.float32([[1e7, 1e7]]))


def test_full_of_a_tensor_is_recorded() -> None:
    x = autodiff.Variable(2.0)
    with autodiff.GradientTape() as tape:
        y = ops.full((2, 3), x)
    assert tape.gradient(y, x) == 6


x = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.where([True]), TypeError, "where: expected x1 and x2; numpy.nonzero"),
        (lambda: ops.norm(x, "nuc"), ValueError, "norm: ord: expected None, 'fro', ±1 or ±inf"),
        (lambda: ops.norm(x, 2), ValueError, "norm: ord: expected None, 'fro', ±1 or ±inf"),
        (lambda: ops.norm(x, "fro", axis=0), ValueError, "norm: ord: expected a norm of 1 axes"),
        (lambda: ops.norm(x, 1, axis=(0, 1, 0)), ValueError, "norm: ord: expected a norm of 3"),
        (lambda: ops.normalize(x, order=0), ValueError, "normalize: order: expected an integer of"),
        (lambda: ops.moments(x, 0, synchronized=True), ValueError, "moments: synchronized"),
        (lambda: ops.split(x, 2, axis=1), ValueError, "3 elements can't be split into 2 equal"),
        (lambda: ops.unstack(x, axis=2), ValueError, "unstack: axis: got 2 for shape"),
        (lambda: ops.unstack(graph.placeholder()), TypeError, "unstack: the shape of a node is"),
        (lambda: ops.top_k(x, 4), ValueError, "k: expected at most the size of the last axis"),
        (lambda: ops.pad(x, 1, "wrap"), ValueError, "mode: expected 'constant', 'reflect' or"),
        (lambda: ops.pad(x, 1, "reflect", 1), ValueError, "pad: constant_values: expected None"),
        (lambda: ops.one_hot([0], 2, sparse=True), ValueError, "one_hot: sparse: expected False"),
        (lambda: ops.multi_hot([0]), ValueError, "multi_hot: num_classes: expected the number"),
        (lambda: ops.convert_to_tensor(x, sparse=True), ValueError, "no sparse or ragged arrays"),
        (lambda: ops.linspace(autodiff.constant(0.0), 1), TypeError, "linspace: start and stop"),
        (lambda: ops.zeros(2, "U5"), TypeError, "zeros: dtype: expected a numeric type"),
        (lambda: ops.tensordot(x, x, 1), ValueError, "sizes 3 and 2 of label .* differ"),
        (lambda: ops.tensordot(x, x, 3), ValueError, "tensordot: axes: got 3 for arrays of 2"),
        (lambda: ops.tensordot(x, x, ([0], [0, 1])), ValueError, "tensordot: axes: expected as"),
        (lambda: ops.einsum("ii->i", x), ValueError, "einsum: subscripts: repeated labels"),
        (lambda: ops.einsum("ij", x, x), ValueError, "einsum: subscripts: expected labels of 2"),
        (lambda: ops.einsum("ij->ik", x), ValueError, "einsum: subscripts: no operand has .* 'k'"),
        (lambda: ops.einsum("i1->i", x), ValueError, "einsum: subscripts: expected letters"),
        (lambda: ops.einsum("ijk->i", x), ValueError, "einsum: subscripts: 'ijk' doesn't fit"),
        (lambda: ops.binary_crossentropy(x, x[0]), ValueError, "binary_crossentropy: target and"),
        (lambda: ops.categorical_crossentropy([0, 1], x), ValueError, "differ in shape: .2,. and"),
        (
            lambda: ops.sparse_categorical_crossentropy([0, 3], x),
            ValueError,
            "3 at row 1 is outside",
        ),
        (
            lambda: ops.sparse_categorical_crossentropy(x, x),
            ValueError,
            "expected ids of shape .2,., got .2, 3.",
        ),
        (
            lambda: ops.sparse_categorical_crossentropy([0, 1], x, axis=0),
            ValueError,
            "axis: expected -1, the last, got 0",
        ),
        (lambda: ops.add("1", x), TypeError, "add: expected numbers, got str"),
        (lambda: ops.conv, AttributeError, "cnet.ops' has no attribute 'conv': Keras and PyTorch"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
