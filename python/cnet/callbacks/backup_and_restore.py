"""Training that goes on where it was killed."""

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
    """Keep all that training needs in a file; a `fit` that was killed goes on from there.

    Run the same program again: the same model, compiled as before, and the same data. `fit` then
    begins after the last epoch of the file, and comes to the bits, in weights and history, that it
    would have come to without the interruption: dropout, orders of samples, moments, learning rate, the
    patience of `EarlyStopping` and `ReduceLROnPlateau`, and the best figures and weights that these
    and `ModelCheckpoint` know are in the file as well.

    Parameters
    ----------
    backup_dir : str or path
        A folder for this training alone, made where it is missing: "latest.safetensors" in it is a
        file of `model.save`, that at any moment is a whole one.
    save_freq : "epoch", default "epoch"
        After each epoch. (Keras's number of batches is refused: amid an epoch its figures are not
        known. `steps_per_epoch` in `fit` makes epochs shorter.)
    double_checkpoint : bool, default False
        Of no effect: a file takes the place of the one before when it is whole and on disk.
    delete_checkpoint : bool, default True
        Whether to delete the file, and the folder if that is empty, when training is complete.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of its kind; when training begins, if the model can't be described in
        a file.
    FormatError
        When training begins, if the file is damaged or of another model.
    OSError
        In training, if the file can't be written or read.

    Notes
    -----
    The file is read after all callbacks' `on_train_begin` and written after their `on_epoch_end`,
    wherever this one stands among them. Data that comes in batches begins anew with the first epoch
    after the interruption. Nothing else of callbacks is in the file: `CSVLogger` begins its file anew or
    goes on with it, as it is told, `TensorBoard` begins another, and what those of your own count is lost;
    nor are logs that are no numbers. A training that a callback has stopped is complete: it stays so when
    the program runs again, unless `EarlyStopping` is given more patience.

    Warns
    -----
    UserWarning
        When training begins, if it has a callback that counts of which the file knows nothing, or one of
        a class of your own that counts otherwise: it begins anew.

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
        else:  # now, for what can't be saved is better found before an epoch than after
            self._save(callbacks)

    def _on_epoch_complete(self, callbacks: Sequence[Callback]) -> None:
        self._save(callbacks)

    def on_train_end(self, logs: Logs | None = None) -> None:  # noqa: ARG002 # the base has it
        if self.delete_checkpoint:
            self._file.unlink(missing_ok=True)
            with suppress(OSError):  # not empty, or not there
                self._file.parent.rmdir()

    def _save(self, callbacks: Sequence[Callback]) -> None:
        if self.model.built:  # before the first batch a model may not know its input
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self.model._back_up(self._file, callbacks)
