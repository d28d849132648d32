"""Logging for TensorBoard."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._data import Array, as_count
from .._errors import short_repr
from .._tracebacks import warn
from .callback import Callback, Logs

if TYPE_CHECKING:
    from ._event_file import EventFile

__all__ = ["TensorBoard"]


class TensorBoard(Callback):
    """Writes event files, which ``tensorboard --logdir logs`` shows.

    The folders "train" and "validation" of `log_dir` contain, by Keras's names:

    - "epoch_loss", "epoch_accuracy", … after each epoch, and "epoch_learning_rate";
    - "evaluation_loss_vs_iterations", … after each evaluation, by the number of steps so far;
    - "batch_loss", … with an `update_freq`: means over the epoch so far;
    - "sequential/dense/kernel/histogram", … with a `histogram_freq`.

    A metric with a result for each class becomes a scalar for each: "epoch_f1_score/0", ….

    Parameters
    ----------
    log_dir : str or path, default "logs"
        Created if missing. Existing files are kept, and shown as well.
    histogram_freq : int, default 0
        Number of epochs between histograms of all weights, from the first epoch; 0 means never.
    write_graph : bool, default True
        Whether to write the layers, shown as the "conceptual graph" of the graphs tab. There is no graph
        of operations, as an epoch is one call of compiled code.
    write_images : bool, default False
        Whether to write each weight with the histograms as a grey image, from 0, black, to 1, white.
    write_steps_per_second : bool, default False
        Whether to write "epoch_steps_per_second" and, with an `update_freq`, "batch_steps_per_second".
    update_freq : {"epoch", "batch"} or int, default "epoch"
        Also write the logs of each batch, or of one batch in this number, which requires a call of
        Python for each batch.
    profile_batch : int, (int, int) or str, default 0
        Ignored: there is no profiling.
    embeddings_freq, embeddings_metadata
        Not supported; must have their defaults.

    Raises
    ------
    ImportError
        If the package `tensorboard` (an extra of cnet) is missing.
    TypeError, ValueError
        If an argument is invalid or not supported.
    OSError
        In training, if the files can't be written.

    Notes
    -----
    The package `tensorboard` is imported when a callback is created, TensorFlow never.

    As in Keras, the steps of batches count from 1 in each `fit`. Unlike in Keras, `update_freq` doesn't
    affect the logs of epochs and evaluations. (Keras writes these only if the logs of the batch before
    them are written.)

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, cnet
    >>> model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax")])
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> with tempfile.TemporaryDirectory() as logs:
    ...     board = cnet.callbacks.TensorBoard(logs, histogram_freq=1)
    ...     history = model.fit(np.eye(2), [0, 1], epochs=2, verbose=0, callbacks=[board])
    ...     [file.parent.name for file in pathlib.Path(logs).rglob("events.out.tfevents.*")]
    ['train']
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int | tuple[int, int] | str = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: None = None,
    ) -> None:
        refused = {
            "embeddings_freq": embeddings_freq,
            "embeddings_metadata": embeddings_metadata,
        }
        for name, value in refused.items():
            if value:
                raise ValueError(f"TensorBoard: {name} is not supported, got {short_repr(value)}")
        self.profile_batch = profile_batch
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = as_count("TensorBoard: histogram_freq", histogram_freq)
        self.write_graph = bool(write_graph)
        self.write_images = bool(write_images)
        self.write_steps_per_second = bool(write_steps_per_second)
        self.update_freq = _update_freq(update_freq)
        try:
            from . import _event_file
        except ImportError as error:
            raise ImportError(
                f"TensorBoard: {error}; pip install tensorboard", name=error.name
            ) from None
        self._format = _event_file
        self._files: dict[str, EventFile] = {}
        self._train_batches = 0

    @property
    def _state(self) -> frozenset[str]:
        return frozenset({"_files", "_train_batches"})

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._files = {}
        hooks = {
            "on_train_batch_begin": self._begin_batch,
            "on_train_batch_end": self._end_batch,
        }
        self._set_batch_hooks(hooks, wanted=self.update_freq != "epoch")

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        self._train_batches = 0
        if self.write_graph:
            self._write_graph()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        self._epoch_begin = time.perf_counter(), self.model.optimizer.iterations

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        training = {key: value for key, value in logs.items() if not key.startswith("val_")}
        training["learning_rate"] = self.model.optimizer.learning_rate
        if self.write_steps_per_second:
            begin, iterations = self._epoch_begin
            steps = self.model.optimizer.iterations - iterations
            training["steps_per_second"] = steps / (time.perf_counter() - begin)
        self._write_scalars("train", training, "epoch_{}", epoch)
        validation = {
            key.removeprefix("val_"): value for key, value in logs.items() if key.startswith("val_")
        }
        self._write_scalars("validation", validation, "epoch_{}", epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)

    def on_test_end(self, logs: Logs | None = None) -> None:
        iterations = self.model.optimizer.iterations
        self._write_scalars("validation", logs or {}, "evaluation_{}_vs_iterations", iterations)

    def _begin_batch(self, batch: int, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        self._train_batches += 1
        self._batch_begin = time.perf_counter()

    def _end_batch(self, batch: int, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        if self._train_batches % int(self.update_freq) == 0:
            figures = dict(logs or {})
            if self.write_steps_per_second:
                figures["steps_per_second"] = 1 / (time.perf_counter() - self._batch_begin)
            self._write_scalars("train", figures, "batch_{}", self._train_batches)

    def _write_graph(self) -> None:
        try:
            text = self.model.to_json()
        except TypeError as error:
            warn(f"TensorBoard: the graph is not written: {error}")
            return
        self._write("train", [self._format.graph("keras", text)], 0)

    def _write_scalars(self, folder: str, figures: Logs, tag: str, step: int) -> None:
        """Write values under their names, inserted in `tag`."""
        summaries = []
        for name, value in figures.items():
            for suffix, number in _numbers(value).items():
                summaries.append(self._format.scalar_pb(tag.format(name) + suffix, number))
        self._write(folder, summaries, step)

    def _write_weights(self, epoch: int) -> None:
        summaries = []
        for weight in self.model.weights:
            tag, numbers = f"{self.model.name}/{weight.path}", weight.numpy()
            summaries.append(self._format.histogram_pb(f"{tag}/histogram", numbers))
            if self.write_images:
                summaries.append(self._format.image(f"{tag}/image", _as_image(numbers)))
        self._write("train", summaries, epoch)

    def _write(self, folder: str, summaries: list[Any], step: int) -> None:
        if summaries:
            if folder not in self._files:
                self._files[folder] = self._format.EventFile(Path(self.log_dir, folder))
            self._files[folder].write(summaries, step)


def _update_freq(value: Any) -> str | int:
    if isinstance(value, str):
        if value not in ("epoch", "batch"):
            raise ValueError(
                f"TensorBoard: update_freq: expected 'epoch', 'batch' or an integer, got {short_repr(value)}"
            )
        return 1 if value == "batch" else value
    return as_count("TensorBoard: update_freq", value, least=1)


def _numbers(value: Any) -> dict[str, float]:
    """Return the numbers of a value by the suffix of their tags: "", or one for each class."""
    array = np.asarray(value, np.float64)
    if array.ndim == 0:
        return {"": float(array)}
    return {f"/{n}": float(number) for n, number in enumerate(array.ravel())}


def _as_image(weight: Array) -> Array:
    """Return a weight oriented as in Keras: a kernel at least as wide as high, a bias as a column."""
    matrix = np.squeeze(weight)
    if matrix.ndim < 2:
        return matrix.reshape(-1, 1)
    return matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
