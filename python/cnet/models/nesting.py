"""Nested lists, tuples and dicts, whose keys are taken in alphabetical order, as in Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["leaves_of", "nested_as"]


def leaves_of(structure: Any) -> list[Any]:
    """Return the leaves of nested lists, tuples and dicts, of a dict in the order of its keys, as in Keras."""
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in leaves_of(structure[key])]
    if isinstance(structure, (list, tuple)):
        return [leaf for each in structure for leaf in leaves_of(each)]
    return [structure]


def nested_as(structure: Any, leaves: Sequence[Any]) -> Any:
    """Return leaves nested like a structure."""
    remaining = iter(leaves)

    def nest(part: Any) -> Any:
        if isinstance(part, dict):
            found = {key: nest(part[key]) for key in sorted(part)}
            return {key: found[key] for key in part}
        if isinstance(part, (list, tuple)):
            items = [nest(each) for each in part]
            return tuple(items) if isinstance(part, tuple) else items
        return next(remaining)

    return nest(structure)
