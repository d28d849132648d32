"""The calls of layers and models that a thread is in: their mode, and the losses that layers add."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["CallContext", "current_call", "entered", "in_training"]


class CallContext:
    """The outermost call of a thread, and those inside it in the same mode.

    Attributes
    ----------
    training : bool
    losses : list of Tensor or float
        What `Layer.add_loss` was called with.
    """

    __slots__ = ("losses", "training")

    def __init__(self, losses: list[Any], *, training: bool) -> None:
        self.losses, self.training = losses, training


class _Current(threading.local):
    call: CallContext | None = None


_current = _Current()


def current_call() -> CallContext | None:
    """Return the call that the thread is in, None outside of calls."""
    return _current.call


def in_training(training: bool | None) -> bool:
    """Return an argument `training`; None stands for that of the call that the thread is in."""
    if training is not None:
        return bool(training)
    call = _current.call
    return call is not None and call.training


@contextmanager
def entered(training: bool | None) -> Iterator[CallContext]:
    """Enter a call; its losses are also those of the calls around it."""
    outer = _current.call
    losses = [] if outer is None else outer.losses
    _current.call = call = CallContext(losses, training=in_training(training))
    try:
        yield call
    finally:
        _current.call = outer
