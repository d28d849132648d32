"""The operations of a multi-layer perceptron, forward and backward, in NumPy.

What `cnet.ops` computes in C++, by the same names and signatures, and what it is tested against.
These conventions hold for every op, and its docstring doesn't repeat them:

- Results are float64 if an input array is, else float32. Labels have no say in it.
- A backward op is given `grad`, the gradient of a loss L with respect to the forward op's result,
  and returns the gradient of L with respect to the forward op's input.
- `labels` are integer ids (batch,), or the rows of a one-hot or soft distribution (batch, classes).
- `out`, None by default, is written and returned in place of a new array.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .activations import ACTIVATIONS

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

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]

# Keras's epsilon(): the distance that a probability keeps from 0 and 1 before its logarithm.
EPSILON = 1e-7


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
    x, kernel, bias = _floats(x, kernel, 0.0 if bias is None else bias)
    return _into(out, x @ kernel + bias)


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
    grad, x, kernel = _floats(grad, x, kernel)
    out_x, out_kernel, out_bias = out or (None, None, None)
    return (
        _into(out_x, grad @ kernel.T),
        _into(out_kernel, x.T @ grad),
        _into(out_bias, grad.sum(axis=0)),
    )


def activation_forward(
    x: npt.ArrayLike, activation: str, *, out: FloatArray | None = None, **parameters: Any
) -> FloatArray:
    """Return an activation of `x`, element by element; NaN stays NaN.

    Parameters
    ----------
    x : array_like, any shape
    activation : str
        A name of `cnet.reference.activations.ACTIVATIONS`, where the formulas stand.
    out : array, the shape of `x`, optional
        May be `x` itself.
    **parameters
        Those of the activation.

    Returns
    -------
    array, the shape of `x`

    References
    ----------
    Each activation's is in `cnet.activations`.

    Examples
    --------
    >>> activation_forward([-2.0, 1.0], "leaky_relu", negative_slope=0.5)
    array([-1.,  1.], dtype=float32)
    """
    (x,) = _floats(x)
    forward, _ = ACTIVATIONS[activation]
    return _into(out, np.asarray(forward(x, **parameters), x.dtype))


def activation_backward(
    grad: npt.ArrayLike,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    activation: str,
    *,
    out: FloatArray | None = None,
    **parameters: Any,
) -> FloatArray:
    """Return `grad` times the derivative of an activation.

    Parameters
    ----------
    grad : array_like, any shape
    x, y : array_like, the shape of `grad`
        The input of the forward pass and its result, by which of the two the derivative is easier.
    activation : str
        As for `activation_forward`.
    out : array, the shape of `grad`, optional
        May be one of the inputs.
    **parameters
        Those of the activation.

    Returns
    -------
    array, the shape of `grad`

    Examples
    --------
    >>> activation_backward([3.0, 4.0], x=[-1.0, 3.0], y=[-0.5, 0.75], activation="softsign")
    array([0.75, 0.25], dtype=float32)
    """
    grad, x, y = _floats(grad, x, y)
    _, slope = ACTIVATIONS[activation]
    return _into(out, np.asarray(grad * slope(x, y, **parameters), grad.dtype))


def relu_forward(x: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return ``max(x, 0)``, element by element; NaN stays NaN, and -0.0 becomes 0.0.

    Parameters
    ----------
    x : array_like, any shape
    out : array, the shape of `x`, optional
        May be `x` itself.

    Returns
    -------
    array, the shape of `x`

    References
    ----------
    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

    Examples
    --------
    >>> relu_forward([-1.0, 0.0, 2.0])
    array([0., 0., 2.], dtype=float32)
    """
    (x,) = _floats(x)
    return _into(out, np.where(x <= 0, 0, x))


