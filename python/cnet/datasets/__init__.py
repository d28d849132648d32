"""Data sets for examples and tests: the names that users import."""

from __future__ import annotations

from cnet.datasets import fashion_mnist, mnist
from cnet.datasets._spiral import spiral

__all__ = ["fashion_mnist", "mnist", "spiral"]
