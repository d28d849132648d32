"""Learning rates by epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from .._errors import short_repr
from .callback import Callback, Logs, as_verbose

__all__ = ["LearningRateScheduler"]


class LearningRateScheduler(Callback):
    """Sets the optimizer's learning rate before each epoch.

    The rate is added to the logs of the epoch as "learning_rate".

    Parameters
    ----------
    schedule : function (epoch, learning_rate) -> float
        Takes the epoch, counted from 0, and the previous rate, or only the epoch.
    verbose : {0, 1}, default 0
        Whether to print each rate.

    Raises
    ------
    TypeError, ValueError
        Before an epoch, if `schedule` doesn't return a float, or that isn't a valid learning rate.

    Examples
    --------
    >>> from cnet import callbacks
    >>> halving = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(
                f"LearningRateScheduler: expected a function, got {short_repr(schedule)}"
            )
        self.schedule = schedule
        self.verbose = as_verbose("LearningRateScheduler", verbose)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        optimizer = self.model.optimizer
        arguments = (epoch, float(optimizer.learning_rate))
        rate = self.schedule(*(arguments if _takes_two(self.schedule) else arguments[:1]))
        if not isinstance(rate, (float, np.floating)):
            raise TypeError(
                f"LearningRateScheduler: schedule: expected it to return a float, got {short_repr(rate)}"
            )
        optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            print(  # noqa: T201 # requested by verbose
                f"Epoch {epoch + 1}: LearningRateScheduler sets the learning rate to {rate}",
                flush=True,
            )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:  # noqa: ARG002 # a hook
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _takes_two(function: Callable[..., float]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a C function without a signature
        return True
    return True
