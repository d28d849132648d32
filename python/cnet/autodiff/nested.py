"""Nested lists, tuples and dicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["copy_of", "leaves_of", "map_leaves", "pairs_of"]


def map_leaves(function: Callable[[Any], Any], structure: Any) -> Any:
    """Return the same nesting with a function applied to each leaf."""
    if isinstance(structure, dict):
        return {key: map_leaves(function, value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        mapped = [
            map_leaves(function, value)
            if isinstance(value, (dict, list, tuple))
            else function(value)
            for value in structure
        ]
        return tuple(mapped) if isinstance(structure, tuple) else mapped
    return function(structure)


def copy_of(structure: Any) -> Any:
    """Return the same nesting of the same leaves, which later changes of the lists and dicts don't affect."""
    return map_leaves(lambda leaf: leaf, structure)


def leaves_of(structure: Any) -> list[Any]:
    """Return the leaves of nested lists, tuples and dicts in order."""
    leaves: list[Any] = []
    map_leaves(leaves.append, structure)
    return leaves


def pairs_of(argument: str, structure: Any, other: Any) -> list[tuple[Any, Any]]:
    """Return pairs of corresponding leaves of two nestings; `ValueError` if the nestings differ.

    None stands for a nesting of Nones.
    """
    if not isinstance(structure, (dict, list, tuple)):
        return [(structure, other)]
    keys = structure.keys() if isinstance(structure, dict) else range(len(structure))
    if other is None:
        other = dict.fromkeys(keys)
    if not isinstance(other, (dict, list, tuple)) or len(other) != len(keys):
        raise ValueError(
            f"{argument}: expected {len(keys)} items, nested like target, got {other!r}"
        )
    return [pair for key in keys for pair in pairs_of(argument, structure[key], other[key])]
