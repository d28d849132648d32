"""Training, evaluation and prediction of a model: Keras's calls, over epochs that run in the core.

`data` knows how samples come, `compilable` has `compile` and `compiled` what it was told, `loop` takes
the core through the data; `trainer` has the other calls.
"""

from __future__ import annotations

from .trainer import Trainer

__all__ = ["Trainer"]
