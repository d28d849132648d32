"""Layers that choose a bin for a value, or for several values together, by its hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._data import Array, as_count, as_number, is_integer, require_default
from .._errors import short_repr
from .._typing import Shape
from .categories import CategoryLayer, OtherOptions, as_output_mode, float_dtype
from .core import LayerOptions
from .fingerprints import combine_fingerprints, fingerprint64, siphash24
from .tokens import as_bytes, as_integer_token, as_tokens, ids_by, is_text, place

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["HashedCrossing", "Hashing", "as_salt", "hash_bins"]

# Keras's first fingerprint of a crossing.
_CROSSING_KEY = 0xDECAFCAFFE


class Hashing(CategoryLayer):
    """Chooses a bin for each value, text or a number, by its hash.

    The bins are those of Keras, on every machine. Values that share a bin can't be told apart.

    Parameters
    ----------
    num_bins : int
        Number of bins, with that of `mask_value`.
    mask_value : str or number, optional
        The value of bin 0. By default bin 0 is one of the others.
    salt : int or pair of int, optional
        The key of SipHash-2-4, which spreads the values in another way; a single integer is used twice.
        By default the hash is FarmHash's Fingerprint64.
    output_mode : {"int", "one_hot", "multi_hot", "count"}, default "int"
        "int": the bins. Otherwise their encodings, as in `CategoryEncoding`.
    sparse
        Not supported; must be False.
    **options
        See `Layer`. The dtype is that of encodings; bins are int64, and Keras's "int64" is ignored.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; when called, if values are missing, or neither text nor numbers.

    Notes
    -----
    Integers are hashed as decimal digits, text as UTF-8. Floats lose their fraction, as in Keras.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).tolist()
    [[1], [0], [1], [1], [2]]
    >>> layers.Hashing(num_bins=3, mask_value="")(["A", "", "B"])
    array([1, 0, 1])
    >>> layers.Hashing(num_bins=3, salt=133)(["A", "B", "C", "D", "E"])
    array([0, 0, 2, 1, 0])
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: str | float | None = None,
        salt: int | Sequence[int] | None = None,
        output_mode: str = "int",
        sparse: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        options["dtype"] = float_dtype(options.get("dtype"), output_mode)
        super().__init__(**options)
        self.num_bins = as_count("Hashing: num_bins", num_bins, least=1)
        self.mask_value = _as_value("Hashing: mask_value", mask_value)
        self.salt = as_salt("Hashing", salt)
        self.output_mode = as_output_mode("Hashing", output_mode)
        self.sparse = require_default("Hashing", "sparse", sparse, default=False)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.output_mode == "int" and self.dtype == "float32":
            config["dtype"] = "int64"  # that of the ids, which Keras insists on
        return config

    def _read(self, x: Any) -> Array:
        values = as_tokens(x, self._call)
        mask = self.mask_value
        if mask is not None and values.size and is_text(values) != isinstance(mask, str):
            kind = "text" if is_text(values) else f"numbers of dtype {values.dtype}"
            raise TypeError(
                f"{self._call}: mask_value is {short_repr(mask)}, but the values are {kind}"
            )
        if values.dtype.kind == "f" and values.size:
            wrong = np.flatnonzero(~(np.abs(values.astype(np.float64)) < 2.0**63))
            if wrong.size:
                raise ValueError(
                    f"{self._call}: expected numbers in (-2**63, 2**63), got {values.reshape(-1)[wrong[0]]}"
                    f"{place(values.shape, wrong[0])}"
                )
        return values

    def _transform(self, values: Array) -> Array:
        return self._encoded(ids_by(self._bins, values))

    def _bins(self, values: list[Any]) -> Array:
        """Return the bins of different values."""
        masked = self.mask_value is not None and self.num_bins > 1  # as in Keras
        bins = hash_bins(_as_bytes(values, self._call), self.num_bins - masked, self.salt) + masked
        if masked:
            for mask in _spellings(self.mask_value):
                if mask in values:
                    bins[values.index(mask)] = 0
        return bins

    def _depth(self) -> int:
        return self.num_bins


