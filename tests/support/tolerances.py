"""How far a result may be from another: the one place where the suite's tolerances live.

None is a number that happened to pass. Each is derived from the number of roundings and the dtype,
and bounds every element by itself, relative to the terms that were added up to make it.

The model is Higham's, "Accuracy and Stability of Numerical Algorithms", 2nd edition, SIAM 2002: an
operation errs by a factor of 1 + δ, |δ| ≤ u, with the unit roundoff u = eps / 2 (equation 2.4), and
n of them by a factor of 1 + θ, |θ| ≤ gamma_n = n u / (1 - n u) (lemma 3.1), whatever the order of a
sum and whether its multiply-adds are fused. cnet and its reference may both err, each to its own
side, so the bounds that compare them are doubled.
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
# cnet's own stay below that. An ulp is at most 2 u.
ELEMENTARY_ROUNDINGS = 2 * 4


def unit_roundoff(dtype: npt.DTypeLike) -> float:
    """Return u, the largest relative error of one rounding."""
    return float(np.finfo(dtype).eps) / 2


def gamma(roundings: float, dtype: npt.DTypeLike) -> float:
    """Return gamma_n, the largest relative error of n roundings in a row."""
    error = roundings * unit_roundoff(dtype)
    assert error < 1, "too many roundings for a bound"
    return error / (1 - error)


def relative_bound(roundings: float, dtype: npt.DTypeLike) -> float:
    """Bound the relative difference of two results that took `roundings` roundings each."""
    return 2 * gamma(roundings, dtype)


def rounding_bound(
    magnitude: npt.ArrayLike, roundings: float, dtype: npt.DTypeLike
) -> Float64Array:
    """Bound the difference of two results, each a sum whose terms took up to `roundings` roundings.

    `magnitude` is the sum of the terms' absolute values, element by element.
    """
    return relative_bound(roundings, dtype) * np.asarray(magnitude, np.float64)


def dot_bound(magnitude: npt.ArrayLike, terms: int, dtype: npt.DTypeLike) -> Float64Array:
    """Bound the difference of two inner products of `terms` terms (Higham, equation 3.5).

    `magnitude` is |a|ᵀ|b|: for matrices ``abs(a) @ abs(b)``.
    """
    return rounding_bound(magnitude, terms, dtype)


def log_bound(log: npt.ArrayLike, roundings: float, dtype: npt.DTypeLike) -> Float64Array:
    """Bound the difference of two logarithms of a number that took `roundings` roundings to make.

    The logarithm turns the relative error of the number into an absolute one and adds its own.
    """
    return rounding_bound(roundings + ELEMENTARY_ROUNDINGS * np.abs(log), 1, dtype)


def softmax_bound(logits: npt.ArrayLike, dtype: npt.DTypeLike) -> Float64Array:
    """Bound the difference of two softmaxes of the rows of `logits`.

    An exponential carries the error of its own and, times |zᵢ - max|, that of the subtraction; the
    sum carries those of its terms, weighted by them, and its additions; then comes a division. The
    smallest normal number stands for what underflow takes. (The analysis of Blanchard, Higham and
    Higham, IMA Journal of Numerical Analysis 41(4), 2021, section 4.)
    """
    distance, p = _distance_and_softmax(logits)
    roundings = distance + ELEMENTARY_ROUNDINGS + _log_sum_roundings(distance, p) + 1
    return rounding_bound(p, 1, dtype) * roundings + float(np.finfo(dtype).smallest_normal)


def log_softmax_bound(logits: npt.ArrayLike, dtype: npt.DTypeLike) -> Float64Array:
    """Bound the difference of two log-softmaxes log Z - zᵢ of the rows of `logits`.

    Beside the logarithm, the subtraction of the maximum errs by |zᵢ - max|, and the last
    subtraction by the result.
    """
    distance, p = _distance_and_softmax(logits)
    log_sum = -np.log(p.max(axis=-1, keepdims=True))
    log_sum_bound = rounding_bound(_log_sum_roundings(distance, p), 1, dtype)
    log_sum_bound += log_bound(log_sum, 0, dtype)
    return log_sum_bound + rounding_bound(distance + (log_sum + distance), 1, dtype)


# cnet states at most 4 ulp for its activations (kernels/table.hpp), 8 u. The reference's formulas have
# no more than six operations beside up to three of NumPy's exponentials, logarithms and tangents.
ACTIVATION_ROUNDINGS = (8 + (6 + 3 * ELEMENTARY_ROUNDINGS)) / 2


def activation_bound(
    y: npt.ArrayLike, dtype: npt.DTypeLike, exponent: npt.ArrayLike = 0.0
) -> Float64Array:
    """Bound the difference of two results y of an activation.

    `exponent` is that of an exponential which y is a multiple of, if it took roundings of its own,
    of which it makes so many times as much: up to four, for GELU's x² / 2 and its cubic polynomial.
    Underflow may take the smallest normal number, times an x of a hundred or a thousand.
    """
    roundings = ACTIVATION_ROUNDINGS + 4 * np.abs(np.asarray(exponent, np.float64))
    underflow = 1000 * float(np.finfo(dtype).smallest_normal)
    return rounding_bound(np.abs(np.asarray(y, np.float64)) * roundings, 1, dtype) + underflow


def activation_gradient_bound(
    grad: npt.ArrayLike, slope: npt.ArrayLike, dtype: npt.DTypeLike
) -> Float64Array:
    """Bound the difference of two gradients through an activation of derivative `slope`.

    Derivatives are sums of terms of the size of 1 or of the largest, which may cancel.
    An exponential falls off faster than the roundings of its exponent grow: ten are enough for them.
    """
    magnitude = np.abs(np.asarray(grad, np.float64)) * np.maximum(np.abs(slope), 1.0)
    return rounding_bound(magnitude, ACTIVATION_ROUNDINGS + 10, dtype)


def mean_loss_bound(
    y: FloatArray, losses: FloatArray, loss_bound: Float64Array, dtype: npt.DTypeLike
) -> float:
    """Bound the difference of two means over the batch of Σⱼ yⱼ lossⱼ, the batch in float64.

    `losses` and `loss_bound`, their own bound, are (batch, classes), as the weights `y` are.
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
    """Return the roundings of Σ exp(z - max), or of log Z in absolute terms."""
    roundings: Float64Array = (p * distance).sum(axis=-1, keepdims=True)
    roundings += ELEMENTARY_ROUNDINGS + p.shape[-1]
    return roundings


