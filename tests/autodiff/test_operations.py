"""Gradients of every operation against central differences in float64; kinks, dtypes and errors."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from support.differentiable_operations import CASES, Array, Case, Shape
from support.tolerances import (
    ELEMENTARY_ROUNDINGS,
    central_difference,
    difference_bound,
    relative_bound,
)

from cnet import activations, autodiff, config, ops
from cnet.autodiff.operations.operation import VariadicVJPs

EACH = [pytest.param(case, id=case.name) for case in CASES]

# Roundings of each result of an operation, besides those of summing its terms.
ROUNDINGS = 3 * ELEMENTARY_ROUNDINGS + 12


def total(gradients: list[Array], values: list[Array]) -> float:
    return float(sum((g * v).sum() for g, v in zip(gradients, values, strict=True)))


def gradients_of(case: Case, arrays: list[Array], grad: Array) -> list[Array]:
    variables = [autodiff.Variable(array) for array in arrays]
    with autodiff.GradientTape() as tape:
        result = case.function(*variables)
    found = tape.gradient(result, variables, grad, unconnected_gradients="zero")
    return [gradient.numpy() for gradient in found]


# The largest error so far, and the largest relative to its bound.
LARGEST = {"error": 0.0, "of its bound": 0.0}


@pytest.fixture(scope="module", autouse=True)
def largest(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print the largest distance of the gradients from central differences, with --long -n 0 -s."""
    yield
    if request.config.getoption("--long"):
        print(f"\nlargest {LARGEST}")  # noqa: T201 # for whoever asked


def assert_near(found: list[Array], differences: list[Array], bound: float) -> None:
    for gradient, expected in zip(found, differences, strict=True):
        largest = np.abs(gradient - expected).max(initial=0)
        LARGEST["error"] = max(LARGEST["error"], largest)
        LARGEST["of its bound"] = max(LARGEST["of its bound"], largest / (bound or 1))
        assert gradient.shape == expected.shape
        assert gradient.dtype == np.float64
        error = np.abs(gradient - expected)
        assert (error <= bound).all(), f"by {expected.shape}: {error.max()} > {bound}"


@pytest.mark.parametrize("case", EACH)
def test_first_derivatives(case: Case) -> None:
    for shapes in case.shapes:
        assert_first_derivatives(case, shapes)


def assert_first_derivatives(case: Case, shapes: tuple[Shape, ...]) -> None:
    arrays = case.draw(shapes)
    grad = np.random.default_rng(1).normal(size=np.shape(case.function(*arrays)))
    found = gradients_of(case, arrays, grad)
    differences = [
        central_difference(lambda: total([grad], [case.function(*arrays)]), array)
        for array in arrays
    ]
    steepness = float(np.abs(grad).sum()) * case.steepness
    terms = case.terms(*arrays)
    bound = difference_bound(
        2 * steepness * max(terms, 1), terms + grad.size + ROUNDINGS, steepness
    )
    assert_near(found, differences, bound)


def squared(case: Case) -> Case:
    """Return the square of an operation. By Leibniz's rule its fifth derivative has 2⁵ products."""
    return dataclasses.replace(
        case,
        function=lambda *arrays: autodiff.square(case.function(*arrays)),
        steepness=2**5 * case.steepness**2,
    )


@pytest.mark.parametrize("case", EACH)
def test_second_derivatives(case: Case) -> None:
    for shapes in case.shapes:
        assert_second_derivatives(case, shapes)


