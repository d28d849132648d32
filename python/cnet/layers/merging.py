"""Layers that merge several inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._data import is_integer, shape_text
from .._errors import short_repr
from .._typing import Shape
from .batch_shapes import as_batch_shape, matches, sample_size, sample_sizes
from .core import Layer, LayerOptions
from .pieces import with_shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Divide",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


class Merge(Layer):
    """Base of the layers that take a list of inputs."""

    takes_list = True
    #: Bounds of the number of inputs.
    least, most = 2, math.inf

    def __init__(self, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)

    def build(self, input_shape: Any) -> None:
        """Check the shapes of the inputs."""
        self.compute_output_shape(input_shape)
        call = f"{type(self).__name__} '{self.name}'"
        self.input_shape = [(None, *shape[1:]) for shape in self._shapes(call, input_shape)]

    def _shapes(self, call: str, shapes: Any) -> list[Shape]:
        """Return the shapes of the inputs; raise if they are not a list of as many as the layer takes."""
        if not isinstance(shapes, (list, tuple)) or not all(
            isinstance(shape, (list, tuple)) for shape in shapes
        ):
            raise TypeError(f"{call}: expected a list of inputs, got {short_repr(shapes)}")
        if not self.least <= len(shapes) <= self.most:
            count = f"{self.least}" if self.least == self.most else f"at least {self.least}"
            raise ValueError(f"{call}: expected {count} inputs, got {len(shapes)}")
        return [as_batch_shape(call, shape) for shape in shapes]


class _Elementwise(Merge):
    """Base of the elementwise merges, of inputs whose shapes broadcast."""

    supports_masking = True
    _merge: ClassVar[str]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        call = f"{type(self).__name__} '{self.name}'"
        shapes = self._shapes(call, input_shape)
        given = " and ".join(map(shape_text, shapes))
        if len({len(shape) for shape in shapes}) > 1:
            raise ValueError(f"{call}: expected inputs of as many axes, got {given}")
        sizes = [_broadcast_size(set(of_axis)) for of_axis in zip(*shapes, strict=True)][1:]
        if 0 in sizes:
            raise ValueError(f"{call}: expected inputs whose shapes broadcast, got {given}")
        return (shapes[0][0], *sizes)

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        sizes = sample_sizes(self.compute_output_shape(shape))
        first, *others = (
            broadcast(network, tensor, sample_sizes(each), sizes)
            for tensor, each in zip(x, shape, strict=True)
        )
        result: int = first
        for other in others:
            other = with_shape(network, other, *network.shape(result))
            result = network.add_merge(self.name, result, other, self._merge)
        return result


def _broadcast_size(sizes: set[int | None]) -> int | None:
    """Return the size of an axis of inputs that broadcast: 0 if they do not, None if it is not known."""
    known = sizes - {1, None}
    if len(known) > 1:
        return 0
    return None if None in sizes else next(iter(known), 1)


def broadcast(network: Any, x: int, sizes: tuple[int, ...], to: tuple[int, ...]) -> int:
    """Return a tensor of a network with samples of shape `sizes` repeated to those of shape `to`."""
    if sizes == to:
        return x
    elements = np.arange(math.prod(sizes), dtype=np.int64).reshape(sizes)
    source = np.ascontiguousarray(np.broadcast_to(elements, to)).reshape(-1)
    return network.add_rearrangement("broadcast", x, source, math.prod(to[:-1]), to[-1])  # type: ignore[no-any-return] # an int


class Add(_Elementwise):
    """Adds its inputs elementwise.

    Parameters
    ----------
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Add()([[[1.0, 2.0]], [[10.0, 20.0]]])
    array([[11., 22.]], dtype=float32)
    """

    _merge = "add"


class Subtract(_Elementwise):
    """Subtracts the second of its two inputs from the first.

    Parameters
    ----------
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Subtract()([[[1.0, 2.0]], [[10.0, 20.0]]])
    array([[ -9., -18.]], dtype=float32)
    """

    most = 2
    _merge = "subtract"


class Divide(_Elementwise):
    """Divides the first of its two inputs by the second: the operator ``/`` of symbolic tensors."""

    most = 2
    _merge = "divide"


class Multiply(_Elementwise):
    """Multiplies its inputs elementwise.

    Parameters
    ----------
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Multiply()([[[1.0, 2.0]], [[10.0, 20.0]]])
    array([[10., 40.]], dtype=float32)
    """

    refuses_mask = True
    _merge = "multiply"


class Average(_Elementwise):
    """The mean of its inputs, elementwise.

    Parameters
    ----------
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Average()([[[1.0, 2.0]], [[10.0, 20.0]]])
    array([[ 5.5, 11. ]], dtype=float32)
    """

    _merge = "add"

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:
        total = super().add_to(network, x, shape, trainable=trainable)
        return network.add_rescaling(self.name, total, 1 / len(x), 0.0)  # type: ignore[no-any-return] # an int


class Maximum(_Elementwise):
    """The largest of its inputs, elementwise.

    Parameters
    ----------
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Maximum()([[[1.0, 20.0]], [[10.0, 2.0]]])
    array([[10., 20.]], dtype=float32)
    """

    _merge = "maximum"


class Minimum(_Elementwise):
    """The smallest of its inputs, elementwise.

    Parameters
    ----------
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Minimum()([[[1.0, 20.0]], [[10.0, 2.0]]])
    array([[1., 2.]], dtype=float32)
    """

    _merge = "minimum"


class Concatenate(Merge):
    """Joins its inputs along an axis.

    Parameters
    ----------
    axis : int, default -1
        The axis along which the sizes may differ; not that of the batch, 0.
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If `axis` is not an integer other than 0 or, when built, the other sizes differ.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Concatenate()([[[1.0, 2.0]], [[3.0]]])
    array([[1., 2., 3.]], dtype=float32)
    """

    least = 1
    supports_masking = True

    def __init__(self, axis: int = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        if not is_integer(axis):
            raise TypeError(f"Concatenate: axis: expected an integer, got {short_repr(axis)}")
        if axis == 0:
            raise ValueError("Concatenate: axis: expected an axis of the samples, got 0, the batch")
        self.axis = int(axis)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        call = f"{type(self).__name__} '{self.name}'"
        shapes = self._shapes(call, input_shape)
        axis = self._axis(shapes[0])
        others = [shape[:axis] + shape[axis + 1 :] for shape in shapes]
        same_axes = axis > 0 and len({len(shape) for shape in shapes}) == 1
        if not same_axes or not all(matches(others[0], other) for other in others):
            given = " and ".join(map(shape_text, shapes))
            raise ValueError(
                f"{call}: expected inputs whose shapes agree except for axis {self.axis}, got {given}"
            )
        sizes = [shape[axis] for shape in shapes]
        joined = None if None in sizes else sum(size or 0 for size in sizes)
        same = [None if None in of_axis else of_axis[0] for of_axis in zip(*others, strict=True)]
        return (*same[:axis], joined, *same[axis:])

    @property
    def refuses_mask(self) -> bool:  # type: ignore[override] # depends on the axis
        """Whether the steps of the inputs may be joined: not their features."""
        return self.axis != -1

    def _axis(self, shape: Shape) -> int:
        """Return the axis, counted from the first; 0 if a shape has no such axis."""
        axis = self.axis if self.axis > 0 else len(shape) + self.axis
        return axis if 0 < axis < len(shape) else 0

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        axis = self._axis(shape[0])
        rows = math.prod(sample_sizes(shape[0])[: axis - 1])
        parts = [
            with_shape(network, tensor, rows, sample_size(each) // rows)
            for tensor, each in zip(x, shape, strict=True)
        ]
        return network.add_concatenate(self.name, parts)  # type: ignore[no-any-return] # an int


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Add(**kwargs)(inputs)``."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Subtract(**kwargs)(inputs)``."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Multiply(**kwargs)(inputs)``."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Average(**kwargs)(inputs)``."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Maximum(**kwargs)(inputs)``."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Return ``Minimum(**kwargs)(inputs)``."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """Return ``Concatenate(axis, **kwargs)(inputs)``."""
    return Concatenate(axis, **kwargs)(inputs)
