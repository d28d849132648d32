"""Sizes that are not known before there is data: None in the shape of an input, besides that of the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._data import Array, FloatArray
from .._typing import Shape
from .batch_shapes import is_open
from .function import Function

__all__ = ["OpenFunction", "inferred_shape"]

# Functions that are kept, for as many shapes of data: each is a network of the engine.
_MOST = 64


class OpenFunction:
    """Layers with inputs of open sizes: a `Function` for each shape of the data, made when it first occurs.

    All share the weights. Inputs with open sizes are arrays in their shape, others may be matrices.

    Parameters
    ----------
    input_shapes : sequence of tuple
        (None, …) for each input, with None for sizes that are not known.
    make : function
        Returns the function for known shapes.
    """

    network = None

    def __init__(
        self, input_shapes: Sequence[Shape], make: Callable[[Sequence[Shape]], Function]
    ) -> None:
        self._shapes, self._make = input_shapes, make
        self._functions: dict[tuple[Shape, ...], Function] = {}

    def of(self, x: Sequence[Any]) -> Function:
        """Return the function for samples."""
        shapes = tuple(
            (None, *each.shape[1:]) if is_open(shape) else shape
            for each, shape in zip(x, self._shapes, strict=True)
        )
        function = self._functions.get(shapes)
        if function is None:
            function = self._make(shapes)
            # Not changed in place: other threads may predict.
            kept = list(self._functions.items())[1 - _MOST :]
            self._functions = dict([*kept, (shapes, function)])
        return function

    def predict(
        self, x: Sequence[Array], on_progress: Callable[..., Any] | None = None
    ) -> list[FloatArray]:
        """Return the outputs for samples, in their shapes."""
        function = self.of(x)
        return [
            rows.reshape(len(rows), *[size or 0 for size in shape[1:]])
            for rows, shape in zip(
                function.predict(x, on_progress), function.output_shapes, strict=True
            )
        ]

    def check_ids(self, x: Sequence[Array], argument: str) -> None:
        """Raise `ValueError` if an id among the inputs names no row of the table that reads it."""
        self.of(x).check_ids(x, argument)

    def record(self, x: Sequence[Any]) -> list[Any]:
        """Return the outputs for samples (batch, …) as tensors, recorded on the running tapes."""
        return self.of(x).record(x)


def inferred_shape(function: Callable[[Any], Any], shapes: Any) -> Any:
    """Return the shape of a result, (None, …), by a function of known shapes.

    Sizes that are not known are tried as 2 and as 3: where the results differ, the size is not known either.

    Parameters
    ----------
    function : function of a shape, or of lists and dicts of shapes
    shapes
        What it takes.
    """
    smaller = _with_size(shapes, 2)
    first = function(smaller)
    if smaller == shapes:
        return first
    return _common(first, function(_with_size(shapes, 3)))


def _common(first: Any, second: Any) -> Any:
    """Return nested shapes with None for sizes that differ between two of them."""
    if isinstance(first, dict):
        return {key: _common(shape, second[key]) for key, shape in first.items()}
    if len(first) != len(second):
        raise ValueError(f"the number of axes depends on the data: {first} or {second}")
    pairs = zip(first, second, strict=True)
    return type(first)(
        (a if a == b else None) if a is None or isinstance(a, int) else _common(a, b)
        for a, b in pairs
    )


def _with_size(shapes: Any, size: int) -> Any:
    """Return nested shapes with a size in place of each that is not known."""
    if isinstance(shapes, dict):
        return {key: _with_size(shape, size) for key, shape in shapes.items()}
    if isinstance(shapes, list) and any(isinstance(each, (tuple, list, dict)) for each in shapes):
        return [_with_size(shape, size) for shape in shapes]
    batch, *sizes = shapes
    return type(shapes)([batch, *(size if each is None else each for each in sizes)])
