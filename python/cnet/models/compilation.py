"""What `compile` is told, and the lock of a call that trains or evaluates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .._typing import ModelInterface
from ..metrics import Metric
from ..training.setup import Setup, Totals

__all__ = ["Compiled"]


class Compiled(ModelInterface):
    """The part of a model that `compile` configures: optimizer, losses and metrics."""

    _setup: Setup | None = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Configure training.

        For a model with several outputs, `loss`, `loss_weights`, `metrics` and `weighted_metrics` are lists with an
        item for each output, or dicts by the outputs' names.

        As in Keras, changes of a layer's `trainable` after training has begun take effect at the next `compile`.

        Parameters
        ----------
        optimizer : str or Optimizer, default "rmsprop"
        loss : str, Loss or function, optional
            The mean of a function (y_true, y_pred) is minimized: see `cnet.losses.LossFunctionWrapper`.
            With a function, or anything else in Python (a `Lambda` layer, an optimizer, regularizer or
            constraint of one's own), the model trains on a tape, batch by batch. Without a loss the model
            can only predict.
        metrics : list of str, Metric or function, optional
            "accuracy" resolves to the accuracy that fits the shapes of labels and outputs. The values
            of a function (y_true, y_pred) are averaged over the samples. Sample weights are ignored.
            The engine computes the accuracy that belongs to a cross-entropy; all other metrics are
            computed from the predictions for each batch.
        weighted_metrics : list of str, Metric or function, optional
            Metrics weighted by the sample weights.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Ignored: the engine is always compiled code, metrics and callbacks never are.
        loss_weights : list or dict of float, optional
            Factors of the outputs' losses, whose sum is minimized. Default: 1.

        Raises
        ------
        TypeError, ValueError
            For an unknown name, or a metric that does not fit the loss.
        RuntimeError
            If another call trains or evaluates the model.
        """
        del run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
        self._use_setup(self._new_setup(optimizer, loss, loss_weights, metrics, weighted_metrics))

    def _new_setup(self, *arguments: Any) -> Setup:
        """Return what `compile` was told."""
        return Setup.of(self.output_names, *arguments)

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._setup is not None

    @property
    def has_own_steps(self) -> bool:
        """Whether a subclass overrides a step of training or evaluation."""
        return False

    def _use_setup(self, setup: Setup) -> None:
        setup.has_steps = self.has_own_steps
        with self._use:
            self._setup = setup
            self._rebuild_network()

    @property
    def optimizer(self) -> Any:
        """The optimizer, None before `compile`."""
        return self._setup.optimizer if self._setup else None

    @property
    def loss(self) -> Any:
        """The loss, None before `compile`; a list, if the model has several outputs."""
        return self._setup.loss if self._setup else None

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, none before `compile`."""
        setup = self._setup
        return setup.metrics if setup else []

    @property
    def metrics_names(self) -> list[str]:
        """Names of the values that `evaluate` returns."""
        return list(self._require_setup("metrics_names").logs(Totals()))

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the loss and metrics of the latest call by name; after `fit`, those of validation."""
        setup = self._require_setup("get_metrics_result")
        return setup.logs(setup.totals)

    def reset_metrics(self) -> None:
        """Reset the loss and metrics, as each call does at its start."""
        self._require_setup("reset_metrics").reset()

    def _require_setup(self, call: str) -> Setup:
        if self._setup is None:
            raise ValueError(f"{call}: call compile() first")
        return self._setup

    @contextmanager
    def _exclusive(self, call: str, *, nested: bool = False) -> Iterator[Setup]:
        """Lock the model for one call that trains or evaluates; yield its setup.

        Parameters
        ----------
        nested : bool, default False
            Allow the call in a callback of another one; it gets metrics and an engine of its own.

        Raises
        ------
        RuntimeError
            If another such call, of any thread, holds the lock.
        """
        if nested and self._use.is_of_this_thread:
            yield self._require_setup(call).for_nested_evaluation()
        else:
            with self._use:
                yield self._require_setup(call)

    def get_compile_config(self) -> dict[str, Any]:
        """Return the arguments of `compile` as plain values, an empty dict before it.

        Raises
        ------
        TypeError
            If one of them has no such form.
        """
        return self._setup.get_config() if self._setup else {}

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compile the model with the result of `get_compile_config`, of cnet or Keras.

        Raises
        ------
        TypeError, ValueError
            If the configuration is malformed, or names an unknown class.
        """
        try:
            setup = Setup.from_config(self.output_names, config)
        except (TypeError, ValueError) as error:
            raise type(error)(f"compile_from_config: {error}") from None
        self._use_setup(setup)
