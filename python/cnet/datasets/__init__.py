"""Data sets for examples and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnet._absent import absent
from cnet.datasets import fashion_mnist, mnist
from cnet.datasets._spiral import spiral

__all__ = ["fashion_mnist", "mnist", "spiral"]

if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
