"""The running gradient tapes of each thread."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["is_explicitly_watched", "is_recorded", "is_watched", "running"]


class _Running(threading.local):
    """The tapes of this thread, the innermost last."""

    def __init__(self) -> None:
        self.tapes: list[Any] = []


running = _Running()


def is_recorded(x: Any) -> bool:
    """Return True if a computation with `x` may be recorded: a tape is running, or `x` is a tensor."""
    return bool(running.tapes) or hasattr(type(x), "__tensor__")


def is_watched(x: Any) -> bool:
    """Return True if a running tape watches `x`, directly or as a result."""
    for tape in running.tapes:  # noqa: SIM110 # any() takes four times as long
        if id(x) in tape.watched:
            return True
    return False


def is_explicitly_watched(x: Any) -> bool:
    """Return True if `watch` of a running tape was called with `x`."""
    for tape in running.tapes:  # noqa: SIM110 # as above
        if id(x) in tape.explicitly_watched:
            return True
    return False