def assert_second_derivatives(case: Case, shapes: tuple[Shape, ...]) -> None:
    """Compare second derivatives from nested tapes with differences of first derivatives.

    The operation is squared, so that gradients of linear operations depend on their input, too.
    """
    case = squared(case)
    arrays = case.draw(shapes)
    rng = np.random.default_rng(2)
    grad = rng.normal(size=np.shape(case.function(*arrays)))
    directions = [rng.normal(size=array.shape) for array in arrays]

    variables = [autodiff.Variable(array) for array in arrays]
    with autodiff.GradientTape() as outer:
        with autodiff.GradientTape() as inner:
            result = case.function(*variables)
        first = inner.gradient(result, variables, grad, unconnected_gradients="zero")
        slope = sum(
            autodiff.reduce_sum(gradient * direction)
            for gradient, direction in zip(first, directions, strict=True)
        )
    second = outer.gradient(slope, variables, unconnected_gradients="zero")
    differences = [
        central_difference(lambda: total(directions, gradients_of(case, arrays, grad)), array)
        for array in arrays
    ]
    steepness = float(np.abs(grad).sum()) * case.steepness
    steepness *= sum(float(np.abs(direction).sum()) for direction in directions)
    terms = case.terms(*arrays)
    bound = difference_bound(
        2 * steepness * max(terms, 1), terms + grad.size + ROUNDINGS, steepness
    )
    assert_near([gradient.numpy() for gradient in second], differences, bound)


def test_every_operation_has_cases() -> None:
    differentiable = {
        name
        for name in autodiff.operations.__all__
        if not (made := getattr(getattr(autodiff, name), "operation", None))
        or isinstance(made.vjps, VariadicVJPs)
        or any(made.vjps)
    }
    assert differentiable == {case.name for case in CASES}


@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3, min_side=0), st.data())
def test_any_shapes_that_broadcast(shapes: Any, data: st.DataObject) -> None:
    case = data.draw(
        st.sampled_from([case for case in CASES if case.name in ("multiply", "maximum")])
    )
    arrays = case.draw(shapes.input_shapes)
    grad = np.random.default_rng(1).normal(size=shapes.result_shape)
    for gradient, array, other in zip(
        gradients_of(case, arrays, grad), arrays, arrays[::-1], strict=True
    ):
        slopes = other if case.name == "multiply" else array > other
        expected = sum_to(grad * slopes, array.shape)
        bound = relative_bound(grad.size + 2, np.float64) * float(np.abs(grad * slopes).sum())
        assert (np.abs(gradient - expected) <= bound).all()


def sum_to(array: Array, shape: Shape) -> Array:
    """Sum over the broadcast elements, one by one."""
    result = np.zeros(shape)
    for index in np.ndindex(array.shape):
        kept = index[len(index) - len(shape) :]
        result[tuple(0 if size == 1 else n for n, size in zip(kept, shape, strict=True))] += array[
            index
        ]
    return result


# -- Kinks and limits ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (autodiff.relu, 0.0, 0.0),
        (autodiff.abs, 0.0, 0.0),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**1, 0.0, 1.0),
        (lambda x: x**2, 0.0, 0.0),
        (lambda x: 0.0**x, 2.0, 0.0),
        (lambda x: autodiff.clip(x, 0.0, 1.0), 0.0, 1.0),
        (lambda x: autodiff.clip(x, 0.0, 1.0), 1.0, 1.0),
        (lambda x: autodiff.clip(x, 0.0, 1.0), 1.1, 0.0),
        (lambda x: autodiff.maximum(x, 1.0), 1.0, 0.5),
        (lambda x: autodiff.minimum(x, 1.0), 1.0, 0.5),
        (lambda x: autodiff.maximum(x, x), 1.0, 1.0),
    ],
)
def test_gradients_at_kinks(function: Any, x: float, expected: float) -> None:
    variable = autodiff.Variable(x)
    with autodiff.GradientTape() as tape:
        y = function(variable)
    assert tape.gradient(y, variable) == expected


def test_the_gradient_of_a_root_at_zero_is_infinite() -> None:
    x = autodiff.Variable([0.0, 4.0])
    with autodiff.GradientTape() as tape:
        y = autodiff.sqrt(x)
    with np.errstate(divide="ignore"):
        assert tape.gradient(y, x).numpy().tolist() == [math.inf, 0.25]


