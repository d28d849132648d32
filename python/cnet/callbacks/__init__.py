"""Callbacks, by Keras's names: hooks around epochs and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._absent import absent
from .backup_and_restore import BackupAndRestore
from .callback import Callback, CallbackList, History, LambdaCallback
from .csv_logger import CSVLogger
from .learning_rate_scheduler import LearningRateScheduler
from .model_checkpoint import ModelCheckpoint
from .monitors import EarlyStopping, ReduceLROnPlateau
from .tensorboard import TensorBoard
from .terminate_on_nan import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
