"""The calls of layers and models that a thread is in: their mode, and the losses that layers add."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._data import shape_text

__all__ = ["AddsLosses", "CallContext", "current_call", "entered", "in_training"]


class CallContext:
    """The outermost call of a thread, and those inside it in the same mode.

    Attributes
    ----------
    training : bool
    losses : list of Tensor or float
        What `add_loss` was called with.
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


class AddsLosses:
    """The part of layers and models that adds terms to the loss.

    Attributes
    ----------
    _added_losses : sequence of Tensor or float
        The terms of the latest call in which it added some.
    _added_in : CallContext or None
        That call.
    """

    name: str
    _added_losses: Sequence[Any] = ()
    _added_in: CallContext | None = None

    def add_loss(self, loss: Any) -> None:
        """Add a term to the model's loss, from within `call`.

        Parameters
        ----------
        loss : Tensor or float, or a list of them
            A single number each, computed from the inputs and weights.

        Raises
        ------
        ValueError
            If one is not a single number.
        """
        call = current_call()
        if self._added_in is not call or call is None:
            self._added_losses, self._added_in = [], call
        terms = loss if isinstance(loss, (list, tuple)) else [loss]
        for term in terms:
            shape = np.shape(getattr(term, "value", term))  # type: ignore[arg-type] # any number
            if shape:
                raise ValueError(
                    f"{type(self).__name__} '{self.name}': add_loss: expected a single number, got shape "
                    f"{shape_text(shape)}"
                )
        self._added_losses = [*self._added_losses, *terms]
        if call is not None:
            call.losses.extend(terms)
