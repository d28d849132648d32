"""A dense layer."""

from __future__ import annotations

import numpy.typing as npt

from ._arrays import FloatArray, floats, into

__all__ = ["dense_backward", "dense_forward"]


def dense_forward(
    x: npt.ArrayLike,
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return ``x @ kernel + bias`` for x (batch, in), kernel (in, out) and bias (out,).

    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, section 6.1.
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
    """Return the gradients of x (batch, in), kernel (in, out) and bias (out,), from grad (batch, out).

    With z = xW + b: dL/dx = (dL/dz) Wᵀ, dL/dW = xᵀ (dL/dz), and dL/db is dL/dz summed over the batch.

    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, algorithm 6.4.
    """
    grad, x, kernel = floats(grad, x, kernel)
    out_x, out_kernel, out_bias = out or (None, None, None)
    return (
        into(out_x, grad @ kernel.T),
        into(out_kernel, x.T @ grad),
        into(out_bias, grad.sum(axis=0)),
    )
