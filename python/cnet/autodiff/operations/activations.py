"""Activations, softmaxes and the cross-entropy, computed by the engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import _core
from ..._data import Array, FloatArray, as_floats, as_ids
from ..._elementwise import specification
from .arithmetic import abs, exp, power, sign, square
from .comparisons import less
from .operation import Value, operation
from .reductions import reduce_sum
from .shapes import unbroadcast

__all__ = [
    "activation",
    "log_softmax",
    "relu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "tanh",
]

_DEFAULTS: dict[str, float] = {}


@operation(lambda grad, y, x: _activation_backward(grad, x, y, "relu", _DEFAULTS))
def relu(x: Value) -> Value:
    """Return max(x, 0); the gradient at 0 is 0."""
    return _core.activation_forward(_floats("relu", x), "relu", None, _DEFAULTS)


@operation(lambda grad, y, x: _activation_backward(grad, x, y, "sigmoid", _DEFAULTS))
def sigmoid(x: Value) -> Value:
    """Return 1 / (1 + e⁻ˣ)."""
    return _core.activation_forward(_floats("sigmoid", x), "sigmoid", None, _DEFAULTS)


@operation(lambda grad, y, x: _activation_backward(grad, x, y, "tanh", _DEFAULTS))
def tanh(x: Value) -> Value:
    """Return the hyperbolic tangent."""
    return _core.activation_forward(_floats("tanh", x), "tanh", None, _DEFAULTS)


@operation(lambda grad, y, x: _activation_backward(grad, x, y, "softplus", _DEFAULTS))
def softplus(x: Value) -> Value:
    """Return log(1 + eˣ)."""
    return _core.activation_forward(_floats("softplus", x), "softplus", None, _DEFAULTS)


def activation(x: Value, name: str, **parameters: Any) -> Value:
    """Return an elementwise activation of `cnet.activations` by its name.

    Parameters
    ----------
    x : array_like, any shape
    name : str
    **parameters
        Parameters of that function.

    Raises
    ------
    TypeError, ValueError
        If the activation or a parameter is unknown.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.activation([-2.0, 1.0], "leaky_relu", negative_slope=0.5)
    array([-1.,  1.], dtype=float32)
    """
    function, values = specification("activation", name, parameters)
    return _activation(x, function, values)


@operation(lambda grad, y, x, function, values: _activation_backward(grad, x, y, function, values))
def _activation(x: Value, function: str, values: dict[str, float]) -> Value:
    return _core.activation_forward(_floats(function, x), function, None, values)


@operation(
    lambda grad, _, __, x, y, function, values: _activation_backward(grad, x, y, function, values),
    lambda grad, _, gradient, x, __, function, **___: _second_derivative(
        "x", grad * gradient, x, function
    ),
    lambda grad, _, gradient, __, y, function, **___: _second_derivative(
        "y", grad * gradient, y, function
    ),
)
def _activation_backward(
    gradient: Value, x: Value, y: Value, function: str, values: dict[str, float]
) -> Value:
    return _core.activation_backward(
        _contiguous(gradient), _contiguous(x), _contiguous(y), function, None, values
    )


def _gelu_tanh_bend(x: Value) -> Value:
    """Return the second derivative of x/2 (1 + tanh u), u = c (x + a x³)."""
    c, a = math.sqrt(2 / math.pi), 0.044715
    t = tanh(x * (square(x) * (a * c) + c))
    slope = square(x) * (3 * a * c) + c
    return (1 - square(t)) * (slope + x * (x * (3 * a * c) - t * square(slope)))


def _mish_bend(x: Value) -> Value:
    """Return the second derivative of x tanh(softplus x)."""
    t, s = tanh(softplus(x)), sigmoid(x)
    return (1 - square(t)) * s * (x * (1 - s - t * s * 2) + 2)


# Derivatives of the first derivative: by the result y if that is computed from it, else by x.
_SECOND_DERIVATIVES: dict[str, tuple[str, Callable[[Value], Value]]] = {
    "elu": ("y", lambda y: less(y, 0)),
    "exponential": ("y", lambda _: 1),
    "gelu": ("x", lambda x: exp(square(x) / -2) * (2 - square(x)) / math.sqrt(2 * math.pi)),
    "gelu_tanh": ("x", _gelu_tanh_bend),
    "hard_sigmoid": ("x", lambda _: 0),
    "mish": ("x", _mish_bend),
    "relu": ("x", lambda _: 0),
    "sigmoid": ("y", lambda y: 1 - y * 2),
    "silu": ("x", lambda x: sigmoid(x) * sigmoid(-x) * (x * (1 - sigmoid(x) * 2) + 2)),
    "softplus": ("x", lambda x: sigmoid(x) * sigmoid(-x)),
    "softsign": ("x", lambda x: sign(x) * -2 / power(abs(x) + 1, 3)),
    "tanh": ("y", lambda y: y * -2),
}


def _second_derivative(by: str, grad: Value, value: Value, function: str) -> Value:
    argument, derivative = _SECOND_DERIVATIVES[function]
    return grad * derivative(value) if argument == by else None


@operation(lambda grad, y, _, axis=-1: _softmax_backward(grad, y, axis))
def softmax(x: Value, axis: int = -1) -> Value:
    """Return exp(x) divided by its sum along an axis; `x` has at least one dimension."""
    return _by_rows(_core.softmax, axis, _floats("softmax", x))


@operation(
    lambda grad, _, __, y, axis: _softmax_backward(grad, y, axis),
    lambda grad, _, gradient, y, axis: (
        grad * (gradient - reduce_sum(gradient * y, axis, True))
        - gradient * reduce_sum(grad * y, axis, True)
    ),
)
def _softmax_backward(gradient: Value, y: Value, axis: int) -> Value:
    return _by_rows(_core.softmax_backward, axis, gradient, y)


@operation(lambda grad, y, _, axis=-1: _log_softmax_backward(grad, y, axis))
def log_softmax(x: Value, axis: int = -1) -> Value:
    """Return the logarithm of `softmax`, even where that underflows to 0."""
    return _by_rows(_core.log_softmax, axis, _floats("log_softmax", x))


@operation(
    lambda grad, _, __, y, axis: grad - reduce_sum(grad * exp(y), axis, True),
    lambda grad, _, gradient, y, axis: -grad * exp(y) * reduce_sum(gradient, axis, True),
)
def _log_softmax_backward(gradient: Value, y: Value, axis: int) -> Value:
    return _by_rows(_core.log_softmax_backward, axis, gradient, y)


@operation(
    lambda grad, _, logits, labels: _cross_entropy_backward(grad, logits, labels),
    lambda grad, _, logits, labels: unbroadcast(
        -grad[..., np.newaxis] * log_softmax(logits), labels
    ),
)
def softmax_cross_entropy(logits: Value, labels: Value) -> Value:
    """Return −log p of the true class for each row of logits, p being their softmax.

    Parameters
    ----------
    logits : array_like, (…, classes)
    labels : array_like, (…) of int or (…, classes)
        Class ids, or one-hot or soft rows. Rows of floats have a gradient too.

    Returns
    -------
    array, (…)

    Raises
    ------
    ValueError
        If an id is out of range, or the shapes don't match.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.softmax_cross_entropy([[0.0, 0.0], [0.0, 100.0]], [1, 1]).round(4)
    array([0.6931, 0.    ], dtype=float32)
    """
    logits = _floats("softmax_cross_entropy", logits)
    rows, shape = _rows(logits), logits.shape[:-1]
    if np.shape(labels) not in (shape, logits.shape):
        raise ValueError(
            f"softmax_cross_entropy: labels: expected shape {shape} of ids or {logits.shape} of "
            f"rows, got {np.shape(labels)}"
        )
    if np.ndim(labels) == logits.ndim:
        labels = np.ascontiguousarray(labels, rows.dtype).reshape(rows.shape)
    else:
        labels = as_ids(np.asarray(labels).reshape(-1), "softmax_cross_entropy: labels")
    losses, _ = _core.softmax_cross_entropy_forward(rows, labels, None)
    return losses.reshape(shape)


@operation(
    lambda grad, _, __, logits, labels: reduce_sum(grad * _logit_gradients(logits, labels), -1),
    lambda grad, _, gradient, logits, labels: _softmax_backward(
        grad * gradient[..., np.newaxis] * _label_sums(logits, labels), softmax(logits), -1
    ),
    lambda grad, _, gradient, logits, labels: unbroadcast(
        (reduce_sum(grad * softmax(logits), -1)[..., np.newaxis] - grad)
        * gradient[..., np.newaxis],
        labels,
    ),
)
def _cross_entropy_backward(gradient: Value, logits: Value, labels: Value) -> Value:
    return _logit_gradients(_floats("softmax_cross_entropy", logits), labels) * np.expand_dims(
        gradient, -1
    )


def _logit_gradients(logits: Value, labels: Value) -> Value:
    """Return p Σy − y, the gradient of the cross-entropy by logits whose softmax is p."""
    return softmax(logits) * _label_sums(logits, labels) - _as_rows(labels, logits)


def _label_sums(logits: Value, labels: Value) -> Value:
    return reduce_sum(_as_rows(labels, logits), -1, keepdims=True)


@operation(lambda grad, _, labels, __: unbroadcast(grad, labels), None)
def _as_rows(labels: Value, logits: Value) -> Value:
    """Return class ids as one-hot rows, rows unchanged."""
    if np.ndim(labels) == logits.ndim:
        return np.asarray(labels, logits.dtype)
    rows = np.zeros(logits.shape, logits.dtype)
    ids = np.asarray(labels, np.int64).reshape(-1)
    rows.reshape(len(ids), rows.shape[-1])[np.arange(len(ids)), ids] = 1
    return rows


def _floats(call: str, x: Any) -> FloatArray:
    """Return `x` as a contiguous array of floats."""
    if isinstance(x, (np.ndarray, np.generic)) and x.dtype.char in "fd":
        return _contiguous(x)
    return as_floats(call, x=x)[0]


def _contiguous(x: Any) -> FloatArray:
    x = np.asarray(x)
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


def _rows(x: Array) -> Array:
    if x.ndim == 0:
        raise ValueError("expected at least one dimension")
    return x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])


def _by_rows(function: Callable[..., FloatArray], axis: int, *arrays: FloatArray) -> FloatArray:
    """Apply a function of rows along an axis of arrays of equal shape."""
    if arrays[0].ndim == 2 and axis in (-1, 1):
        return function(*map(_contiguous, arrays), None)
    if arrays[0].ndim == 0:
        raise ValueError("expected at least one dimension")
    last = [np.moveaxis(x, axis, -1) for x in arrays]
    rows = function(*(_contiguous(_rows(x)) for x in last), None)
    return np.moveaxis(rows.reshape(last[0].shape), -1, axis)
