"""Default names of layers, models and optimizers, numbered as in Keras."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["auto_name", "clear", "snake_case"]

_names: Counter[str] = Counter()


def auto_name(prefix: str) -> str:
    """Return `prefix` for its first use in the process, then prefix_1, prefix_2, …, as Keras."""
    count = _names[prefix]
    _names[prefix] += 1
    return prefix if count == 0 else f"{prefix}_{count}"


def clear() -> None:
    """Restart the numbering."""
    _names.clear()


def snake_case(name: str) -> str:
    """Return the name of a class in snake case, as in Keras: "AdamW" is "adam_w", "SGD" is "sgd"."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
