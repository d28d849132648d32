"""Data of several inputs or outputs: lists in their order, or dicts by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._errors import short_repr

__all__ = ["for_each_output", "is_dict", "keys_of", "parts_of", "unnested"]


def is_dict(value: Any) -> bool:
    """Return True for a dict of arrays; some sparse arrays of SciPy are dicts as well."""
    return isinstance(value, Mapping) and not hasattr(value, "shape")


def keys_of(structure: Any) -> list[str] | None:
    """Return the keys of a dict in the order of the tensors, None for another structure."""
    return sorted(structure) if isinstance(structure, dict) and not _is_nested(structure) else None


def unnested(structure: Any, value: Any) -> Any:
    """Return the parts of data that is nested as a structure of several levels; any other data as it is."""
    found = _leaves_as(structure, value) if _is_nested(structure) else None
    return value if found is None else found


def _is_nested(structure: Any) -> bool:
    children = structure.values() if isinstance(structure, dict) else structure
    is_one = not isinstance(structure, (list, tuple, dict))
    return not is_one and any(isinstance(child, (list, tuple, dict)) for child in children)


def _leaves_as(structure: Any, value: Any) -> list[Any] | None:
    """Return the parts of data that is nested as a structure, None if it is not."""
    if isinstance(structure, dict):
        if not is_dict(value) or not set(structure) <= set(value):
            return None
        pairs = [(structure[key], value[key]) for key in sorted(structure)]
    elif isinstance(structure, (list, tuple)):
        if not isinstance(value, (list, tuple)) or len(structure) != len(value):
            return None
        pairs = list(zip(structure, value, strict=True))
    else:
        return [value]
    leaves: list[Any] = []
    for pair in pairs:
        part = _leaves_as(*pair)
        if part is None:
            return None
        leaves += part
    return leaves


def parts_of(
    argument: str, value: Any, names: Sequence[str], keys: Sequence[str] | None
) -> list[Any]:
    """Return the part of a value for each name.

    Parameters
    ----------
    argument : str
        Begins error messages.
    value
        A list or tuple of as many parts, a dict of them or, for one name, the part itself.
    names : sequence of str
    keys : sequence of str, optional
        The keys of dicts, where they are not the names.

    Raises
    ------
    TypeError, ValueError
        If there are not as many parts.
    """
    if is_dict(value):
        wanted = names if keys is None or not set(keys) <= set(value) else keys
        if missing := [name for name in wanted if name not in value]:
            raise ValueError(
                f"{argument}: expected the keys {_listed(wanted)}, got {_listed(value)} without {_listed(missing)}"
            )
        return [value[name] for name in wanted]
    if len(names) == 1:
        return [value]
    if not isinstance(value, (list, tuple)):
        raise TypeError(
            f"{argument}: expected a list of {len(names)} arrays, or a dict of {_listed(names)}, got "
            f"{type(value).__name__}"
        )
    if len(value) != len(names):
        raise ValueError(
            f"{argument}: expected {len(names)} arrays, for {_listed(names)}, got {len(value)}"
        )
    return list(value)


def for_each_output(argument: str, value: Any, names: Sequence[str], kind: str) -> list[Any]:
    """Return what `compile` was told for each output.

    Parameters
    ----------
    argument : str
        Begins error messages.
    value
        A list, a dict by the outputs' names, or None. For one output also what is meant for it.
    names : sequence of str
    kind : {"shared", "one", "list"}
        What is meant for an output: one thing, which may be given once for all; one thing; or a list, which may be
        given as its only member.

    Raises
    ------
    TypeError, ValueError
        If a list has another length, or a dict other keys.
    """
    if value is None:
        return [None] * len(names)
    if isinstance(value, Mapping) and (set(value) <= set(names) or "class_name" not in value):
        if unknown := [name for name in value if name not in names]:
            raise ValueError(
                f"{argument}: expected outputs among {_listed(names)}, got {_listed(unknown)}"
            )
        found = [value.get(name) for name in names]
    elif len(names) == 1:
        is_wrapped = isinstance(value, (list, tuple)) and kind != "list" and len(value) == 1
        return list(value) if is_wrapped else [value]
    elif isinstance(value, (list, tuple)):
        if len(value) != len(names):
            raise ValueError(
                f"{argument}: expected one for each of {len(names)} outputs, {_listed(names)}, got {len(value)}"
            )
        found = list(value)
    elif kind == "shared":
        return [value] * len(names)
    else:
        raise TypeError(f"{argument}: expected a list or a dict, got {short_repr(value)}")
    if kind != "list":
        return found
    return [each if each is None or isinstance(each, (list, tuple)) else [each] for each in found]


def _listed(names: Any) -> str:
    shown = [short_repr(name) for name in list(names)[:12]]
    return ", ".join([*shown, "…"] if len(names) > 12 else shown)
