"""Tensors and variables behave like arrays, and their values are immutable or copied."""

from __future__ import annotations

import copy
import operator
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import autodiff
from cnet.autodiff import Tensor, Variable, constant

ARRAY = np.array([[1.5, -2.0], [0.5, 4.0]], np.float32)
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("kind", [constant, Variable])
@pytest.mark.parametrize("function", [*OPERATORS, operator.matmul])
def test_operators_match_numpy(kind: Any, function: Any) -> None:
    x = kind(ARRAY)
    other = np.array([[2.0, 1.0], [3.0, 0.5]], np.float32)
    with np.errstate(invalid="ignore"):
        for left, right in ((ARRAY, other), (other, ARRAY)):
            expected = function(left, right)
            mixed = [
                kind(left) if left is ARRAY else left,
                kind(right) if right is ARRAY else right,
            ]
            for pair in (mixed, [kind(left), kind(right)]):
                result = function(*pair)
                assert isinstance(result, Tensor)
                assert result.dtype == np.float32
                np.testing.assert_allclose(result, expected, rtol=1e-6)
        if function is not operator.matmul:
            np.testing.assert_array_equal(function(x, 2.0), function(ARRAY, 2.0))
            np.testing.assert_array_equal(function(2.0, x), function(2.0, ARRAY))
            np.testing.assert_array_equal(function(np.float32(2), x), function(2.0, ARRAY))


@pytest.mark.parametrize("kind", [constant, Variable])
@pytest.mark.parametrize("function", COMPARISONS)
def test_comparisons_return_arrays(kind: Any, function: Any) -> None:
    result = function(kind(ARRAY), 0.5)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, function(ARRAY, 0.5))
    np.testing.assert_array_equal(function(0.5, kind(ARRAY)), function(0.5, ARRAY))
    np.testing.assert_array_equal(function(ARRAY, kind(ARRAY)), function(ARRAY, ARRAY))


@pytest.mark.parametrize("kind", [constant, Variable])
def test_array_attributes(kind: Any) -> None:
    x = kind(ARRAY)
    assert (x.shape, x.dtype, x.ndim, x.size, len(x)) == ((2, 2), np.float32, 2, 4, 2)
    np.testing.assert_array_equal(-x, -ARRAY)
    np.testing.assert_array_equal(abs(x), abs(ARRAY))
    np.testing.assert_array_equal(x[1, ::-1], ARRAY[1, ::-1])
    np.testing.assert_array_equal(x[x > 0], ARRAY[ARRAY > 0])
    np.testing.assert_array_equal([row.numpy() for row in x], ARRAY)
    np.testing.assert_array_equal(ARRAY[constant([1, 0])], ARRAY[[1, 0]])
    assert np.argmax(x) == autodiff.argmax(x) == 3
    assert sum([x[0, 0], x[1, 1]]) == 5.5
    assert np.asarray(x, np.float64).dtype == np.float64
    assert {x: 1}[x] == 1


def test_conversions_to_python_numbers() -> None:
    x = constant(2.5)
    assert (float(x), int(x), bool(x), bool(x - 2.5)) == (2.5, 2, True, False)
    assert f"{x:.2f} {x}" == "2.50 2.5"
    assert range(5)[constant(3)] == 3
    with pytest.raises(ValueError, match="ambiguous"):
        bool(constant(ARRAY))


def test_returned_arrays_are_copies() -> None:
    array = ARRAY.copy()
    for x in (constant(array), Variable(array)):
        array[:] = 0
        for given in (x.numpy(), np.asarray(x)):
            given[:] = 7
        np.testing.assert_array_equal(x.value, ARRAY)
        with pytest.raises(ValueError, match="only copied"):
            np.asarray(x, copy=False)
        array[:] = ARRAY


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (1.0, None, "float32"),
        ([1.0], None, "float32"),
        (np.ones(2), None, "float64"),
        (np.ones(2, np.float16), None, "float32"),
        ([1, 2], None, "int64"),
        (np.ones(2, np.uint8), None, "uint8"),
        (True, None, "bool"),
        ([1, 2], "float64", "float64"),
        (np.ones(2), np.float32, "float32"),
    ],
)
def test_types(value: Any, dtype: Any, expected: str) -> None:
    for kind in (constant, Variable):
        assert kind(value, dtype=dtype).dtype == expected


def test_the_default_type() -> None:
    cnet.config.set_floatx("float64")
    try:
        assert Variable(1.0).dtype == constant([1.0]).dtype == np.float64
    finally:
        cnet.config.set_floatx("float32")


def test_assignments() -> None:
    x = Variable([1.0, 2.0], name="x")
    before = x.value
    assert x.assign([3, 4]) is x
    assert x.assign_add(constant([1.0, 1.0])) is x
    assert x.assign_sub(np.array([0.5, 0.25])) is x
    assert x.numpy().tolist() == [3.5, 4.75]
    assert x.dtype == np.float32
    assert before.tolist() == [1, 2]  # a value that a tape may hold is unchanged
    given = np.array([7.0, 8.0], np.float32)
    x.assign(given)
    given[:] = 0
    assert x.numpy().tolist() == [7, 8]


@pytest.mark.parametrize("method", ["assign", "assign_add", "assign_sub"])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([[1.0, 2.0]], ValueError, r"expected shape \(2,\), got shape \(1, 2\)"),
        ("ab", TypeError, "expected numbers, got str"),
        ([1.0, [2.0]], ValueError, "rows of different lengths"),
    ],
)
def test_bad_assignments_change_nothing(
    method: str, value: Any, error: type[Exception], message: str
) -> None:
    x = Variable([1.0, 2.0], name="x")
    with pytest.raises(error, match=f"x.{method}: {message}"):
        getattr(x, method)(value)
    assert x.numpy().tolist() == [1, 2]


def test_bad_values() -> None:
    with pytest.raises(TypeError, match="w: expected numbers, got str"):
        Variable("1", name="w")
    with pytest.raises(TypeError, match="constant: dtype: expected a numeric type, got 'U3'"):
        constant(1.0, dtype="U3")


def test_texts() -> None:
    assert repr(constant(2.0)) == "Tensor(2., dtype=float32)"
    assert repr(Variable([1, 2], name="n")) == "Variable([1, 2], dtype=int64, name='n')"
    assert repr(Variable(1.0)) == "Variable(1., dtype=float32, name='Variable')"


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_are_independent(again: Any) -> None:
    x = Variable([1.0, 2.0], trainable=False, name="x")
    y = again(x)
    y.assign([3.0, 4.0])
    assert repr(x) == "Variable([1., 2.], dtype=float32, name='x')"
    assert repr(y) == "Variable([3., 4.], dtype=float32, name='x')"
    assert y.trainable is False
    assert repr(again(constant([1.0]))) == "Tensor([1.], dtype=float32)"


def test_lazy_import() -> None:
    code = (
        "import cnet, sys; assert 'cnet.autodiff' not in sys.modules; cnet.autodiff.Variable(1.0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_keras_argument_names_of_variable() -> None:
    variable = Variable(initial_value=[1, 2], trainable=False, name="w", dtype="float64")
    assert (variable.name, variable.dtype, variable.trainable) == ("w", np.float64, False)
    np.testing.assert_array_equal(variable.numpy(), [1.0, 2.0])
