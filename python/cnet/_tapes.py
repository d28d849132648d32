"""The gradient tapes that are running in a thread, for whoever is asked for something that they record."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["is_recorded", "running"]


class _Running(threading.local):
    """The tapes of this thread, the innermost last."""

    def __init__(self) -> None:
        self.tapes: list[Any] = []


running = _Running()


def is_recorded(x: Any) -> bool:
    """Return whether what is computed of `x` is for tapes: one is running, or `x` is a tensor."""
    return bool(running.tapes) or hasattr(type(x), "__tensor__")
