"""The model's output: calls, `predict`, `predict_on_batch`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .._data import Array, FloatArray, as_optional_count
from .._progress import Progress
from .._tapes import is_recorded
from .._tracebacks import brief_traceback
from .._typing import ModelInterface
from ..callbacks import Callback, CallbackList
from ..layers.batch_shapes import as_shaped
from ..layers.calls import in_training
from ..layers.symbolic import has_symbolic
from ..training.data import Adapter, as_rows
from ..training.loop import predict

__all__ = ["Predictor"]


class Predictor(ModelInterface):
    """The part of a model that computes its output."""

    # The engine's network, if the user's samples are rows of numbers too.
    _rows_network: Any = None

    @property
    def has_own_prediction(self) -> bool:
        """Whether a subclass overrides `predict_step`."""
        return False

    @brief_traceback
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
    ) -> Any:
        """Return the model's output for each sample.

        Parameters
        ----------
        x : array_like, (samples, …), or batches
            As for `fit`. Batches may be (x,) or x; labels and weights are ignored.
        batch_size : int, optional
            Does not influence the result: ``predict(x)[i]`` has the bits of
            ``predict(x[i:i+1])[0]``.
        verbose : {"auto", 0, 1, 2}, default "auto"
            1: progress bar, 0 and 2: silent. "auto" is 1 on a terminal and in a notebook.
        steps : int, optional
            Number of batches. Default: all.
        callbacks : list of Callback, optional

        Returns
        -------
        array, (samples, …) of the model's dtype

        Raises
        ------
        TypeError, ValueError
            If `x` is not valid data for the model.

        Notes
        -----
        Any number of threads may predict with one model at once. While another thread trains it, a
        prediction waits for the end of a batch, and the next batch waits for running predictions.
        """
        batch_size = as_optional_count("predict: batch_size", batch_size)
        steps = as_optional_count("predict: steps", steps)
        adapter = Adapter(self, has_own_step=self.has_own_prediction)
        source = adapter.source("predict", x, batch_size=batch_size, steps=steps)
        progress = Progress(steps or source.batches, verbose, "predict")
        params = {"steps": progress.steps, "verbose": progress.verbose}
        hooks = CallbackList(callbacks, self, params, "predict")
        return predict(self, source, steps, hooks, progress)

    @brief_traceback
    def predict_on_batch(self, x: Any) -> Any:
        """Return the model's output for a batch."""
        adapter = Adapter(self, has_own_step=self.has_own_prediction)
        samples = adapter.samples("predict_on_batch: x", x)
        return self._shaped(self._predict_by_step(samples))

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Return the model's output for a batch.

        Parameters
        ----------
        x : array_like, (batch, …)
        training : bool, optional
            Whether layers behave as in training: see `Layer.__call__`.

        Returns
        -------
        array, or a `cnet.autodiff.Tensor` on a running tape

        Notes
        -----
        The result is a plain NumPy array, without the `numpy` method of Keras's tensors;
        ``np.asarray(model(x))`` works in both libraries. (An ndarray subclass with this method would pass
        it on to everything computed from the output, and cost 2 % of each call of a small model.)
        """
        if is_recorded(x):
            return self._recorded(x, training=in_training(training))
        if training:
            return self._outputs(x, training=True)
        # Control loops call this with one row at a time: microseconds count.
        if self._rows_network is not None:
            outputs = self._rows_network.try_predict(x)
            if outputs is not None:
                return outputs
        return self._outputs(x, training=False)

    @brief_traceback
    def _recorded(self, x: Any, *, training: bool) -> Any:
        """Return the output as a tensor, recorded on the active tapes."""
        if has_symbolic(x):
            return self._symbolic(x)
        is_plain = type(x) is np.ndarray and x.ndim == 2 and x.dtype == self.dtype and len(x)
        if is_plain and self._rows_network is not None and x.shape[1] == self.input_shape[1]:
            return self.function(training=training).record([x])[0]  # microseconds count
        inputs = []
        parts = Adapter(self).parts(f"{type(self).__name__}: x", x)
        for (argument, part, shape), dtype in zip(parts, self.input_dtypes, strict=True):
            tensor = part.__tensor__() if hasattr(type(part), "__tensor__") else None
            rows = as_rows(part if tensor is None else tensor.value, argument, shape, dtype)
            inputs.append(as_shaped(rows, shape) if tensor is None else tensor)
        return self._nested(self.function(training=training).record(inputs))

    @brief_traceback
    def _outputs(self, x: Any, *, training: bool) -> Any:
        if has_symbolic(x):
            return self._symbolic(x)
        samples = self._samples(x)
        if not training:
            return self._shaped(self._predict(samples))
        if self.is_one_network:
            return self._shaped(self.network.forward_training(samples))
        return self._shaped(self.function(training=True).predict(samples))

    def _samples(self, x: Any) -> Any:
        return Adapter(self).samples(f"{type(self).__name__}: x", x)

    def _check_ids(self, x: Sequence[Array], argument: str) -> None:
        """Raise `ValueError` if an id names no row of the table that reads it."""

    def _predict(
        self, x: Sequence[Array], on_progress: Callable[..., Any] | None = None
    ) -> list[FloatArray]:
        """Return the outputs for samples, all as the engine takes them: matrices with a row per sample."""
        if self.is_one_network:
            return self.network.predict(x, on_progress)  # type: ignore[no-any-return] # typed in _core.pyi
        return self.function(training=False).predict(x, on_progress)  # type: ignore[no-any-return] # as above

    def _predict_by_step(
        self, x: Sequence[Array], on_progress: Callable[..., Any] | None = None
    ) -> list[FloatArray]:
        """Return the outputs for samples, by the model's `predict_step` if it has one of its own."""
        return self._predict(x, on_progress)

    def _shaped(self, outputs: Sequence[FloatArray]) -> Any:
        """Return the outputs as `predict` does, from matrices with a row per sample."""
        return self._nested(
            [
                as_shaped(rows, shape)
                for rows, shape in zip(outputs, self.output_shapes, strict=True)
            ]
        )

    def _symbolic(self, x: Any) -> Any:
        """Return the symbolic results for symbolic tensors."""
        raise NotImplementedError(f"{type(self).__name__} '{self.name}': no symbolic tensors")

    def _nested(self, outputs: Sequence[Any]) -> Any:
        """Return the outputs nested as those of the model."""
        (output,) = outputs
        return output
