"""The contract of every activation, and the arguments of `activations.get`.

The operations of the engine and of the reference are compared with the definition. Functions, tapes and layers
have the same bits as the operation.
"""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import pytest
from support.activation_cases import CASES, OP_CASES, ROW_NAMES, Array, Case, points, trained
from support.tolerances import (
    ELEMENTARY_ROUNDINGS,
    gamma,
    log_softmax_bound,
    relative_bound,
    softmax_bound,
)

from cnet import activations, autodiff, layers, ops, reference
from cnet._objects import ACCESSORS
from cnet.reference.activations import ACTIVATIONS

SHAPES = [(), (0,), (1,), (17,), (5, 17), (4, 3, 17)]
DTYPES = [np.float32, np.float64]
NAMES = ["linear", *ACTIVATIONS, *ROW_NAMES]


def draw(shape: tuple[int, ...], dtype: type) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def test_every_activation_has_a_case() -> None:
    assert {case.name for case in CASES} == {"linear", *ACTIVATIONS}
    public = {*activations.__all__} - ACCESSORS - {"swish"}
    assert public == {*NAMES}
    for name in ACTIVATIONS:  # each parameter has a value other than its default in some case
        given = {key for case in CASES if case.name == name for key in case.parameters}
        assert given == {*signature(getattr(activations, name)).parameters} - {"x"}


# -- Definitions ----------------------------------------------------------------------------------

# NumPy's formulas have at most six operations besides up to three exponentials, logarithms and tangents. The
# exponents of GELU, x² / 2 and a cubic polynomial, have up to four roundings of their own.
REFERENCE_ROUNDINGS = 6 + 3 * ELEMENTARY_ROUNDINGS


def reference_bound(case: Case, x: Array, exact: Array) -> Array:
    roundings = np.full(x.shape, float(REFERENCE_ROUNDINGS))
    if case.name == "gelu":
        z = np.clip(x.astype(np.float64), -50, 50)
        exponent = 1.6 * z + 0.072 * z**3 if case.parameters else z**2
        roundings += 4 * np.abs(exponent)
    # Underflow loses up to the smallest normal number, times an x of a hundred or a thousand.
    underflow = 1000 * float(np.finfo(x.dtype).smallest_normal)
    bound: Array = gamma(1, x.dtype) * roundings * np.abs(exact) + underflow
    return bound


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", OP_CASES, ids=str)
@pytest.mark.parametrize("module", [ops, reference], ids=["engine", "reference"])
def test_values_match_the_definition(module: Any, case: Case, dtype: type) -> None:
    x = points(np.dtype(dtype).name)
    with np.errstate(over="ignore", under="ignore"):
        y = module.activation_forward(x, case.name, **case.parameters)
        exact = case.exact(x)
        rounded = exact.astype(dtype)
    assert (type(y), y.dtype, y.shape) == (np.ndarray, dtype, x.shape)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(y[~finite], rounded[~finite])
    x, y, exact, rounded = x[finite], y[finite], exact[finite], rounded[finite]
    if module is ops:  # half a unit for the rounding of the exact value
        bound = (case.units + 0.5) * np.spacing(np.abs(rounded)).astype(np.float64)
    else:
        bound = reference_bound(case, x, exact)
    error = np.abs(y - exact)
    assert (error <= bound).all(), (x[error > bound], y[error > bound], exact[error > bound])


