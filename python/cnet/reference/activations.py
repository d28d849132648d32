"""The activations of `activation_forward` and their derivatives.

An activation is a pair of functions: f(x, **parameters), and f'(x, y, **parameters) with y = f(x).
None of them overflows for large x, or subtracts nearly equal numbers. `cnet.activations` has the
sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ._arrays import FloatArray

__all__ = ["ACTIVATIONS"]

# Klambauer et al., "Self-normalizing neural networks", NIPS 2017, equation 14.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
# Hendrycks and Gimpel, "Gaussian error linear units", arXiv:1606.08415, section 2.
GELU_GATE = 2 * math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715


def relu(
    x: FloatArray,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> FloatArray:
    above = x if max_value is None else np.where(x > max_value, max_value, x)
    below = negative_slope * (x - threshold) if negative_slope else 0.0
    return np.where(x <= threshold, below, above)


def relu_slope(
    x: FloatArray,
    y: FloatArray,  # noqa: ARG001 # all take both
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> FloatArray:
    passes = 1.0 if max_value is None else np.where(x >= max_value, 0.0, 1.0)
    return np.where(x > threshold, passes, negative_slope)


def relu6(x: FloatArray) -> FloatArray:
    return relu(x, max_value=6.0)


def relu6_slope(x: FloatArray, y: FloatArray) -> FloatArray:
    return relu_slope(x, y, max_value=6.0)


def leaky_relu(x: FloatArray, negative_slope: float = 0.2) -> FloatArray:
    return relu(x, negative_slope)


def leaky_relu_slope(x: FloatArray, y: FloatArray, negative_slope: float = 0.2) -> FloatArray:
    return relu_slope(x, y, negative_slope)


def elu(x: FloatArray, alpha: float = 1.0) -> FloatArray:
    return np.where(x <= 0, alpha * np.expm1(np.minimum(x, 0)), x)


def elu_slope(x: FloatArray, y: FloatArray, alpha: float = 1.0) -> FloatArray:
    return np.where(x <= 0, y + alpha, 1.0)


def selu(x: FloatArray) -> FloatArray:
    return SELU_SCALE * elu(x, SELU_ALPHA)


def selu_slope(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.where(x <= 0, y + SELU_SCALE * SELU_ALPHA, SELU_SCALE)


def sigmoid(x: FloatArray) -> FloatArray:
    z = np.exp(-np.abs(x))
    y: FloatArray = np.where(x < 0, z, 1.0) / (1 + z)
    return y


def sigmoid_slope(x: FloatArray, y: FloatArray) -> FloatArray:  # noqa: ARG001 # all take both
    return y * (1 - y)


def times_gate(x: FloatArray, gate: FloatArray) -> FloatArray:
    """Return x times a gate; where the gate is 0, at x = -∞, the product is 0."""
    return np.where(gate == 0, 0, x) * gate


def gelu(x: FloatArray, approximate: bool = False) -> FloatArray:
    if approximate:
        return times_gate(x, sigmoid(gelu_gate(x)))
    return times_gate(x, normal_distribution(x))


def gelu_slope(x: FloatArray, y: FloatArray, approximate: bool = False) -> FloatArray:  # noqa: ARG001 # all take both
    if approximate:
        s, one_minus_s = sigmoid(gelu_gate(x)), sigmoid(-gelu_gate(x))
        bounded = np.clip(x, -1e3, 1e3)
        return s + bounded * s * one_minus_s * GELU_GATE * (1 + 3 * GELU_CUBIC * bounded**2)
    bounded = np.clip(x, -1e3, 1e3)
    density = np.exp(-(bounded**2) / 2) / math.sqrt(2 * math.pi)
    return normal_distribution(x) + bounded * density


def gelu_gate(x: FloatArray) -> FloatArray:
    """Return 2u with u = √(2/π) (x + 0.044715 x³): (1 + tanh u) / 2 is sigmoid(2u)."""
    bounded = np.clip(x, -1e3, 1e3)
    return GELU_GATE * (bounded + GELU_CUBIC * bounded**3)


def normal_distribution(x: FloatArray) -> FloatArray:
    """Return Φ(x) = erfc(-x / √2) / 2, computed in float64: NumPy has no erf."""
    result: FloatArray = (_erfc(-x.astype(np.float64) / math.sqrt(2)) / 2).astype(x.dtype)
    return result


def _erfc(x: FloatArray) -> FloatArray:
    return np.array([math.erfc(each) for each in x.ravel().tolist()], np.float64).reshape(x.shape)


def silu(x: FloatArray) -> FloatArray:
    return times_gate(x, sigmoid(x))


def silu_slope(x: FloatArray, y: FloatArray) -> FloatArray:  # noqa: ARG001 # all take both
    return sigmoid(x) * (1 + np.clip(x, -1e3, 1e3) * sigmoid(-x))


def softplus(x: FloatArray) -> FloatArray:
    return np.where(x <= 0, 0, x) + np.log1p(np.exp(-np.abs(x)))


def softplus_slope(x: FloatArray, y: FloatArray) -> FloatArray:  # noqa: ARG001 # all take both
    return sigmoid(x)


def mish(x: FloatArray) -> FloatArray:
    return times_gate(x, np.tanh(softplus(x)))


def mish_slope(x: FloatArray, y: FloatArray) -> FloatArray:  # noqa: ARG001 # all take both
    """Return t + x (1 - t²) sigmoid(x) with t = tanh(softplus(x)); 1 - t² is 1 / cosh²."""
    bounded = np.clip(x, -1e3, 1e3)
    z = np.exp(-np.abs(x))
    # In terms of z = e^(-|x|): t is factor / divisor, (1 - t²) sigmoid(x) is bend.
    factor, below = np.where(x < 0, z * (2 + z), 1 + 2 * z), x < 0
    divisor = np.where(below, 2 + 2 * z + z * z, 1 + 2 * z + 2 * z * z)
    bend = np.where(below, 4 * z, 4 * z * z) * (1 + z) / divisor**2
    slope: FloatArray = factor / divisor + bounded * bend
    return slope


def tanh(x: FloatArray) -> FloatArray:
    return np.tanh(x)


def tanh_slope(x: FloatArray, y: FloatArray) -> FloatArray:  # noqa: ARG001 # all take both
    return (1 - y) * (1 + y)


def hard_sigmoid(x: FloatArray) -> FloatArray:
    return relu6(x + 3) / 6


def hard_sigmoid_slope(x: FloatArray, y: FloatArray) -> FloatArray:
    return relu6_slope(x + 3, y) / 6


def softsign(x: FloatArray) -> FloatArray:
    bounded = np.clip(x, -1e30, 1e30)
    y: FloatArray = bounded / (1 + np.abs(bounded))
    return y


def softsign_slope(x: FloatArray, y: FloatArray) -> FloatArray:  # noqa: ARG001 # all take both
    return (1 / (1 + np.abs(x))) ** 2


def exponential(x: FloatArray) -> FloatArray:
    return np.exp(x)


def exponential_slope(x: FloatArray, y: FloatArray) -> FloatArray:  # noqa: ARG001 # all take both
    return y


ACTIVATIONS: dict[str, tuple[Callable[..., FloatArray], Callable[..., FloatArray]]] = {
    "relu": (relu, relu_slope),
    "relu6": (relu6, relu6_slope),
    "leaky_relu": (leaky_relu, leaky_relu_slope),
    "elu": (elu, elu_slope),
    "selu": (selu, selu_slope),
    "gelu": (gelu, gelu_slope),
    "silu": (silu, silu_slope),
    "mish": (mish, mish_slope),
    "tanh": (tanh, tanh_slope),
    "sigmoid": (sigmoid, sigmoid_slope),
    "hard_sigmoid": (hard_sigmoid, hard_sigmoid_slope),
    "softplus": (softplus, softplus_slope),
    "softsign": (softsign, softsign_slope),
    "exponential": (exponential, exponential_slope),
}
