"""The steps of training, evaluation and prediction, which subclasses of `Model` may override."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._data import Array, FloatArray, as_array
from ..autodiff import GradientTape
from ..layers.batch_shapes import as_shaped
from ..layers.function import PREDICTION_BLOCK
from ..metrics import Metric
from ..training.step_engine import unpack_x_y_sample_weight
from .graph_model import GraphModel
from .nesting import leaves_of, nested_as

__all__ = ["Steps"]

_STEPS = ("train_step", "test_step", "compute_loss", "compute_metrics")


class Steps(GraphModel):
    """A model with Keras's methods for steps; `fit` calls them only if a subclass overrides one."""

    @property
    def has_own_steps(self) -> bool:
        """Whether a subclass overrides a step of training or evaluation, or a part of one."""
        return any(getattr(type(self), name) is not getattr(Steps, name) for name in _STEPS)

    @property
    def has_own_prediction(self) -> bool:
        """Whether a subclass overrides `predict_step`."""
        return type(self).predict_step is not Steps.predict_step

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, none before `compile`; with steps of its own, also the mean loss and metrics as attributes."""
        found = super().metrics
        if self._setup is None or not self._setup.has_steps:
            return found
        own = [value for value in vars(self).values() if isinstance(value, Metric)]
        return [self._setup.loss_tracker, *found, *own]

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the loss and metrics of the latest call by name; after `fit`, those of validation."""
        if self._setup is None or not self._setup.has_steps:
            return super().get_metrics_result()
        return {metric.name: metric.figure() for metric in self.metrics}

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take a step with a batch; return what `fit` reports.

        Parameters
        ----------
        data : tuple
            (x,), (x, y) or (x, y, sample_weight), arrays nested as they were given.

        Returns
        -------
        dict of str to float
            By name; "loss" is watched for being finite.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        weights = self.trainable_weights
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
        self._track(loss, x)
        gradients = tape.gradient(loss, weights)
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return dict(self.compute_metrics(x, y, y_pred, sample_weight=sample_weight))

    def test_step(self, data: Any) -> dict[str, Any]:
        """Evaluate a batch; see `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        loss = self.compute_loss(
            x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=False
        )
        self._track(loss, x)
        return dict(self.compute_metrics(x, y, y_pred, sample_weight=sample_weight))

    def predict_step(self, data: Any) -> Any:
        """Return the output for a batch, (x,)."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, training=False)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss of a batch: the losses of `compile`, what layers add, and penalties."""
        del x, training
        setup = self._require_setup("compute_loss")
        several = len(setup.outputs) > 1
        labels, predictions = (leaves_of(each) if several else [each] for each in (y, y_pred))
        weights = leaves_of(sample_weight) if several else [sample_weight]
        weights = weights if len(weights) == len(predictions) else weights * len(predictions)
        terms = [
            output.loss(label, prediction, weight) * output.loss_weight
            for output, label, prediction, weight in zip(
                setup.outputs, labels, predictions, weights, strict=False
            )
            if output.loss is not None
        ]
        terms += self.losses
        if not terms:
            raise ValueError(
                f"{type(self).__name__}: compute_loss: the model was compiled without a loss, and its layers add none"
            )
        return sum(terms[1:], terms[0])

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Update the metrics of `compile` by a batch; return all figures by name."""
        del x
        setup = self._require_setup("compute_metrics")
        several = len(setup.outputs) > 1
        labels, predictions = (leaves_of(each) if several else [each] for each in (y, y_pred))
        for output, label, prediction in zip(setup.outputs, labels, predictions, strict=False):
            if not output.metrics and not output.weighted_metrics:
                continue
            values = as_array(prediction, "compute_metrics: y_pred")
            output.resolve_metrics(np.shape(label), values.shape)
            for metric in output.metrics:
                metric.update_state(label, values)
            for metric in output.weighted_metrics:
                metric.update_state(label, values, sample_weight=sample_weight)
        return self.get_metrics_result()

    def _track(self, loss: Any, x: Any) -> None:
        setup = self._require_setup("train_step")
        setup.loss_tracker.update_state([float(loss)], sample_weight=[len(leaves_of(x)[0])])

    def _predict_by_step(
        self, x: Sequence[Array], on_progress: Callable[..., Any] | None = None
    ) -> list[FloatArray]:
        if not self.has_own_prediction:
            return super()._predict_by_step(x, on_progress)
        blocks = []
        for first in range(0, max(len(x[0]), 1), PREDICTION_BLOCK):
            rows = [each[first : first + PREDICTION_BLOCK] for each in x]
            outputs = leaves_of(self.predict_step((self.nested_inputs(rows),)))
            arrays = [as_array(output, "predict_step") for output in outputs]
            blocks.append([array.reshape(len(array), -1) for array in arrays])
            if on_progress is not None:
                on_progress(min(first + PREDICTION_BLOCK, len(x[0])))
        return [np.concatenate(each) for each in zip(*blocks, strict=True)]

    def nested_inputs(self, x: Sequence[Array]) -> Any:
        """Return samples as they were given, from a matrix for each input."""
        shaped = [as_shaped(rows, shape) for rows, shape in zip(x, self.input_shapes, strict=True)]
        return (
            nested_as(self.input_structure, shaped)
            if self.input_structure is not None
            else shaped[0]
        )
