"""Update steps of optimizers, in place.

In the formulas w is `param` and g is `grad`. Every array has the shape of `param`; the state
arrays, which keep their values from step to step, start as zeros. The forms are those of Keras 3.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray

__all__ = [
    "adadelta_update",
    "adagrad_update",
    "lion_update",
    "rmsprop_centered_update",
    "rmsprop_momentum_update",
    "rmsprop_update",
    "sgd_momentum_update",
    "sgd_update",
]


def sgd_update(param: FloatArray, grad: npt.ArrayLike, learning_rate: float) -> None:
    """Take a step of gradient descent: w ← w - learning_rate · g.

    Robbins and Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22(3),
    1951.
    """
    param -= learning_rate * np.asarray(grad, param.dtype)


def sgd_momentum_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    nesterov: bool = False,
) -> None:
    """Take a step of gradient descent with momentum; v is `velocity`.

    v ← momentum · v - learning_rate · g, and then w ← w + v, or with Nesterov's look-ahead
    w ← w + momentum · v - learning_rate · g.

    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep
    learning", ICML 2013, equations 1 to 4.
    """
    step = learning_rate * np.asarray(grad, param.dtype)
    velocity[...] = flush_subnormals(momentum * velocity - step)
    param += (momentum * velocity - step) if nesterov else velocity


def rmsprop_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    learning_rate: float,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Take a step of RMSprop, scaled by the root of the running `mean_square` v of g.

    v ← rho · v + (1 - rho) · g², and then w ← w - learning_rate · g / √(v + epsilon).

    Hinton, Srivastava and Swersky, "Neural networks for machine learning", lecture 6e, 2012.
    """
    g = np.asarray(grad, param.dtype)
    mean_square[...] = flush_subnormals(rho * mean_square + (1 - rho) * g**2)
    param -= learning_rate * g / np.sqrt(mean_square + epsilon)


def rmsprop_momentum_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Take a step of RMSprop with momentum; v is `mean_square` and u is `velocity`.

    v ← rho · v + (1 - rho) · g², u ← momentum · u + learning_rate · g / √(v + epsilon), and then
    w ← w - u.
    """
    g = np.asarray(grad, param.dtype)
    mean_square[...] = flush_subnormals(rho * mean_square + (1 - rho) * g**2)
    change = learning_rate * g / np.sqrt(mean_square + epsilon)
    velocity[...] = flush_subnormals(momentum * velocity + change)
    param -= velocity


def rmsprop_centered_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    mean: FloatArray,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float = 0.0,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Take a step of RMSprop, scaled by the standard deviation of g instead of its root mean square.

    v is `mean_square`, m `mean` and u `velocity`: v ← rho · v + (1 - rho) · g²,
    m ← rho · m + (1 - rho) · g, u ← momentum · u + learning_rate · g / √(v - m² + epsilon), and then
    w ← w - u. A variance v - m² below 0, by rounding, counts as 0.

    Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850, 2013, equations
    38 to 45.
    """
    g = np.asarray(grad, param.dtype)
    mean_square[...] = flush_subnormals(rho * mean_square + (1 - rho) * g**2)
    mean[...] = flush_subnormals(rho * mean + (1 - rho) * g)
    variance = np.maximum(mean_square - mean**2, 0)
    change = learning_rate * g / np.sqrt(variance + epsilon)
    velocity[...] = flush_subnormals(momentum * velocity + change)
    param -= velocity


def adagrad_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    sum_of_squares: FloatArray,
    learning_rate: float,
    epsilon: float = 1e-7,
) -> None:
    """Take a step of Adagrad; v is `sum_of_squares`, which starts at 0.1 in Keras.

    v ← v + g², and then w ← w - learning_rate · g / √(v + epsilon).

    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011.
    """
    g = np.asarray(grad, param.dtype)
    sum_of_squares += g**2
    param -= learning_rate * g / np.sqrt(sum_of_squares + epsilon)


def adadelta_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    mean_square_change: FloatArray,
    learning_rate: float,
    rho: float = 0.95,
    epsilon: float = 1e-7,
) -> None:
    """Take a step of Adadelta; v is `mean_square` and u is `mean_square_change`.

    v ← rho · v + (1 - rho) · g², d = √(u + epsilon) / √(v + epsilon) · g,
    u ← rho · u + (1 - rho) · d², and then w ← w - learning_rate · d.

    Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, 2012, algorithm 1.
    """
    g = np.asarray(grad, param.dtype)
    mean_square[...] = flush_subnormals(rho * mean_square + (1 - rho) * g**2)
    change = np.sqrt(mean_square_change + epsilon) * g / np.sqrt(mean_square + epsilon)
    mean_square_change[...] = flush_subnormals(rho * mean_square_change + (1 - rho) * change**2)
    param -= learning_rate * change


def lion_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    first_moment: FloatArray,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
) -> None:
    """Take a step of Lion; m is `first_moment`.

    w ← w - learning_rate · sign(beta_1 · m + (1 - beta_1) · g), and then
    m ← beta_2 · m + (1 - beta_2) · g.

    Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, program 1.
    """
    g = np.asarray(grad, param.dtype)
    param -= learning_rate * np.sign(beta_1 * first_moment + (1 - beta_1) * g)
    first_moment[...] = flush_subnormals(beta_2 * first_moment + (1 - beta_2) * g)


def flush_subnormals(slot: FloatArray) -> FloatArray:
    """Set subnormal numbers to 0: decaying state would end in them, and CPUs compute them slowly."""
    smallest: FloatArray = np.finfo(slot.dtype).smallest_normal
    return np.where(np.abs(slot) < smallest, slot.dtype.type(0), slot)
