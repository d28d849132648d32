"""Parts of error messages."""

from __future__ import annotations

import reprlib
from typing import Any

__all__ = ["missing", "reject_unknown_options", "short_repr"]


class _ShortRepr(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 160
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 12
        self.maxlong = 80

    def repr_int(self, x: int, level: int) -> str:
        # Python raises ValueError for the longest.
        bits = x.bit_length()
        return super().repr_int(x, level) if bits < 2000 else f"<an integer of {bits} bits>"


_short_repr = _ShortRepr()


def short_repr(value: Any) -> str:
    """Return the repr of a value, shortened if it is long; never raises."""
    try:
        return _short_repr.repr(value)
    except Exception:  # noqa: BLE001 # reprlib dispatches by class name, which users can reuse
        return f"<{type(value).__name__}>"


def missing(thing: Any, method: str) -> str:
    """Return the message for an abstract method that a subclass doesn't override."""
    return f"{type(thing).__name__}: expected a method {method}"


def reject_unknown_options(thing: Any, options: dict[str, Any]) -> None:
    """Raise `TypeError` if keyword arguments are left over in the constructor of a base class."""
    if options:
        raise TypeError(
            f"{type(thing).__name__}: got an unexpected keyword argument {short_repr(next(iter(options)))}"
        )
