"""The operations of a multi-layer perceptron, in C++ over NumPy arrays.

`cnet.reference` has the same functions in plain NumPy; what they compute, and from which formulas,
is told there. What is said here holds for each:

- Inputs are array-like. Arrays of float32 and float64 decide the type of the computation, the wider
  winning; everything else (lists, integers, half precision) becomes `cnet.config.floatx()`.
- `out` receives the result in place of a new array, and is returned. It is never converted: it
  must have the result's dtype (else `TypeError`) and shape, be C-contiguous, aligned and writable,
  and share no memory with the inputs (else `ValueError`, and nothing is written). The elementwise
  ops (activations, rescaling) may be given one of their own inputs.
- `labels` are integer ids (batch,) or one-hot or soft rows (batch, classes). An id outside
  [0, classes) is a `ValueError`.
- What isn't numbers is a `TypeError`; shapes that don't fit are a `ValueError` that names both.
- The GIL is released while computing. Results have the same bits on every CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._data import Array, FloatArray, as_array, as_floats, as_ids
from ._elementwise import specification

__all__ = [
    "activation_backward",
    "activation_forward",
    "adadelta_update",
    "adagrad_update",
    "adam_amsgrad_update",
    "adam_update",
    "cross_entropy_backward",
    "cross_entropy_forward",
    "dense_backward",
    "dense_forward",
    "lion_update",
    "log_softmax",
    "log_softmax_backward",
    "nadam_update",
    "pointwise_loss_backward",
    "pointwise_loss_forward",
    "relu_backward",
    "relu_forward",
    "rescaling_backward",
    "rescaling_forward",
    "rmsprop_centered_update",
    "rmsprop_momentum_update",
    "rmsprop_update",
    "sgd_momentum_update",
    "sgd_update",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
]


def dense_forward(
    x: npt.ArrayLike,
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return ``x @ kernel + bias``; each element is made of chains of fused multiply-adds.

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
    """
    grad, x, kernel = as_floats("dense_backward", grad=grad, x=x, kernel=kernel)
    return _core.dense_backward(grad, x, kernel, out)


def activation_forward(
    x: npt.ArrayLike, activation: str, *, out: FloatArray | None = None, **parameters: Any
) -> FloatArray:
    """Return an activation of `x`, element by element and in any shape; NaN stays NaN.

    Parameters
    ----------
    x : array_like, any shape
    activation : str
        One of `cnet.activations` but for the softmaxes: "relu", "elu", "gelu", …
    out : array, the shape of `x`, optional
    **parameters
        What that function takes, with its defaults.

    Returns
    -------
    array, the shape of `x`

    Raises
    ------
    TypeError, ValueError
        Beside what all ops raise, for an unknown activation or parameter.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.activation_forward([-2.0, 1.0], "leaky_relu", negative_slope=0.5)
    array([-1.,  1.], dtype=float32)
    """
    function, values = specification("activation_forward", activation, parameters)
    (x,) = as_floats(f"activation_forward: {activation}", x=x)
    return _core.activation_forward(x, function, out, values)


def activation_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    activation: str,
    *,
    out: FloatArray | None = None,
    **parameters: Any,
) -> FloatArray:
    """Return `grad` times the derivative of an activation at `x`, where its result was `y`.

    Parameters
    ----------
    grad, x, y : array_like, of one shape
        The derivatives of "elu", "selu", "tanh", "sigmoid" and "exponential" are taken from `y`,
        of the others from `x`.
    activation : str
        As for `activation_forward`.
    out : array of that shape, optional
    **parameters
        As for `activation_forward`.

    Returns
    -------
    array of that shape
    """
    function, values = specification("activation_backward", activation, parameters)
    grad, x, y = as_floats(f"activation_backward: {activation}", grad=grad, x=x, y=y)
    return _core.activation_backward(grad, x, y, function, out, values)


