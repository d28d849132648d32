"""An interrupt at a chosen line of cnet's code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import Any


def interrupt_at_line(
    number: int, functions: Collection[Callable[..., Any]], run: Callable[[], Any]
) -> bool:
    """Raise KeyboardInterrupt in a call, at the given of the lines that it executes in some functions.

    Return True if the interrupt was raised, False if the call executes fewer lines.
    """
    codes = {function.__code__ for function in functions}
    lines = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        if frame.f_code not in codes:
            return None
        lines += event == "line"
        if lines == number and event == "line":
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        run()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False
