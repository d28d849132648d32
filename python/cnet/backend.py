"""The functions of Keras's backend module that cnet has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._absent import absent
from .config import floatx, set_floatx
from .utils import clear_session

__all__ = ["clear_session", "floatx", "set_floatx"]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
