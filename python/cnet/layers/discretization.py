"""A layer that numbers ranges of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from .._data import (
    Array,
    FloatArray,
    as_array,
    as_number,
    as_numbers,
    as_optional_count,
    require_default,
)
from .._errors import short_repr
from .._serialization import named_options
from .._tracebacks import brief_traceback
from .categories import CategoryLayer, OtherOptions, as_output_mode
from .core import Layer
from .preprocessing import batches_of
from .tokens import place

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = ["Discretization"]


class Discretization(CategoryLayer):
    """Numbers the range that contains each number.

    Parameters
    ----------
    bin_boundaries : list of float, optional
        Numbers in ascending order: [0, 1] makes the ranges below 0, [0, 1) and from 1 on.
    num_bins : int, optional
        Instead of `bin_boundaries`: the number of ranges, of which `adapt` makes each hold as many of
        its numbers.
    epsilon : float, default 0.01
        Error that `adapt` may make, as a fraction of the numbers.
    output_mode : {"int", "one_hot", "multi_hot", "count"}, default "int"
        "int": the number of the range. Otherwise encodings, as in `CategoryEncoding`.
    sparse
        Not supported; must be False.
    dtype, name, **options
        See `Layer`. Numbers and boundaries are compared after rounding to the dtype; NaN is in the last
        range.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; when called, if data isn't numeric, or the boundaries not known.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])([[-1.5, 1.0, 3.4, 0.5]])
    array([[0, 2, 3, 1]])
    >>> quartile = layers.Discretization(num_bins=4)
    >>> quartile.adapt([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    >>> quartile.bin_boundaries
    [2.0, 4.0, 6.0]
    """

    _stored_as: ClassVar = {**Layer._stored_as, "bin_boundaries": "_given_boundaries"}
    _optional_in_config: ClassVar = {**Layer._optional_in_config, "trainable": True}

    def __init__(
        self,
        bin_boundaries: npt.ArrayLike | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: str | None = None,
        name: str | None = None,
        **options: Unpack[OtherOptions],
    ) -> None:
        super().__init__(name=name, dtype=dtype, **options)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(
                "Discretization: expected bin_boundaries or num_bins, got "
                f"bin_boundaries={short_repr(bin_boundaries)}, num_bins={short_repr(num_bins)}"
            )
        self._given_boundaries = None if bin_boundaries is None else _as_boundaries(bin_boundaries)
        self.num_bins = as_optional_count("Discretization: num_bins", num_bins)
        self.epsilon = as_number("Discretization: epsilon", epsilon, above=0, most=1)
        self.output_mode = as_output_mode("Discretization", output_mode)
        self.sparse = require_default("Discretization", "sparse", sparse, default=False)
        self._learned_boundaries: list[float] | None = None
        self._summary: FloatArray = np.empty((2, 0), np.float32)

    @property
    def _state(self) -> frozenset[str]:
        return super()._state | {"_learned_boundaries", "_summary"}

    @property
    def bin_boundaries(self) -> list[float] | None:
        """The boundaries, None before `adapt`."""
        return (
            self._learned_boundaries if self._given_boundaries is None else self._given_boundaries
        )

    def _update_from(self, attribute: str, other: Any) -> None:
        if self._learned_boundaries is not None and attribute in ("num_bins", "epsilon"):
            raise ValueError(
                f"{self._call}: {attribute}: the layer has boundaries, for "
                f"{attribute}={short_repr(getattr(self, attribute))}; create another layer"
            )
        super()._update_from(attribute, other)

    @brief_traceback
    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the boundaries, quantiles of the data.

        The numbers are summarized as in Keras, in float32, by about 1 / `epsilon` of them: up to that
        many numbers the quantiles are interpolated exactly. Fewer numbers than bins make fewer bins.

        Parameters
        ----------
        data : array_like, or batches of such
            Batches come from a list of arrays, a generator, a `cnet.utils.PyDataset` or another iterable,
            which is read once. The first item of a tuple of arrays is used, as in `fit`.
        batch_size : int, optional
            Ignored.
        steps : int, optional
            Number of batches. Default: all.

        Raises
        ------
        ValueError
            If the layer was created with boundaries, or there are no numbers, or not all are finite.
        """
        del batch_size
        call = f"{self._call}: adapt"
        self.reset_state()
        try:
            for batch in batches_of(data, steps, call):
                self._summarize(batch, call)
            if not self._summary.size:
                raise ValueError(f"{call}: expected at least one number, got none")
            self.finalize_state()
        finally:
            self.reset_state()

    @brief_traceback
    def update_state(self, data: Any) -> None:
        """Add a batch of numbers to the summary."""
        self._summarize(data, f"{self._call}: update_state")

    def _summarize(self, data: Any, call: str) -> None:
        if self._given_boundaries is not None:
            raise ValueError(f"{call}: the layer was created with bin_boundaries")
        array = as_array(data, call)
        with np.errstate(over="ignore"):
            numbers = array.reshape(-1).astype(np.float32)
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if wrong.size:
            raise ValueError(
                f"{call}: expected finite numbers of float32, got {array.reshape(-1)[wrong[0]]}"
                f"{place(array.shape, wrong[0])}"
            )
        both = np.concatenate([_summary_of(numbers, self.epsilon), self._summary], axis=1)
        self._summary = _compressed(both[:, np.argsort(both[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Make the boundaries from the summary; without one, keep the old ones."""
        if self.num_bins is not None and self._summary.size:
            boundaries = _compressed(self._summary, 1 / self.num_bins)[0, :-1]
            # Rounding may make Keras's boundaries one too many.
            self._learned_boundaries = boundaries[: self.num_bins - 1].tolist()

    def reset_state(self) -> None:
        """Forget the summary of `update_state`, but not the boundaries."""
        self._summary = np.empty((2, 0), np.float32)

    def _known_boundaries(self) -> list[float]:
        if self.bin_boundaries is None:
            raise ValueError(f"{self._call}: call adapt() first, or pass bin_boundaries")
        return self.bin_boundaries

    def _read(self, x: Any) -> Array:
        array = as_array(x, self._call)
        with np.errstate(over="ignore"):
            return array.astype(self.dtype, copy=False)

    def _transform(self, values: Array) -> Array:
        boundaries = np.array(self._known_boundaries(), np.float64).astype(self.dtype)
        ids = np.asarray(np.searchsorted(boundaries, values, side="right"), np.int64)
        return self._encoded(ids)

    def _depth(self) -> int:
        return len(self._known_boundaries()) + 1

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"bin_boundaries": self.bin_boundaries}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        plain = named_options(cls, config)
        if plain.get("num_bins") is None or plain.get("bin_boundaries") is None:
            return cls(**plain)
        learned = _as_boundaries(plain.pop("bin_boundaries"))
        layer = cls(**plain)
        layer._learned_boundaries = learned
        return layer


def _as_boundaries(values: Any) -> list[float]:
    boundaries = as_numbers("Discretization: bin_boundaries", values)
    for lower, upper in pairwise(boundaries):
        if lower > upper:
            raise ValueError(
                f"Discretization: bin_boundaries: expected ascending numbers, got {lower} before {upper}"
            )
    return boundaries


def _summary_of(numbers: FloatArray, epsilon: float) -> FloatArray:
    """Return (numbers, weights): every n-th of the sorted numbers, to about 1 / epsilon of them."""
    step = max(len(numbers) / (1 / epsilon), 1.0)
    chosen = np.sort(numbers)[int(step - 1) :: int(step)]
    return np.stack([chosen, np.full_like(chosen, step)])


def _compressed(summary: FloatArray, epsilon: float) -> FloatArray:
    """Return a summary of about 1 / epsilon numbers, interpolated at equal steps of the weight."""
    if summary.shape[1] * epsilon < 1:
        return summary
    steps = epsilon + np.arange(0.0, 1.0, epsilon)
    sums = summary[1].cumsum()
    numbers, sums = (np.interp(steps, sums / sums[-1], each) for each in (summary[0], sums))
    return np.stack([numbers, np.diff(sums, prepend=0)]).astype(np.float32)
