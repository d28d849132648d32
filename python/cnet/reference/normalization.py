"""Standardizing columns by a batch's moments or by given ones, and rows by their own.

x becomes y = gamma · z + beta, where z = (x - mean) / √(variance + epsilon).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray, floats, into

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
    """Return y by given moments, as batch normalization predicts.

    Parameters
    ----------
    x : array_like, (batch, features)
    mean, variance : array_like, (features,)
    gamma, beta : array_like, (features,), optional
        None, the default, stands for ones and for zeros.
    epsilon : float, default 1e-3
    out : array, (batch, features), optional

    Returns
    -------
    array, (batch, features)

    References
    ----------
    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015, algorithm 2.

    Examples
    --------
    >>> standardize([[3.0], [7.0]], mean=[5.0], variance=[4.0], gamma=[10.0], epsilon=0.0)
    array([[-10.],
           [ 10.]], dtype=float32)
    """
    x, mean, variance, gamma, beta = floats(x, mean, variance, *_affine(gamma, beta))
    return into(out, gamma * ((x - mean) * _inverse_deviation(variance, epsilon)) + beta)


def batch_normalization_forward(
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return y by the moments of the batch, and these, which the backward pass needs.

    Parameters
    ----------
    x : array_like, (batch, features)
    gamma, beta : array_like, (features,), optional
        None, the default, stands for ones and for zeros.
    epsilon : float, default 1e-3
    out : tuple of three arrays, optional
        Of the shapes returned.

    Returns
    -------
    y : array, (batch, features)
    mean : array, (features,)
    variance : array, (features,)
        The mean of (x - mean)², of the batch and not of what it is a sample of. Both moments are NaN
        for an empty batch.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015, algorithm 1.

    Examples
    --------
    >>> y, mean, variance = batch_normalization_forward([[3.0], [7.0]], beta=[1.0], epsilon=0.0)
    >>> y.tolist(), mean.tolist(), variance.tolist()
    ([[0.0], [2.0]], [5.0], [4.0])
    """
    x, gamma, beta = floats(x, *_affine(gamma, beta))
    mean = _mean(x, axis=0)
    variance = _mean((x - mean) ** 2, axis=0)
    out_y, out_mean, out_variance = out or (None, None, None)
    return (
        standardize(x, mean, variance, gamma, beta, epsilon, out=out_y),
        into(out_mean, mean[0]),
        into(out_variance, variance[0]),
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
    """Return the gradients of batch normalization's input, gamma and beta.

    With d = gamma · dL/dy and means over the batch,
    dL/dx = (d - mean(d) - z · mean(d · z)) / √(variance + epsilon),
    for the moments, too, depend on x; dL/dgamma = Σ z · dL/dy, and dL/dbeta = Σ dL/dy.

    Parameters
    ----------
    grad : array_like, (batch, features)
    x : array_like, (batch, features)
        The input of the forward pass.
    mean, variance : array_like, (features,)
        The other two results of the forward pass.
    gamma : array_like, (features,), optional
        None, the default, stands for ones.
    epsilon : float, default 1e-3
    out : tuple of three arrays, optional
        Of the shapes returned.

    Returns
    -------
    grad_x : array, (batch, features)
    grad_gamma, grad_beta : array, (features,)

    References
    ----------
    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015, section 3.

    Examples
    --------
    >>> grad, x = [[4.0], [0.0], [0.0], [0.0]], [[-1.0], [-1.0], [1.0], [1.0]]
    >>> grad_x, grad_gamma, grad_beta = batch_normalization_backward(grad, x, [0.0], [1.0], epsilon=0)
    >>> grad_x.tolist(), grad_gamma.tolist(), grad_beta.tolist()
    ([[2.0], [-2.0], [0.0], [0.0]], [-4.0], [4.0])
    """
    grad, x, mean, variance, gamma, _ = floats(grad, x, mean, variance, *_affine(gamma, None))
    return _backward(grad, x, mean, variance, gamma, epsilon, 0, out)


def layer_normalization_forward(
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    beta: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return y, each row by its own moments.

    Parameters
    ----------
    x : array_like, (batch, features)
    gamma, beta : array_like, (features,), optional
        None, the default, stands for ones and for zeros.
    epsilon : float, default 1e-3
    out : array, (batch, features), optional

    Returns
    -------
    array, (batch, features)

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization", arXiv:1607.06450, 2016, section 3.

    Examples
    --------
    >>> layer_normalization_forward([[3.0, 7.0], [0.0, 1.0]], beta=[1.0, 0.0], epsilon=0.0)
    array([[0., 1.],
           [0., 1.]], dtype=float32)
    """
    x, gamma, beta = floats(x, *_affine(gamma, beta))
    return standardize(x, *_row_moments(x), gamma, beta, epsilon, out=out)


def layer_normalization_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    gamma: npt.ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of layer normalization's input, gamma and beta.

    The formula of `batch_normalization_backward`, with means over a row. Nothing is kept of the
    forward pass: a row's moments take less time than the gradient that needs them.

    Parameters
    ----------
    grad : array_like, (batch, features)
    x : array_like, (batch, features)
        The input of the forward pass.
    gamma : array_like, (features,), optional
        None, the default, stands for ones.
    epsilon : float, default 1e-3
    out : tuple of three arrays, optional
        Of the shapes returned.

    Returns
    -------
    grad_x : array, (batch, features)
    grad_gamma, grad_beta : array, (features,)

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization", arXiv:1607.06450, 2016, section 3.

    Examples
    --------
    >>> grad_x, grad_gamma, grad_beta = layer_normalization_backward(
    ...     [[4.0, 0.0, 0.0, 0.0]], x=[[-1.0, -1.0, 1.0, 1.0]], epsilon=0.0
    ... )
    >>> grad_x.tolist(), grad_gamma.tolist(), grad_beta.tolist()
    ([[2.0, -2.0, 0.0, 0.0]], [-4.0, 0.0, 0.0, 0.0], [4.0, 0.0, 0.0, 0.0])
    """
    grad, x, gamma, _ = floats(grad, x, *_affine(gamma, None))
    return _backward(grad, x, *_row_moments(x), gamma, epsilon, 1, out)


def _affine(
    gamma: npt.ArrayLike | None, beta: npt.ArrayLike | None
) -> tuple[npt.ArrayLike, npt.ArrayLike]:
    return 1.0 if gamma is None else gamma, 0.0 if beta is None else beta


def _mean(x: FloatArray, axis: int) -> FloatArray:
    """Return the mean along an axis, which stays; NaN of nothing."""
    with np.errstate(invalid="ignore"):
        mean: FloatArray = x.sum(axis=axis, keepdims=True) / x.dtype.type(x.shape[axis])
    return mean


def _row_moments(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean = _mean(x, axis=1)
    return mean, _mean((x - mean) ** 2, axis=1)


def _inverse_deviation(variance: FloatArray, epsilon: float) -> FloatArray:
    inverse: FloatArray = 1 / np.sqrt(variance + variance.dtype.type(epsilon))
    return inverse


def _backward(
    grad: FloatArray,
    x: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    gamma: FloatArray,
    epsilon: float,
    axis: int,
    out: tuple[FloatArray, FloatArray, FloatArray] | None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of x, gamma and beta, where the moments are those of an axis."""
    inverse = _inverse_deviation(variance, epsilon)
    z = (x - mean) * inverse
    d = grad * gamma
    out_x, out_gamma, out_beta = out or (None, None, None)
    return (
        into(out_x, inverse * (d - _mean(d, axis) - z * _mean(d * z, axis))),
        into(out_gamma, (grad * z).sum(axis=0)),
        into(out_beta, grad.sum(axis=0)),
    )
