"""A dense layer."""

from __future__ import annotations

import numpy.typing as npt

from ._arrays import FloatArray, floats, into

__all__ = [
    "dense_backward",
    "dense_forward",
]


def dense_forward(
    x: npt.ArrayLike,
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return ``x @ kernel + bias``: a dense (fully connected) layer.

    Parameters
    ----------
    x : array_like, (batch, in)
    kernel : array_like, (in, out)
    bias : array_like, (out,), optional
        None, the default, stands for zeros.
    out : array, (batch, out), optional

    Returns
    -------
    array, (batch, out)

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, section 6.1.

    Examples
    --------
    >>> dense_forward([[1, 2]], kernel=[[1, 0, 1], [0, 1, 1]], bias=[0, 0, 10])
    array([[ 1.,  2., 13.]], dtype=float32)
    """
    x, kernel, bias = floats(x, kernel, 0.0 if bias is None else bias)
    return into(out, x @ kernel + bias)


def dense_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    kernel: npt.ArrayLike,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of a dense layer's input, kernel and bias.

    With z = xW + b: dL/dx = (dL/dz) Wᵀ, dL/dW = xᵀ (dL/dz), and dL/db is dL/dz summed over the
    batch.

    Parameters
    ----------
    grad : array_like, (batch, out)
    x : array_like, (batch, in)
        The input of the forward pass.
    kernel : array_like, (in, out)
    out : tuple of three arrays, optional
        Of the shapes returned.

    Returns
    -------
    grad_x : array, (batch, in)
    grad_kernel : array, (in, out)
    grad_bias : array, (out,)

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, algorithm 6.4.

    Examples
    --------
    >>> grad_x, grad_kernel, grad_bias = dense_backward([[1.0], [2.0]], [[3.0], [4.0]], [[5.0]])
    >>> grad_x.tolist(), grad_kernel.tolist(), grad_bias.tolist()
    ([[5.0], [10.0]], [[11.0]], [3.0])
    """
    grad, x, kernel = floats(grad, x, kernel)
    out_x, out_kernel, out_bias = out or (None, None, None)
    return (
        into(out_x, grad @ kernel.T),
        into(out_kernel, x.T @ grad),
        into(out_bias, grad.sum(axis=0)),
    )
