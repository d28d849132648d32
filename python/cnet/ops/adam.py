"""The steps of Adam and of its kin, in place."""

from __future__ import annotations

import numpy.typing as npt

from .. import _core
from .._data import FloatArray
from .optimizers import like

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
    """Update `param`, `first_moment` and `second_moment` in place by Adam, in step number `step` from 1.

    The other parameters are those of `cnet.optimizers.Adam`.
    """
    grad = like(param, grad, "adam_update: grad")
    _core.adam_update(
        param, grad, first_moment, second_moment, step, learning_rate, beta_1, beta_2, epsilon
    )


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
    """Update `param` and the three moments in place by AMSGrad, in step number `step` from 1.

    The other parameters are those of `cnet.optimizers.Adam`.
    """
    grad = like(param, grad, "adam_amsgrad_update: grad")
    _core.adam_amsgrad_update(
        param,
        grad,
        first_moment,
        second_moment,
        greatest_second_moment,
        step,
        learning_rate,
        beta_1,
        beta_2,
        epsilon,
    )


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
    """Update `param`, `first_moment` and `second_moment` in place by Nadam, in step `step` from 1.

    The other parameters are those of `cnet.optimizers.Nadam`.
    """
    grad = like(param, grad, "nadam_update: grad")
    _core.nadam_update(
        param, grad, first_moment, second_moment, step, learning_rate, beta_1, beta_2, epsilon
    )