# A slope that the engine computes from x has an error of 3 units in the last place of 1 or of itself, 6 u; one
# that it computes from y has y's 2 units, times 2 at most, and 3 roundings. The product with the gradient follows.
ENGINE_SLOPE_ROUNDINGS = 2 * 2 * 2 + 3 + 1
# As for the values. Ten roundings cover those of an exponent, because an exponential decreases faster.
REFERENCE_SLOPE_ROUNDINGS = REFERENCE_ROUNDINGS + 10


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", OP_CASES, ids=str)
@pytest.mark.parametrize("module", [ops, reference], ids=["engine", "reference"])
def test_gradients_match_the_definition(module: Any, case: Case, dtype: type) -> None:
    x = points(np.dtype(dtype).name)
    x = x[(np.abs(x) <= 100) & ~np.isin(x, list(case.kinks))]
    grad = np.random.default_rng(1).normal(size=x.shape).astype(dtype)
    with np.errstate(over="ignore", under="ignore"):
        y = module.activation_forward(x, case.name, **case.parameters)
        found = module.activation_backward(grad, x, y, case.name, **case.parameters)
        slope = case.exact_slopes(x)
        exact = grad * slope
        fits = np.abs(exact) <= np.finfo(dtype).max
    assert (type(found), found.dtype, found.shape) == (np.ndarray, dtype, x.shape)
    roundings = ENGINE_SLOPE_ROUNDINGS if module is ops else REFERENCE_SLOPE_ROUNDINGS
    bound = gamma(roundings + case.units, dtype) * np.abs(grad) * np.maximum(np.abs(slope), 1)
    error = np.abs(found - exact)
    assert (error <= bound)[fits].all(), (x[fits & (error > bound)], error[fits & (error > bound)])
    np.testing.assert_array_equal(found[~fits], np.copysign(np.inf, exact[~fits]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", OP_CASES, ids=str)
@pytest.mark.parametrize("module", [ops, reference], ids=["engine", "reference"])
def test_limits_kinks_and_nan(module: Any, case: Case, dtype: type) -> None:
    """NaN gives NaN, infinities and the largest numbers give the limits, and no slope is NaN."""
    largest = np.finfo(dtype).max
    x = np.array([-np.inf, -largest, largest, np.inf, np.nan, *case.kinks], dtype)
    with np.errstate(over="ignore", under="ignore"):
        y = module.activation_forward(x, case.name, **case.parameters)
        slopes = module.activation_backward(np.ones_like(x), x, y, case.name, **case.parameters)
    rounded = relative_bound(case.units, dtype)  # of parameters
    np.testing.assert_allclose(y[[0, 3]], case.limits, rtol=rounded)
    assert np.isnan(y).tolist() == [False] * 4 + [True] + [False] * len(case.kinks)
    np.testing.assert_allclose(slopes[[0, 3]], case.slope_limits, rtol=rounded)
    assert not np.isnan(slopes[:4]).any()
    assert np.isfinite(slopes[:4]).all() or case.name == "exponential"
    np.testing.assert_allclose(slopes[5:], list(case.kinks.values()), rtol=rounded)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_sign_of_zero(case: Case, dtype: type) -> None:
    """Compilers may lose the sign."""
    y = case.function(np.array([0.0, -0.0], dtype))
    if case.keeps_sign_of_zero:
        assert np.signbit(y).tolist() == [False, True]
    elif case.name in ("relu", "relu6") and not case.parameters:
        assert not np.signbit(y).any()


# -- The function, the tape and the layers -----------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_functions_equal_the_operation_for_any_shape(case: Case, dtype: type) -> None:
    for shape in SHAPES:
        x = draw(shape, dtype)
        expected = x
        if case.name != "linear":
            expected = ops.activation_forward(x, case.name, **case.parameters)
        np.testing.assert_array_equal(case.function(x), expected, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_tapes_record_activations(case: Case, dtype: type) -> None:
    """Values and gradients have the bits of the engine."""
    x, grad = 3 * draw((5, 7), dtype), draw((5, 7), dtype)[::-1].copy()
    variable = autodiff.Variable(x)
    with autodiff.GradientTape() as tape:
        y = case.function(variable)
    expected = grad
    if case.name != "linear":
        array = case.function(x)
        expected = ops.activation_backward(grad, x, array, case.name, **case.parameters)
    assert y.numpy().tobytes() == case.function(x).tobytes()
    assert tape.gradient(y, variable, grad).numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layers_have_the_same_bits_as_functions(case: Case) -> None:
    x = draw((5, 7), np.float32)
    result = layers.Activation(case.function)(x)
    np.testing.assert_array_equal(result, case.function(x), strict=True)
    dense = layers.Dense(3, case.function, bias_initializer="random_normal")
    result = dense(x)
    expected = case.function(ops.dense_forward(x, dense.kernel, dense.bias))
    np.testing.assert_array_equal(result, expected, strict=True)


@pytest.mark.parametrize(
    ("function", "name", "parameters"),
    [
        *(pytest.param(case.function, case.name, case.parameters, id=str(case)) for case in CASES),
        *((getattr(activations, name), name, {}) for name in ROW_NAMES),
    ],
)
def test_training_through_activations(function: Any, name: str, parameters: dict[str, Any]) -> None:
    """The activation belongs to a dense layer, or is a layer after it."""
    rng = np.random.default_rng(0)
    x, ids = rng.normal(size=(33, 7)), rng.integers(3, size=33)
    dense = partial(layers.Dense, 19, dtype="float64", bias_initializer="random_normal")
    for hidden in ([dense(function)], [dense(), layers.Activation(function, dtype="float64")]):
        for actual, weight in zip(*trained(hidden, x, ids, name, parameters), strict=True):
            # A few hundred roundings, of terms of magnitude 1.
            bound = relative_bound(1000, np.float64)
            np.testing.assert_allclose(actual, weight, rtol=0, atol=bound)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_parameters_and_defaults_match_the_reference(name: str) -> None:
    def describe(function: Any) -> list[tuple[str, Any, Any]]:
        return [(p.name, p.kind, p.default) for p in signature(function).parameters.values()]

    assert describe(getattr(activations, name)) == describe(ACTIVATIONS[name][0])


def test_lists_are_accepted() -> None:
    cut = activations.relu([-4, 0.5, 2, 9], negative_slope=0.5, max_value=6, threshold=1)
    assert cut.tolist() == [-2.5, -0.25, 2.0, 6.0]
    assert activations.linear([1.5]).tolist() == [1.5]


@pytest.mark.parametrize("name", NAMES)
def test_data_that_is_not_numeric_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name}\w*: .*expected numbers"):
        getattr(activations, name)(["a"])


# -- Functions of rows ------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, 0, 1, -2])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 17), (4, 3, 17)])
@pytest.mark.parametrize(
    ("name", "bound"), [("softmax", softmax_bound), ("log_softmax", log_softmax_bound)]
)
def test_rows_along_an_axis(
    name: str, bound: Any, shape: tuple[int, ...], dtype: type, axis: int
) -> None:
    x = draw(shape, dtype)
    result = getattr(activations, name)(x, axis=axis)
    assert (result.dtype, result.shape) == (dtype, shape)
    logits, found = (np.moveaxis(a, axis, -1).reshape(-1, shape[axis]) for a in (x, result))
    expected = getattr(reference, name)(logits.astype(np.float64))
    assert (abs(found - expected) <= bound(logits, dtype)).all()


@pytest.mark.parametrize("name", ROW_NAMES)
@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tapes_record_functions_of_rows(name: str, axis: int, dtype: type) -> None:
    x, grad = 3 * draw((5, 7), dtype), draw((5, 7), dtype)[::-1].copy()
    function, backward = getattr(activations, name), getattr(ops, f"{name}_backward")
    variable = autodiff.Variable(x)
    with autodiff.GradientTape() as tape:
        y = function(variable, axis=axis)
    array = function(x, axis=axis)
    expected = backward(grad, array) if axis else backward(grad.T, array.T).T
    assert y.numpy().tobytes() == array.tobytes()
    assert tape.gradient(y, variable, grad).numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(3, 0), (0, 3)])
