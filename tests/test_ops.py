"""cnet.ops against cnet.reference: the same results, the same signatures; and what is refused."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tolerances import (
    ELEMENTARY_ROUNDINGS,
    activation_bound,
    activation_gradient_bound,
    central_difference,
    difference_bound,
    dot_bound,
    log_bound,
    log_softmax_bound,
    mean_loss_bound,
    relative_bound,
    rounding_bound,
    softmax_bound,
)

import cnet
from cnet import ops, reference

Array = npt.NDArray[Any]
Arguments = dict[str, Any]

# They straddle the lanes and the register tiles of the kernels.
SIZES = [1, 2, 15, 16, 17, 31, 33, 100]
DTYPES = [np.float32, np.float64]
LABEL_KINDS = ["ids", "soft"]

NAMES = sorted(reference.ops.__all__)
# Those of test_pointwise_losses.py too.
ALL_NAMES = sorted([*NAMES, *reference.losses.__all__])
PARAMETERS = {name: inspect.signature(getattr(reference, name)).parameters for name in ALL_NAMES}
ACTIVATIONS: list[tuple[str, Arguments]] = [
    *((name, {}) for name in reference.activations.ACTIVATIONS),
    ("relu", {"negative_slope": 0.3}),
    ("relu", {"max_value": 1.5}),
    ("relu", {"negative_slope": 0.3, "max_value": 1.5, "threshold": 0.5}),
    ("leaky_relu", {"negative_slope": 0.7}),
    ("elu", {"alpha": 0.3}),
    ("gelu", {"approximate": True}),
]
MAKE_ARRAYS = [name for name in NAMES if "out" in PARAMETERS[name]]
TAKE_LABELS = [name for name in NAMES if "labels" in PARAMETERS[name]]
DENSE = [name for name in NAMES if "kernel" in PARAMETERS[name]]
UPDATES = [name for name in NAMES if name.endswith("_update")]
UPDATED = [
    "param",
    "velocity",
    "mean_square",
    "mean",
    "sum_of_squares",
    "mean_square_change",
    "first_moment",
    "second_moment",
    "greatest_second_moment",
]
# The ops that may write over an input: element i of the result needs element i alone.
ELEMENTWISE = [
    "activation_backward",
    "activation_forward",
    "relu_backward",
    "relu_forward",
    "rescaling_backward",
    "rescaling_forward",
]

SCALARS = {
    "activation": "mish",
    "scale": 1 / 3,
    "offset": -0.7,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "nesterov": True,
    "rho": 0.9,
    "step": 3,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "epsilon": 1e-7,
}


# -- Arguments, results and bounds, by the names of the parameters ---------------------------------


def draw(
    name: str, batch: int, inputs: int, outputs: int, dtype: npt.DTypeLike, labels: str = "ids"
) -> Arguments:
    """Return arguments for the op `name`; an elementwise op takes inputs = outputs."""
    rng = np.random.default_rng([batch, inputs, outputs])
    rows = (batch, outputs)

    def normal(*shape: int) -> Array:
        return rng.normal(size=shape).astype(dtype)

    def distributions() -> Array:
        weights = rng.uniform(0.1, 1.0, size=rows)
        return (weights / weights.sum(axis=1, keepdims=True)).astype(dtype)

    makers: dict[str, Callable[[], Any]] = {
        "x": lambda: normal(batch, inputs),
        "y": lambda: normal(batch, inputs),
        "kernel": lambda: normal(inputs, outputs),
        "bias": lambda: normal(outputs),
        "grad": lambda: normal(*rows),
        "logits": lambda: 3 * normal(*rows),
        "probabilities": distributions,
        "log_probabilities": lambda: np.log(distributions()),
        "labels": lambda: (
            rng.integers(max(outputs, 1), size=batch) if labels == "ids" else distributions()
        ),
        "param": lambda: normal(*rows),
        "velocity": lambda: normal(*rows),
        "mean_square": lambda: normal(*rows) ** 2 + 1,
        # No mean's square is more than that of the squares.
        "mean": lambda: normal(*rows) / 10,
        "sum_of_squares": lambda: normal(*rows) ** 2,
        "mean_square_change": lambda: normal(*rows) ** 2,
        "first_moment": lambda: normal(*rows),
        "second_moment": lambda: normal(*rows) ** 2,
        "greatest_second_moment": lambda: normal(*rows) ** 2,
    } | {scalar: lambda value=value: value for scalar, value in SCALARS.items()}
    return {key: makers[key]() for key in PARAMETERS[name] if key not in ("out", "parameters")}


def call(module: Any, name: str, arguments: Arguments, **out: Any) -> tuple[Any, ...]:
    """Return all results of an op: what it returns, or else what it changed in place."""
    if name in UPDATES:
        arguments = {
            key: np.copy(value) if isinstance(value, np.ndarray) else value
            for key, value in arguments.items()
        }
        assert getattr(module, name)(**arguments) is None
        return tuple(arguments[key] for key in UPDATED if key in arguments)
    result = getattr(module, name)(**arguments, **out)
    return result if isinstance(result, tuple) else (result,)


def bounds(name: str, arguments: Arguments, dtype: npt.DTypeLike) -> tuple[Any, ...]:
    """Bound the differences of all results of an op between cnet.ops and the reference."""
    a = {
        key: np.abs(np.asarray(value, np.float64))
        for key, value in arguments.items()
        if not isinstance(value, str)
    }
    if "labels" in a:
        rows = a["logits"] if "logits" in a else a["probabilities"]
        y = np.eye(rows.shape[1])[arguments["labels"]] if a["labels"].ndim == 1 else a["labels"]
        batch, classes = rows.shape
    match name:
        case "dense_forward":
            magnitude = a["x"] @ a["kernel"] + a["bias"]
            return (dot_bound(magnitude, len(a["kernel"]) + 1, dtype),)
        case "dense_backward":
            grad, x, kernel = a.values()
            return (
                dot_bound(grad @ kernel.T, grad.shape[1], dtype),
                dot_bound(x.T @ grad, len(x), dtype),
                dot_bound(grad.sum(axis=0), len(x), dtype),
            )
        case "activation_forward":
            y = reference.activation_forward(arguments["x"], arguments["activation"])
            return (activation_bound(y, dtype),)
        case "activation_backward":
            return (activation_gradient_bound(a["grad"], 1.0, dtype),)
        case "relu_forward" | "relu_backward":
            return (0.0,)
        case "rescaling_forward":
            # The product, the sum, and each constant's own rounding to the dtype.
            return (rounding_bound(a["x"] * a["scale"] + a["offset"], 4, dtype),)
        case "rescaling_backward":
            return (rounding_bound(a["grad"] * a["scale"], 2, dtype),)
        case "softmax":
            return (softmax_bound(arguments["logits"], dtype),)
        case "softmax_backward":
            grad, p = a.values()
            total = (grad * p).sum(axis=1, keepdims=True)
            return (rounding_bound(p * (grad + total), p.shape[1] + 2, dtype),)
        case "log_softmax":
            return (log_softmax_bound(arguments["logits"], dtype),)
        case "log_softmax_backward":
            grad, log_p = a.values()
            total = grad.sum(axis=1, keepdims=True)
            roundings = log_p.shape[1] + ELEMENTARY_ROUNDINGS + 2
            return (rounding_bound(grad + np.exp(-log_p) * total, roundings, dtype),)
        case "softmax_cross_entropy_forward":
            losses = -np.log(reference.softmax(arguments["logits"].astype(np.float64)))
            loss_bound = log_softmax_bound(arguments["logits"], dtype)
            return (
                mean_loss_bound(y, losses, loss_bound, dtype),
                softmax_bound(arguments["logits"], dtype),
            )
        case "softmax_cross_entropy_backward":
            return (rounding_bound((rows + y) / batch, 3, dtype),)
        case "cross_entropy_forward":
            log_q = np.log(rows / rows.sum(axis=1, keepdims=True))
            return (mean_loss_bound(y, log_q, log_bound(log_q, classes + 2, dtype), dtype),)
        case "cross_entropy_backward":
            total = rows.sum(axis=1, keepdims=True)
            magnitude = (y / rows + y.sum(axis=1, keepdims=True) / total) / batch
            return (rounding_bound(magnitude, 2 * classes + 8, dtype),)
        case "sgd_update":
            return (rounding_bound(a["param"] + a["learning_rate"] * a["grad"], 3, dtype),)
        case "sgd_momentum_update":
            step = a["learning_rate"] * a["grad"]
            velocity = a["momentum"] * a["velocity"] + step
            change = a["momentum"] * velocity + step if arguments["nesterov"] else velocity
            return (
                rounding_bound(a["param"] + change, 8, dtype),
                rounding_bound(velocity, 4, dtype),
            )
        case "rmsprop_update":
            mean_square = a["rho"] * a["mean_square"] + (1 - a["rho"]) * a["grad"] ** 2
            change = a["learning_rate"] * a["grad"] / np.sqrt(mean_square + a["epsilon"])
            return (
                rounding_bound(a["param"] + change, 12, dtype),
                rounding_bound(mean_square, 6, dtype),
            )
        case "adam_update":
            first = a["first_moment"] + (1 - a["beta_1"]) * (a["grad"] + a["first_moment"])
            square = a["grad"] ** 2
            second = a["second_moment"] + (1 - a["beta_2"]) * (square + a["second_moment"])
            # √v can be no smaller than that of what stays of it, though g² - v may cancel.
            root = np.sqrt(a["beta_2"] * a["second_moment"])
            rate = a["learning_rate"] * np.sqrt(1 - 0.999**3) / (1 - 0.9**3)
            return (
                rounding_bound(a["param"] + rate * first / root, 16, dtype),
                rounding_bound(first, 6, dtype),
                rounding_bound(second, 6, dtype),
            )
        case "rmsprop_momentum_update":
            mean_square = a["rho"] * a["mean_square"] + (1 - a["rho"]) * a["grad"] ** 2
            change = a["learning_rate"] * a["grad"] / np.sqrt(mean_square + a["epsilon"])
            velocity = a["momentum"] * a["velocity"] + change
            return (
                rounding_bound(a["param"] + velocity, 14, dtype),
                rounding_bound(velocity, 12, dtype),
                rounding_bound(mean_square, 6, dtype),
            )
        case "rmsprop_centered_update":
            mean_square = a["rho"] * a["mean_square"] + (1 - a["rho"]) * a["grad"] ** 2
            mean = a["rho"] * a["mean"] + (1 - a["rho"]) * a["grad"]
            # As they are drawn no mean's square comes near that of the squares; their difference
            # errs by what both do.
            least = mean_square - mean**2
            change = a["learning_rate"] * a["grad"] / np.sqrt(least)
            velocity = a["momentum"] * a["velocity"] + change
            amplified = 8 * (mean_square + mean**2) / least / 2 + 6
            return (
                rounding_bound(a["param"] + velocity * amplified, 3, dtype),
                rounding_bound(velocity * amplified, 2, dtype),
                rounding_bound(mean_square, 6, dtype),
                rounding_bound(mean, 6, dtype),
            )
        case "adagrad_update":
            total = a["sum_of_squares"] + a["grad"] ** 2
            change = a["learning_rate"] * a["grad"] / np.sqrt(total + a["epsilon"])
            return (rounding_bound(a["param"] + change, 12, dtype), rounding_bound(total, 2, dtype))
        case "adadelta_update":
            mean_square = a["rho"] * a["mean_square"] + (1 - a["rho"]) * a["grad"] ** 2
            root = np.sqrt(a["mean_square_change"] + a["epsilon"])
            change = root * a["grad"] / np.sqrt(mean_square + a["epsilon"])
            square_change = a["rho"] * a["mean_square_change"] + (1 - a["rho"]) * change**2
            return (
                rounding_bound(a["param"] + a["learning_rate"] * change, 14, dtype),
                rounding_bound(mean_square, 6, dtype),
                rounding_bound(square_change, 26, dtype),
            )
        case "adam_amsgrad_update" | "nadam_update":
            first = a["first_moment"] + (1 - a["beta_1"]) * (a["grad"] + a["first_moment"])
            square = a["grad"] ** 2
            second = a["second_moment"] + (1 - a["beta_2"]) * (square + a["second_moment"])
            root = np.sqrt(a["beta_2"] * a["second_moment"])  # at least: as for Adam
            rate = a["learning_rate"] * np.sqrt(1 - 0.999**3) / (1 - 0.9**3)
            moments = [rounding_bound(first, 6, dtype), rounding_bound(second, 6, dtype)]
            if name == "adam_amsgrad_update":
                greatest = np.maximum(a["greatest_second_moment"], second)
                moments.append(rounding_bound(greatest, 6, dtype))
                return (rounding_bound(a["param"] + rate * first / root, 16, dtype), *moments)
            # The factors of the mean and of the gradient are less than 1 / (1 - 0.9⁴) and 1.
            change = a["learning_rate"] * (first / (1 - 0.9**4) + a["grad"])
            change *= np.sqrt(1 - 0.999**3) / root
            return (rounding_bound(a["param"] + change, 20, dtype), *moments)
        case "lion_update":
            first = a["beta_2"] * a["first_moment"] + (1 - a["beta_2"]) * a["grad"]
            return (
                rounding_bound(a["param"] + a["learning_rate"], 3, dtype),
                rounding_bound(first, 6, dtype),
            )
    raise AssertionError(f"no bound for {name}")


def assert_parity(name: str, arguments: Arguments, dtype: npt.DTypeLike) -> None:
    results = call(ops, name, arguments), call(reference, name, arguments)
    for actual, expected, bound in zip(*results, bounds(name, arguments, dtype), strict=True):
        assert_same_kind(actual, expected)
        error = np.abs(np.asarray(actual, np.float64) - expected)
        assert (error <= bound).all(), f"{name}: off by {error.max()}"


def assert_same_kind(actual: Any, expected: Any) -> None:
    """Check type, dtype and shape."""
    assert type(actual) is type(expected)
    assert np.asarray(actual).dtype == np.asarray(expected).dtype
    assert np.shape(actual) == np.shape(expected)


def assert_same(actual: Sequence[Any], expected: Sequence[Any]) -> None:
    """Check that results are equal, NaN to NaN."""
    for a, b in zip(actual, expected, strict=True):
        assert_same_kind(a, b)
        np.testing.assert_array_equal(a, b)


def label_kinds(name: str) -> list[str]:
    return LABEL_KINDS if name in TAKE_LABELS else ["none"]


def arrays_of(arguments: Arguments) -> list[str]:
    return [key for key, value in arguments.items() if isinstance(value, np.ndarray)]


# -- Parity ----------------------------------------------------------------------------------------


def widths(name: str, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Return the pairs of inputs and outputs that an op is tried with."""
    return product(sizes, sizes) if name in DENSE else zip(sizes, sizes, strict=True)


