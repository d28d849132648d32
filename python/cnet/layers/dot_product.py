"""The dot product of two inputs, sample by sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from .._data import is_integer, shape_text
from .._errors import short_repr
from .._typing import Shape
from .batch_shapes import sample_sizes
from .core import LayerOptions
from .merging import Merge
from .pieces import with_shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Dot", "dot"]


class Dot(Merge):
    """Sums the products of two inputs along an axis of each, sample by sample.

    The result has the other axes of the first input, then those of the second; (batch, 1), if there are none.

    Parameters
    ----------
    axes : int or tuple of two int
        The axis of each input, not that of the batch, 0. Inputs of (batch, features) have the axis 1, or -1.
    normalize : bool, default False
        Whether to divide both inputs by their norms along their axes, which gives the cosine. The layer is then
        computed on a tape.
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If `axes` are not axes of the samples or, when built, their sizes differ.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Dot(axes=1)([[[1.0, 2.0]], [[3.0, 4.0]]])
    array([[11.]], dtype=float32)
    >>> layers.Dot(axes=1, normalize=True)([[[1.0, 0.0]], [[3.0, 4.0]]])
    array([[0.6]], dtype=float32)
    """

    most = 2

    def __init__(
        self, axes: int | Sequence[int], normalize: bool = False, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**options)
        several = axes if isinstance(axes, (list, tuple)) else (axes,)
        if not all(map(is_integer, several)) or (several is axes and len(several) != 2):
            raise TypeError(f"Dot: axes: expected an axis or two, got {short_repr(axes)}")
        if 0 in several:
            raise ValueError(
                f"Dot: axes: expected axes of the samples, not 0, the batch, got {short_repr(axes)}"
            )
        self.axes = tuple(several) if several is axes else axes
        self.normalize = bool(normalize)

    @property
    def in_engine(self) -> bool:  # type: ignore[override] # depends on an argument
        """Whether the engine computes the layer."""
        return not self.normalize

    def _axes(self, shapes: Sequence[Shape]) -> tuple[int, int]:
        """Return the axis of each input, counted from that of the batch."""
        given: Any = self.axes if isinstance(self.axes, tuple) else (self.axes, self.axes)
        first, second = (
            axis + len(shape) if axis < 0 else axis
            for axis, shape in zip(given, shapes, strict=True)
        )
        are_axes = 0 < first < len(shapes[0]) and 0 < second < len(shapes[1])
        sizes = {shapes[0][first], shapes[1][second]} if are_axes else set()
        if not are_axes or len(sizes - {None}) > 1:
            expected = "as many numbers along them" if are_axes else "axes of the inputs"
            raise ValueError(
                f"Dot '{self.name}': axes={self.axes}: expected {expected}, got inputs of shape "
                f"{shape_text(shapes[0])} and {shape_text(shapes[1])}"
            )
        return first, second

    def compute_output_shape(self, input_shape: Any) -> Shape:
        x, y = self._shapes(f"Dot '{self.name}'", input_shape)
        first, second = self._axes([x, y])
        others: Shape = (*x[1:first], *x[first + 1 :], *y[1:second], *y[second + 1 :])
        return (x[0], *others) if others else (x[0], 1)

    def python_function(self, *, training: bool) -> Callable[[Any], Any] | None:  # noqa: ARG002 # from Layer
        return self._cosines if self.normalize else None

    def _cosines(self, inputs: Sequence[Any]) -> Any:
        """Return the normalized product of two arrays or tensors, of the same type."""
        shapes: list[Any] = [each.shape for each in inputs]
        x, y = (
            ops.reshape(
                ops.moveaxis(ops.normalize(each, axis=axis), axis, -1),
                (-1, math.prod(shape[1:]) // shape[axis], shape[axis]),
            )
            for each, axis, shape in zip(inputs, self._axes(shapes), shapes, strict=True)
        )
        products = ops.matmul(x, ops.transpose(y, (0, 2, 1)))
        return ops.reshape(products, (-1, *sample_sizes(self.compute_output_shape(shapes))))

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        axes = self._axes(shape)
        # Each vector of the first input beside each of the second, in the order of the result.
        vectors = [
            np.moveaxis(
                np.arange(math.prod(sizes), dtype=np.int64).reshape(sizes), axis - 1, -1
            ).reshape(-1, sizes[axis - 1])
            for axis, sizes in zip(axes, map(sample_sizes, shape), strict=True)
        ]
        firsts, seconds = map(len, vectors)
        sources = (np.repeat(vectors[0], seconds, axis=0), np.tile(vectors[1], (firsts, 1)))
        x, y = (
            _rearranged(network, tensor, source) for tensor, source in zip(x, sources, strict=True)
        )
        return network.add_dot(self.name, x, y)  # type: ignore[no-any-return] # an int


def _rearranged(network: Any, x: int, source: Any) -> int:
    """Return a tensor of a network with rows of the numbers of `x` at places, (rows, columns)."""
    rows, columns = source.shape
    if np.array_equal(source.reshape(-1), np.arange(source.size)):
        return with_shape(network, x, rows, columns)
    return network.add_rearrangement("rows of a product", x, source.reshape(-1), rows, columns)  # type: ignore[no-any-return] # an int


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """Return ``Dot(axes, **kwargs)(inputs)``."""
    return Dot(axes, **kwargs)(inputs)
