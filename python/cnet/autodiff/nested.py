"""Nested lists, tuples and dicts, as sources and fetches come in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["leaves_of", "map_leaves"]


def map_leaves(function: Callable[[Any], Any], structure: Any) -> Any:
    """Return the same nesting, with a function applied to what is in it."""
    if isinstance(structure, Mapping):
        return {key: map_leaves(function, value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        mapped = [map_leaves(function, value) for value in structure]
        return tuple(mapped) if isinstance(structure, tuple) else mapped
    return function(structure)


def leaves_of(structure: Any) -> list[Any]:
    """Return what is in nested lists, tuples and dicts, in order."""
    leaves: list[Any] = []
    map_leaves(leaves.append, structure)
    return leaves
