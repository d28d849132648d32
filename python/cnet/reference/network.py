"""A multi-layer perceptron and its training: dense layers, ReLU between, softmax at the end.

Everything is made of the ops. A network is its list of weights [kernel, bias, kernel, bias, …],
as Keras's ``get_weights`` gives it; layer l computes

    z_l = a_(l-1) W_l + b_l,    a_l = relu(z_l),    a_0 = x,

and the last z are the logits of a softmax, whose negative log-likelihood is the loss.

References
----------
Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323,
1986. Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, algorithms 6.3 and 6.4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray
from .cross_entropy import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from .dense import dense_backward, dense_forward
from .elementwise import relu_backward, relu_forward
from .optimizers import sgd_momentum_update
from .random import permutation

__all__ = ["backward", "forward", "loss_and_gradients", "train"]


def forward(x: FloatArray, weights: Sequence[FloatArray]) -> tuple[FloatArray, list[FloatArray]]:
    """Return the logits, and each layer's input for the backward pass.

    Parameters
    ----------
    x : array, (batch, in)
    weights : list of arrays
        [kernel (in, width), bias (width,), …, kernel (width, classes), bias (classes,)].

    Returns
    -------
    logits : array, (batch, classes)
    inputs : list of arrays
        [x, a_1, a_2, …], one for each layer.

    Examples
    --------
    >>> logits, inputs = forward(np.array([[1.0, -1.0]]), [np.eye(2), np.zeros(2)] * 2)
    >>> logits.tolist(), [a.tolist() for a in inputs]
    ([[1.0, 0.0]], [[[1.0, -1.0]], [[1.0, 0.0]]])
    """
    *hidden, last = zip(weights[::2], weights[1::2], strict=True)
    inputs = [x]
    for kernel, bias in hidden:
        inputs.append(relu_forward(dense_forward(inputs[-1], kernel, bias)))
    return dense_forward(inputs[-1], *last), inputs


def backward(
    grad: FloatArray, inputs: Sequence[FloatArray], weights: Sequence[FloatArray]
) -> list[FloatArray]:
    """Return the gradients of the weights, from the last layer back to the first.

    dL/dz_l gives dL/dW_l and dL/db_l, and dL/da_(l-1) = (dL/dz_l) W_lᵀ for the layer before.

    Parameters
    ----------
    grad : array, (batch, classes)
        The gradient of the loss with respect to the logits.
    inputs : list of arrays
        The input of each layer, from `forward`.
    weights : list of arrays

    Returns
    -------
    list of arrays
        In the order of `weights`.

    Examples
    --------
    >>> weights = [np.eye(2), np.zeros(2)]
    >>> grad_kernel, grad_bias = backward(np.array([[3.0, 4.0]]), [np.array([[1.0, 2.0]])], weights)
    >>> grad_kernel.tolist(), grad_bias.tolist()
    ([[3.0, 4.0], [6.0, 8.0]], [3.0, 4.0])
    """
    grads: list[FloatArray] = []
    for a, kernel in zip(reversed(inputs), reversed(weights[::2]), strict=True):
        grad_a, grad_kernel, grad_bias = dense_backward(grad, a, kernel)
        grads = [grad_kernel, grad_bias, *grads]
        # a = relu(z) is positive where z is, so z is not needed. (For the first a, x, it is unused.)
        grad = relu_backward(grad_a, a)
    return grads


def loss_and_gradients(
    x: FloatArray, labels: npt.NDArray[np.generic], weights: Sequence[FloatArray]
) -> tuple[float, list[FloatArray]]:
    """Return the mean loss of a batch and its gradients with respect to the weights.

    Parameters
    ----------
    x : array, (batch, in)
    labels : array, (batch,) of integer ids, or (batch, classes)
    weights : list of arrays

    Returns
    -------
    loss : float
    gradients : list of arrays
        In the order of `weights`.

    Raises
    ------
    ValueError
        If a label is not in [0, classes), or `labels` have another shape.

    Examples
    --------
    >>> x, labels, weights = np.ones((1, 1)), np.array([0]), [np.zeros((1, 2)), np.zeros(2)]
    >>> loss, gradients = loss_and_gradients(x, labels, weights)
    >>> round(loss, 4), [grad.tolist() for grad in gradients]  # log 2
    (0.6931, [[[-0.5, 0.5]], [-0.5, 0.5]])
    """
    logits, inputs = forward(x, weights)
    loss, probabilities = softmax_cross_entropy_forward(logits, labels)
    return loss, backward(softmax_cross_entropy_backward(probabilities, labels), inputs, weights)


def train(
    x: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: Sequence[FloatArray],
    *,
    learning_rate: float,
    batch_size: int,
    epochs: int,
    seed: int = 0,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> list[float]:
    """Train by mini-batch gradient descent, updating `weights` in place; return the losses.

    An epoch takes the samples in the order of ``permutation(seed, epoch, samples)``, `batch_size`
    at a time; the last batch may be smaller.

    Parameters
    ----------
    x : array_like, (samples, in)
    labels : array_like, (samples,) of integer ids, or (samples, classes)
    weights : list of arrays
        Float32 or float64, as for `forward`, with random initial values.
    learning_rate : float
    batch_size : int
    epochs : int
    seed : int, default 0
        The seed of the shuffles.
    momentum : float, default 0.0
    nesterov : bool, default False

    Returns
    -------
    list of float
        For each epoch, the mean loss of its samples, computed before the batch's update.

    Raises
    ------
    ValueError
        If a label is not in [0, classes), or `labels` have another shape.

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, algorithms 8.1 to 8.3.

    Examples
    --------
    Exclusive or, which no single layer can learn:

    >>> from cnet.reference.random import normal
    >>> x, labels = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    >>> kernels = normal(seed=1, stream=0, size=16).reshape(2, 8), normal(1, 1, 16).reshape(8, 2)
    >>> weights = [kernels[0], np.zeros(8), kernels[1], np.zeros(2)]
    >>> losses = train(x, labels, weights, learning_rate=0.5, batch_size=4, epochs=200)
    >>> losses[-1] < 0.05
    True
    >>> logits, _ = forward(x, weights)
    >>> logits.argmax(axis=-1)
    array([0, 1, 1, 0])
    """
    x, labels = np.asarray(x), np.asarray(labels)
    velocities = [np.zeros_like(weight) for weight in weights]
    losses = []
    for epoch in range(epochs):
        order = permutation(seed, stream=epoch, size=len(x))
        total = 0.0
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            loss, gradients = loss_and_gradients(x[batch], labels[batch], weights)
            total += loss * len(batch)
            for weight, grad, velocity in zip(weights, gradients, velocities, strict=True):
                sgd_momentum_update(weight, grad, velocity, learning_rate, momentum, nesterov)
        losses.append(total / len(x))
    return losses
