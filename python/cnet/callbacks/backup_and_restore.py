"""Backups to resume interrupted training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from .._errors import short_repr
from .._files import SUFFIX, as_path
from .callback import Callback, Logs

__all__ = ["BackupAndRestore"]


class BackupAndRestore(Callback):
    """Saves the whole state of training to a file, from which an interrupted `fit` resumes.

    Run the same program again, with the same model, compiled as before, and the same data. `fit` then
    starts after the last saved epoch. Weights and history end with the same bits as without the
    interruption: the file also contains the states of dropout, shuffling, optimizer and learning rate,
    the patience of `EarlyStopping` and `ReduceLROnPlateau`, and the best values and weights of these
    and of `ModelCheckpoint`.

    Parameters
    ----------
    backup_dir : str or path
        A folder for this training only, created if missing. Its file "latest.safetensors" has the
        format of `model.save` and is replaced atomically.
    save_freq : "epoch", default "epoch"
        Save after each epoch. (Keras's number of batches is not supported, as the logs of an incomplete
        epoch are unknown. `steps_per_epoch` in `fit` makes epochs shorter.)
    double_checkpoint : bool, default False
        Ignored: files are replaced atomically.
    delete_checkpoint : bool, default True
        Whether to delete the file, and the folder if that is empty, when training is complete.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; when training begins, if the model can't be described in a file.
    FormatError
        When training begins, if the file is damaged or belongs to another model.
    OSError
        In training, if the file can't be written or read.

    Notes
    -----
    The file is read after `on_train_begin` of all callbacks and written after their `on_epoch_end`,
    regardless of their order. Data that comes in batches starts from its beginning in the first resumed
    epoch. Other state of callbacks is not in the file: `CSVLogger` overwrites or appends as configured,
    `TensorBoard` starts a new file, and counts of custom callbacks are lost, as are logs that aren't
    numbers. Training that a callback has stopped is complete: running the program again doesn't resume
    it, unless `EarlyStopping` has more patience.

    Warns
    -----
    UserWarning
        When training begins, if the file has no state for a callback that counts, or the state has
        another form, as for a custom class: that callback starts from its initial state.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, cnet
    >>> def train(folder, epochs):
    ...     cnet.utils.set_random_seed(1)
    ...     model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax")])
    ...     model.compile("adam", "sparse_categorical_crossentropy")
    ...     backup = cnet.callbacks.BackupAndRestore(folder, delete_checkpoint=False)
    ...     return model.fit(np.eye(2), [0, 1], epochs=epochs, verbose=0, callbacks=[backup])
    >>> with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
    ...     early = train(folder, epochs=2)
    ...     resumed, whole = train(folder, epochs=5), train(other, epochs=5)
    >>> resumed.history == whole.history, resumed.epoch
    (True, [0, 1, 2, 3, 4])
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if np.ndim(save_freq) > 0 or save_freq != "epoch":
            raise ValueError(
                f"BackupAndRestore: save_freq: expected 'epoch', got {short_repr(save_freq)}; "
                "steps_per_epoch in fit makes epochs shorter"
            )
        self.backup_dir = as_path("BackupAndRestore: backup_dir", backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = bool(double_checkpoint)
        self.delete_checkpoint = bool(delete_checkpoint)
        self._file = Path(self.backup_dir, f"latest{SUFFIX}")

    def _on_train_ready(self, callbacks: Sequence[Callback]) -> None:
        if self._file.exists():
            self.model._resume(self._file, callbacks)
        else:  # save now, to raise errors before the first epoch rather than after it
            self._save(callbacks)

    def _on_epoch_complete(self, callbacks: Sequence[Callback]) -> None:
        self._save(callbacks)

    def on_train_end(self, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        if self.delete_checkpoint:
            self._file.unlink(missing_ok=True)
            with suppress(OSError):  # not empty, or missing
                self._file.parent.rmdir()

    def _save(self, callbacks: Sequence[Callback]) -> None:
        if self.model.built:  # the first batch builds a model without an input shape
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self.model._back_up(self._file, callbacks)
