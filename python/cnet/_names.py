"""Default names of layers, models and optimizers, and others that must differ, numbered as in Keras."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container

__all__ = ["auto_name", "clear", "snake_case", "unused_name"]

_names: Counter[str] = Counter()


def auto_name(prefix: str) -> str:
    """Return `prefix` for its first use in the process, then prefix_1, prefix_2, …, as Keras."""
    count = _names[prefix]
    _names[prefix] += 1
    return prefix if count == 0 else f"{prefix}_{count}"


def unused_name(name: str, taken: Container[str]) -> str:
    """Return the name, or name_1, name_2, … if it is taken."""
    unused, number = name, 0
    while unused in taken:
        number += 1
        unused = f"{name}_{number}"
    return unused


def clear() -> None:
    """Restart the numbering."""
    _names.clear()


def snake_case(name: str) -> str:
    """Return the name of a class in snake case, as in Keras: "AdamW" is "adam_w", "SGD" is "sgd"."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
