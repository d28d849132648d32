"""Optimizers' steps, in place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._arrays import FloatArray

__all__ = [
    "adadelta_update",
    "adagrad_update",
    "lion_update",
    "rmsprop_centered_update",
    "rmsprop_momentum_update",
    "rmsprop_update",
    "sgd_momentum_update",
    "sgd_update",
]


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
    velocity[...] = flushed(momentum * velocity - step)
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
    mean_square[...] = flushed(rho * mean_square + (1 - rho) * g**2)
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
    mean_square[...] = flushed(rho * mean_square + (1 - rho) * g**2)
    change = learning_rate * g / np.sqrt(mean_square + epsilon)
    velocity[...] = flushed(momentum * velocity + change)
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
    mean_square[...] = flushed(rho * mean_square + (1 - rho) * g**2)
    mean[...] = flushed(rho * mean + (1 - rho) * g)
    variance = np.maximum(mean_square - mean**2, 0)
    change = learning_rate * g / np.sqrt(variance + epsilon)
    velocity[...] = flushed(momentum * velocity + change)
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
    mean_square[...] = flushed(rho * mean_square + (1 - rho) * g**2)
    change = np.sqrt(mean_square_change + epsilon) * g / np.sqrt(mean_square + epsilon)
    mean_square_change[...] = flushed(rho * mean_square_change + (1 - rho) * change**2)
    param -= learning_rate * change


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
    first_moment[...] = flushed(beta_2 * first_moment + (1 - beta_2) * g)


def flushed(slot: FloatArray) -> FloatArray:
    """Set subnormal numbers to 0: a slot that dies away would end in them, and they are slow."""
    smallest: FloatArray = np.finfo(slot.dtype).smallest_normal
    return np.where(np.abs(slot) < smallest, slot.dtype.type(0), slot)
