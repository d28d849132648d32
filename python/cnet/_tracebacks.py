"""Errors and warnings that point to where the user called, not to what cnet called in between."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import FrameType, TracebackType
from typing import ParamSpec, TypeVar

__all__ = ["Filtering", "brief_traceback", "warn"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_CNET = str(Path(__file__).parent)


class Filtering:
    """Whether tracebacks are filtered, in the whole process."""

    enabled = True


def brief_traceback(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Leave what cnet calls within a public function out of the tracebacks of its errors.

    What it calls of the user's (callbacks, functions, generators) stays. `KeyboardInterrupt` and its
    like tell where they struck.
    """

    @wraps(function)
    def call(*args: _P.args, **options: _P.kwargs) -> _R:
        try:
            return function(*args, **options)
        except Exception as error:
            if not Filtering.enabled:
                raise
            raise error.with_traceback(_without_cnet_frames(error.__traceback__))  # noqa: B904 # it is the same

    return call


def warn(message: str) -> None:
    """Give a `UserWarning` of the line at which the user has called cnet."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and frame.f_code.co_filename.startswith(_CNET):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def _without_cnet_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without cnet's own frames."""
    kept: list[TracebackType] = []
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_CNET):
            kept.append(traceback)
        traceback = traceback.tb_next
    rest: TracebackType | None = None
    for each in reversed(kept):
        rest = TracebackType(rest, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return rest
