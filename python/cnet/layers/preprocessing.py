"""Layers that rescale data; training doesn't change them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from .._data import (
    FloatArray,
    as_array,
    as_count,
    as_number,
    as_samples,
    is_dataset,
    is_integer,
    require_default,
    shape_text,
    yields_batches,
)
from .._errors import short_repr
from .._tracebacks import brief_traceback
from .._typing import Shape
from .batch_shapes import is_open, sample_size, sample_sizes
from .core import Layer, LayerOptions
from .pieces import with_shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Normalization", "Rescaling", "batches_of"]

_LEAST_DEVIATION = 1e-7  # Keras's epsilon


class Rescaling(Layer):
    """``x * scale + offset``.

    As the first layer of a model it converts integer images without a float copy of the data set.

    Parameters
    ----------
    scale : float
    offset : float, default 0
    **options
        See `Layer`.
    """

    keeps_shape = supports_masking = True

    def __init__(self, scale: float, offset: float = 0.0, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.scale = as_number("Rescaling: scale", scale)
        self.offset = as_number("Rescaling: offset", offset)

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        return network.add_rescaling(self.name, x, self.scale, self.offset)  # type: ignore[no-any-return] # an int


class Normalization(Layer):
    """``(x - mean) / sqrt(variance)`` with the mean and variance that `adapt` computes.

    Parameters
    ----------
    axis : int, tuple of int or None, default -1
        Axes of a batch with a mean and variance for each index. None: one for all numbers.
    mean, variance : array_like, optional
        Both, instead of `adapt`.
    invert : bool, default False
        Whether to apply the inverse, ``x * sqrt(variance) + mean``.
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import layers
    >>> normalize = layers.Normalization()
    >>> normalize.adapt(np.array([[1.0, 10.0], [3.0, 50.0]]))
    >>> normalize([[1.0, 50.0]])
    array([[-1.,  1.]], dtype=float32)
    """

    has_one_shape = keeps_shape = supports_masking = True
    _stored_as: ClassVar = {
        **Layer._stored_as,
        "mean": "_given_mean",
        "variance": "_given_variance",
    }

    def __init__(
        self,
        axis: int | tuple[int, ...] | None = -1,
        mean: npt.ArrayLike | None = None,
        variance: npt.ArrayLike | None = None,
        invert: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        axes = () if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
        if not all(map(is_integer, axes)):
            raise TypeError(f"Normalization: axis: expected integers, got {short_repr(axis)}")
        if 0 in axes:
            raise ValueError(f"Normalization: axis={short_repr(axis)} contains the batch axis, 0")
        self.axis = axis
        self._axes = tuple(int(one) for one in axes)
        self.invert = bool(invert)
        self._given_mean = self._given_variance = None
        if (mean is None) != (variance is None):
            raise ValueError(
                "Normalization: expected mean and variance both or neither, "
                f"got mean={short_repr(mean)}, variance={short_repr(variance)}"
            )
        if mean is not None and variance is not None:
            self._given_mean = _statistic(mean, "mean")
            self._given_variance = _statistic(variance, "variance", least=0)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": list(self._axes)}  # as in Keras

    def _update_from(self, attribute: str, other: Any) -> None:
        if self.built and attribute in ("axis", "invert"):
            raise ValueError(
                f"Normalization '{self.name}': {attribute}: the layer is built, with means and variances for "
                f"{attribute}={short_repr(getattr(self, attribute))}; create another layer"
            )
        super()._update_from(attribute, other)

    @property
    def mean(self) -> FloatArray | None:
        """Means of the numbers of a sample; None before `adapt`."""
        if not self._is_adapted():
            return None
        center, square = (weight.numpy().reshape(1, *self._sizes) for weight in self.weights)
        return -center / np.sqrt(square) if self.invert else center

    @property
    def variance(self) -> FloatArray | None:
        """Variances of the numbers of a sample; None before `adapt`."""
        if not self._is_adapted():
            return None
        square = self.weights[1].numpy().reshape(1, *self._sizes)
        return 1 / square if self.invert else square

    def _is_adapted(self) -> bool:
        return self.built and not np.isnan(self.weights[0].numpy()).any()

    @brief_traceback
    def adapt(self, data: Any, batch_size: int | None = None, steps: None = None) -> None:
        """Compute the mean and variance of data, and replace the previous ones.

        Parameters
        ----------
        data : array_like, (samples, …), or batches of such
            Batches come from a list of arrays, a `cnet.utils.PyDataset` or another iterable, which is
            read once. The first item of a tuple is used, as in `fit`.
        batch_size : int, optional
            Ignored.
        steps : None
            Not supported.

        Raises
        ------
        ValueError
            If the layer was created with a mean and variance, or built for other shapes.

        References
        ----------
        Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances", COMPSTAT 1982.
        """
        del batch_size
        require_default("adapt", "steps", steps)
        call = f"Normalization '{self.name}': adapt"
        if self._given_mean is not None:
            raise ValueError(f"{call}: the layer was created with a mean and variance")
        count, mean, variance = 0, np.zeros(()), np.zeros(())
        for batch in batches_of(data):
            samples = as_samples(batch, call)
            size = len(samples)
            if size == 0:
                continue
            shape = (None, *samples.shape[1:])
            self.build(shape)
            over = tuple(n for n in range(samples.ndim) if n not in self._own_axes(shape))
            batch_mean = np.asarray(np.mean(samples, axis=over, keepdims=True, dtype=np.float64))
            if not np.isfinite(batch_mean).all():
                raise ValueError(f"{call}: expected finite numbers, got NaN or inf among them")
            batch_variance = np.asarray(np.var(samples, axis=over, keepdims=True, dtype=np.float64))
            if count:
                delta, part = batch_mean - mean, size / (count + size)
                mean = mean + part * delta
                variance = variance + part * (batch_variance - variance + (1 - part) * delta**2)
            else:
                mean, variance = batch_mean, batch_variance
            count += size
        if count == 0:
            raise ValueError(f"{call}: expected at least one sample, got none")
        self._set_statistics(mean, variance)

    def _own_axes(self, shape: Shape) -> set[int]:
        """Return the axes of a batch that have a mean for each index."""
        axes = {axis + len(shape) if axis < 0 else axis for axis in self._axes}
        if not axes <= set(range(1, len(shape))):
            raise ValueError(
                f"Normalization '{self.name}': axis={self.axis} is out of range for input of shape "
                f"{shape_text(shape)}"
            )
        return axes

    def _make_weights(self, input_shape: Shape) -> None:
        self._own_axes(input_shape)
        if is_open(input_shape):
            raise ValueError(
                f"Normalization '{self.name}': expected input of known sizes, got {shape_text(input_shape)}"
            )
        self._sizes = sample_sizes(input_shape)
        count = math.prod(self._sizes)
        # The engine's mean and variance; NaN until they are known.
        self.add_weight((count,), _all_nan, trainable=False, name="mean")
        self.add_weight((count,), "ones", trainable=False, name="variance")
        if self._given_mean is not None and self._given_variance is not None:
            self._set_statistics(self._given_mean, self._given_variance)

    def _set_statistics(self, mean: FloatArray, variance: FloatArray) -> None:
        """Set the mean and variance of each number of a sample."""
        deviation = np.maximum(np.sqrt(variance), _LEAST_DEVIATION)
        center, scale = (-mean / deviation, 1 / deviation) if self.invert else (mean, deviation)
        try:
            whole = [np.broadcast_to(each, (1, *self._sizes)) for each in (center, scale**2)]
        except ValueError:
            raise ValueError(
                f"Normalization '{self.name}': a mean of shape {mean.shape} and a variance of shape "
                f"{variance.shape} do not broadcast to samples of shape {self._sizes}"
            ) from None
        self.set_weights([value.reshape(-1) for value in whole])

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        if not self._is_adapted():
            raise ValueError(
                f"Normalization '{self.name}': call adapt() first, or pass mean and variance"
            )
        center, square = (weight.variable for weight in self.weights)
        x = with_shape(network, x, 1, sample_size(shape))
        return network.add_batch_normalization(  # type: ignore[no-any-return] # an int
            self.name, x, None, None, center, square, 1.0, 0.0, False
        )


def batches_of(data: Any, steps: Any = None, call: str = "adapt") -> Iterator[Any]:
    """Yield the samples of each batch, at most of `steps`, or the data itself if it isn't batched."""
    if steps is not None:
        count = as_count(f"{call}: steps", steps, least=1)
        if not yields_batches(data):
            raise ValueError(
                f"{call}: steps is a number of batches, but the data is one {type(data).__name__}"
            )
        yield from islice(batches_of(data), count)
    elif yields_batches(data):
        batches = data
        if is_dataset(data):
            count = data.num_batches if hasattr(data, "num_batches") else len(data)
            batches = (data[index] for index in range(count))
        for batch in batches:
            is_pair = isinstance(batch, tuple) and len(batch) > 0 and not np.isscalar(batch[0])
            yield batch[0] if is_pair else batch
    elif isinstance(data, (list, tuple)) and data and all(getattr(x, "ndim", 0) > 1 for x in data):
        yield from data
    else:
        yield data


def _all_nan(shape: tuple[int, ...], dtype: str) -> FloatArray:
    return np.full(shape, math.nan, dtype)


def _statistic(value: npt.ArrayLike, name: str, least: float | None = None) -> FloatArray:
    array = as_array(value, f"Normalization: {name}").astype(np.float64)
    wrong = ~np.isfinite(array) if least is None else ~(np.isfinite(array) & (array >= least))
    if wrong.any():
        raise ValueError(
            f"Normalization: {name}: expected finite numbers"
            f"{'' if least is None else f' of at least {least:g}'}, got {array[wrong][0]}"
        )
    return array
