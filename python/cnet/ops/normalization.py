"""Standardizing columns by a batch's moments or by given ones, and rows by their own."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from .. import _core
from .._data import FloatArray, as_floats, as_number

__all__ = [
    "batch_normalization_backward",
    "batch_normalization_forward",
    "layer_normalization_backward",
    "layer_normalization_forward",
    "standardize",
]


def standardize(
    x: npt.ArrayLike,
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, by given moments.

    As batch normalization predicts.

    Parameters
    ----------
    x : array_like, (batch, features)
    mean, variance : array_like, (features,)
    gamma, beta : array_like, (features,), optional
        None, the default, stands for ones and for zeros.
    epsilon : float of at least 0, default 1e-3
    out : array, (batch, features), optional

    Returns
    -------
    array, (batch, features)

    Raises
    ------
    TypeError, ValueError
        Beside what all ops raise, if `epsilon` is no such number.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.standardize([[3.0], [7.0]], mean=[5.0], variance=[4.0], epsilon=0.0)
    array([[-1.],
           [ 1.]], dtype=float32)
    """
    call = "standardize"
    return _core.standardize(
        *_arguments(call, epsilon, out, x=x, mean=mean, variance=variance, gamma=gamma, beta=beta)
    )


def batch_normalization_forward(
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return `standardize` of `x` by the moments of its own columns, and these.

    Parameters
    ----------
    x : array_like, (batch, features)
    gamma, beta : array_like, (features,), optional
        None, the default, stands for ones and for zeros.
    epsilon : float of at least 0, default 1e-3
    out : tuple of three arrays, optional

    Returns
    -------
    y : array, (batch, features)
    mean : array, (features,)
    variance : array, (features,)
        The mean square of what is off the mean. Both are NaN for an empty batch.

    Raises
    ------
    TypeError, ValueError
        Beside what all ops raise, if `epsilon` is no such number.

    Examples
    --------
    >>> from cnet import ops
    >>> y, mean, variance = ops.batch_normalization_forward([[3.0], [7.0]], epsilon=0.0)
    >>> y.tolist(), mean.tolist(), variance.tolist()
    ([[-1.0], [1.0]], [5.0], [4.0])
    """
    call = "batch_normalization_forward"
    return _core.batch_normalization_forward(
        *_arguments(call, epsilon, out, x=x, gamma=gamma, beta=beta)
    )


def batch_normalization_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of `batch_normalization_forward`'s three inputs, from that of `y`.

    Parameters
    ----------
    grad, x : array_like, (batch, features)
    mean, variance : array_like, (features,)
        As the forward pass returned them.
    gamma : array_like, (features,), optional
        None, the default, stands for ones.
    epsilon : float of at least 0, default 1e-3
    out : tuple of three arrays, optional

    Returns
    -------
    grad_x : array, (batch, features)
    grad_gamma, grad_beta : array, (features,)
        Also where there was none: they would be the gradients at ones and zeros.

    Raises
    ------
    TypeError, ValueError
        Beside what all ops raise, if `epsilon` is no such number.
    """
    call = "batch_normalization_backward"
    return _core.batch_normalization_backward(
        *_arguments(call, epsilon, out, grad=grad, x=x, mean=mean, variance=variance, gamma=gamma)
    )


def layer_normalization_forward(
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return each row of `x` standardized by its own moments, times `gamma` and plus `beta`.

    Parameters
    ----------
    x : array_like, (batch, features)
    gamma, beta : array_like, (features,), optional
        None, the default, stands for ones and for zeros.
    epsilon : float of at least 0, default 1e-3
    out : array, (batch, features), optional

    Returns
    -------
    array, (batch, features)

    Raises
    ------
    TypeError, ValueError
        Beside what all ops raise, if `epsilon` is no such number.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.layer_normalization_forward([[3.0, 7.0], [0.0, 1.0]], epsilon=0.0)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """
    call = "layer_normalization_forward"
    return _core.layer_normalization_forward(
        *_arguments(call, epsilon, out, x=x, gamma=gamma, beta=beta)
    )


def layer_normalization_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of `layer_normalization_forward`'s three inputs; `x` has the moments.

    Parameters
    ----------
    grad, x : array_like, (batch, features)
    gamma : array_like, (features,), optional
        None, the default, stands for ones.
    epsilon : float of at least 0, default 1e-3
    out : tuple of three arrays, optional

    Returns
    -------
    grad_x : array, (batch, features)
    grad_gamma, grad_beta : array, (features,)
        Also where there was none: they would be the gradients at ones and zeros.

    Raises
    ------
    TypeError, ValueError
        Beside what all ops raise, if `epsilon` is no such number.
    """
    call = "layer_normalization_backward"
    return _core.layer_normalization_backward(
        *_arguments(call, epsilon, out, grad=grad, x=x, gamma=gamma)
    )


def _arguments(call: str, epsilon: float, out: Any, **arrays: npt.ArrayLike | None) -> list[Any]:
    """Return what the core is given: what `as_floats` makes of the arrays, None for absent affine maps."""
    given = {
        name: array
        for name, array in arrays.items()
        if array is not None or name not in ("gamma", "beta")
    }
    floats = dict(zip(given, as_floats(call, **given), strict=True))
    return [*map(floats.get, arrays), as_number(f"{call}: epsilon", epsilon, least=0), out]
