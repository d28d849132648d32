"""Activation functions by Keras's names and defaults, computed by the engine."""

from __future__ import annotations

from ..autodiff import operations
from ..autodiff.operations import activation, relu, sigmoid, softplus, tanh
from ..autodiff.operations.operation import Value
from ..autodiff.operations.selections import part
from ._arguments import checked

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softplus",
    "softsign",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


@checked
def relu6(x: Value) -> Value:
    """Return min(max(x, 0), 6)."""
    return activation(x, "relu6")


@checked
def leaky_relu(x: Value, negative_slope: float = 0.2) -> Value:
    """Return x if positive, else negative_slope times x.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.leaky_relu([-1.0, 2.0])
    array([-0.2,  2. ], dtype=float32)
    """
    return activation(x, "leaky_relu", negative_slope=negative_slope)


@checked
def elu(x: Value, alpha: float = 1.0) -> Value:
    """Return x if positive, else alpha (eˣ − 1)."""
    return activation(x, "elu", alpha=alpha)


@checked
def celu(x: Value, alpha: float = 1.0) -> Value:
    """Return x if positive, else alpha (exp(x / alpha) − 1)."""
    negative = operations.minimum(x, 0.0)
    bent = operations.multiply(alpha, operations.expm1(operations.divide(negative, alpha)))
    return operations.add(relu(x), bent)


@checked
def selu(x: Value) -> Value:
    """Return 1.0507 times `elu` with alpha = 1.6733; see `cnet.activations.selu`."""
    return activation(x, "selu")


@checked
def gelu(x: Value, approximate: bool = True) -> Value:
    """Return x times the probability of a normal number below x, or an approximation by `tanh`.

    `cnet.activations.gelu` has another default, as in Keras.
    """
    return activation(x, "gelu", approximate=approximate)


@checked
def silu(x: Value) -> Value:
    """Return x times sigmoid(x)."""
    return activation(x, "silu")


@checked
def swish(x: Value) -> Value:
    """Return x times sigmoid(x); the same as `silu`."""
    return activation(x, "silu")


@checked
def mish(x: Value) -> Value:
    """Return x times tanh(softplus(x)). Keras has it in `activations` only."""
    return activation(x, "mish")


@checked
def glu(x: Value, axis: int = -1) -> Value:
    """Return the first half of x along an axis times the sigmoid of the second half."""
    first, second = (part(x, n, 2, axis) for n in range(2))
    return operations.multiply(first, sigmoid(second))


@checked
def hard_sigmoid(x: Value) -> Value:
    """Return x / 6 + 0.5, limited to [0, 1]."""
    return activation(x, "hard_sigmoid")


@checked
def hard_silu(x: Value) -> Value:
    """Return x times hard_sigmoid(x)."""
    return operations.multiply(x, activation(x, "hard_sigmoid"))


@checked
def hard_swish(x: Value) -> Value:
    """Return x times hard_sigmoid(x); the same as `hard_silu`."""
    return hard_silu(x)


@checked
def hard_tanh(x: Value) -> Value:
    """Return x limited to [-1, 1]."""
    return operations.clip(x, -1.0, 1.0)


@checked
def log_sigmoid(x: Value) -> Value:
    """Return the logarithm of sigmoid(x), even where that underflows to 0."""
    return operations.negative(softplus(operations.negative(x)))


@checked
def softsign(x: Value) -> Value:
    """Return x / (1 + |x|)."""
    return activation(x, "softsign")


@checked
def squareplus(x: Value, b: float = 4) -> Value:
    """Return (x + √(x² + b)) / 2."""
    root = operations.sqrt(operations.add(operations.square(x), float(b)))
    return operations.divide(operations.add(x, root), 2)


@checked
def tanh_shrink(x: Value) -> Value:
    """Return x − tanh(x)."""
    return operations.subtract(x, tanh(x))


@checked
def soft_shrink(x: Value, threshold: float = 0.5) -> Value:
    """Return x moved towards 0 by the threshold, 0 in between."""
    return operations.subtract(x, operations.clip(x, -threshold, threshold))


@checked
def hard_shrink(x: Value, threshold: float = 0.5) -> Value:
    """Return x where |x| exceeds the threshold, else 0."""
    return operations.where(operations.greater(operations.abs(x), threshold), x, 0.0)


@checked
def threshold(x: Value, threshold: float, default_value: float) -> Value:
    """Return x where it exceeds the threshold, else a default."""
    return operations.where(operations.greater(x, threshold), x, default_value)
