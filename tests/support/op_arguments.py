"""Every operation of cnet.ops by name: arguments, calls and comparisons."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnet import reference
from support.tolerances import central_difference

Array = npt.NDArray[Any]
Arguments = dict[str, Any]

# Sizes around those of the lanes and the register tiles of the kernels.
SIZES = [1, 2, 15, 16, 17, 31, 33, 100]
DTYPES = [np.float32, np.float64]
LABEL_KINDS = ["ids", "soft", "unnormalized"]

ALL_NAMES = [name for name in reference.__all__ if callable(getattr(reference, name))]
# ops/test_losses.py tests the pointwise losses.
NAMES = [name for name in ALL_NAMES if not name.startswith("pointwise_loss")]
PARAMETERS = {name: inspect.signature(getattr(reference, name)).parameters for name in ALL_NAMES}
MAKE_ARRAYS = [name for name in NAMES if "out" in PARAMETERS[name]]
MAKE_SEVERAL = [name for name in MAKE_ARRAYS if "tuple" in PARAMETERS[name]["out"].annotation]
TAKE_LABELS = [name for name in NAMES if "labels" in PARAMETERS[name]]
OPTIONAL = ["bias", "gamma", "beta"]
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
# Ops that may overwrite an input: element i of the result depends only on element i of it.
ELEMENTWISE = [
    "activation_backward",
    "activation_forward",
    "relu_backward",
    "relu_forward",
    "rescaling_backward",
    "rescaling_forward",
]

SCALARS = {
    "axis": -1,
    "loss": "huber",
    "delta": 0.75,
    "positive_weight": 0.25,
    "negative_weight": 0.75,
    "divisor": 5.0,
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
    "rate": 0.3,
    "stddev": 0.5,
    "seed": 2**40 + 1,
}


def draw(
    name: str, batch: int, inputs: int, outputs: int, dtype: type, labels: str = "ids"
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
        "predictions": distributions,
        "targets": distributions,
        "probabilities": distributions,
        "log_probabilities": lambda: np.log(distributions()),
        "labels": lambda: (
            rng.integers(max(outputs, 1), size=batch) if labels == "ids" else distributions()
        ),
        "param": lambda: normal(*rows),
        "velocity": lambda: normal(*rows),
        "mean_square": lambda: normal(*rows) ** 2 + 1,
        # The square of the mean may not exceed the mean square, in RMSprop for each weight.
        "mean": lambda: normal(*rows) / 10 if name in UPDATES else normal(outputs),
        "variance": lambda: normal(outputs) ** 2,
        "gamma": lambda: 1.5 if "loss" in PARAMETERS[name] else normal(outputs),
        "beta": lambda: normal(outputs),
        "mask": lambda: np.where(normal(*rows) > 0, dtype(2), dtype(0)),
        "sum_of_squares": lambda: normal(*rows) ** 2,
        "mean_square_change": lambda: normal(*rows) ** 2,
        "first_moment": lambda: normal(*rows),
        "second_moment": lambda: normal(*rows) ** 2,
        "greatest_second_moment": lambda: normal(*rows) ** 2,
    } | {scalar: lambda value=value: value for scalar, value in SCALARS.items()}
    return {key: makers[key]() for key in PARAMETERS[name] if key not in ("out", "parameters")}


def call(module: Any, name: str, arguments: Arguments, **out: Any) -> tuple[Any, ...]:
    """Return all results of an op: the returned arrays, or those updated in place."""
    if name in UPDATES:
        arguments = {
            key: np.array(value, subok=True) if isinstance(value, np.ndarray) else value
            for key, value in arguments.items()
        }
        assert getattr(module, name)(**arguments) is None
        return tuple(arguments[key] for key in UPDATED if key in arguments)
    result = getattr(module, name)(**arguments, **out)
    return result if isinstance(result, tuple) else (result,)


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


def updated_by(name: str) -> list[str]:
    """Return the names of the parameters that an op updates in place."""
    return [key for key in UPDATED if key in PARAMETERS[name]] if name in UPDATES else []


def arrays_of(arguments: Arguments) -> list[str]:
    return [key for key, value in arguments.items() if isinstance(value, np.ndarray)]


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


# Kinds of `out` that are refused: how to make one from a valid one, and the error.
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


def make_outs(results: Sequence[Any]) -> tuple[Array, ...]:
    """Return arrays of NaN for the results to be written to."""
    return tuple(np.full_like(r, np.nan) for r in results if isinstance(r, np.ndarray))


def as_out(name: str, outs: tuple[Array, ...]) -> Any:
    return outs if name in MAKE_SEVERAL else outs[0]


def draw_normal(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def draw_labels(kind: str, batch: int, classes: int) -> Array:
    rng = np.random.default_rng(batch)
    if kind == "soft":
        return rng.dirichlet(np.ones(classes), size=batch)
    if kind == "unnormalized":  # rows of zeros mask samples; others sum to at most 2
        y = rng.uniform(0, 2 / classes, (batch, classes))
        y[::3] = 0
        return y
    ids = rng.integers(classes, size=batch)
    return ids if kind == "ids" else np.eye(classes)[ids]


def assert_gradient(gradient: Array, loss: Callable[[], float], array: Array, bound: float) -> None:
    """Compare a gradient in float64 with central differences of the loss."""
    assert gradient.shape == array.shape
    assert gradient.dtype == np.float64
    error = np.abs(gradient - central_difference(loss, array))
    assert (error <= bound).all(), f"{error.max()} > {bound}"
