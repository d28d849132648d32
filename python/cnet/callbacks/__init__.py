"""Callbacks, by Keras's names: what happens around epochs and batches."""

from __future__ import annotations

from typing import Any

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

_KERAS_ONLY = {
    *("OrbaxCheckpoint", "ProgbarLogger", "RemoteMonitor", "SwapEMAWeights"),
}


def __getattr__(name: str) -> Any:
    """Name what Keras has and cnet has not."""
    if name in _KERAS_ONLY:
        raise AttributeError(f"callbacks.{name} is not supported")
    raise AttributeError(f"module 'cnet.callbacks' has no attribute {name!r}")
