"""Training and evaluation: `fit`, `evaluate`, `train_on_batch`, `test_on_batch`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .._data import as_count, as_number, as_optional_count
from .._errors import short_repr
from .._frames import column_names
from .._progress import Progress
from .._tracebacks import brief_traceback
from ..callbacks import Callback, CallbackList, History
from ..training.data import Adapter, validation_parts
from ..training.loop import Loop
from ..training.setup import Setup, Totals
from ..training.sources import Chunk
from .compilation import Compiled

__all__ = ["Trainer"]


class Trainer(Compiled):
    """The part of a model that trains and evaluates."""

    # The columns of the first data frame seen.
    _feature_names: tuple[str, ...] | None = None

    @brief_traceback
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Iterable[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: npt.ArrayLike | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> History:
        """Train for a number of epochs, each one native call without the GIL.

        Parameters
        ----------
        x : array_like, (samples, …), or batches
            An array of any numeric dtype and stride. It is converted batch by batch, and copied as a
            whole only if the features of a sample are not evenly spaced in memory. Or an iterable of
            batches (x, y) or (x, y, sample_weight) of any sizes, such as a generator or a
            `cnet.utils.PyDataset`: each batch is one native call.
        y : array_like
            Class ids (samples,) or one-hot rows (samples, classes), depending on the loss. None if x
            yields batches.
        batch_size : int, optional
            Default: 32, or the size that makes `steps_per_epoch` batches of the arrays. Ignored if x
            yields batches.
        epochs : int, default 1
            Number of the last epoch, counting from `initial_epoch`.
        verbose : {"auto", 0, 1, 2}, default "auto"
            0: silent, 1: progress bar, 2: one line per epoch. "auto" is 1 on a terminal and in a
            notebook, else 2.
        callbacks : list of Callback, optional
        validation_split : float in [0, 1), default 0
            Fraction of the arrays, taken from their end before shuffling, to validate on.
        validation_data : tuple (x, y) or (x, y, sample_weight), or batches, optional
            Data to evaluate after epochs.
        shuffle : bool, default True
            Whether each epoch takes the samples, or the batches of a `PyDataset`, in a new order.
        class_weight : dict of int to float, optional
            Weight of the samples of each class, 1 for classes not listed. Not used in validation.
        sample_weight : array_like, (samples,), optional
            Weight of each sample's loss, multiplied by its class weight. The sum over a batch is
            divided by the batch size, as in Keras (with reduction "sum" it is not divided, with
            "mean_with_sample_weight" by the sum of the weights). A sample of weight 0 has no gradient,
            but counts in the statistics of `BatchNormalization`.
        initial_epoch : int, default 0
        steps_per_epoch : int, optional
            Batches per epoch; the next epoch continues from there. Default: until the data ends.
        validation_steps : int, optional
            Batches to validate on: the first of arrays, the next of an iterator.
        validation_batch_size : int, default `batch_size`
        validation_freq : int or list of int, default 1
            Number of epochs between validations, or a list of epochs, counted from 1.

        Returns
        -------
        History
            Its attribute `history` holds the loss and metrics of each epoch.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; weights and optimizer are unchanged (an unbuilt model may have
            been built). For an invalid batch the error names it, and the model has trained on the
            batches before.
        FloatingPointError
            If the loss is inf or NaN, before the weights are updated by it. With a `TerminateOnNaN`
            callback training ends instead.
        KeyboardInterrupt
            On Ctrl-C, after a whole step; ``model.history`` holds the completed epochs.
        RuntimeError
            If another call trains or evaluates the model (in another thread, or the caller of this
            callback), or trains layers that it shares.

        Notes
        -----
        Meanwhile other threads may predict, read and set weights, save, and fork: they wait for the end of
        a batch, so they never see half a step. (If a part of the step is in Python, such as the loss or a
        layer, they may run in the middle of a batch.) A signal handler runs in the middle of a batch and
        cannot wait; it may
        set ``stop_training``.

        Warns
        -----
        UserWarning
            If the data ends before `steps_per_epoch` batches, which shortens the epoch, or before the
            last epoch, which ends training.
        """
        with self._exclusive("fit") as setup:
            setup.require_loss("fit")
            batch_size = as_optional_count("fit: batch_size", batch_size)
            validation_batch_size = as_optional_count(
                "fit: validation_batch_size", validation_batch_size
            )
            is_validated = _epochs("fit: validation_freq", validation_freq)
            steps_per_epoch = as_optional_count("fit: steps_per_epoch", steps_per_epoch)
            validation_steps = as_optional_count("fit: validation_steps", validation_steps)
            epochs = as_count("fit: epochs", epochs)
            initial_epoch = as_count("fit: initial_epoch", initial_epoch)
            if not isinstance(shuffle, (bool, np.bool_)):
                raise TypeError(f"fit: shuffle: expected True or False, got {short_repr(shuffle)}")
            validation_split = as_number("fit: validation_split", validation_split)
            feature_names = column_names(x)
            adapter = Adapter(self, setup, class_weight)
            if validation_data is None and validation_split != 0:
                x, validation_data = adapter.split(x, y, sample_weight, validation_split)
                y = sample_weight = None
            source = adapter.source(
                "fit",
                *(x, y, sample_weight),
                batch_size=batch_size,
                steps=steps_per_epoch,
                shuffles=setup.shuffles,
                shuffle=bool(shuffle),
            )
            validation = None
            if validation_data is not None:
                validation = Adapter(self, setup).source(
                    "fit: validation_data",
                    *validation_parts(validation_data),
                    batch_size=validation_batch_size or batch_size,
                    steps=validation_steps,
                )
            steps = steps_per_epoch or source.batches
            loop = self._loop("fit", setup, callbacks, steps=steps, verbose=verbose, epochs=epochs)
            self._feature_names = self._feature_names or feature_names
            return loop.fit(
                source,
                range(initial_epoch, epochs),
                steps_per_epoch,
                validation,
                validation_steps,
                is_validated,
            )

    @brief_traceback
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: npt.ArrayLike | None = None,
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and metrics for some data.

        Parameters
        ----------
        x, y, sample_weight
            As for `fit`.
        batch_size : int, optional
            As for `fit`. For arrays it does not influence the result.
        steps : int, optional
            Number of batches. Default: all.
        verbose, callbacks
            As for `fit`.
        return_dict : bool, default False

        Returns
        -------
        float, list of float, or dict
            The loss; with metrics ``[loss, metric, …]``; with `return_dict` a dict by name.

        Raises
        ------
        TypeError, ValueError
            As for `fit`.
        RuntimeError
            If another thread trains or evaluates the model. A callback may evaluate its model.
        """
        return_dict = bool(return_dict)
        with self._exclusive("evaluate", nested=True) as setup:
            setup.require_loss("evaluate")
            batch_size = as_optional_count("evaluate: batch_size", batch_size)
            steps = as_optional_count("evaluate: steps", steps)
            source = Adapter(self, setup).source(
                "evaluate", *(x, y, sample_weight), batch_size=batch_size, steps=steps
            )
            loop = self._loop(
                "evaluate", setup, callbacks, steps=steps or source.batches, verbose=verbose
            )
            return _result(loop.evaluate("evaluate", source, steps), return_dict)

    @brief_traceback
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one training step.

        Returns
        -------
        float, list of float, or dict
            Loss and metrics of this batch before the step, as `evaluate` returns them.
        """
        return_dict = bool(return_dict)
        with self._exclusive("train_on_batch") as setup:
            adapter = Adapter(self, setup, class_weight)
            data = adapter.adapt("train_on_batch", x, y, sample_weight)
            loop = self._loop("train_on_batch", setup)
            loop.reset()
            batch = Chunk(data, len(data), setup.shuffles.passes)
            setup.totals = loop.train("train_on_batch", batch, Totals())
            return _result(setup.logs(setup.totals), return_dict)

    @brief_traceback
    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return loss and metrics of one batch; see `train_on_batch`."""
        return_dict = bool(return_dict)
        with self._exclusive("test_on_batch", nested=True) as setup:
            data = Adapter(self, setup).adapt("test_on_batch", x, y, sample_weight)
            loop = self._loop("test_on_batch", setup)
            loop.reset()
            setup.totals = loop.test(Chunk(data, len(data)), Totals())
            return _result(setup.logs(setup.totals), return_dict)

    def _loop(
        self,
        call: str,
        setup: Setup,
        callbacks: Iterable[Callback] | Callback | None = None,
        *,
        steps: int | None = 1,
        verbose: str | int = 0,
        **params: Any,
    ) -> Loop:
        """Return the loop for one call."""
        progress = Progress(steps, verbose, call)
        params |= {"steps": steps, "verbose": progress.verbose}
        return Loop(self, setup, CallbackList(callbacks, self, params, call), progress)


def _result(logs: dict[str, Any], return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _epochs(argument: str, value: Any) -> Callable[[int], bool]:
    """Return a function that says whether to validate after an epoch, counted from 1."""
    if isinstance(value, list):
        return {as_count(argument, epoch, least=1) for epoch in value}.__contains__
    every = as_count(argument, value, least=1)
    return lambda epoch: epoch % every == 0