def test_equal_maxima_share_the_gradient() -> None:
    x = autodiff.Variable([[3.0, 1.0, 3.0], [0.0, 2.0, 1.0]])
    with autodiff.GradientTape(persistent=True) as tape:
        rows, most = autodiff.reduce_max(x, axis=1), autodiff.reduce_max(x)
    assert tape.gradient(rows, x).numpy().tolist() == [[0.5, 0, 0.5], [0, 1, 0]]
    assert tape.gradient(most, x).numpy().tolist() == [[0.5, 0, 0.5], [0, 0, 0]]


def test_products_with_zeros() -> None:
    x = autodiff.Variable([[2.0, 0.0, 3.0], [0.0, 5.0, 0.0], [1.0, 2.0, 3.0]])
    with autodiff.GradientTape() as tape:
        y = autodiff.reduce_prod(x, axis=1)
    assert tape.gradient(y, x).numpy().tolist() == [[0, 6, 0], [0, 0, 0], [6, 3, 2]]


def test_second_derivatives_of_a_product_with_a_zero() -> None:
    x = autodiff.Variable([2.0, 0.0, 3.0])
    with autodiff.GradientTape() as outer:
        with autodiff.GradientTape() as inner:
            y = autodiff.reduce_prod(x)
        slope = inner.gradient(y, x)
    assert outer.gradient(slope, x, [1.0, 10.0, 100.0]).numpy().tolist() == [30, 203, 20]


def test_the_logarithm_of_a_sum_of_exponentials_does_not_overflow() -> None:
    x = np.array([[1e4, 1e4], [-np.inf, 0.0], [-np.inf, -np.inf], [np.inf, 0.0]])
    with np.errstate(invalid="raise"):
        found = autodiff.reduce_logsumexp(x, axis=1)
    assert found.tolist() == [1e4 + math.log(2), 0, -math.inf, math.inf]


def test_nested_where_avoids_nan_gradients() -> None:
    x = autodiff.Variable([0.0, 1.0])
    with autodiff.GradientTape() as tape:
        safe = autodiff.where(x.value > 0, x, 1.0)
        y = autodiff.where(x.value > 0, autodiff.log(safe), -1.0)
    assert tape.gradient(y, x).numpy().tolist() == [0.0, 1.0]


def test_power_of_negative_numbers() -> None:
    x, y = autodiff.Variable(-2.0), autodiff.Variable(3.0)
    with autodiff.GradientTape() as tape:
        result = x**y
    with np.errstate(invalid="ignore"):
        by_x, by_y = tape.gradient(result, [x, y])
    assert by_x == 12
    assert math.isnan(by_y)


def test_gradients_of_repeated_indices_are_summed() -> None:
    table = autodiff.Variable(np.arange(6.0).reshape(3, 2))
    with autodiff.GradientTape() as tape:
        rows = autodiff.gather(table, [2, 0, 2])
    assert tape.gradient(rows, table).numpy().tolist() == [[1, 1], [0, 0], [2, 2]]


# -- Dtypes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_float32_stays_float32(case: Case) -> None:
    arrays = [array.astype(np.float32) for array in case.draw(case.shapes[-1])]
    variables = [autodiff.Variable(array) for array in arrays]
    with autodiff.GradientTape() as tape:
        result = case.function(*variables)
    if case.name != "cast":
        assert result.dtype == np.float32
        assert case.function(*arrays).dtype == np.float32
    for gradient, array in zip(tape.gradient(result, variables), arrays, strict=True):
        assert gradient is None or (gradient.dtype, gradient.shape) == (np.float32, array.shape)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_operations_on_arrays_return_arrays(case: Case) -> None:
    arrays = case.draw(case.shapes[0])
    result = case.function(*arrays)
    assert isinstance(result, (np.ndarray, np.generic))
    of_tensors = case.function(*map(autodiff.constant, arrays))
    assert isinstance(of_tensors, autodiff.Tensor)
    np.testing.assert_array_equal(of_tensors.numpy(), result)


