"""Layers that change the shape of their input."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._data import shape_text
from .._typing import Shape
from .batch_shapes import as_batch_shape, as_data_format, check_shape, is_open, sample_size
from .core import Layer, LayerOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Flatten", "Reshape"]


class Flatten(Layer):
    """Reshapes (batch, a, b, …) to (batch, a·b·…).

    Parameters
    ----------
    data_format
        "channels_last" or None, which are the same: numbers keep their order in memory.
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Flatten()([[[1, 2], [3, 4]]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """

    passes_ids = True

    def __init__(self, data_format: str | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.data_format = as_data_format("Flatten", data_format)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch_shape = as_batch_shape("compute_output_shape", input_shape)
        return (batch_shape[0], None if is_open(batch_shape) else sample_size(batch_shape))

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        return x  # type: ignore[no-any-return] # an int; numbers keep their order


class Reshape(Layer):
    """Reshapes each sample.

    Parameters
    ----------
    target_shape : tuple of int
        Shape of one sample. One size may be −1, which is inferred.
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If `target_shape` is not a shape or, when built, has another size than a sample.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Reshape((2, -1))([[1.0, 2.0, 3.0, 4.0]])
    array([[[1., 2.],
            [3., 4.]]], dtype=float32)
    """

    passes_ids = True

    def __init__(self, target_shape: tuple[int, ...], **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        check_shape(_with_known_sizes(target_shape), self.name)
        self.target_shape = tuple(int(size) for size in target_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = as_batch_shape("compute_output_shape", input_shape)
        if is_open(input_shape):
            sizes = (None if n == -1 else n for n in self.target_shape)
            return (input_shape[0], *sizes)
        size = sample_size(input_shape)
        rest, remainder = divmod(size, abs(math.prod(self.target_shape)))
        if remainder or (rest != 1 and -1 not in self.target_shape):
            raise ValueError(
                f"Reshape '{self.name}': expected samples of the size of {self.target_shape}, got "
                f"{shape_text(input_shape)}"
            )
        return (input_shape[0], *(rest if n == -1 else n for n in self.target_shape))

    def _make_weights(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        return x  # type: ignore[no-any-return] # as in Flatten


def _with_known_sizes(shape: Any) -> Any:
    """Return a shape with its only −1 replaced by 1, anything else unchanged."""
    if isinstance(shape, (tuple, list)) and list(shape).count(-1) == 1:
        return tuple(1 if size == -1 else size for size in shape)
    return shape
