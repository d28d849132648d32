"""Batch and layer normalization."""

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
    """Return ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``.

    Batch normalization computes this in prediction.

    Parameters
    ----------
    x : array_like, (batch, features)
    mean, variance : array_like, (features,)
    gamma, beta : array_like, (features,), optional
        None, the default, means ones and zeros.
    epsilon : float of at least 0, default 1e-3
    out : array, (batch, features), optional

    Returns
    -------
    array, (batch, features)

    Examples
    --------
    >>> from cnet import ops
    >>> ops.standardize([[3.0], [7.0]], mean=[5.0], variance=[4.0], epsilon=0.0)
    array([[-1.],
           [ 1.]], dtype=float32)
    """
    call = "standardize"
    return _core.standardize(
        *_converted(call, epsilon, out, x=x, mean=mean, variance=variance, gamma=gamma, beta=beta)
    )


def batch_normalization_forward(
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Standardize the columns of `x` by their own mean and variance; return these, too.

    Parameters
    ----------
    x : array_like, (batch, features)
    gamma, beta : array_like, (features,), optional
        None, the default, means ones and zeros.
    epsilon : float of at least 0, default 1e-3
    out : tuple of three arrays, optional

    Returns
    -------
    y : array, (batch, features)
    mean : array, (features,)
    variance : array, (features,)
        The population variance. Both moments are NaN for an empty batch.

    Examples
    --------
    >>> from cnet import ops
    >>> y, mean, variance = ops.batch_normalization_forward([[3.0], [7.0]], epsilon=0.0)
    >>> y.tolist(), mean.tolist(), variance.tolist()
    ([[-1.0], [1.0]], [5.0], [4.0])
    """
    call = "batch_normalization_forward"
    return _core.batch_normalization_forward(
        *_converted(call, epsilon, out, x=x, gamma=gamma, beta=beta)
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
    """Return the gradients of the three inputs of `batch_normalization_forward`.

    Parameters
    ----------
    grad, x : array_like, (batch, features)
    mean, variance : array_like, (features,)
        From the forward pass.
    gamma : array_like, (features,), optional
        None, the default, means ones.
    epsilon : float of at least 0, default 1e-3
    out : tuple of three arrays, optional

    Returns
    -------
    grad_x : array, (batch, features)
    grad_gamma, grad_beta : array, (features,)
        Also if the forward pass had None, at ones and zeros.

    Examples
    --------
    >>> from cnet import ops
    >>> grad, x = [[4.0], [0.0], [0.0], [0.0]], [[-1.0], [-1.0], [1.0], [1.0]]
    >>> grad_x, grad_gamma, grad_beta = ops.batch_normalization_backward(grad, x, [0], [1], epsilon=0)
    >>> grad_x.tolist(), grad_gamma.tolist(), grad_beta.tolist()
    ([[2.0], [-2.0], [0.0], [0.0]], [-4.0], [4.0])
    """
    call = "batch_normalization_backward"
    return _core.batch_normalization_backward(
        *_converted(call, epsilon, out, grad=grad, x=x, mean=mean, variance=variance, gamma=gamma)
    )


def layer_normalization_forward(
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Standardize each row of `x` by its own mean and variance; multiply by `gamma`, add `beta`.

    Parameters
    ----------
    x : array_like, (batch, features)
    gamma, beta : array_like, (features,), optional
        None, the default, means ones and zeros.
    epsilon : float of at least 0, default 1e-3
    out : array, (batch, features), optional

    Returns
    -------
    array, (batch, features)

    Examples
    --------
    >>> from cnet import ops
    >>> ops.layer_normalization_forward([[3.0, 7.0], [0.0, 1.0]], epsilon=0.0)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """
    call = "layer_normalization_forward"
    return _core.layer_normalization_forward(
        *_converted(call, epsilon, out, x=x, gamma=gamma, beta=beta)
    )


def layer_normalization_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of the three inputs of `layer_normalization_forward`.

    Parameters
    ----------
    grad, x : array_like, (batch, features)
    gamma : array_like, (features,), optional
        None, the default, means ones.
    epsilon : float of at least 0, default 1e-3
    out : tuple of three arrays, optional

    Returns
    -------
    grad_x : array, (batch, features)
    grad_gamma, grad_beta : array, (features,)
        Also if the forward pass had None, at ones and zeros.

    Examples
    --------
    >>> from cnet import ops
    >>> grad, x = [[4.0, 0.0, 0.0, 0.0]], [[-1.0, -1.0, 1.0, 1.0]]
    >>> grad_x, grad_gamma, grad_beta = ops.layer_normalization_backward(grad, x, epsilon=0)
    >>> grad_x.tolist(), grad_gamma.tolist(), grad_beta.tolist()
    ([[2.0, -2.0, 0.0, 0.0]], [-4.0, 0.0, 0.0, 0.0], [4.0, 0.0, 0.0, 0.0])
    """
    call = "layer_normalization_backward"
    return _core.layer_normalization_backward(
        *_converted(call, epsilon, out, grad=grad, x=x, gamma=gamma)
    )


def _converted(call: str, epsilon: float, out: Any, **arrays: npt.ArrayLike | None) -> list[Any]:
    """Return the arguments of the compiled function; an absent gamma or beta stays None."""
    given = {
        name: array
        for name, array in arrays.items()
        if array is not None or name not in ("gamma", "beta")
    }
    floats = dict(zip(given, as_floats(call, **given), strict=True))
    return [*map(floats.get, arrays), as_number(f"{call}: epsilon", epsilon, least=0), out]