def test_gradients_have_the_dtypes_of_their_sources() -> None:
    x, y = autodiff.Variable([[1.0, 2.0]]), autodiff.Variable(np.ones((2, 2)))
    for function in (autodiff.multiply, autodiff.matmul, autodiff.maximum, autodiff.power):
        with autodiff.GradientTape() as tape:
            result = function(x, y)
        assert result.dtype == np.float64
        assert [g.dtype for g in tape.gradient(result, [x, y])] == [np.float32, np.float64]


def test_gradients_beside_numbers_of_python_are_as_precise_as_the_array() -> None:
    x = autodiff.Variable(np.array(2.0))
    for function, slope in (
        (lambda x: 3**x, 9 * math.log(3)),
        (lambda x: x**0.3, 0.3 * 2**-0.7),
        (lambda x: autodiff.arctan2(0.3, x), -0.3 / 4.09),
        (lambda x: autodiff.logaddexp(x, 0.3), 1 / (1 + math.exp(0.3 - 2))),
    ):
        with autodiff.GradientTape() as tape:
            y = function(x)
        assert float(tape.gradient(y, x)) == pytest.approx(slope, rel=relative_bound(30, "float64"))


def test_numbers_and_lists_take_the_dtype_of_the_other_operand() -> None:
    x = autodiff.constant(np.ones((2, 2), np.float32))
    for result in (x * 2, 2.5 - x, x**2, 2**x, x / 3, autodiff.where([True, False], x, 0)):
        assert result.dtype == np.float32
    assert autodiff.add(x, [1.0, 2.0]).dtype == autodiff.exp([1.0]).dtype == np.float32


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_integers_become_floats(floatx: str) -> None:
    n, x = np.arange(1, 4), np.ones(3, np.float32)
    config.set_floatx(floatx)
    try:
        for result in (autodiff.add(n, x), autodiff.matmul(x, n), autodiff.where([True], n, x)):
            assert result.dtype == np.float32
        assert autodiff.concatenate([n, x]).dtype == autodiff.clip(x, 1, n).dtype == np.float32
        for result in (autodiff.divide(n, 2), autodiff.exp(n), autodiff.reduce_mean(n)):
            assert result.dtype == floatx
        for result in (autodiff.add(1, 0.5), autodiff.divide(1, 3), autodiff.log(2)):
            assert result.dtype == floatx
        assert autodiff.multiply(n, 0.5).dtype == autodiff.stack([1.5, 2]).dtype == floatx
        assert autodiff.add(n, 1).dtype == autodiff.reduce_sum(n).dtype == n.dtype
    finally:
        config.set_floatx("float32")


def test_integers_have_no_gradient() -> None:
    x, n = autodiff.Variable([1.5, 2.5]), autodiff.Variable([1, 2])
    with autodiff.GradientTape() as tape:
        y = x * n + autodiff.cast(x, "int64")
    by_x, by_n = tape.gradient(y, [x, n])
    assert by_x.numpy().tolist() == [1, 2]
    assert by_n is None


