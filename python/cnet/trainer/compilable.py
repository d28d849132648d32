"""compile: how a model is to be trained, and what can be asked of that."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .. import _core, losses, metrics, optimizers
from .._errors import short_repr
from ..metrics import Metric
from .compiled import Compiled, Totals
from .tape_engine import TapeEngine

if TYPE_CHECKING:
    from ..models import Sequential

__all__ = ["ASIDE", "Compilable"]

# A model that is evaluated amid a call of its own, and what it is evaluated with.
ASIDE: ContextVar[tuple[Any, Compiled | None]] = ContextVar("ASIDE", default=(None, None))


class Compilable:
    """What a model has of `compile`."""

    _compiled: Compiled | None = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: None = None,
        metrics: Iterable[Any] | None = None,
        weighted_metrics: Iterable[Any] | None = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose how to train.

        Which layers are trainable is read when training begins, and then counts until the next `compile`, as in
        Keras.

        Parameters
        ----------
        optimizer : str or Optimizer, default "rmsprop"
        loss : str, Loss or function, optional
            Of a function (y_true, y_pred) the mean is made small: see `cnet.losses.LossFunctionWrapper`.
            It trains on a tape, a batch at a time, as do models with a `Lambda`. Without a loss the model
            can only predict.
        metrics : list of str, Metric or function, optional
            "accuracy" becomes the one that fits the shapes of labels and outputs; of a function
            (y_true, y_pred) of samples the mean is taken. They count all samples alike. The engine
            counts the accuracy that goes with a cross-entropy as it trains; all others see what it
            made of each batch.
        weighted_metrics : list of str, Metric or function, optional
            The same, with each sample counting as much as its weight.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Of no effect: an epoch always is compiled code, metrics and callbacks never are.
        loss_weights
            Not supported, as there is one loss: leave it None.

        Raises
        ------
        TypeError, ValueError
            For a name that is unknown, or metrics that don't fit the loss.
        RuntimeError
            If the model is being trained or evaluated.
        """
        del run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
        if loss_weights is not None:
            raise ValueError(
                f"compile: loss_weights is not supported, as a model has one loss, got {short_repr(loss_weights)}"
            )
        for several in (metrics, weighted_metrics):
            if isinstance(several, str) or not isinstance(several or [], Iterable):
                raise TypeError(f"compile: expected a list of metrics, got {short_repr(several)}")
        try:
            chosen_loss = None if loss is None else losses.get(loss)
            # Of a formula of one's own nobody knows.
            sparse = chosen_loss.sparse if chosen_loss and chosen_loss.in_engine else None
            sparse = False if chosen_loss is None else sparse
            chosen_metrics, chosen_weighted = (
                [_metric(metric, sparse=sparse) for metric in several or []]
                for several in (metrics, weighted_metrics)
            )
            chosen_optimizer = optimizers.get(optimizer)
        except (TypeError, ValueError) as error:
            raise type(error)(f"compile: {error}") from None
        model = self._as_model()
        in_engine = model.in_engine and (chosen_loss is None or chosen_loss.in_engine)
        with model._use:
            self._compiled = Compiled(
                chosen_optimizer, chosen_loss, chosen_metrics, chosen_weighted, in_engine
            )
            self._rebuild_network()

    @property
    def optimizer(self) -> Any:
        """The optimizer, None before `compile`."""
        return self._compiled.optimizer if self._compiled else None

    @property
    def loss(self) -> losses.Loss | None:
        """The loss, None before `compile`."""
        return self._compiled.loss if self._compiled else None

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, none before `compile`."""
        compiled = self._compiled
        return [*compiled.metrics, *compiled.weighted_metrics] if compiled else []

    @property
    def metrics_names(self) -> list[str]:
        """Names of what `evaluate` returns, in its order."""
        return list(self._require_compiled("metrics_names").logs(Totals()))

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the loss and metrics of the latest call, by name; `fit` ends with validation's."""
        compiled = self._require_compiled("get_metrics_result")
        return compiled.logs(compiled.totals)

    def reset_metrics(self) -> None:
        """Forget the figures of the latest call; each call begins with none of its own accord."""
        self._require_compiled("reset_metrics").reset()

    def _engine(self) -> Any:
        """Return the core's trainer of this model, made when first needed."""
        compiled = self._require_loss("fit")
        assert compiled.loss is not None
        model = self._as_model()
        if not compiled.has_trained:
            model._freeze()
        if compiled.loss.changes != compiled.known_changes:
            compiled.leave_engine()
        if compiled.engine is None:
            if len(model.output_shape) != 2:
                raise ValueError(
                    f"{type(self).__name__}: expected an output of shape (batch, classes) for "
                    f"'{compiled.loss.name}', got {model.output_shape}; add layers.Flatten()"
                )
            if compiled.in_engine:
                loss = compiled.loss.engine_loss(model.output_shape[1] or 0)
                engine: Any = _core.Trainer[model.dtype](model.network, loss, compiled.loss.sparse)
            else:
                engine = TapeEngine(model, compiled.loss, model._frozen)
            compiled.use(engine)
        return compiled.engine

    def _require_compiled(self, call: str) -> Compiled:
        model, compiled = ASIDE.get()
        if model is not self:
            compiled = self._compiled
        if compiled is None:
            raise ValueError(f"{call}: call compile() first")
        return compiled

    def _require_loss(self, call: str) -> Compiled:
        compiled = self._require_compiled(call)
        if compiled.loss is None:
            raise ValueError(f"{call}: the model was compiled without a loss")
        return compiled

    def _as_model(self) -> Sequential:
        raise NotImplementedError

    def _rebuild_network(self) -> None:
        """Let the next call put the network together again."""
        raise NotImplementedError


def _metric(identifier: Any, *, sparse: bool | None) -> Metric:
    return metrics.for_model(identifier, sparse=sparse)
