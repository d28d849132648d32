"""Training by L-BFGS: SciPy's optimizer over the loss and the gradient of the whole set."""

from __future__ import annotations

import itertools
import sys
import warnings
from typing import Any

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning

from .._data import Array, FloatArray, as_type
from ..autodiff import GradientTape
from ._network import Network
from ._objectives import Objective

__all__ = ["loss_and_gradients", "minimize"]


def loss_and_gradients(
    network: Network,
    objective: Objective,
    alpha: float,
    x: Array,
    y: Array,
    sample_weight: FloatArray | None,
) -> tuple[float, float, list[FloatArray]]:
    """Return the loss of the whole set, the one to report, and the gradients of the weights.

    The loss includes ``0.5 * alpha * sum(w ** 2)`` of the kernels, divided by the number of samples or
    the sum of their weights. The gradients are in the order of the model's weights.
    """
    model, kernels = network.model, network.kernels
    weights = model.weights
    divisor = len(x) if sample_weight is None else float(sample_weight.sum())
    with GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        loss = objective.loss(y, model(x), sample_weight)
    gradients: list[FloatArray] = []
    squares = 0.0
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        array: FloatArray = objective.factor * np.asarray(gradient)
        if weight in kernels:
            values = weight.numpy()
            squares += float(np.vdot(values, values))
            array += alpha / divisor * values
        gradients.append(array)
    penalty = 0.5 * alpha * squares / divisor
    data_loss = float(loss)
    return (
        objective.factor * data_loss + penalty,
        objective.reported_factor * data_loss + penalty,
        gradients,
    )


def minimize(
    estimator: Any,
    network: Network,
    objective: Objective,
    x: Array,
    y: Array,
    sample_weight: FloatArray | None,
) -> None:
    """Train the network of an estimator.

    Raises
    ------
    ValueError
        If the network has layers that have no one loss for the whole set.
    """
    if network.shape.dropout or network.shape.batch_norm:
        raise ValueError("dropout and batch_norm need a stochastic solver, 'sgd' or 'adam'")
    model = network.model
    x = as_type(x, model.dtype)
    shapes = [weight.shape for weight in model.weights]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]

    def unpack(packed: FloatArray) -> list[FloatArray]:
        parts = np.split(packed, ends)
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def evaluate(packed: FloatArray) -> tuple[float, FloatArray]:
        model.set_weights(unpack(packed))
        loss, _, gradients = loss_and_gradients(
            network, objective, estimator.alpha, x, y, sample_weight
        )
        return loss, np.concatenate([gradient.ravel() for gradient in gradients])

    iterations = itertools.count(1)

    def report(intermediate_result: scipy.optimize.OptimizeResult) -> None:
        loss = intermediate_result.fun
        sys.stdout.write(f"Iteration {next(iterations)}, loss = {loss:.8f}\n")

    result = scipy.optimize.minimize(
        evaluate,
        np.concatenate([array.ravel() for array in model.get_weights()]),
        method="L-BFGS-B",
        jac=True,
        callback=report if estimator.verbose else None,
        options={
            "maxfun": estimator.max_fun,
            "maxiter": estimator.max_iter,
            "gtol": estimator.tol,
        },
    )
    model.set_weights(unpack(result.x))
    estimator.n_iter_ = min(result.nit, estimator.max_iter)
    estimator.loss_ = result.fun
    if objective.reported_factor != objective.factor:
        losses = loss_and_gradients(network, objective, estimator.alpha, x, y, sample_weight)
        estimator.loss_ = losses[1]
    if result.status != 0:
        warnings.warn(
            f"lbfgs failed to converge after {result.nit} iterations (status={result.status}): "
            f"{result.message}. Increase max_iter or max_fun, or scale the samples.",
            ConvergenceWarning,
            stacklevel=5,
        )