# -- The engine's bits -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_bits_of_the_engine(dtype: type) -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(17, 33)).astype(dtype), rng.normal(size=(33, 7)).astype(dtype)
    ids = rng.integers(7, size=17)
    variables = [autodiff.Variable(x), autodiff.Variable(kernel)]
    with autodiff.GradientTape(persistent=True) as tape:
        logits = autodiff.matmul(*variables)
        hidden = {
            name: getattr(autodiff, name)(logits)
            for name in ("relu", "sigmoid", "tanh", "softplus")
        }
        rows = {name: getattr(autodiff, name)(logits) for name in ("softmax", "log_softmax")}
        losses = autodiff.softmax_cross_entropy(logits, ids)
    expected = ops.dense_forward(x, kernel)
    assert logits.numpy().tobytes() == expected.tobytes()
    grad = rng.normal(size=expected.shape).astype(dtype)
    by_x, by_kernel, _ = ops.dense_backward(grad, x, kernel)
    found = tape.gradient(logits, variables, grad)
    assert [g.numpy().tobytes() for g in found] == [by_x.tobytes(), by_kernel.tobytes()]
    for name, y in hidden.items():
        array = getattr(activations, name)(expected)
        assert y.numpy().tobytes() == array.tobytes()
        backward = ops.activation_backward(grad, expected, array, name)
        assert tape.gradient(y, logits, grad).numpy().tobytes() == backward.tobytes()
    for name, y in rows.items():
        array = getattr(ops, name)(expected)
        assert y.numpy().tobytes() == array.tobytes()
        backward = getattr(ops, f"{name}_backward")(grad, array)
        assert tape.gradient(y, logits, grad).numpy().tobytes() == backward.tobytes()
    probabilities = ops.softmax(expected)
    one = ops.softmax_cross_entropy_backward(probabilities[:1], ids[:1])
    assert losses.shape == (17,)
    assert tape.gradient(losses, logits).numpy()[:1].tobytes() == one.tobytes()


# -- Errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: autodiff.add(x), TypeError, "missing a required argument: 'y'"),
        (lambda x: autodiff.exp(x, 1, 2), TypeError, "too many positional arguments"),
        (lambda x: autodiff.exp(x, axis=1), TypeError, "unexpected keyword argument 'axis'"),
        (lambda x: autodiff.add(x, "1"), TypeError, "add: expected numbers, got str"),
        (lambda x: autodiff.add(x, [[1.0], [1.0, 2.0]]), ValueError, "add: rows of different"),
        (lambda x: x @ np.ones((4, 2)), ValueError, r"matmul: .*\(2, 3\) and \(4, 2\)"),
        (lambda x: x + np.ones(5), ValueError, r"add: operands .* shapes \(2, ?3\)"),
        (
            lambda x: autodiff.reduce_sum(x, axis=2),
            ValueError,
            "reduce_sum: axis 2 is out of bounds",
        ),
        (
            lambda x: autodiff.softmax(x[0, 0]),
            ValueError,
            "softmax: expected at least one dimension",
        ),
        (lambda x: autodiff.softmax_cross_entropy(x, [0, 3]), ValueError, "3 at row 1 is outside"),
        (lambda x: autodiff.softmax_cross_entropy(x, [0]), ValueError, r"expected shape \(2,\) of"),
        (
            lambda x: autodiff.softmax_cross_entropy(x, [0.5, 1]),
            ValueError,
            "0.5 at row 0 is not a",
        ),
        (lambda x: x[5], IndexError, r"getitem: index 5 is .*given shapes \(2, 3\)"),
        (lambda x: autodiff.concatenate(x), TypeError, "concatenate: values: expected a list"),
        (
            lambda x: autodiff.concatenate([x, [1.0]]),
            ValueError,
            "concatenate: all the input arrays",
        ),
        (lambda x: autodiff.cast(x, "U5"), TypeError, "cast: dtype: expected a numeric type"),
        (lambda x: autodiff.activation(x, "celu"), ValueError, "expected one of relu"),
        (lambda x: np.exp(x), TypeError, "does not support ufuncs"),
        (lambda x: x + np.ma.masked_array([1.0]), TypeError, "masked arrays"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    for x in (autodiff.constant(np.ones((2, 3), np.float32)), autodiff.Variable(np.ones((2, 3)))):
        with pytest.raises(error, match=message):
            call(x)


def test_inputs_may_be_keyword_arguments() -> None:
    x = autodiff.Variable([3.0])
    with autodiff.GradientTape() as tape:
        y = autodiff.subtract(y=x, x=autodiff.multiply(x, y=2.0))
    assert tape.gradient(y, x) == 1


def test_operations_have_signatures() -> None:
    assert list(inspect.signature(autodiff.reduce_sum).parameters) == ["x", "axis", "keepdims"]
    for name in autodiff.operations.__all__:
        assert getattr(autodiff, name).__doc__
