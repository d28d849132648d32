"""Data sets for examples and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._absent import absent
from . import fashion_mnist, mnist
from ._spiral import spiral

__all__ = ["fashion_mnist", "mnist", "spiral"]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
