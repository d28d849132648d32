"""The arguments of Keras's operations besides arrays, checked by their names; errors that name the call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from .._data import as_count, as_number, is_integer
from .._errors import short_repr
from .._float_errors import ignore_float_errors, restore_float_errors
from ..autodiff.operations.operation import ARGUMENT_ERRORS, number_type

__all__ = ["checked", "real"]

Function = TypeVar("Function", bound=Callable[..., Any])
Check = Callable[[str, Any], Any]


def _integers(argument: str, value: Any, depth: int = 2) -> Any:
    """Return an integer, or tuples of them for lists and arrays: axes, sizes, positions."""
    if is_integer(value):
        return as_count(argument, value, least=-(2**63))
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.ndim <= depth:
        value = value.tolist()
        return _integers(argument, value, depth)
    if depth and isinstance(value, (list, tuple, range)):
        return tuple(_integers(argument, each, depth - 1) for each in value)
    raise TypeError(f"{argument}: expected integers, got {short_repr(value)}")


def real(argument: str, value: Any) -> float:
    """Return an integer or a float, which may be infinite."""
    if is_integer(value) and abs(value) < 2**63:
        return int(value)
    return as_number(argument, value, infinite=True)


def _dtype(argument: str, value: Any) -> str:
    return str(number_type(argument.partition(":")[0], value))


def _optional(check: Check) -> Check:
    return lambda argument, value: None if value is None else check(argument, value)


# How the arguments of every operation are checked, by their names. Others are arrays and flags.
_CHECKS: dict[str, Check] = {
    **dict.fromkeys(
        [
            "axes",
            "axis",
            "axis1",
            "axis2",
            "decimals",
            "destination",
            "indices_or_sections",
            "k",
            "M",
            "N",
            "n",
            "newshape",
            "num",
            "num_classes",
            "pad_width",
            "repeats",
            "shape",
            "shift",
            "source",
            "start_indices",
        ],
        _optional(_integers),
    ),
    **dict.fromkeys(
        [
            "alpha",
            "atol",
            "b",
            "constant_values",
            "epsilon",
            "initial",
            "nan",
            "neginf",
            "negative_slope",
            "posinf",
            "rtol",
        ],
        _optional(real),
    ),
    "dtype": _optional(_dtype),
}


def checked(function: Function) -> Function:
    """Decorate a function whose arguments besides arrays are to be checked, and whose errors are to name it."""
    name = function.__name__
    found = list(enumerate(inspect.signature(function).parameters))
    checks = [(n, each, _CHECKS[each]) for n, each in found if each in _CHECKS]

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        before = ignore_float_errors()
        try:
            for position, parameter, check in checks:
                if position < len(arguments):
                    value = check(f"{name}: {parameter}", arguments[position])
                    arguments = (*arguments[:position], value, *arguments[position + 1 :])
                elif parameter in named:
                    named[parameter] = check(f"{name}: {parameter}", named[parameter])
            return function(*arguments, **named)
        except ARGUMENT_ERRORS as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            text = re.sub(r"^\w+: ", "", str(error))  # of an operation that it is made of
            raise kind(f"{name}: {text}") from None
        finally:
            restore_float_errors(before)

    return call  # type: ignore[return-value] # same signature