def relu_backward(
    grad: npt.ArrayLike, x: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return `grad` where ``x > 0``, else 0: the derivative at the kink is taken to be 0.

    Parameters
    ----------
    grad : array_like, any shape
    x : array_like, the shape of `grad`
        The input of the forward pass, or its result: both are positive at the same places.
    out : array, the shape of `grad`, optional
        May be `grad` or `x` itself.

    Returns
    -------
    array, the shape of `grad`

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, section 6.3.1.

    Examples
    --------
    >>> relu_backward([5.0, 6.0, 7.0], x=[-1.0, 0.0, 2.0])
    array([0., 0., 7.], dtype=float32)
    """
    grad, x = _floats(grad, x)
    return _into(out, np.where(x > 0, grad, 0))


def softmax(logits: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return ``exp(logits) / sum(exp(logits))`` for each row.

    The maximum of the row is subtracted first: it cancels, and no exponential overflows.

    Parameters
    ----------
    logits : array_like, (batch, classes)
    out : array, (batch, classes), optional

    Returns
    -------
    array, (batch, classes)
        The probabilities; each row sums to 1.

    References
    ----------
    Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions",
    IMA Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> softmax([[7.0, 7.0], [1e4, -1e4]])
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """
    (logits,) = _floats(logits)
    exp = np.exp(_minus_maximum(logits))
    return _into(out, exp / exp.sum(axis=-1, keepdims=True))


def softmax_backward(
    grad: npt.ArrayLike, probabilities: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``p * (grad - sum(grad * p))`` for each row p of `probabilities`.

    For the Jacobian of softmax is dpᵢ/dzⱼ = pᵢ (δᵢⱼ - pⱼ).

    Parameters
    ----------
    grad : array_like, (batch, classes)
    probabilities : array_like, (batch, classes)
        The result of the forward pass.
    out : array, (batch, classes), optional

    Returns
    -------
    array, (batch, classes)

    References
    ----------
    Bridle, "Probabilistic interpretation of feedforward classification network outputs, with
    relationships to statistical pattern recognition", Neurocomputing, Springer 1990.

    Examples
    --------
    >>> softmax_backward([[1.0, 0.0]], probabilities=[[0.5, 0.5]])
    array([[ 0.25, -0.25]], dtype=float32)
    """
    grad, p = _floats(grad, probabilities)
    return _into(out, p * (grad - (grad * p).sum(axis=-1, keepdims=True)))


def log_softmax(logits: npt.ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
    """Return ``logits - log(sum(exp(logits)))`` for each row.

    The maximum of the row is subtracted first, as in `softmax`, of which this is the logarithm.

    Parameters
    ----------
    logits : array_like, (batch, classes)
    out : array, (batch, classes), optional

    Returns
    -------
    array, (batch, classes)

    References
    ----------
    Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions",
    IMA Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> log_softmax([[0.0, 1e4]])
    array([[-10000.,      0.]], dtype=float32)
    """
    (logits,) = _floats(logits)
    z = _minus_maximum(logits)
    return _into(out, z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))


def log_softmax_backward(
    grad: npt.ArrayLike, log_probabilities: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad - p * sum(grad)`` for each row, where p = exp(log_probabilities).

    For the Jacobian of log-softmax is δᵢⱼ - pⱼ.

    Parameters
    ----------
    grad : array_like, (batch, classes)
    log_probabilities : array_like, (batch, classes)
        The result of the forward pass.
    out : array, (batch, classes), optional

    Returns
    -------
    array, (batch, classes)

    Examples
    --------
    >>> log_softmax_backward([[1.0, 0.0]], log_probabilities=np.log([[0.25, 0.75]]))
    array([[ 0.75, -0.75]])
    """
    grad, log_p = _floats(grad, log_probabilities)
    return _into(out, grad - np.exp(log_p) * grad.sum(axis=-1, keepdims=True))


def softmax_cross_entropy_forward(
    logits: npt.ArrayLike, labels: npt.ArrayLike, *, out: FloatArray | None = None
) -> tuple[float, FloatArray]:
    """Return the negative log-likelihood of `labels` under softmax, and the probabilities.

    With Z = Σⱼ exp(zⱼ), the loss of a row is -Σⱼ yⱼ log pⱼ = Σⱼ yⱼ (log Z - zⱼ). The second form
    never takes the logarithm of a p that has underflowed to 0, so large logits stay finite.

    Parameters
    ----------
    logits : array_like, (batch, classes)
    labels : array_like, (batch,) or (batch, classes)
    out : array, (batch, classes), optional
        Takes the probabilities.

    Returns
    -------
    loss : float
        The mean over the batch, summed in float64; 0.0 for an empty batch.
    probabilities : array, (batch, classes)

    Raises
    ------
    ValueError
        If a label is not in [0, classes), or `labels` have another shape.

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, section 6.2.2.3; and for
    log Z, Blanchard, Higham and Higham, IMA Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> softmax_cross_entropy_forward([[0.0, 1e4]], labels=[0])
    (10000.0, array([[0., 1.]], dtype=float32))
    """
    (logits,) = _floats(logits)
    y = _one_hot(labels, logits)
    z = _minus_maximum(logits)
    log_z = np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return _mean_loss(y, log_z - z), softmax(logits, out=out)


def softmax_cross_entropy_backward(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``(p - y) / batch``, the gradient of the mean loss with respect to the logits.

    Through dlog Z/dzⱼ = pⱼ, for labels y that sum to 1.

    Parameters
    ----------
    probabilities : array_like, (batch, classes)
        The second result of the forward pass.
    labels : array_like, (batch,) or (batch, classes)
    out : array, (batch, classes), optional

    Returns
    -------
    array, (batch, classes)

    Raises
    ------
    ValueError
        If a label is not in [0, classes), or `labels` have another shape.

    References
    ----------
    Bridle, "Probabilistic interpretation of feedforward classification network outputs, with
    relationships to statistical pattern recognition", Neurocomputing, Springer 1990.

    Examples
    --------
    >>> softmax_cross_entropy_backward([[0.25, 0.75], [0.5, 0.5]], labels=[1, 0])
    array([[ 0.125, -0.125],
           [-0.25 ,  0.25 ]], dtype=float32)
    """
    (p,) = _floats(probabilities)
    return _into(out, (p - _one_hot(labels, p)) / len(p))


def cross_entropy_forward(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return Keras's cross-entropy of plain probabilities: the mean of ``-sum(y * log(q))``.

    Each row is made to sum to 1 and kept away from 0 and 1: q = clip(p / Σp, ε, 1 - ε), ε = 1e-7.

    Parameters
    ----------
    probabilities : array_like, (batch, classes)
    labels : array_like, (batch,) or (batch, classes)

    Returns
    -------
    float
        The mean over the batch, summed in float64; 0.0 for an empty batch.

    Raises
    ------
    ValueError
        If a label is not in [0, classes), or `labels` have another shape.

    References
    ----------
    Keras 3, ``keras.ops.categorical_crossentropy`` with ``from_logits=False``.

    Examples
    --------
    >>> round(cross_entropy_forward([[0.25, 0.75]], labels=[0]), 4)  # log 4
    1.3863
    """
    (p,) = _floats(probabilities)
    y = _one_hot(labels, p)
    q = np.clip(p / p.sum(axis=-1, keepdims=True), EPSILON, 1 - EPSILON)
    return _mean_loss(y, -np.log(q))


def cross_entropy_backward(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Return the gradient of `cross_entropy_forward` with respect to `probabilities`.

    With r = p / Σp and gⱼ = -yⱼ / (batch rⱼ), or 0 where rⱼ was clipped:
    dL/dpᵢ = (gᵢ - Σⱼ gⱼ rⱼ) / Σp. A clipped probability still moves the others through Σp.

    Parameters
    ----------
    probabilities : array_like, (batch, classes)
    labels : array_like, (batch,) or (batch, classes)
    out : array, (batch, classes), optional

    Returns
    -------
    array, (batch, classes)

    Raises
    ------
    ValueError
        If a label is not in [0, classes), or `labels` have another shape.

    References
    ----------
    The chain rule on Keras 3's ``keras.ops.categorical_crossentropy``.

    Examples
    --------
    >>> cross_entropy_backward([[0.25, 0.75]], labels=[0])
    array([[-3.,  1.]], dtype=float32)
    """
    (p,) = _floats(probabilities)
    y = _one_hot(labels, p)
    total = p.sum(axis=-1, keepdims=True)
    r = p / total
    q = np.clip(r, EPSILON, 1 - EPSILON)
    g = np.where(r == q, -y / q, 0) / len(p)
    return _into(out, (g - (g * r).sum(axis=-1, keepdims=True)) / total)


def rescaling_forward(
    x: npt.ArrayLike, scale: float, offset: float = 0.0, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``x * scale + offset``, element by element.

    Parameters
    ----------
    x : array_like, any shape
    scale : float
    offset : float, default 0.0
    out : array, the shape of `x`, optional
        May be `x` itself.

    Returns
    -------
    array, the shape of `x`

    References
    ----------
    Keras 3, ``keras.layers.Rescaling``.

    Examples
    --------
    >>> rescaling_forward([0, 128, 256], scale=1 / 128, offset=-1)
    array([-1.,  0.,  1.], dtype=float32)
    """
    (x,) = _floats(x)
    return _into(out, x * float(scale) + float(offset))


def rescaling_backward(
    grad: npt.ArrayLike, scale: float, *, out: FloatArray | None = None
) -> FloatArray:
    """Return ``grad * scale``.

    Parameters
    ----------
    grad : array_like, any shape
    scale : float
    out : array, the shape of `grad`, optional
        May be `grad` itself.

    Returns
    -------
    array, the shape of `grad`

    References
    ----------
    Keras 3, ``keras.layers.Rescaling``.

    Examples
    --------
    >>> rescaling_backward([1.0, 2.0], scale=0.5)
    array([0.5, 1. ], dtype=float32)
    """
    (grad,) = _floats(grad)
    return _into(out, grad * float(scale))


def sgd_update(param: FloatArray, grad: npt.ArrayLike, learning_rate: float) -> None:
    """Take a step of gradient descent, in place: ``param -= learning_rate * grad``.

    Parameters
    ----------
    param : array, any shape
    grad : array_like, the shape of `param`
    learning_rate : float

    References
    ----------
    Robbins and Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22(3),
    1951.

    Examples
    --------
    >>> param = np.array([1.0, 2.0])
    >>> sgd_update(param, grad=[2.0, -2.0], learning_rate=0.25)
    >>> param
    array([0.5, 2.5])
    """
    param -= learning_rate * np.asarray(grad, param.dtype)


def sgd_momentum_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    nesterov: bool = False,
) -> None:
    """Take a step of gradient descent with momentum, in place.

    v ← momentum · v - learning_rate · g, and then w ← w + v, or with Nesterov's look-ahead
    w ← w + momentum · v - learning_rate · g.

    Parameters
    ----------
    param : array, any shape
        The weights w.
    grad : array_like, the shape of `param`
        Their gradient g.
    velocity : array, the shape and dtype of `param`
        The state v, zeros before the first step. What would be a subnormal number is set to 0:
        a velocity that dies away would end in them, and CPUs are slow at them.
    learning_rate : float
    momentum : float
    nesterov : bool, default False

    References
    ----------
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep
    learning", ICML 2013, equations 1 to 4, in the form of ``keras.optimizers.SGD``.

    Examples
    --------
    >>> param, velocity = np.array([1.0]), np.array([0.5])
    >>> sgd_momentum_update(param, [2.0], velocity, learning_rate=0.25, momentum=0.5)
    >>> param, velocity
    (array([0.75]), array([-0.25]))
    """
    step = learning_rate * np.asarray(grad, param.dtype)
    velocity[...] = _flushed(momentum * velocity - step)
    param += (momentum * velocity - step) if nesterov else velocity


def rmsprop_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    learning_rate: float,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> None:
    """Take a step of RMSprop, in place: each weight's step divided by its gradient's usual size.

    v ← rho · v + (1 - rho) · g², and then w ← w - learning_rate · g / √(v + epsilon).

    Parameters
    ----------
    param : array, any shape
        The weights w.
    grad : array_like, the shape of `param`
        Their gradient g.
    mean_square : array, the shape and dtype of `param`
        The running mean square v, zeros before the first step.
    learning_rate : float
    rho : float, default 0.9
    epsilon : float, default 1e-7

    References
    ----------
    Hinton, Srivastava and Swersky, "Neural networks for machine learning", lecture 6e, 2012, in
    the form of ``keras.optimizers.RMSprop``.

    Examples
    --------
    >>> param, mean_square = np.array([1.0]), np.array([0.0])
    >>> rmsprop_update(param, [2.0], mean_square, learning_rate=0.5, rho=0.75, epsilon=0.0)
    >>> param, mean_square
    (array([0.]), array([1.]))
    """
    g = np.asarray(grad, param.dtype)
    mean_square[...] = _flushed(rho * mean_square + (1 - rho) * g**2)
    param -= learning_rate * g / np.sqrt(mean_square + epsilon)


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
    """Take a step of RMSprop with momentum, in place.

    v ← rho · v + (1 - rho) · g², u ← momentum · u + learning_rate · g / √(v + epsilon), and then
    w ← w - u.

    Parameters
    ----------
    param : array, any shape
        The weights w.
    grad : array_like, the shape of `param`
        Their gradient g.
    mean_square, velocity : arrays, the shape and dtype of `param`
        The running mean square v and the velocity u, zeros before the first step.
    learning_rate, momentum : float
    rho : float, default 0.9
    epsilon : float, default 1e-7

    References
    ----------
    As for `rmsprop_update`, in the form of ``keras.optimizers.RMSprop``.

    Examples
    --------
    >>> param, mean_square, velocity = np.array([1.0]), np.array([0.0]), np.array([1.0])
    >>> rmsprop_momentum_update(param, [2.0], mean_square, velocity, 0.5, 0.5, 0.75, epsilon=0.0)
    >>> param, mean_square, velocity
    (array([-0.5]), array([1.]), array([1.5]))
    """
    g = np.asarray(grad, param.dtype)
    mean_square[...] = _flushed(rho * mean_square + (1 - rho) * g**2)
    change = learning_rate * g / np.sqrt(mean_square + epsilon)
    velocity[...] = _flushed(momentum * velocity + change)
    param -= velocity


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
    """Take a step of centered RMSprop, in place: divided by the gradient's standard deviation.

    v ← rho · v + (1 - rho) · g², m ← rho · m + (1 - rho) · g,
    u ← momentum · u + learning_rate · g / √(v - m² + epsilon), and then w ← w - u. The variance
    v - m² counts as 0 where rounding takes it below.

    Parameters
    ----------
    param : array, any shape
        The weights w.
    grad : array_like, the shape of `param`
        Their gradient g.
    mean_square, mean, velocity : arrays, the shape and dtype of `param`
        The running means v and m, and the velocity u, zeros before the first step.
    learning_rate : float
    momentum : float, default 0.0
    rho : float, default 0.9
    epsilon : float, default 1e-7

    References
    ----------
    Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850, 2013, equations
    38 to 45, in the form of ``keras.optimizers.RMSprop``.

    Examples
    --------
    >>> param, square, mean, velocity = np.array([1.0]), np.zeros(1), np.zeros(1), np.zeros(1)
    >>> rmsprop_centered_update(param, [2.0], square, mean, velocity, 0.5, rho=0.5, epsilon=0.0)
    >>> param, square, mean, velocity
    (array([0.]), array([2.]), array([1.]), array([1.]))
    """
    g = np.asarray(grad, param.dtype)
    mean_square[...] = _flushed(rho * mean_square + (1 - rho) * g**2)
    mean[...] = _flushed(rho * mean + (1 - rho) * g)
    variance = np.maximum(mean_square - mean**2, 0)
    change = learning_rate * g / np.sqrt(variance + epsilon)
    velocity[...] = _flushed(momentum * velocity + change)
    param -= velocity


def adagrad_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    sum_of_squares: FloatArray,
    learning_rate: float,
    epsilon: float = 1e-7,
) -> None:
    """Take a step of Adagrad, in place: the more a weight has been changed, the shorter its steps.

    v ← v + g², and then w ← w - learning_rate · g / √(v + epsilon).

    Parameters
    ----------
    param : array, any shape
        The weights w.
    grad : array_like, the shape of `param`
        Their gradient g.
    sum_of_squares : array, the shape and dtype of `param`
        The sum v; Keras has it start from 0.1.
    learning_rate : float
    epsilon : float, default 1e-7

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011, in the form of ``keras.optimizers.Adagrad``.

    Examples
    --------
    >>> param, sum_of_squares = np.array([1.0]), np.array([5.0])
    >>> adagrad_update(param, [2.0], sum_of_squares, learning_rate=0.75, epsilon=0.0)
    >>> param, sum_of_squares
    (array([0.5]), array([9.]))
    """
    g = np.asarray(grad, param.dtype)
    sum_of_squares += g**2
    param -= learning_rate * g / np.sqrt(sum_of_squares + epsilon)


def adadelta_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    mean_square: FloatArray,
    mean_square_change: FloatArray,
    learning_rate: float,
    rho: float = 0.95,
    epsilon: float = 1e-7,
) -> None:
    """Take a step of Adadelta, in place: of the size that changes have had, in units of gradients.

    v ← rho · v + (1 - rho) · g², d = √(u + epsilon) / √(v + epsilon) · g,
    u ← rho · u + (1 - rho) · d², and then w ← w - learning_rate · d.

    Parameters
    ----------
    param : array, any shape
        The weights w.
    grad : array_like, the shape of `param`
        Their gradient g.
    mean_square, mean_square_change : arrays, the shape and dtype of `param`
        The running mean squares v and u of gradients and changes, zeros before the first step.
    learning_rate : float
    rho : float, default 0.95
    epsilon : float, default 1e-7

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, 2012, algorithm 1, in the
    form of ``keras.optimizers.Adadelta``.

    Examples
    --------
    >>> param, square, square_change = np.array([1.0]), np.array([0.0]), np.array([1.0])
    >>> adadelta_update(param, [2.0], square, square_change, 0.5, rho=0.75, epsilon=0.0)
    >>> param, square, square_change
    (array([0.]), array([1.]), array([1.75]))
    """
    g = np.asarray(grad, param.dtype)
    mean_square[...] = _flushed(rho * mean_square + (1 - rho) * g**2)
    change = np.sqrt(mean_square_change + epsilon) * g / np.sqrt(mean_square + epsilon)
    mean_square_change[...] = _flushed(rho * mean_square_change + (1 - rho) * change**2)
    param -= learning_rate * change


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
    """Take step number `step` of Adam, in place: running means of the gradient and of its square.

    m ← m + (1 - beta_1) (g - m), v ← v + (1 - beta_2) (g² - v), and then
    w ← w - learning_rate · √(1 - beta_2ᵗ) / (1 - beta_1ᵗ) · m / (√v + epsilon), where t is `step`.

    Parameters
    ----------
    param : array, any shape
        The weights w.
    grad : array_like, the shape of `param`
        Their gradient g.
    first_moment, second_moment : arrays, the shape and dtype of `param`
        The means m and v, zeros before the first step.
    step : int
        Counted from 1.
    learning_rate : float
    beta_1, beta_2 : float, default 0.9 and 0.999
    epsilon : float, default 1e-7

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, in the order that ends
    its section 2 and in the form of ``keras.optimizers.Adam``.

    Examples
    --------
    >>> param, first_moment, second_moment = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> adam_update(param, [2.0], first_moment, second_moment, step=1, learning_rate=0.5, epsilon=0.0)
    >>> param.round(12), first_moment.round(12), second_moment.round(12)
    (array([0.5]), array([0.2]), array([0.004]))
    """
    g = np.asarray(grad, param.dtype)
    first_moment[...] = _flushed(first_moment + (1 - beta_1) * (g - first_moment))
    second_moment[...] = _flushed(second_moment + (1 - beta_2) * (g**2 - second_moment))
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
    """Take step number `step` of AMSGrad, in place: Adam by the greatest second moment so far.

    Parameters
    ----------
    param, grad, first_moment, second_moment, step, learning_rate, beta_1, beta_2, epsilon
        As for `adam_update`.
    greatest_second_moment : array, the shape and dtype of `param`
        Zeros before the first step.

    References
    ----------
    Reddi, Kale and Kumar, "On the convergence of Adam and beyond", ICLR 2018, algorithm 2, in the
    form of ``keras.optimizers.Adam``.

    Examples
    --------
    >>> param, first, second, greatest = np.ones(1), np.zeros(1), np.zeros(1), np.array([4.0])
    >>> adam_amsgrad_update(param, [2.0], first, second, greatest, 1, 0.5, 0.5, 0.75, epsilon=0.0)
    >>> param, first, second, greatest
    (array([0.75]), array([1.]), array([1.]), array([4.]))
    """
    g = np.asarray(grad, param.dtype)
    first_moment[...] = _flushed(first_moment + (1 - beta_1) * (g - first_moment))
    second_moment[...] = _flushed(second_moment + (1 - beta_2) * (g**2 - second_moment))
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
    """Take step number `step` of Nadam, in place: Adam with Nesterov's momentum.

    m and v are those of `adam_update`. With uₜ = beta_1 (1 - 0.96ᵗ / 2), pₜ = u₁ u₂ … uₜ and
    n = uₜ₊₁ / (1 - pₜ₊₁) · m + (1 - uₜ) / (1 - pₜ) · g, where t is `step`,
    w ← w - learning_rate · n / (√(v / (1 - beta_2ᵗ)) + epsilon).

    Parameters
    ----------
    param, grad, first_moment, second_moment, step, learning_rate, beta_1, beta_2, epsilon
        As for `adam_update`.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam", ICLR 2016 workshop, algorithm 2, in the form
    of ``keras.optimizers.Nadam``.

    Examples
    --------
    >>> param, first_moment, second_moment = np.array([1.0]), np.array([0.0]), np.array([0.0])
    >>> nadam_update(param, [2.0], first_moment, second_moment, step=1, learning_rate=0.5)
    >>> param.round(3), first_moment.round(12), second_moment.round(12)
    (array([0.469]), array([0.2]), array([0.004]))
    """
    g = np.asarray(grad, param.dtype)
    first_moment[...] = _flushed(first_moment + (1 - beta_1) * (g - first_moment))
    second_moment[...] = _flushed(second_moment + (1 - beta_2) * (g**2 - second_moment))
    momenta = [beta_1 * (1 - 0.96**t / 2) for t in range(1, step + 2)]
    product = math.prod(momenta[:-1])
    mean = momenta[-1] / (1 - product * momenta[-1]) * first_moment
    mean = mean + (1 - momenta[-2]) / (1 - product) * g
    root = np.sqrt(second_moment / (1 - beta_2**step))
    param -= learning_rate * mean / (root + epsilon)


def lion_update(
    param: FloatArray,
    grad: npt.ArrayLike,
    first_moment: FloatArray,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
) -> None:
    """Take a step of Lion, in place: of one size, along the sign of a running mean.

    w ← w - learning_rate · sign(beta_1 · m + (1 - beta_1) · g), and then
    m ← beta_2 · m + (1 - beta_2) · g.

    Parameters
    ----------
    param : array, any shape
        The weights w.
    grad : array_like, the shape of `param`
        Their gradient g.
    first_moment : array, the shape and dtype of `param`
        The running mean m, zeros before the first step.
    learning_rate : float
    beta_1, beta_2 : float, default 0.9 and 0.99

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, program 1, in the
    form of ``keras.optimizers.Lion``.

    Examples
    --------
    >>> param, first_moment = np.array([1.0]), np.array([-8.0])
    >>> lion_update(param, [2.0], first_moment, learning_rate=0.25, beta_1=0.5, beta_2=0.75)
    >>> param, first_moment
    (array([1.25]), array([-5.5]))
    """
    g = np.asarray(grad, param.dtype)
    param -= learning_rate * np.sign(beta_1 * first_moment + (1 - beta_1) * g)
    first_moment[...] = _flushed(beta_2 * first_moment + (1 - beta_2) * g)


def _flushed(slot: FloatArray) -> FloatArray:
    """Set subnormal numbers to 0: a slot that dies away would end in them, and they are slow."""
    smallest: FloatArray = np.finfo(slot.dtype).smallest_normal
    return np.where(np.abs(slot) < smallest, slot.dtype.type(0), slot)


def _floats(*arrays: npt.ArrayLike) -> list[FloatArray]:
    """Convert to one dtype: float64 if one of the arrays is, else float32."""
    double = any(isinstance(a, np.ndarray) and a.dtype == np.float64 for a in arrays)
    return [np.asarray(a, np.float64 if double else np.float32) for a in arrays]


def _into(out: FloatArray | None, result: FloatArray) -> FloatArray:
    """Return `result`, by way of `out` if there is one."""
    if out is None:
        return np.asarray(result)  # arithmetic on an array without dimensions makes a scalar
    out[...] = result
    return out


def _minus_maximum(logits: FloatArray) -> FloatArray:
    """Subtract the maximum of each row; the initial value is for rows without any classes."""
    maximum: FloatArray = logits.max(axis=-1, keepdims=True, initial=-np.inf)
    return logits - maximum


def _one_hot(labels: npt.ArrayLike, rows: FloatArray) -> FloatArray:
    """Return `labels` as distributions of the shape and dtype of `rows`, (batch, classes)."""
    batch, classes = rows.shape
    labels = np.asarray(labels)
    if labels.shape not in ((batch,), (batch, classes)):
        raise ValueError(
            f"labels: expected shape ({batch},) or ({batch}, {classes}), got {labels.shape}"
        )
    if labels.ndim == 2:
        return labels.astype(rows.dtype)
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        row = outside.argmax()
        raise ValueError(f"labels: {labels[row]} at row {row} is outside [0, {classes})")
    one_hot: FloatArray = (labels[:, np.newaxis] == np.arange(classes)).astype(rows.dtype)
    return one_hot


def _mean_loss(y: FloatArray, minus_log_p: FloatArray) -> float:
    """Return the mean of -Σ y log p over the rows; where y = 0, p = 0 does no harm."""
    losses = (y * np.where(y == 0, 0, minus_log_p)).sum(axis=-1)
    return float(losses.sum(dtype=np.float64) / max(len(losses), 1))