@pytest.mark.parametrize("batch", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_parity_with_the_reference(name: str, dtype: type, batch: int) -> None:
    for kind in label_kinds(name):
        for inputs, outputs in widths(name, SIZES):
            assert_parity(name, draw(name, batch, inputs, outputs, dtype, kind), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "parameters"), ACTIVATIONS)
def test_activations_have_parity_with_the_reference(
    name: str, parameters: Arguments, dtype: type
) -> None:
    rng = np.random.default_rng(0)
    special = [0.0, 1e-3, 0.5, 1.5, 3.0, 6.0, 1e3, 1e6, np.finfo(dtype).max, np.inf, 1e-30, 1e-40]
    x = np.concatenate(
        [rng.normal(size=200), rng.normal(size=200) * 20, special, np.negative(special)]
    )
    x = x.astype(dtype)
    with np.errstate(over="ignore", under="ignore"):
        y = reference.activation_forward(x, name, **parameters)
        finite = np.abs(x) <= 1e3
        exponent = np.zeros(x.shape)
        if name == "gelu":
            bounded = np.clip(x.astype(np.float64), -50, 50)
            cubic = parameters.get("approximate", False)
            exponent = 1.6 * bounded + 0.072 * bounded**3 if cubic else bounded**2
        actual = ops.activation_forward(x, name, **parameters)
        assert_same_kind(actual, y)
        infinite = np.isinf(y) | np.isinf(x)
        np.testing.assert_array_equal(actual[infinite], y[infinite])
        error = np.abs(actual[~infinite].astype(np.float64) - y[~infinite])
        bound = activation_bound(y, dtype, exponent)[~infinite]
        assert (error <= bound).all(), (x[~infinite][error > bound], error[error > bound])

        grad = rng.normal(size=x.shape).astype(dtype)[finite]
        x, y = x[finite], y[finite]
        slope = reference.activation_backward(np.ones_like(grad), x, y, name, **parameters)
        expected = reference.activation_backward(grad, x, y, name, **parameters)
        backward = ops.activation_backward(grad, x, y, name, **parameters)
    assert_same_kind(backward, expected)
    fits = np.isfinite(expected)
    np.testing.assert_array_equal(backward[~fits], expected[~fits])
    error = np.abs(backward[fits].astype(np.float64) - expected[fits])
    bound = activation_gradient_bound(grad, slope, dtype)[fits]
    assert (error <= bound).all(), (x[fits][error > bound], error[error > bound])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "parameters"), ACTIVATIONS)
