"""Update steps of Adam and its variants, in place.

`step` is the number of the step, from 1. The other parameters are those of `cnet.optimizers.Adam`
and `cnet.optimizers.Nadam`.
"""

from __future__ import annotations

import numpy.typing as npt

from .. import _core
from .._data import FloatArray
from .optimizers import as_dtype_of

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
    """Update `param` and both moments (zeros before step 1) in place by Adam.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import ops
    >>> param, first_moment, second_moment = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> ops.adam_update(param, [2.0], first_moment, second_moment, 1, learning_rate=0.5, epsilon=0.0)
    >>> param.round(12), first_moment.round(12), second_moment.round(12)
    (array([0.5]), array([0.2]), array([0.004]))
    """
    grad = as_dtype_of(param, grad, "adam_update: grad")
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
    """Update `param` and the three moments (zeros before step 1) in place by AMSGrad.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import ops
    >>> param, first, second, greatest = np.ones(1), np.zeros(1), np.zeros(1), np.array([4.0])
    >>> ops.adam_amsgrad_update(param, [2.0], first, second, greatest, 1, 0.5, 0.5, 0.75, 0.0)
    >>> param, first, second, greatest
    (array([0.75]), array([1.]), array([1.]), array([4.]))
    """
    grad = as_dtype_of(param, grad, "adam_amsgrad_update: grad")
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
    """Update `param` and both moments (zeros before step 1) in place by Nadam.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import ops
    >>> param, first_moment, second_moment = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> ops.nadam_update(param, [2.0], first_moment, second_moment, step=1, learning_rate=0.5)
    >>> param.round(3), first_moment.round(12), second_moment.round(12)
    (array([0.469]), array([0.2]), array([0.004]))
    """
    grad = as_dtype_of(param, grad, "nadam_update: grad")
    _core.nadam_update(
        param, grad, first_moment, second_moment, step, learning_rate, beta_1, beta_2, epsilon
    )