def relu_forward(x: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return max(x, 0), element by element and in any shape; NaN stays NaN."""
    (x,) = as_floats("relu_forward", x=x)
    return _core.relu_forward(x, out)


def relu_backward(
    grad: npt.ArrayLike, x: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return `grad` where x > 0, else 0."""
    grad, x = as_floats("relu_backward", grad=grad, x=x)
    return _core.relu_backward(grad, x, out)


def rescaling_forward(
    x: npt.ArrayLike, scale: float, offset: float = 0.0, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``x * scale + offset``, rounded once."""
    (x,) = as_floats("rescaling_forward", x=x)
    return _core.rescaling_forward(x, scale, offset, out)


def rescaling_backward(
    grad: npt.ArrayLike, scale: float, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad * scale``."""
    (grad,) = as_floats("rescaling_backward", grad=grad)
    return _core.rescaling_backward(grad, scale, out)


def softmax(logits: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return the softmax of each row of logits (batch, classes), the row's maximum subtracted.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.softmax([[0.0, 0.0], [1e4, -1e4]])
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """
    (logits,) = as_floats("softmax", logits=logits)
    return _core.softmax(logits, out)


def softmax_backward(
    grad: npt.ArrayLike, probabilities: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return the gradient of the logits from that of the probabilities (batch, classes)."""
    grad, probabilities = as_floats("softmax_backward", grad=grad, probabilities=probabilities)
    return _core.softmax_backward(grad, probabilities, out)


def log_softmax(logits: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return the logarithm of the softmax of each row of logits (batch, classes).

    Examples
    --------
    >>> from cnet import ops
    >>> ops.log_softmax([[0.0, 1e4]])
    array([[-10000.,      0.]], dtype=float32)
    """
    (logits,) = as_floats("log_softmax", logits=logits)
    return _core.log_softmax(logits, out)


def log_softmax_backward(
    grad: npt.ArrayLike, log_probabilities: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return the gradient of the logits from that of the log-softmax (batch, classes)."""
    call = "log_softmax_backward"
    grad, log_probabilities = as_floats(call, grad=grad, log_probabilities=log_probabilities)
    return _core.log_softmax_backward(grad, log_probabilities, out)


def softmax_cross_entropy_forward(
    logits: npt.ArrayLike, labels: npt.ArrayLike, *, out: FloatArray | None = None
) -> tuple[float, FloatArray]:
    """Return the mean cross-entropy of the batch, and the probabilities.

    Parameters
    ----------
    logits : array_like, (batch, classes)
    labels : array_like, (batch,) of int or (batch, classes)
    out : array, (batch, classes), optional
        For the probabilities.

    Returns
    -------
    loss : float
        Summed in float64, in row order; 0 for an empty batch.
    probabilities : array, (batch, classes)

    Examples
    --------
    >>> from cnet import ops
    >>> loss, probabilities = ops.softmax_cross_entropy_forward([[0.0, 0.0]], [1])
    >>> round(loss, 4)
    0.6931
    """
    call = "softmax_cross_entropy_forward"
    (logits,) = as_floats(call, logits=logits)
    labels = _labels(call, labels, logits)
    losses, probabilities = _core.softmax_cross_entropy_forward(logits, labels, out)
    return _mean(losses), probabilities


def softmax_cross_entropy_backward(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return the gradient of the mean loss: (probabilities − labels) / batch."""
    call = "softmax_cross_entropy_backward"
    (probabilities,) = as_floats(call, probabilities=probabilities)
    labels = _labels(call, labels, probabilities)
    return _core.softmax_cross_entropy_backward(probabilities, labels, out)


def cross_entropy_forward(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the mean cross-entropy of rows of probabilities, normalized and clipped first."""
    call = "cross_entropy_forward"
    (probabilities,) = as_floats(call, probabilities=probabilities)
    return _mean(_core.cross_entropy_forward(probabilities, _labels(call, labels, probabilities)))


def cross_entropy_backward(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return the gradient of `cross_entropy_forward`'s mean loss."""
    call = "cross_entropy_backward"
    (probabilities,) = as_floats(call, probabilities=probabilities)
    return _core.cross_entropy_backward(probabilities, _labels(call, labels, probabilities), out)


def pointwise_loss_forward(
    loss: str,
    predictions: npt.ArrayLike,
    targets: npt.ArrayLike,
    delta: float = 1.0,
    *,
    gamma: float = 2.0,
    positive_weight: float = 1.0,
    negative_weight: float = 1.0,
) -> FloatArray:
    """Return each row's loss, (batch,); `cnet.reference` has the formulas.

    Parameters
    ----------
    loss : str
        "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error", "huber", "log_cosh", "poisson", "kl_divergence", "hinge",
        "squared_hinge", "binary_crossentropy", "binary_focal_crossentropy" or
        "categorical_focal_crossentropy"; the last three with "_from_logits", too.
    predictions, targets : array_like, (batch, outputs)
    delta : float, default 1
        Where Huber's square ends and its line begins; of no effect elsewhere.
    gamma : float of at least 0, default 2
        The focal losses' power; of no effect elsewhere.
    positive_weight, negative_weight : float, default 1
        What targets 1 and 0 weigh in the focal losses; the categorical one has no use for the second.

    Raises
    ------
    ValueError
        If there is no such loss, or the shapes differ.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.pointwise_loss_forward("mean_squared_error", [[1.0, 2.0]], [[0.0, 4.0]])
    array([2.5], dtype=float32)
    """
    p, t = as_floats("pointwise_loss_forward", predictions=predictions, targets=targets)
    return _core.pointwise_loss_forward(loss, p, t, delta, gamma, positive_weight, negative_weight)


def pointwise_loss_backward(
    loss: str,
    predictions: npt.ArrayLike,
    targets: npt.ArrayLike,
    delta: float = 1.0,
    *,
    gamma: float = 2.0,
    positive_weight: float = 1.0,
    negative_weight: float = 1.0,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return the gradient of the mean of `pointwise_loss_forward` over the rows, (batch, outputs)."""
    p, t = as_floats("pointwise_loss_backward", predictions=predictions, targets=targets)
    return _core.pointwise_loss_backward(
        loss, p, t, delta, gamma, positive_weight, negative_weight, out
    )


def sgd_update(param: FloatArray, grad: npt.ArrayLike, learning_rate: float) -> None:
    """Subtract ``learning_rate * grad`` from `param`, in place.

    Parameters
    ----------
    param : array of float32 or float64, C-contiguous and writable, any shape
        Never converted: `TypeError` or `ValueError` otherwise.
    grad : array_like of the same shape
    learning_rate : float
    """
    _core.sgd_update(param, _like(param, grad, "sgd_update: grad"), learning_rate)


def sgd_momentum_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    nesterov: bool = False,
) -> None:
    """Update `param` and `velocity` in place by gradient descent with (Nesterov's) momentum.

    Parameters
    ----------
    param, velocity : arrays of float32 or float64, C-contiguous and writable, of one shape
        Never converted: `TypeError` or `ValueError` otherwise.
    grad : array_like of the same shape
    learning_rate, momentum : float
    nesterov : bool, default False
    """
    grad = _like(param, grad, "sgd_momentum_update: grad")
    _core.sgd_momentum_update(param, grad, velocity, learning_rate, momentum, nesterov)


def rmsprop_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    learning_rate: float,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Update `param` and `mean_square` in place by RMSprop; parameters as `cnet.optimizers.RMSprop`."""
    grad = _like(param, grad, "rmsprop_update: grad")
    _core.rmsprop_update(param, grad, mean_square, learning_rate, rho, epsilon)


def rmsprop_momentum_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Update `param`, `mean_square` and `velocity` in place by RMSprop with momentum.

    The other parameters are those of `cnet.optimizers.RMSprop`.
    """
    grad = _like(param, grad, "rmsprop_momentum_update: grad")
    _core.rmsprop_momentum_update(
        param, grad, mean_square, velocity, learning_rate, momentum, rho, epsilon
    )


def rmsprop_centered_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    mean: FloatArray,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float = 0.0,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Update `param`, `mean_square`, `mean` and `velocity` in place by centered RMSprop.

    The other parameters are those of `cnet.optimizers.RMSprop`.
    """
    grad = _like(param, grad, "rmsprop_centered_update: grad")
    _core.rmsprop_centered_update(
        param, grad, mean_square, mean, velocity, learning_rate, momentum, rho, epsilon
    )


def adagrad_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    sum_of_squares: FloatArray,
    learning_rate: float,
    epsilon: float = 1e-7,
) -> None:
    """Update `param` and `sum_of_squares` in place by Adagrad; see `cnet.optimizers.Adagrad`."""
    grad = _like(param, grad, "adagrad_update: grad")
    _core.adagrad_update(param, grad, sum_of_squares, learning_rate, epsilon)


def adadelta_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    mean_square_change: FloatArray,
    learning_rate: float,
    rho: float = 0.95,
    epsilon: float = 1e-7,
) -> None:
    """Update `param`, `mean_square` and `mean_square_change` in place by Adadelta.

    The other parameters are those of `cnet.optimizers.Adadelta`.
    """
    grad = _like(param, grad, "adadelta_update: grad")
    _core.adadelta_update(param, grad, mean_square, mean_square_change, learning_rate, rho, epsilon)


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
    grad = _like(param, grad, "adam_update: grad")
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
    grad = _like(param, grad, "adam_amsgrad_update: grad")
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
    grad = _like(param, grad, "nadam_update: grad")
    _core.nadam_update(
        param, grad, first_moment, second_moment, step, learning_rate, beta_1, beta_2, epsilon
    )


def lion_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    first_moment: FloatArray,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
) -> None:
    """Update `param` and `first_moment` in place by Lion; parameters as `cnet.optimizers.Lion`."""
    grad = _like(param, grad, "lion_update: grad")
    _core.lion_update(param, grad, first_moment, learning_rate, beta_1, beta_2)


def _labels(call: str, labels: npt.ArrayLike, rows: FloatArray) -> Array:
    array = as_array(labels, f"{call}: labels")
    if array.ndim == 2:
        return np.require(array, dtype=rows.dtype, requirements=["C", "A"])
    return as_ids(array, f"{call}: labels")


def _mean(losses: FloatArray) -> float:
    """Return the mean, summed in float64 and in order; 0 of none."""
    return float(np.cumsum(losses, dtype=np.float64)[-1]) / len(losses) if len(losses) else 0.0


def _like(param: Any, grad: npt.ArrayLike, argument: str) -> FloatArray:
    """Return `grad` in the type of `param`, whose own fitness is for the core to judge."""
    dtype = getattr(param, "dtype", None)
    if dtype not in (np.float32, np.float64):
        dtype = np.dtype(np.float32)
    return np.require(as_array(grad, argument), dtype=dtype, requirements=["C", "A"])
