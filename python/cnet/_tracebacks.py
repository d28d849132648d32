"""Errors and warnings that point to the user's call, without cnet's own frames."""

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
    """The process-wide switch of traceback filtering."""

    enabled = True


def brief_traceback(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Remove cnet's frames from the tracebacks of errors that a public function raises.

    Frames of the user's callbacks, functions and generators stay. `KeyboardInterrupt` and other
    exceptions that aren't errors keep their whole traceback.
    """

    @wraps(function)
    def call(*args: _P.args, **options: _P.kwargs) -> _R:
        try:
            return function(*args, **options)
        except Exception as error:
            if not Filtering.enabled:
                raise
            raise error.with_traceback(_without_cnet_frames(error.__traceback__))  # noqa: B904 # the same error

    return call


def warn(message: str) -> None:
    """Issue a `UserWarning` for the line on which the user called cnet."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and frame.f_code.co_filename.startswith(_CNET):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def _without_cnet_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of cnet."""
    kept: list[TracebackType] = []
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_CNET):
            kept.append(traceback)
        traceback = traceback.tb_next
    rest: TracebackType | None = None
    for each in reversed(kept):
        rest = TracebackType(rest, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return rest