class HashedCrossing(CategoryLayer):
    """Chooses a bin for two or more values together, by the hash of all.

    It is called with a list of inputs of the same shape, (batch,) or (batch, 1): a value of each makes a
    crossing. The bins are those of Keras, on every machine.

    Parameters
    ----------
    num_bins : int
        Number of bins.
    output_mode : {"int", "one_hot"}, default "int"
        "int": the bins. "one_hot": their encodings, as in `CategoryEncoding`.
    sparse
        Not supported; must be False.
    name, dtype, **options
        See `Layer` and `Hashing`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; when called, if there are fewer than two inputs, if their shapes differ,
        or if they hold anything but text or integers.

    Examples
    --------
    >>> from cnet import layers
    >>> cross = layers.HashedCrossing(num_bins=5)
    >>> cross((["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102]))
    array([1, 4, 1, 1, 3])
    """

    takes_list = True

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: str | None = None,
        **options: Unpack[OtherOptions],
    ) -> None:
        super().__init__(name=name, dtype=float_dtype(dtype, output_mode), **options)
        self.num_bins = as_count("HashedCrossing: num_bins", num_bins, least=1)
        self.output_mode = as_output_mode("HashedCrossing", output_mode, ("int", "one_hot"))
        self.sparse = require_default("HashedCrossing", "sparse", sparse, default=False)

    def build(self, input_shape: Any) -> None:
        """Check the shapes of the inputs."""
        self.compute_output_shape(input_shape)
        self.input_shape = input_shape

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the output for a list with the shape of each input."""
        shapes = self._several(input_shape, "shapes")
        first, *others = [super(HashedCrossing, self).compute_output_shape(each) for each in shapes]
        if any(other != first for other in others) or shapes[0][1:] not in ((1,), [1]):
            raise ValueError(
                f"{self._call}: expected inputs of shape (batch, 1), got {short_repr(input_shape)}"
            )
        return first

    def _read(self, x: Any) -> list[Array]:
        inputs = [
            as_tokens(each, f"{self._call}: input {number}")
            for number, each in enumerate(self._several(x, "inputs"))
        ]
        shapes = [each.shape for each in inputs]
        if len(set(shapes)) > 1 or len(shapes[0]) > 2 or shapes[0][1:] not in ((), (1,)):
            raise ValueError(
                f"{self._call}: expected inputs of the same shape, (batch,) or (batch, 1), got {shapes}"
            )
        for number, each in enumerate(inputs):
            if not is_text(each) and each.dtype.kind not in "iu" and each.size:
                raise TypeError(
                    f"{self._call}: input {number}: expected text or integers, got dtype {each.dtype}"
                )
        return inputs

    def _several(self, x: Any, what: str) -> Sequence[Any]:
        if not isinstance(x, (list, tuple)) or len(x) < 2:
            raise TypeError(
                f"{self._call}: expected a list of at least two {what}, got {short_repr(x)}"
            )
        return x

    def _transform(self, values: list[Array]) -> Array:
        hashes = np.full(values[0].size, _CROSSING_KEY, np.uint64)
        for each in values:
            if is_text(each):
                texts = as_bytes(each.ravel().tolist(), self._call)
                hashes = combine_fingerprints(hashes, fingerprint64(texts))
            else:
                hashes = combine_fingerprints(hashes, each.ravel().astype(np.uint64))
        ids = (hashes % np.uint64(self.num_bins)).astype(np.int64)
        return self._encoded(ids.reshape(values[0].shape))

    def _depth(self) -> int:
        return self.num_bins


def hash_bins(strings: Sequence[bytes], bins: int, salt: Sequence[int] | None) -> Array:
    """Return the bin of each string, of FarmHash or, with a salt, of SipHash."""
    hashes = fingerprint64(strings) if salt is None else siphash24(strings, (salt[0], salt[1]))
    bins_of: Array = (hashes % np.uint64(bins)).astype(np.int64)
    return bins_of


def as_salt(call: str, salt: Any) -> list[int] | None:
    """Return a salt as two integers."""
    if salt is None:
        return None
    pair = [salt, salt] if is_integer(salt) else salt
    if not isinstance(pair, (list, tuple)) or not all(map(is_integer, pair)):
        raise TypeError(f"{call}: salt: expected an integer or two, got {short_repr(salt)}")
    if len(pair) != 2:
        raise ValueError(f"{call}: salt: expected an integer or two, got {short_repr(salt)}")
    return [as_integer_token(f"{call}: salt", part) for part in pair]


def _as_value(argument: str, value: Any) -> str | int | float | None:
    """Return text or a finite number; bytes become text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError(f"{argument}: expected UTF-8, got {short_repr(value)}") from None
    if is_integer(value):
        return as_integer_token(argument, value)
    if not isinstance(value, (float, np.floating)):
        raise TypeError(f"{argument}: expected text or a number, got {short_repr(value)}")
    return as_number(argument, value)


def _spellings(value: Any) -> tuple[Any, ...]:
    """Return the forms that a value may have in data."""
    return (value, value.encode()) if isinstance(value, str) else (value,)


def _as_bytes(items: Sequence[Any], call: str) -> list[bytes]:
    """Return the text that is hashed for each value."""
    if items and isinstance(items[0], bool):
        return [b"true" if item else b"false" for item in items]
    if items and isinstance(items[0], (int, float)):
        return [b"%d" % item for item in items]
    return as_bytes(items, call)
