"""The lock that is held while layers are built."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from typing import Any

__all__ = ["build_lock"]


# Two threads may call a layer that is not built.
_build_lock = threading.RLock()


def _new_lock() -> None:
    """Replace the lock in a forked child: a thread of the parent may have held it."""
    global _build_lock
    _build_lock = threading.RLock()


os.register_at_fork(after_in_child=_new_lock)


def build_lock() -> AbstractContextManager[Any]:
    """Return the lock that is held while layers are built."""
    return _build_lock
