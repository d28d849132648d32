"""The shape that a layer is built for, as plain values and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._errors import short_repr

__all__ = ["HasBuildConfig"]


class HasBuildConfig:
    """The methods of layers that describe for what they are built."""

    name: str
    input_shape: Any

    def get_build_config(self) -> dict[str, Any] | None:
        """Return ``{"input_shape": …}``, a shape or a list of shapes; None before the layer is built."""
        return None if self.input_shape is None else {"input_shape": _as_lists(self.input_shape)}

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Build the layer for the result of `get_build_config`.

        Raises
        ------
        TypeError, ValueError
            If there is no such shape, or the layer doesn't support it.
        """
        given: Any = config
        shapes = given.get("input_shape", ...) if isinstance(given, Mapping) else ...
        if shapes is None:  # Keras writes it for layers that are built for anything
            return
        if not isinstance(shapes, (list, tuple)):
            raise TypeError(
                f"{type(self).__name__} '{self.name}': build_config: expected a dict with an input_shape, got "
                f"{short_repr(config)}"
            )
        is_list = bool(shapes) and all(isinstance(shape, (list, tuple)) for shape in shapes)
        self.build([tuple(shape) for shape in shapes] if is_list else tuple(shapes))

    def build(self, input_shape: Any) -> None:
        """Build the layer for inputs of a shape; a layer has it."""
        raise NotImplementedError


def _as_lists(shapes: Any) -> list[Any]:
    return [_as_lists(each) if isinstance(each, (list, tuple)) else each for each in shapes]
