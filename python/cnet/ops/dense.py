"""A dense layer."""

from __future__ import annotations

import numpy.typing as npt

from .. import _core
from .._data import FloatArray, as_floats

__all__ = ["dense_backward", "dense_forward"]


def dense_forward(
    x: npt.ArrayLike,
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return ``x @ kernel + bias``, computed by fused multiply-adds.

    Parameters
    ----------
    x : array_like, (batch, in)
    kernel : array_like, (in, out)
    bias : array_like, (out,), optional
    out : array, (batch, out), optional

    Returns
    -------
    array, (batch, out)

    Examples
    --------
    >>> from cnet import ops
    >>> ops.dense_forward([[1.0, 2.0]], [[1.0], [10.0]], [0.5])
    array([[21.5]], dtype=float32)
    """
    if bias is None:
        x, kernel = as_floats("dense_forward", x=x, kernel=kernel)
        return _core.dense_forward(x, kernel, None, out)
    x, kernel, bias = as_floats("dense_forward", x=x, kernel=kernel, bias=bias)
    return _core.dense_forward(x, kernel, bias, out)


def dense_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    kernel: npt.ArrayLike,
    *,
    out: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of the three inputs of `dense_forward`.

    Parameters
    ----------
    grad : array_like, (batch, out)
    x : array_like, (batch, in)
    kernel : array_like, (in, out)
    out : tuple of three arrays, optional

    Returns
    -------
    grad_x : array, (batch, in)
    grad_kernel : array, (in, out)
    grad_bias : array, (out,)

    Examples
    --------
    >>> from cnet import ops
    >>> grad_x, grad_kernel, grad_bias = ops.dense_backward([[1.0], [2.0]], [[3.0], [4.0]], [[5.0]])
    >>> grad_x.tolist(), grad_kernel.tolist(), grad_bias.tolist()
    ([[5.0], [10.0]], [[11.0]], [3.0])
    """
    grad, x, kernel = as_floats("dense_backward", grad=grad, x=x, kernel=kernel)
    return _core.dense_backward(grad, x, kernel, out)
