"""Which calls on one model may run at a time: those that train or use its metrics, one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from .compilable import ASIDE, Compilable
from .compiled import Totals

__all__ = ["alone", "alone_or_within"]

Model = TypeVar("Model", bound=Compilable)
Options = ParamSpec("Options")
Result = TypeVar("Result")
Call = Callable[Concatenate[Model, Options], Result]


def alone(call: Call[Model, Options, Result]) -> Call[Model, Options, Result]:
    """Let a method raise `RuntimeError` amid another such, of any thread."""

    @wraps(call)
    def method(self: Model, /, *args: Options.args, **kwargs: Options.kwargs) -> Result:
        with self._as_model()._use:
            return call(self, *args, **kwargs)

    return method


def alone_or_within(call: Call[Model, Options, Result]) -> Call[Model, Options, Result]:
    """Do the same, but let callbacks of such a call call this one; figures are kept apart."""

    @wraps(call)
    def method(self: Model, /, *args: Options.args, **kwargs: Options.kwargs) -> Result:
        use = self._as_model()._use
        with _aside(self) if use.is_of_this_thread else use:
            return call(self, *args, **kwargs)

    return method


@contextmanager
def _aside(model: Any) -> Iterator[None]:
    """Give a model, in this thread, metrics and an engine beside those that are in use."""
    compiled = model._compiled
    if compiled is None:
        yield
        return
    metrics, weighted = deepcopy((compiled.metrics, compiled.weighted_metrics))
    other = replace(
        compiled,
        metrics=metrics,
        weighted_metrics=weighted,
        engine=None,
        kept=None,
        totals=Totals(),
    )
    token = ASIDE.set((model, other))
    try:
        yield
    finally:
        ASIDE.reset(token)
