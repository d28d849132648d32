"""Update steps of Adam and its variants, in place.

In the formulas w is `param`, g `grad`, m `first_moment`, v `second_moment`, and t `step`, counted
from 1. All arrays have one shape; the moments start as zeros. The forms are those of Keras 3.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray
from .optimizers import flush_subnormals

__all__ = ["adam_amsgrad_update", "adam_update", "nadam_update"]


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
    """Take a step of Adam.

    m ← m + (1 - beta_1) (g - m), v ← v + (1 - beta_2) (g² - v), and then
    w ← w - learning_rate · √(1 - beta_2ᵗ) / (1 - beta_1ᵗ) · m / (√v + epsilon).

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, in the order given at
    the end of section 2.
    """
    g = np.asarray(grad, param.dtype)
    first_moment[...] = flush_subnormals(first_moment + (1 - beta_1) * (g - first_moment))
    second_moment[...] = flush_subnormals(second_moment + (1 - beta_2) * (g**2 - second_moment))
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
    """Take a step of AMSGrad: Adam with the greatest v so far in place of v.

    Reddi, Kale and Kumar, "On the convergence of Adam and beyond", ICLR 2018, algorithm 2.
    """
    g = np.asarray(grad, param.dtype)
    first_moment[...] = flush_subnormals(first_moment + (1 - beta_1) * (g - first_moment))
    second_moment[...] = flush_subnormals(second_moment + (1 - beta_2) * (g**2 - second_moment))
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
    """Take a step of Nadam: Adam with Nesterov momentum.

    m and v are updated as in `adam_update`. With uₜ = beta_1 (1 - 0.96ᵗ / 2), pₜ = u₁ u₂ … uₜ and
    n = uₜ₊₁ / (1 - pₜ₊₁) · m + (1 - uₜ) / (1 - pₜ) · g,
    w ← w - learning_rate · n / (√(v / (1 - beta_2ᵗ)) + epsilon).

    Dozat, "Incorporating Nesterov momentum into Adam", ICLR 2016 workshop, algorithm 2.
    """
    g = np.asarray(grad, param.dtype)
    first_moment[...] = flush_subnormals(first_moment + (1 - beta_1) * (g - first_moment))
    second_moment[...] = flush_subnormals(second_moment + (1 - beta_2) * (g**2 - second_moment))
    momenta = [beta_1 * (1 - 0.96**t / 2) for t in range(1, step + 2)]
    product = math.prod(momenta[:-1])
    mean = momenta[-1] / (1 - product * momenta[-1]) * first_moment
    mean = mean + (1 - momenta[-2]) / (1 - product) * g
    root = np.sqrt(second_moment / (1 - beta_2**step))
    param -= learning_rate * mean / (root + epsilon)
