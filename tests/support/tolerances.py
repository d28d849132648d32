"""All tolerances of the tests.

Each tolerance is derived from the number of roundings and the dtype, and bounds every element
separately, relative to the terms of its sum.

The model is that of Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, SIAM 2002:
an operation has a relative error of 1 + δ, |δ| ≤ u, with the unit roundoff u = eps / 2 (equation 2.4),
and n operations one of 1 + θ, |θ| ≤ gamma_n = n u / (1 - n u) (lemma 3.1), for any order of a sum and
with fused multiply-adds or without. cnet and its reference may err in opposite directions, so the bounds
of their difference are doubled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
Float64Array: TypeAlias = npt.NDArray[np.float64]

# NumPy states at most 2.52 ulp for its float32 exp and 3.83 for its log (release notes of 1.17);
# cnet's are below that. An ulp is at most 2 u.
ELEMENTARY_ROUNDINGS = 2 * 4


def unit_roundoff(dtype: npt.DTypeLike) -> float:
    """Return u, the largest relative error of a rounding."""
    return float(np.finfo(dtype).eps) / 2


def gamma(roundings: float, dtype: npt.DTypeLike) -> float:
    """Return gamma_n, the largest relative error of n successive roundings."""
    error = roundings * unit_roundoff(dtype)
    assert error < 1, "too many roundings for a bound"
    return error / (1 - error)


def relative_bound(roundings: float, dtype: npt.DTypeLike) -> float:
    """Bound the relative difference of two results with `roundings` roundings each."""
    return 2 * gamma(roundings, dtype)


def rounding_bound(
    magnitude: npt.ArrayLike, roundings: float, dtype: npt.DTypeLike
) -> Float64Array:
    """Bound the difference of two sums whose terms have up to `roundings` roundings each.

    `magnitude` is the sum of the terms' absolute values, element by element.
    """
    return relative_bound(roundings, dtype) * np.asarray(magnitude, np.float64)


def dot_bound(magnitude: npt.ArrayLike, terms: int, dtype: npt.DTypeLike) -> Float64Array:
    """Bound the difference of two inner products of `terms` terms (Higham, equation 3.5).

    `magnitude` is |a|ᵀ|b|: for matrices ``abs(a) @ abs(b)``.
    """
    return rounding_bound(magnitude, terms, dtype)


def log_bound(log: npt.ArrayLike, roundings: float, dtype: npt.DTypeLike) -> Float64Array:
    """Bound the difference of two logarithms of a number with `roundings` roundings.

    The logarithm turns the relative error of the number into an absolute error and adds its own.
    """
    return rounding_bound(roundings + ELEMENTARY_ROUNDINGS * np.abs(log), 1, dtype)


def softmax_bound(logits: npt.ArrayLike, dtype: npt.DTypeLike) -> Float64Array:
    """Bound the difference of two softmaxes of the rows of `logits`.

    An exponential has its own error and, times |zᵢ - max|, that of the subtraction; the sum has
    those of its terms, weighted by them, and of its additions; a division follows. The smallest
    normal number covers underflow. (The analysis of Blanchard, Higham and
    Higham, IMA Journal of Numerical Analysis 41(4), 2021, section 4.)
    """
    distance, p = _distance_and_softmax(logits)
    roundings = distance + ELEMENTARY_ROUNDINGS + _log_sum_roundings(distance, p) + 1
    return rounding_bound(p, 1, dtype) * roundings + float(np.finfo(dtype).smallest_normal)


def log_softmax_bound(logits: npt.ArrayLike, dtype: npt.DTypeLike) -> Float64Array:
    """Bound the difference of two log-softmaxes log Z - zᵢ of the rows of `logits`.

    Besides the logarithm, the error of the subtraction of the maximum is relative to |zᵢ - max|, and
    that of the last subtraction to the result.
    """
    distance, p = _distance_and_softmax(logits)
    log_sum = -np.log(p.max(axis=-1, keepdims=True))
    log_sum_bound = rounding_bound(_log_sum_roundings(distance, p), 1, dtype)
    log_sum_bound += log_bound(log_sum, 0, dtype)
    return log_sum_bound + rounding_bound(distance + (log_sum + distance), 1, dtype)


# cnet states at most 4 ulp for its activations (kernels/table.hpp), 8 u. The reference's formulas have
# at most six operations besides up to three of NumPy's exponentials, logarithms and tangents.
ACTIVATION_ROUNDINGS = (8 + (6 + 3 * ELEMENTARY_ROUNDINGS)) / 2


def activation_bound(
    y: npt.ArrayLike, dtype: npt.DTypeLike, exponent: npt.ArrayLike = 0.0
) -> Float64Array:
    """Bound the difference of two results y of an activation.

    If y is a multiple of an exponential, `exponent` is its exponent, which multiplies the exponent's own
    roundings: up to four, for GELU's x² / 2 and its cubic polynomial. Underflow may lose the smallest
    normal number, times an x of a hundred or a thousand.
    """
    roundings = ACTIVATION_ROUNDINGS + 4 * np.abs(np.asarray(exponent, np.float64))
    underflow = 1000 * float(np.finfo(dtype).smallest_normal)
    return rounding_bound(np.abs(np.asarray(y, np.float64)) * roundings, 1, dtype) + underflow


def activation_gradient_bound(
    grad: npt.ArrayLike, slope: npt.ArrayLike, dtype: npt.DTypeLike
) -> Float64Array:
    """Bound the difference of two gradients through an activation of derivative `slope`.

    Derivatives are sums of terms no larger than 1 or the largest slope, which may cancel. An exponential
    decreases faster than the roundings of its exponent grow: ten are enough for them.
    """
    magnitude = np.abs(np.asarray(grad, np.float64)) * np.maximum(np.abs(slope), 1.0)
    return rounding_bound(magnitude, ACTIVATION_ROUNDINGS + 10, dtype)


def mean_loss_bound(
    y: FloatArray, losses: FloatArray, loss_bound: Float64Array, dtype: npt.DTypeLike
) -> float:
    """Bound the difference of two means over the batch of Σⱼ yⱼ lossⱼ, the batch in float64.

    `losses`, their bound `loss_bound` and the weights `y` have shape (batch, classes).
    """
    batch, classes = y.shape
    magnitude = float(np.abs(y * losses).sum())
    total = float((np.abs(y) * loss_bound).sum())
    total += relative_bound(classes + 1, dtype) * magnitude
    total += relative_bound(batch + 1, np.float64) * magnitude
    return float(total / max(batch, 1))


def _distance_and_softmax(logits: npt.ArrayLike) -> tuple[Float64Array, Float64Array]:
    z = np.asarray(logits, np.float64)
    distance = z.max(axis=-1, keepdims=True, initial=-np.inf) - z
    exp = np.exp(-distance)
    p: Float64Array = exp / exp.sum(axis=-1, keepdims=True)
    return distance, p


def _log_sum_roundings(distance: Float64Array, p: Float64Array) -> Float64Array:
    """Return the number of roundings of Σ exp(z - max), or the absolute error of log Z in roundings."""
    roundings: Float64Array = (p * distance).sum(axis=-1, keepdims=True)
    roundings += ELEMENTARY_ROUNDINGS + p.shape[-1]
    return roundings


# The step that balances the errors of a central difference, of order h² and u/h.
DIFFERENCE_STEP = float(np.cbrt(np.finfo(np.float64).eps))


def central_difference(function: Callable[[], float], array: FloatArray) -> Float64Array:
    """Return the gradient of `function`, which reads `array`, by central differences.

    dL/da ≈ (L(a + h) - L(a - h)) / 2h, element by element. `array` is changed and restored.
    """
    gradient = np.empty(array.shape)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + DIFFERENCE_STEP
        above = function()
        array[index] = value - DIFFERENCE_STEP
        below = function()
        array[index] = value
        gradient[index] = (above - below) / (2 * DIFFERENCE_STEP)
    return gradient


def difference_bound(magnitude: float, roundings: int, third_derivative: float = 0.0) -> float:
    """Bound the error of a central difference of L in float64.

    The error is h²/6 of the third derivative, by Taylor's theorem, plus the error gamma_n `magnitude` of
    both values of L, over 2h. `magnitude` is the sum of the absolute values of the terms of L, and at
    least |a dL/da|, for the rounding of a ± h.
    """
    truncation = DIFFERENCE_STEP**2 / 6 * third_derivative
    return truncation + gamma(roundings + 1, np.float64) * magnitude / DIFFERENCE_STEP


# Statistics of random numbers: five standard errors, or a p-value of about 1e-6.
STANDARD_ERRORS = 5.0


def mean_bound(standard_deviation: float, samples: int) -> float:
    """Bound the error of the mean of independent samples."""
    return STANDARD_ERRORS * standard_deviation / math.sqrt(samples)


def kolmogorov_bound(samples: int) -> float:
    """Bound the distance of an empirical distribution from the true one.

    P(distance > t) ≤ 2 exp(-2 n t²): Massart, "The tight constant in the Dvoretzky-Kiefer-Wolfowitz
    inequality", Annals of Probability 18(3), 1990.
    """
    return math.sqrt(math.log(2 / 1e-6) / (2 * samples))


# Marsaglia's u √(-2 log(s) / s): the root halves the errors of the logarithm (an ulp, or 2 u) and of
# the division, and adds its own rounding and that of the product.
POLAR_ROUNDINGS = (2 + 1) / 2 + 2


# Giles, "Approximating the erfinv function", GPU Computing Gems 2, 2011, table 5: erf⁻¹(u) / u by
# polynomials in w - 2.5, if w = -log(1 - u²) is less than 5, and in √w - 3 otherwise.
INVERSE_ERF_CENTRAL = [2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06]
INVERSE_ERF_CENTRAL += [0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941]
INVERSE_ERF_TAIL = [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773]
INVERSE_ERF_TAIL += [-0.0076224613, 0.00943887047, 1.00167406, 2.83297682]
# Their relative error in exact arithmetic; ops/test_dropout.py checks it.
INVERSE_ERF_ERROR = 1.3e-7


def normal_bound(normal: Float64Array) -> Float64Array:
    """Bound the error of normal numbers, computed in float32 from u in (-1, 1) by polynomials.

    1 + u and the product (1 - u) (1 + u) are rounded, which the logarithm turns into an absolute
    error of w. Its effect on a polynomial is bounded by the absolute values of the coefficients, as
    are the roundings of Horner's rule, n + 1 for the term of power n.
    """
    z = np.abs(normal)
    beyond = np.array([math.erfc(value / math.sqrt(2)) for value in z.flat]).reshape(z.shape)
    w = -np.log(beyond * (2 - beyond))
    w_error = gamma(2, np.float32) + gamma(ELEMENTARY_ROUNDINGS, np.float32) * w
    root = np.sqrt(w)
    central = _polynomial_error(INVERSE_ERF_CENTRAL, w - 2.5, w_error)
    root_error = w_error / (2 * root) + gamma(1, np.float32) * root
    relative = np.where(w < 5, central, _polynomial_error(INVERSE_ERF_TAIL, root - 3, root_error))
    bound: Float64Array = z * (relative + INVERSE_ERF_ERROR + gamma(3, np.float32))
    return bound


def _polynomial_error(coefficients: list[float], v: Float64Array, error: Float64Array) -> Any:
    """Bound the relative error of a polynomial in v = a - b, where v has the error of a and a rounding."""
    error = error + gamma(1, np.float32) * np.abs(v)
    total = np.zeros_like(v)
    for power, coefficient in enumerate(reversed(coefficients)):
        term = abs(coefficient) * np.abs(v) ** power
        total += gamma(power + 1, np.float32) * term
        if power:
            total += power * abs(coefficient) * np.abs(v) ** (power - 1) * error
    return total / np.abs(np.polyval(coefficients, v))


def training_bound(
    steps: int, learning_rate: float, roundings: float, dtype: npt.DTypeLike
) -> float:
    """Bound the difference of the weights of two trained networks, relative to the largest weight.

    A step adds the error of its gradient (`roundings` roundings of a gradient no larger than the
    weights) times the learning rate (over 1 - momentum, its cumulative effect), and three roundings of
    its own. At small learning rates it does not amplify the errors of earlier steps.
    """
    return relative_bound(steps * (learning_rate * roundings + 3), dtype)
