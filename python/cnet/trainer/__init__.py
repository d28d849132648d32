"""Training, evaluation and prediction of a model: Keras's calls, over epochs that run in the core.

`data` says what users pass is, `sources` give its batches, `compilable` has `compile` and `compiled`
what it was told, `loop` takes the core through the batches; `trainer` has the other calls.
"""

from __future__ import annotations

from .trainer import Trainer

__all__ = ["Trainer"]