# The step that balances the two errors of a central difference, of order h² and u/h.
DIFFERENCE_STEP = float(np.cbrt(np.finfo(np.float64).eps))


def central_difference(function: Callable[[], float], array: FloatArray) -> Float64Array:
    """Return the gradient of `function` with respect to `array`, which it reads, by differences.

    dL/da ≈ (L(a + h) - L(a - h)) / 2h, element by element. `array` is changed and put back.
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

    By Taylor's theorem h²/6 of the third derivative; and the error gamma_n `magnitude` of both
    values of L, over 2h. `magnitude` is the sum of the absolute values of the terms of L, and no
    less than |a dL/da|, by which the rounding of a ± h errs.
    """
    truncation = DIFFERENCE_STEP**2 / 6 * third_derivative
    return truncation + gamma(roundings + 1, np.float64) * magnitude / DIFFERENCE_STEP


# Statistics of numbers drawn from fixed seeds: five standard errors, or a p-value of about 1e-6.
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


# Marsaglia's u √(-2 log(s) / s): the root halves the errors of the logarithm, an ulp or 2 u, and of
# the division; its own rounding and the product's follow.
POLAR_ROUNDINGS = (2 + 1) / 2 + 2


# Giles, "Approximating the erfinv function", GPU Computing Gems 2, 2011, table 5: erf⁻¹(u) / u by
# polynomials, of w - 2.5 where w = -log(1 - u²) is less than 5, and of √w - 3 elsewhere.
INVERSE_ERF_CENTRAL = [2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06]
INVERSE_ERF_CENTRAL += [0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941]
INVERSE_ERF_TAIL = [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773]
INVERSE_ERF_TAIL += [-0.0076224613, 0.00943887047, 1.00167406, 2.83297682]
# How far they are from it, relatively and in exact arithmetic: ops/test_dropout.py looks.
INVERSE_ERF_ERROR = 1.3e-7


def normal_bound(normal: Float64Array) -> Float64Array:
    """Bound the error of normal numbers made in float32 of numbers u in (-1, 1), by polynomials.

    1 + u and the product (1 - u) (1 + u) are rounded, which the logarithm turns into an absolute
    error of w. What that makes of a polynomial is bounded by the absolute values of its
    coefficients, as are the roundings of Horner's rule, n + 1 for the term of power n.
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
    """Bound the relative error of a polynomial whose v = a - b errs by that of a and a rounding."""
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
    """Bound the difference of two trained networks' weights, relative to the largest weight.

    A step adds the errors of its gradient, of `roundings` roundings and of the weights' size at
    most, times the learning rate (over 1 - momentum, as it acts in the end), and three roundings of
    its own. At small learning rates it doesn't amplify the errors of the steps before.
    """
    return relative_bound(steps * (learning_rate * roundings + 3), dtype)