def test_activations_at_their_limits(name: str, parameters: Arguments, dtype: type) -> None:
    """NaN stays; of infinities none becomes NaN; gradients are finite, but for exponentials."""
    x = np.array([np.nan, np.inf, -np.inf, np.finfo(dtype).max, np.finfo(dtype).min], dtype)
    y = ops.activation_forward(x, name, **parameters)
    assert np.isnan(y[0])
    assert not np.isnan(y[1:]).any()
    slope = ops.activation_backward(np.ones_like(x), x, y, name, **parameters)
    assert not np.isnan(slope[1:]).any()
    assert np.isfinite(slope[1:]).all() or name == "exponential"
    assert slope[2] in (0, dtype(parameters.get("negative_slope", 0.2))) or name == "softsign"


@pytest.mark.parametrize(("name", "parameters"), ACTIVATIONS)
def test_activation_gradients(name: str, parameters: Arguments) -> None:
    x = np.linspace(-5, 5, 37) + 0.0371  # away from every kink
    grad = np.random.default_rng(0).normal(size=x.shape)
    y = ops.activation_forward(x, name, **parameters)
    # The terms of y are no larger than e^|x|; third derivatives are below 2 but for the exponential.
    steep = np.exp(5.1) if name == "exponential" else 1.0
    bound = difference_bound(
        float((abs(grad) * (2 + 2 * abs(x) + abs(y))).sum()),
        roundings=x.size + 40,
        third_derivative=2 * steep,
    )
    assert_gradient(
        ops.activation_backward(grad, x, y, name, **parameters),
        lambda: float((grad * ops.activation_forward(x, name, **parameters)).sum()),
        x,
        bound,
    )


