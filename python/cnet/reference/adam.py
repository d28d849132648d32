"""The steps of Adam and of its kin, in place."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray
from .optimizers import flushed

__all__ = [
    "adam_amsgrad_update",
    "adam_update",
    "nadam_update",
]


def adam_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    first_moment: FloatArray,
    second_moment: FloatArray,
    step: int,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> None:
    """Take step number `step` of Adam, in place: running means of the gradient and of its square.

    m ← m + (1 - beta_1) (g - m), v ← v + (1 - beta_2) (g² - v), and then
    w ← w - learning_rate · √(1 - beta_2ᵗ) / (1 - beta_1ᵗ) · m / (√v + epsilon), where t is `step`.

    Parameters
    ----------
    param : array, any shape
        The weights w.
    grad : array_like, the shape of `param`
        Their gradient g.
    first_moment, second_moment : arrays, the shape and dtype of `param`
        The means m and v, zeros before the first step.
    step : int
        Counted from 1.
    learning_rate : float
    beta_1, beta_2 : float, default 0.9 and 0.999
    epsilon : float, default 1e-7

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, in the order that ends
    its section 2 and in the form of ``keras.optimizers.Adam``.

    Examples
    --------
    >>> param, first_moment, second_moment = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> adam_update(param, [2.0], first_moment, second_moment, step=1, learning_rate=0.5, epsilon=0.0)
    >>> param.round(12), first_moment.round(12), second_moment.round(12)
    (array([0.5]), array([0.2]), array([0.004]))
    """
    g = np.asarray(grad, param.dtype)
    first_moment[...] = flushed(first_moment + (1 - beta_1) * (g - first_moment))
    second_moment[...] = flushed(second_moment + (1 - beta_2) * (g**2 - second_moment))
    rate = learning_rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    param -= rate * first_moment / (np.sqrt(second_moment) + epsilon)


def adam_amsgrad_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    first_moment: FloatArray,
    second_moment: FloatArray,
    greatest_second_moment: FloatArray,
    step: int,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> None:
    """Take step number `step` of AMSGrad, in place: Adam by the greatest second moment so far.

    Parameters
    ----------
    param, grad, first_moment, second_moment, step, learning_rate, beta_1, beta_2, epsilon
        As for `adam_update`.
    greatest_second_moment : array, the shape and dtype of `param`
        Zeros before the first step.

    References
    ----------
    Reddi, Kale and Kumar, "On the convergence of Adam and beyond", ICLR 2018, algorithm 2, in the
    form of ``keras.optimizers.Adam``.

    Examples
    --------
    >>> param, first, second, greatest = np.ones(1), np.zeros(1), np.zeros(1), np.array([4.0])
    >>> adam_amsgrad_update(param, [2.0], first, second, greatest, 1, 0.5, 0.5, 0.75, epsilon=0.0)
    >>> param, first, second, greatest
    (array([0.75]), array([1.]), array([1.]), array([4.]))
    """
    g = np.asarray(grad, param.dtype)
    first_moment[...] = flushed(first_moment + (1 - beta_1) * (g - first_moment))
    second_moment[...] = flushed(second_moment + (1 - beta_2) * (g**2 - second_moment))
    np.maximum(greatest_second_moment, second_moment, out=greatest_second_moment)
    rate = learning_rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    param -= rate * first_moment / (np.sqrt(greatest_second_moment) + epsilon)


def nadam_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    first_moment: FloatArray,
    second_moment: FloatArray,
    step: int,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> None:
    """Take step number `step` of Nadam, in place: Adam with Nesterov's momentum.

    m and v are those of `adam_update`. With uₜ = beta_1 (1 - 0.96ᵗ / 2), pₜ = u₁ u₂ … uₜ and
    n = uₜ₊₁ / (1 - pₜ₊₁) · m + (1 - uₜ) / (1 - pₜ) · g, where t is `step`,
    w ← w - learning_rate · n / (√(v / (1 - beta_2ᵗ)) + epsilon).

    Parameters
    ----------
    param, grad, first_moment, second_moment, step, learning_rate, beta_1, beta_2, epsilon
        As for `adam_update`.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam", ICLR 2016 workshop, algorithm 2, in the form
    of ``keras.optimizers.Nadam``.

    Examples
    --------
    >>> param, first_moment, second_moment = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> nadam_update(param, [2.0], first_moment, second_moment, step=1, learning_rate=0.5)
    >>> param.round(3), first_moment.round(12), second_moment.round(12)
    (array([0.469]), array([0.2]), array([0.004]))
    """
    g = np.asarray(grad, param.dtype)
    first_moment[...] = flushed(first_moment + (1 - beta_1) * (g - first_moment))
    second_moment[...] = flushed(second_moment + (1 - beta_2) * (g**2 - second_moment))
    momenta = [beta_1 * (1 - 0.96**t / 2) for t in range(1, step + 2)]
    product = math.prod(momenta[:-1])
    mean = momenta[-1] / (1 - product * momenta[-1]) * first_moment
    mean = mean + (1 - momenta[-2]) / (1 - product) * g
    root = np.sqrt(second_moment / (1 - beta_2**step))
    param -= learning_rate * mean / (root + epsilon)
