"""Who builds layers: one thread at a time, and for good once a call has come through with them."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from .core import Layer

__all__ = ["lock", "settle", "undone_on_error"]

_lock = threading.RLock()
# Layers that are not built for good: how often each thread is within a call that relies on them.
_callers: WeakKeyDictionary[Layer, Counter[int]] = WeakKeyDictionary()


def _forget_other_threads() -> None:
    global _lock
    _lock = threading.RLock()
    _callers.clear()


os.register_at_fork(after_in_child=_forget_other_threads)


def lock() -> AbstractContextManager[Any]:
    """Return what threads that use a layer first at the same time wait for."""
    return _lock


@contextmanager
def undone_on_error(
    layers: Iterable[Layer], when_undone: Callable[[set[Layer]], None]
) -> Iterator[None]:
    """Unbuild, after an exception, what was built within, unless another thread relies on it.

    Parameters
    ----------
    layers : iterable of Layer
    when_undone : function of a set of Layer
        Told what has been unbuilt, if anything, before another thread can build it anew.
    """
    thread, failed = threading.get_ident(), True
    with _lock:
        fresh = [layer for layer in layers if not layer.built or layer in _callers]
        for layer in fresh:
            _callers.setdefault(layer, Counter())[thread] += 1
    try:
        yield
        failed = False
    finally:
        with _lock:
            undone: set[Layer] = set()
            for layer in fresh:
                if layer not in _callers:
                    continue  # for good, by another call's success
                callers = _callers[layer]
                callers -= Counter([thread])
                keeps = layer.built and not failed
                if thread in callers or (callers and not keeps):
                    continue
                del _callers[layer]
                if failed and layer.built:
                    layer.unbuild()
                    undone.add(layer)
            if undone:
                when_undone(undone)


def settle(layers: Iterable[Layer]) -> None:
    """Keep layers as they are built, whatever becomes of the calls that rely on them."""
    with _lock:
        for layer in layers:
            if layer.built:
                _callers.pop(layer, None)
