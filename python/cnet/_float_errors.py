"""Ignoring NumPy's floating-point warnings, as the engine does, in a fraction of the time of `np.errstate`."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

import numpy as np

__all__ = ["IGNORED", "float_errors", "ignore_float_errors", "restore_float_errors"]


def _functions() -> tuple[object, Callable[[], Any], Callable[[], Any], Callable[[Any], Any]]:
    """Return what follows, for the version of NumPy.

    NumPy keeps its settings in a context variable, as an object that is made anew each time. So the variable is set to
    one that was made once.
    """
    outside = copy_context()
    with np.errstate(all="ignore"):
        inside = copy_context()
    changed = [name for name in inside if outside.get(name) is not inside[name]]
    if len(changed) != 1:  # NumPy keeps them elsewhere
        ignore = partial(np.seterr, all="ignore")
        return object(), lambda: None, ignore, lambda before: np.seterr(**before)
    (variable,) = changed
    ignored = inside[variable]
    return ignored, partial(variable.get, None), partial(variable.set, ignored), variable.reset


#: While ``float_errors() is IGNORED``, they need not be ignored again. `restore_float_errors` takes the result of
#: `ignore_float_errors`.
IGNORED, float_errors, ignore_float_errors, restore_float_errors = _functions()