@pytest.mark.parametrize(
    ("name", "parameters", "error", "message"),
    [
        ("celu", {}, ValueError, "expected one of relu, relu6, .*, got 'celu'"),
        (3, {}, ValueError, "expected one of relu, relu6, .*, got 3"),
        ("gelu", {"alpha": 1.0}, TypeError, r"gelu has no parameter 'alpha' \(it has: approximate"),
        ("tanh", {"alpha": 1.0}, TypeError, r"tanh has no parameter 'alpha' \(it has: none"),
        ("relu", {"threshold": -1.0}, ValueError, "relu: threshold: expected a number of at least"),
        ("relu", {"max_value": -1.0}, ValueError, "relu: max_value: expected a number of at least"),
        ("elu", {"alpha": "1"}, TypeError, "elu: alpha: expected a number"),
    ],
)
def test_unknown_activations_and_parameters_are_refused(
    name: Any, parameters: Arguments, error: type[Exception], message: str
) -> None:
    x = np.ones(3, np.float32)
    with pytest.raises(error, match=message):
        ops.activation_forward(x, name, **parameters)
    with pytest.raises(error, match=message):
        ops.activation_backward(x, x, x, name, **parameters)


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
@pytest.mark.parametrize("batch", [0, 3])
@pytest.mark.parametrize("name", NAMES)
def test_sizes_of_zero(name: str, batch: int, dtype: type) -> None:
    for kind in label_kinds(name):
        for inputs, outputs in widths(name, [0, 3]):
            if batch and inputs and outputs:
                continue  # not a size of zero
            if kind == "ids" and batch and not outputs:
                continue  # no id would do
            arguments = draw(name, batch, inputs, outputs, dtype, kind)
            with np.errstate(divide="ignore"):  # of the reference, at the log of an empty sum
                expected = call(reference, name, arguments)
            assert_same(call(ops, name, arguments), expected)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (100,), (3, 5, 7), (2, 0, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*ELEMENTWISE, *UPDATES])
def test_elementwise_ops_take_any_shape(name: str, dtype: type, shape: tuple[int, ...]) -> None:
    arguments = draw(name, 1, math.prod(shape), math.prod(shape), dtype)
    for key in arrays_of(arguments):
        arguments[key] = arguments[key].reshape(shape)
    assert_parity(name, arguments, dtype)