def test_softmax_of_an_empty_array(shape: tuple[int, ...], axis: int) -> None:
    assert activations.softmax(np.empty(shape), axis=axis).shape == shape


def test_softmax_of_one_dimension() -> None:
    np.testing.assert_array_equal(activations.softmax([7.0, 7.0]), [0.5, 0.5])


# -- get ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_get_accepts_names_and_functions(name: str) -> None:
    function = getattr(activations, name)
    assert activations.get(name) is function
    assert activations.get(function) is function


@pytest.mark.parametrize("case", CASES, ids=str)
def test_get_accepts_partials(case: Case) -> None:
    assert activations.get(case.function) is case.function or case.parameters
    function = partial(getattr(activations, case.name), **case.parameters)
    assert activations.get(function) is function


def test_get_accepts_none_as_linear() -> None:
    assert activations.get(None) is activations.linear


def test_swish_is_silu() -> None:
    assert activations.get("swish") is activations.swish is activations.silu


@pytest.mark.parametrize(
    ("identifier", "error", "message"),
    [
        (partial(activations.gelu, alpha=1.0), TypeError, "gelu has no parameter 'alpha'"),
        (partial(activations.tanh, axis=1), TypeError, "tanh has no parameter 'axis'"),
        (partial(activations.linear, axis=1), TypeError, "linear has no parameter 'axis'"),
        (partial(activations.softmax, alpha=1), TypeError, "softmax has no parameter 'alpha'"),
        (partial(activations.softmax, axis=0), ValueError, "softmax: expected axis=-1"),
        (partial(activations.log_softmax, axis=2), ValueError, "log_softmax: expected axis=-1"),
        (partial(activations.relu, threshold=-1.0), ValueError, "relu: threshold: expected"),
        (partial(activations.elu, [1.0]), TypeError, "the parameters of elu by name"),
        ("celu", ValueError, "Keras's 'celu' is not supported"),
        ("hard_swish", ValueError, "Keras's 'hard_swish' is not supported"),
    ],
)
def test_get_refuses_functions_that_the_engine_lacks(
    identifier: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        activations.get(identifier)


@pytest.mark.parametrize("identifier", ["", "ReLU", 3, ["relu"]])
def test_get_refuses_unknown_names(identifier: Any) -> None:
    error = ValueError if isinstance(identifier, str) else TypeError
    with pytest.raises(error, match=r"activation: expected one of linear, relu, .*, got"):
        activations.get(identifier)
