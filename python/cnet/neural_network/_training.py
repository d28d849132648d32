"""Training by sgd and adam: `Sequential.fit` with scikit-learn's rules after each epoch."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import optimizers
from .._data import Array, FloatArray
from ..callbacks import Callback
from ..training.sources import Shuffles
from ._network import Network
from ._objectives import Objective

SMALLEST = sys.float_info.min

__all__ = ["Monitor", "Penalty", "new_optimizer", "train"]


def new_optimizer(estimator: Any) -> optimizers.Optimizer:
    """Return the optimizer of an estimator with the solver "sgd" or "adam"."""
    rate = estimator.learning_rate_init
    if estimator.solver == "sgd":
        return optimizers.SGD(rate, estimator.momentum, estimator.nesterovs_momentum)
    return optimizers.Adam(rate, estimator.beta_1, estimator.beta_2, estimator.epsilon)


class Penalty(Callback):
    """Divides the L2 penalty by the number of samples of each batch, or by the sum of their weights.

    Parameters
    ----------
    network : Network
    alpha : float
    samples, batch_size : int
    shuffle : bool
    sample_weight : array, (samples,), optional
    """

    def __init__(
        self,
        network: Network,
        alpha: float,
        samples: int,
        batch_size: int,
        shuffle: bool,
        sample_weight: FloatArray | None,
    ) -> None:
        self._network, self._half_alpha = network, 0.5 * alpha
        self._starts = np.arange(0, samples, batch_size)
        self._shuffle, self._weights = shuffle, sample_weight
        self._divisors = np.diff(self._starts, append=samples).tolist()
        self._divisor = -1.0
        self._penalize(0)
        if sample_weight is not None or self._divisors[-1] != batch_size:
            hooks = {"on_train_batch_begin": lambda batch, _=None: self._penalize(batch)}
            self._set_batch_hooks(hooks, wanted=alpha != 0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 # a hook
        if self._weights is None:
            return
        weights = self._weights
        if self._shuffle:
            shuffles = self._network.setup.shuffles
            weights = weights[shuffles.order(shuffles.passes, len(weights))]
        self._divisors = np.add.reduceat(weights, self._starts, dtype=np.float64).tolist()

    def _penalize(self, batch: int) -> None:
        divisor = self._divisors[batch]
        if divisor != self._divisor:
            self._divisor = divisor
            # Not 0 for a batch without weight: the engine plans an epoch with penalties or without.
            self._network.penalize(self._half_alpha / divisor if divisor else SMALLEST)


@dataclass
class Validation:
    """The samples of which the score is computed after each epoch.

    Attributes
    ----------
    score : function without arguments
        Returns the score of the current weights.
    stops : bool
        Whether training stops when the score doesn't improve, and the best weights are kept.
    """

    score: Callable[[], float]
    stops: bool


class Monitor(Callback):
    """Records the figures of each epoch in an estimator, and stops by scikit-learn's rules.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    network : Network
    objective : Objective
    validation : Validation, optional
    samples : int
        Number of training samples.

    Attributes
    ----------
    best_weights : list of array or None
        The weights with the best score, at first the initial ones, if the score stops the training.
    """

    def __init__(
        self,
        estimator: Any,
        network: Network,
        objective: Objective,
        validation: Validation | None,
        samples: int,
    ) -> None:
        self._estimator, self._network, self._objective = estimator, network, objective
        self._validation, self._samples = validation, samples
        self.best_weights = None
        if validation is not None and validation.stops:
            self.best_weights = network.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 # a hook
        loss = logs["loss"]
        excess = self._objective.factor - self._objective.reported_factor
        if excess:
            totals = self._network.setup.totals
            loss -= excess * totals.heads[0][0] / totals.rows
        logs["loss"] = float(loss)
        self.record(float(loss), logs)

    def record(self, loss: float, logs: Any) -> None:
        """Record the loss of an epoch, score the validation, and stop if neither improves."""
        estimator = self._estimator
        estimator.n_iter_ += 1
        estimator.t_ += self._samples
        estimator.loss_ = loss
        estimator.loss_curve_.append(loss)
        self._say(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        validation = self._validation
        if validation is not None:
            score = float(validation.score())
            estimator.validation_scores_.append(score)
            logs["val_score"] = score
            self._say(f"Validation score: {score:f}")
        if validation is not None and validation.stops:
            stalls = score < estimator.best_validation_score_ + estimator.tol
        else:
            stalls = loss > estimator.best_loss_ - estimator.tol
            estimator.best_loss_ = min(estimator.best_loss_, loss)
        if validation is not None and score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            if validation.stops:
                self.best_weights = self._network.model.get_weights()
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if stalls else 0
        self._adapt()

    def _adapt(self) -> None:
        """Change the learning rate by its schedule, or stop, if there has been no improvement for long."""
        estimator, model = self._estimator, self._network.model
        schedule = estimator.learning_rate if estimator.solver == "sgd" else "constant"
        optimizer = model.optimizer
        if schedule == "invscaling":
            rate = estimator.learning_rate_init / (estimator.t_ + 1) ** estimator.power_t
            optimizer.learning_rate = rate
        if estimator._no_improvement_count <= estimator.n_iter_no_change:
            return
        early = self._validation is not None and self._validation.stops
        what = "Validation score" if early else "Training loss"
        reason = (
            f"{what} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs."
        )
        if schedule != "adaptive":
            self._say(f"{reason} Stopping.")
        elif optimizer.learning_rate <= 1e-6:
            self._say(f"{reason} Learning rate too small. Stopping.")
        else:
            optimizer.learning_rate /= 5.0
            estimator._no_improvement_count = 0
            self._say(f"{reason} Setting learning rate to {optimizer.learning_rate:f}")
            return
        model.stop_training = True

    def _say(self, line: str) -> None:
        if self._estimator.verbose:
            sys.stdout.write(f"{line}\n")


def train(
    estimator: Any,
    network: Network,
    x: Array,
    y: Array,
    sample_weight: FloatArray | None,
    *,
    monitor: Monitor,
    epochs: int,
    seed: int,
    callbacks: Iterable[Callback],
) -> None:
    """Train the network for up to a number of epochs.

    Raises
    ------
    FloatingPointError
        If the loss is inf or NaN.
    """
    samples = len(x)
    batch_size = min(200, samples)
    if estimator.batch_size != "auto":
        if estimator.batch_size > samples:
            warnings.warn(
                f"Got `batch_size` {estimator.batch_size}, larger than the sample size {samples}. "
                "It is going to be clipped.",
                stacklevel=2,
            )
        batch_size = min(estimator.batch_size, samples)
    network.setup.shuffles = Shuffles(seed)
    shuffle = bool(estimator.shuffle)
    penalty = Penalty(network, estimator.alpha, samples, batch_size, shuffle, sample_weight)
    estimator.n_iter_ = 0
    try:
        network.model.fit(
            x,
            y,
            batch_size,
            epochs,
            verbose=0,
            callbacks=[penalty, monitor, *callbacks],
            shuffle=shuffle,
            sample_weight=sample_weight,
        )
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=2)
        return