@pytest.mark.parametrize("name", ["dense_forward", "softmax", "log_softmax"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_has_the_same_bits_in_any_batch(name: str, dtype: type) -> None:
    arguments = draw(name, 100, 33, 17, dtype)
    first = next(iter(arguments))  # x or logits
    (whole,) = call(ops, name, arguments)
    for start, stop in [(0, 1), (57, 58), (3, 20), (31, 64)]:
        (part,) = call(ops, name, arguments | {first: arguments[first][start:stop]})
        np.testing.assert_array_equal(part, whole[start:stop])


# -- Inputs of other layouts and dtypes ------------------------------------------------------------


def read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "strided rows": lambda a: np.repeat(a, 3, axis=0)[::3],
    "reversed": lambda a: np.flip(np.flip(a).copy()),
    "Fortran": np.asfortranarray,
    "read-only": read_only,
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
}


@pytest.mark.parametrize("kind", LABEL_KINDS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_inputs_of_any_layout(name: str, dtype: type, layout: str, kind: str) -> None:
    arguments = draw(name, 17, 13, 13, dtype, kind)
    changed = {
        key: LAYOUTS[layout](arguments[key]) for key in arrays_of(arguments) if key not in UPDATED
    }
    before = {key: value.copy() for key, value in changed.items()}
    expected = call(ops, name, arguments)
    if name in UPDATES:  # call() copies the arguments of these, and with them the layout
        updated = {key: np.copy(value) for key, value in arguments.items() if key not in SCALARS}
        arguments |= updated | changed
        getattr(ops, name)(**arguments)
        results: Sequence[Any] = [updated[k] for k in UPDATED if k in updated]
    else:
        results = call(ops, name, arguments | changed)
    assert_same(results, expected)
    for key, value in changed.items():
        np.testing.assert_array_equal(value, before[key])


@pytest.mark.parametrize("kind", ["list", "int8", "uint8", "int64", "float16", "bool"])
@pytest.mark.parametrize("name", NAMES)
def test_other_kinds_of_numbers_become_float32(name: str, kind: str) -> None:
    arguments = draw(name, 17, 13, 13, np.float32)
    rng = np.random.default_rng(0)
    changed: Arguments = {}
    for key in arrays_of(arguments):
        if key not in ("labels", *UPDATED):
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
def test_floatx_decides_where_no_array_does(name: str) -> None:
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


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("name", TAKE_LABELS)
def test_ids_of_any_integer_dtype(name: str, dtype: str) -> None:
    arguments = draw(name, 17, 13, 13, np.float32)
    expected = call(ops, name, arguments)
    ids = arguments["labels"]
    one_hot = np.eye(13)[ids]
    for labels in (ids.astype(dtype), ids.tolist(), one_hot.astype(dtype), one_hot.tolist()):
        assert_same(call(ops, name, arguments | {"labels": labels}), expected)


# -- The values that are special -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_of_nan_infinity_and_signed_zero(dtype: type) -> None:
    for size in (1, 7, 8, 16, 103):
        x = np.resize(np.array([np.nan, -0.0, 0.0, np.inf, -np.inf, 2.0, -2.0], dtype), size)
        forward = ops.relu_forward(x)
        assert_same([forward], [np.resize(np.array([np.nan, 0, 0, np.inf, 0, 2, 0], dtype), size)])
        assert not np.signbit(forward[~np.isnan(x)]).any()
        backward = ops.relu_backward(np.full(size, np.nan, dtype), x)
        assert_same([backward], [np.where(x > 0, np.full(size, np.nan, dtype), dtype(0))])


@pytest.mark.parametrize("classes", [2, 16, 33])
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_logits_stay_finite(dtype: type, classes: int) -> None:
    ids = np.arange(classes)
    logits = np.where(np.eye(classes) == 1, 1e4, -1e4).astype(dtype)
    loss, p = ops.softmax_cross_entropy_forward(logits, ids)
    assert loss == 0.0
    assert_same([p, ops.softmax(logits)], [np.eye(classes, dtype=dtype)] * 2)

    wrong = (ids + 1) % classes
    loss, p = ops.softmax_cross_entropy_forward(logits, wrong)
    assert loss == 2e4
    grad = ops.softmax_cross_entropy_backward(p, wrong)
    expected = np.eye(classes, dtype=dtype) - np.eye(classes, dtype=dtype)[wrong]
    assert_same([grad], [expected / dtype(classes)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinite_logits_of_other_classes_do_no_harm(dtype: type) -> None:
    logits = np.array([[0.0, -np.inf, 0.0], [-np.inf, 5.0, -np.inf]], dtype)
    for labels in ([2, 1], [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]):
        loss, p = ops.softmax_cross_entropy_forward(logits, labels)
        assert loss == pytest.approx(
            math.log(2) / 2, rel=relative_bound(ELEMENTARY_ROUNDINGS + 2, dtype)
        )
        assert p.tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays_in_its_row(dtype: type) -> None:
    logits = np.zeros((3, 17), dtype)
    logits[1, 5] = np.nan
    p = ops.softmax(logits)
    assert np.isnan(p[1]).all()
    assert np.isfinite(p[[0, 2]]).all()
    assert math.isnan(ops.softmax_cross_entropy_forward(logits, [0, 0, 0])[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_clipped_probabilities(dtype: type) -> None:
    p = np.array([[1.0, 3.0], [0.0, 5.0], [5.0, 0.0], [0.0, 1e-4]], dtype)
    for labels in ([0, 0, 0, 1], np.eye(2)[[0, 0, 0, 1]]):
        arguments = {"probabilities": p, "labels": labels}
        (loss,), (expected,) = (
            call(module, "cross_entropy_forward", arguments) for module in (ops, reference)
        )
        assert loss == pytest.approx(expected, rel=relative_bound(ELEMENTARY_ROUNDINGS + 4, dtype))
        grad = ops.cross_entropy_backward(p, labels)
        assert_same([grad * 4], [np.array([[-0.75, 0.25], [0, 0], [0, 0], [0, 0]], dtype)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_velocities_are_never_subnormal(dtype: type) -> None:
    tiny = np.finfo(dtype).smallest_normal
    velocity = np.resize(np.array([tiny, -tiny, 2 * tiny, -2 * tiny], dtype), 103)
    param = np.zeros(103, dtype)
    ops.sgd_momentum_update(param, np.zeros(103, dtype), velocity, 1.0, 0.5)
    assert_same([velocity, param], [np.resize(np.array([0, 0, tiny, -tiny], dtype), 103)] * 2)


# -- out -------------------------------------------------------------------------------------------


def make_outs(results: Sequence[Any]) -> tuple[Array, ...]:
    """Return arrays for results to be written to, of NaN."""
    return tuple(np.full_like(r, np.nan) for r in results if isinstance(r, np.ndarray))


def as_out(name: str, outs: tuple[Array, ...]) -> Any:
    return outs if name == "dense_backward" else outs[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MAKE_ARRAYS)
def test_out_is_written_and_returned(name: str, dtype: type, size: int) -> None:
    arguments = draw(name, 17, size, size, dtype)
    expected = call(ops, name, arguments)
    outs = make_outs(expected)
    results = call(ops, name, arguments, out=as_out(name, outs))
    assert_same(results, expected)
    arrays = [result for result in results if isinstance(result, np.ndarray)]
    assert all(result is out for result, out in zip(arrays, outs, strict=True))


# Kinds of `out` that are refused: what is made of a good one, and the error.
BAD_OUTS: dict[str, tuple[Callable[[Array], Any], type[Exception]]] = {
    "float16": (lambda out: out.astype(np.float16), TypeError),
    "other float": (
        lambda out: out.astype(np.float32 if out.dtype == np.float64 else np.float64),
        TypeError,
    ),
    "integers": (lambda out: np.full(out.shape, 7), TypeError),
    "list": (lambda out: out.tolist(), TypeError),
    "too long": (lambda out: np.concatenate([out, out]), ValueError),
    "too short": (lambda out: out[1:].copy(), ValueError),
    "other rank": (lambda out: out[np.newaxis].copy(), ValueError),
    "strided": (LAYOUTS["strided"], ValueError),
    "reversed": (LAYOUTS["reversed"], ValueError),
    "read-only": (read_only, ValueError),
}


@pytest.mark.parametrize("bad", BAD_OUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MAKE_ARRAYS)
def test_bad_outs_are_refused(name: str, dtype: type, bad: str) -> None:
    arguments = draw(name, 17, 13, 11 if name in DENSE else 13, dtype)
    good = make_outs(call(ops, name, arguments))
    spoil, error = BAD_OUTS[bad]
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


def test_dense_backward_takes_three_outs() -> None:
    arguments = draw("dense_backward", 17, 13, 11, np.float32)
    outs = make_outs(ops.dense_backward(**arguments))
    for wrong in (outs[:2], (*outs, outs[0]), outs[0]):
        with pytest.raises((TypeError, ValueError), match="dense_backward"):
            ops.dense_backward(**arguments, out=wrong)


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
@pytest.mark.parametrize("name", [name for name in MAKE_ARRAYS if name != "dense_backward"])
def test_out_may_be_an_input_of_elementwise_ops_alone(name: str, dtype: type) -> None:
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


def test_outs_that_overlap_each_other_are_refused() -> None:
    arguments = draw("dense_backward", 13, 13, 13, np.float32)
    grad_x, _, grad_bias = make_outs(ops.dense_backward(**arguments))
    with pytest.raises(ValueError, match="dense_backward"):
        ops.dense_backward(**arguments, out=(grad_x, grad_x, grad_bias))
    assert np.isnan(grad_x).all()


# -- Bad input -------------------------------------------------------------------------------------

# An op, the shapes that do not go together, and what the message says of both sides.
BAD_SHAPES: list[tuple[str, dict[str, tuple[int, ...]], tuple[str, ...]]] = [
    ("dense_forward", {"x": (17, 31), "kernel": (29, 13)}, ("31", "29")),
    ("dense_forward", {"x": (17, 1), "kernel": (31, 13)}, ("1", "31")),
    ("dense_forward", {"x": (17, 31), "kernel": (31, 13), "bias": (19,)}, ("13", "19")),
    ("dense_forward", {"x": (17, 31), "kernel": (31, 13), "bias": (1,)}, ("13", "1")),
    ("dense_forward", {"x": (17, 31), "kernel": (31, 13), "bias": (1, 13)}, ("13",)),
    ("dense_forward", {"x": (31,), "kernel": (31, 13)}, ("x", "31")),
    ("dense_forward", {"x": (3, 17, 31), "kernel": (31, 13)}, ("x", "17")),
    ("dense_forward", {"x": (17, 31), "kernel": (31,)}, ("kernel", "31")),
    ("dense_backward", {"grad": (11, 13), "x": (17, 31), "kernel": (31, 13)}, ("11", "17")),
    ("dense_backward", {"grad": (17, 19), "x": (17, 31), "kernel": (31, 13)}, ("19", "13")),
    ("dense_backward", {"grad": (17, 13), "x": (17, 29), "kernel": (31, 13)}, ("29", "31")),
    ("dense_backward", {"grad": (13,), "x": (17, 31), "kernel": (31, 13)}, ("grad", "13")),
    ("relu_backward", {"grad": (17, 13), "x": (17, 11)}, ("13", "11")),
    ("relu_backward", {"grad": (17, 13), "x": (13,)}, ("17", "13")),
    ("relu_backward", {"grad": (17, 13), "x": (221,)}, ("17", "221")),
    ("activation_backward", {"grad": (17, 13), "x": (17, 11), "y": (17, 13)}, ("13", "11")),
    ("activation_backward", {"grad": (17, 13), "x": (17, 13), "y": (17, 11)}, ("13", "11")),
    ("log_softmax", {"logits": (13,)}, ("logits", "13")),
    ("log_softmax_backward", {"grad": (17, 13), "log_probabilities": (17, 11)}, ("13", "11")),
    ("softmax", {"logits": (13,)}, ("logits", "13")),
    ("softmax", {"logits": (2, 3, 13)}, ("logits", "13")),
    ("softmax_backward", {"grad": (17, 13), "probabilities": (17, 11)}, ("13", "11")),
    ("softmax_backward", {"grad": (1, 13), "probabilities": (17, 13)}, ("1", "17")),
    ("sgd_update", {"param": (17, 13), "grad": (17, 11)}, ("13", "11")),
    ("sgd_update", {"param": (17, 13), "grad": (221,)}, ("17", "221")),
]
for updater in UPDATES:
    arrays = [key for key in PARAMETERS[updater] if key in (*UPDATED, "grad")]
    for odd in arrays[1:]:
        shapes = {key: (11,) if key == odd else (13,) for key in arrays}
        BAD_SHAPES.append((updater, shapes, (odd, "13", "11")))
for taker in TAKE_LABELS:
    rows_name = "logits" if "logits" in PARAMETERS[taker] else "probabilities"
    BAD_SHAPES += [
        (taker, {rows_name: (13,), "labels": (17,)}, (rows_name, "13")),
        (taker, {rows_name: (17, 13), "labels": (11,)}, ("labels", "17", "11")),
        (taker, {rows_name: (17, 13), "labels": (1,)}, ("labels", "17", "1")),
        (taker, {rows_name: (17, 13), "labels": (17, 11)}, ("labels", "13", "11")),
        (taker, {rows_name: (17, 13), "labels": (17, 1)}, ("labels", "13", "1")),
        (taker, {rows_name: (17, 13), "labels": ()}, ("labels", "17")),
        (taker, {rows_name: (17, 13), "labels": (17, 13, 1)}, ("labels", "17")),
    ]


@pytest.mark.parametrize(("name", "shapes", "both_sides"), BAD_SHAPES)
def test_bad_shapes_are_refused(
    name: str, shapes: dict[str, tuple[int, ...]], both_sides: tuple[str, ...]
) -> None:
    arguments: Arguments = {
        key: np.zeros(shape, np.int64 if key == "labels" and len(shape) < 2 else np.float32)
        for key, shape in shapes.items()
    }
    arguments |= {key: SCALARS[key] for key in PARAMETERS[name] if key in SCALARS}
    with pytest.raises(ValueError, match=name) as caught:
        getattr(ops, name)(**arguments)
    for side in both_sides:
        assert side in str(caught.value)
    assert not any(np.any(arguments[key]) for key in UPDATED if key in arguments)


BAD_KINDS: dict[str, Callable[[Array], Any]] = {
    "str": lambda _: "text",
    "array of str": lambda a: np.full(a.shape, "1"),
    "array of bytes": lambda a: np.full(a.shape, b"1"),
    "complex": lambda a: a.astype(np.complex64),
    "objects": lambda a: a.astype(object),
    "dates": lambda a: np.zeros(a.shape, "datetime64[s]"),
    "None": lambda _: None,
}


@pytest.mark.parametrize("kind", BAD_KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_bad_kinds_are_refused(name: str, kind: str) -> None:
    arguments = draw(name, 17, 13, 13, np.float32)
    for key in arrays_of(arguments):
        if (key, kind) == ("bias", "None"):
            continue
        copies = {other: np.copy(arguments[other]) for other in arrays_of(arguments)}
        with pytest.raises(TypeError, match=name):
            getattr(ops, name)(**(arguments | copies | {key: BAD_KINDS[kind](arguments[key])}))
        for other, array in copies.items():
            np.testing.assert_array_equal(array, arguments[other])


@pytest.mark.parametrize("key", ["scale", "offset", "learning_rate", "momentum"])
@pytest.mark.parametrize("bad", [None, [1.0, 2.0], 1j])
def test_scalars_of_a_bad_kind_are_refused(key: str, bad: object) -> None:
    for name in NAMES:
        if key in PARAMETERS[name]:
            arguments = draw(name, 3, 5, 5, np.float32)
            with pytest.raises(TypeError):
                call(ops, name, arguments | {key: bad})


@pytest.mark.parametrize("label", [-1, 10, 12, 2**31, -(2**31), 2**62])
@pytest.mark.parametrize("name", TAKE_LABELS)
def test_labels_out_of_range_are_refused(name: str, label: int) -> None:
    rows = np.full((5, 10), 0.1, np.float32)
    out = np.full((5, 10), np.nan, np.float32)
    keywords = {"out": out} if name in MAKE_ARRAYS else {}
    with pytest.raises(ValueError, match=rf"labels: {label} at row 3 is outside \[0, 10\)"):
        getattr(ops, name)(rows, np.array([0, 9, 1, label, 99]), **keywords)
    assert np.isnan(out).all()


@pytest.mark.parametrize("name", TAKE_LABELS)
def test_labels_beyond_int64_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"labels: .* at row 1 is outside \[0, 10\)"):
        getattr(ops, name)(np.full((2, 10), 0.1), np.array([0, 2**64 - 1], np.uint64))


# -- Updates in place ------------------------------------------------------------------------------


def test_updates_change_the_callers_array() -> None:
    memory = np.zeros(10, np.float32)
    param, velocity = memory[2:5], np.zeros(3, np.float32)
    ops.sgd_update(param, [1.0, 2.0, 3.0], 2.0)
    assert memory.tolist() == [0, 0, -2, -4, -6, 0, 0, 0, 0, 0]
    ops.sgd_momentum_update(param, [1.0, 1.0, 1.0], velocity, 2.0, 0.5)
    assert memory.tolist() == [0, 0, -4, -6, -8, 0, 0, 0, 0, 0]
    assert velocity.tolist() == [-2, -2, -2]


def test_updates_of_arrays_that_overlap_are_refused() -> None:
    memory = np.ones(8, np.float32)
    a, b, other = memory[:5], memory[3:], np.ones(5, np.float32)
    with pytest.raises(ValueError, match="sgd_update"):
        ops.sgd_update(a, b, 1.0)
    for param, grad, velocity in [(a, b, other), (a, other, b), (other, a, b), (a, other, a)]:
        with pytest.raises(ValueError, match="sgd_momentum_update"):
            ops.sgd_momentum_update(param, grad, velocity, 1.0, 0.5)
    assert (memory == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_param_decides_the_dtype_of_an_update(dtype: type) -> None:
    param, expected = np.ones(5, dtype), np.ones(5, dtype)
    grad = np.full(5, 0.1)
    ops.sgd_update(param, grad, 1.0)
    ops.sgd_update(expected, grad.astype(dtype), 1.0)
    assert_same([param], [expected])


BAD_PARAMS = {
    kind: bad
    for kind, bad in BAD_OUTS.items()
    if kind in ("float16", "integers", "list", "strided", "reversed", "read-only")
}


@pytest.mark.parametrize("bad", BAD_PARAMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UPDATES)
def test_arrays_that_cannot_be_updated_in_place_are_refused(
    name: str, dtype: type, bad: str
) -> None:
    arguments = draw(name, 17, 13, 13, dtype)
    spoil, error = BAD_PARAMS[bad]
    for key in UPDATED:
        if key in arguments:
            copies = {k: np.copy(arguments[k]) for k in arrays_of(arguments)}
            spoilt = arguments | copies | {key: spoil(copies[key])}
            before = np.copy(spoilt[key])
            with pytest.raises(error, match=name):
                getattr(ops, name)(**spoilt)
            np.testing.assert_array_equal(spoilt[key], before)
            np.testing.assert_array_equal(copies["param"], arguments["param"])


def test_a_velocity_of_another_dtype_is_refused() -> None:
    param, velocity = np.ones(3, np.float32), np.ones(3)
    with pytest.raises(TypeError, match="sgd_momentum_update"):
        ops.sgd_momentum_update(param, np.ones(3), velocity, 1.0, 0.5)
    assert param.tolist() == velocity.tolist() == [1, 1, 1]


# -- Gradients by central differences, in float64 --------------------------------------------------


def assert_gradient(gradient: Array, loss: Callable[[], float], array: Array, bound: float) -> None:
    error = np.abs(gradient - central_difference(loss, array))
    assert (error <= bound).all(), f"{error.max()} > {bound}"


def test_dense_gradients() -> None:
    x, kernel, bias = draw("dense_forward", 5, 17, 3, np.float64).values()
    grad = np.random.default_rng(0).normal(size=(5, 3))
    magnitude = (abs(grad) * (abs(x) @ abs(kernel) + abs(bias))).sum()
    bound = difference_bound(magnitude, roundings=17 + 15 + 2)
    for array, gradient in zip((x, kernel, bias), ops.dense_backward(grad, x, kernel), strict=True):
        assert_gradient(
            gradient, lambda: float((grad * ops.dense_forward(x, kernel, bias)).sum()), array, bound
        )


def test_elementwise_gradients() -> None:
    grad, x = draw("relu_backward", 5, 17, 17, np.float64).values()
    x += np.copysign(0.1, x)  # away from the kink of relu
    bound = difference_bound((abs(grad) * (3 * abs(x) + 1)).sum(), roundings=x.size + 3)
    assert_gradient(
        ops.relu_backward(grad, x), lambda: float((grad * ops.relu_forward(x)).sum()), x, bound
    )
    assert_gradient(
        ops.rescaling_backward(grad, 3.0),
        lambda: float((grad * ops.rescaling_forward(x, 3.0, -1.0)).sum()),
        x,
        bound,
    )


def test_log_softmax_gradient() -> None:
    (logits,) = draw("log_softmax", 5, 17, 17, np.float64).values()
    grad = np.random.default_rng(0).normal(size=(5, 17))
    # The third derivative of log Z is at most 1 / (6 √3), the skewness of one logit at most.
    bound = difference_bound(
        (abs(grad) * (3 + 2 * abs(logits).max())).sum(),
        roundings=20 + 17 + 85,
        third_derivative=0.1 * abs(grad).sum(),
    )
    assert_gradient(
        ops.log_softmax_backward(grad, ops.log_softmax(logits)),
        lambda: float((grad * ops.log_softmax(logits)).sum()),
        logits,
        bound,
    )


def test_softmax_gradient() -> None:
    (logits,) = draw("softmax", 5, 17, 17, np.float64).values()
    grad = np.random.default_rng(0).normal(size=(5, 17))
    # The third derivative of the logistic function is at most 1/8.
    bound = difference_bound(
        (abs(grad) * (1 + abs(logits))).sum(),
        roundings=20 + 17 + 85,
        third_derivative=abs(grad).sum() / 8,
    )
    assert_gradient(
        ops.softmax_backward(grad, ops.softmax(logits)),
        lambda: float((grad * ops.softmax(logits)).sum()),
        logits,
        bound,
    )


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_softmax_cross_entropy_gradient(kind: str) -> None:
    logits, labels = draw("softmax_cross_entropy_forward", 5, 17, 17, np.float64, kind).values()
    # The third derivative of log Z is at most 1 / (6 √3), the skewness of one logit at most.
    bound = difference_bound(
        math.log(17) + 2 * abs(logits).max(), roundings=20 + 2 * 17 + 5, third_derivative=0.1
    )
    _, probabilities = ops.softmax_cross_entropy_forward(logits, labels)
    assert_gradient(
        ops.softmax_cross_entropy_backward(probabilities, labels),
        lambda: ops.softmax_cross_entropy_forward(logits, labels)[0],
        logits,
        bound,
    )


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_cross_entropy_gradient(kind: str) -> None:
    p, labels = draw("cross_entropy_forward", 5, 17, 17, np.float64, kind).values()
    p *= 50  # no longer a distribution; and no less than 0.25
    # The third derivatives of log p and log Σp are at most 2 / p³.
    bound = difference_bound(
        2 - np.log(p / p.sum(axis=1, keepdims=True)).min(),
        roundings=20 + 2 * 17 + 5,
        third_derivative=4 / p.min() ** 3,
    )
    assert_gradient(
        ops.cross_entropy_backward(p, labels),
        lambda: ops.cross_entropy_forward(p, labels),
        p,
        bound,
    )


# -- Signatures ------------------------------------------------------------------------------------


def test_the_reference_has_every_op() -> None:
    assert sorted(ops.__all__) == ALL_NAMES


@pytest.mark.parametrize("name", ALL_NAMES)
def test_signatures_agree(name: str) -> None:
    def describe(module: Any) -> list[tuple[str, Any, Any]]:
        parameters = inspect.signature(getattr(module, name)).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert describe(ops) == describe(reference)


STUB = Path(__file__).parents[1] / "python" / "cnet" / "_core.pyi"


@pytest.mark.parametrize("name", ALL_NAMES)
def test_the_compiled_function_takes_the_same_parameters_by_position(name: str) -> None:
    functions = [
        node
        for node in ast.parse(STUB.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    assert functions, f"{STUB.name} has no {name}"
    for function in functions:
        arguments = function.args
        names = [argument.arg for argument in arguments.posonlyargs + arguments.args]
        assert names == list(PARAMETERS[name])
        assert not arguments.defaults, "all are required"
