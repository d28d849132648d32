"""Conversion of user data to tokens: the text or the integers that layers of categories take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from .._data import Array, as_array, is_integer, samples_in_shape
from .._errors import short_repr
from .._input_errors import describe_non_array, is_missing
from .._typing import Shape

__all__ = [
    "as_bytes",
    "as_integer_token",
    "as_integers",
    "as_strings",
    "as_text_samples",
    "as_tokens",
    "ids_by",
    "ids_of",
    "is_text",
    "place",
]


def is_text(array: Array) -> bool:
    """Return True if a result of `as_tokens` holds text."""
    return array.dtype.kind in "USTO"


def as_tokens(value: Any, argument: str) -> Array:
    """Return `value` as an array of text (dtype kinds U, S, T and O) or of numbers.

    Raises
    ------
    TypeError
        If it holds both, missing values, or anything else.
    ValueError
        If rows have different lengths.
    """
    if isinstance(value, (str, bytes, list, tuple)):
        array = _as_objects(value, argument)
    elif what := describe_non_array(value):
        raise TypeError(f"{argument}: expected text or numbers, got {what}")
    elif hasattr(value, "__array__") and not isinstance(value, np.ma.MaskedArray):
        array = np.asarray(value)
    else:
        return as_array(value, argument)
    if array.dtype.kind in "US":
        return array
    if array.dtype.kind not in "TO":
        return as_array(value, argument)
    items = array.ravel().tolist()
    kinds = set(map(type, items))
    wrong = {kind for kind in kinds if not issubclass(kind, (str, bytes))}
    if not wrong:
        return array
    at = next(n for n, item in enumerate(items) if type(item) in wrong)
    if wrong & {list, tuple, np.ndarray}:
        raise ValueError(f"{argument}: rows of different lengths, got {short_repr(items[at])}")
    if wrong == kinds:
        return as_array(value, argument)
    where = place(array.shape, at)
    if is_missing(items[at]):
        raise TypeError(
            f"{argument}: a value is missing{where}; replace missing values, for example by fillna('')"
        )
    raise TypeError(
        f"{argument}: expected text only or numbers only, got {short_repr(items[at])}{where}"
    )


def as_strings(value: Any, argument: str, encoding: str = "utf-8") -> Array:
    """Return text as an array of `str`; bytes are decoded."""
    array = as_tokens(value, argument)
    if not is_text(array) and array.size:
        raise TypeError(
            f"{argument}: expected text, got numbers of dtype {array.dtype}; layers.IntegerLookup takes "
            "integers, and astype(str) makes text of numbers"
        )
    if array.dtype.kind not in "SO":
        return array
    items = array.ravel().tolist()
    if set(map(type, items)) <= {str}:
        return array
    texts = np.empty(len(items), object)
    index = 0
    try:
        for index, item in enumerate(items):
            texts[index] = item.decode(encoding) if isinstance(item, bytes) else str(item)
    except UnicodeDecodeError:
        raise ValueError(
            f"{argument}: expected text in {encoding}, got {short_repr(items[index])}"
            f"{place(array.shape, index)}"
        ) from None
    return texts.reshape(array.shape)


def as_text_samples(value: Any, argument: str, sample_shape: Shape) -> Array:
    """Return text as `samples_in_shape` returns numbers."""
    return samples_in_shape(as_tokens(value, argument), argument, sample_shape)


def as_bytes(texts: Sequence[str | bytes], argument: str) -> list[bytes]:
    """Return text in UTF-8; bytes are unchanged."""
    try:
        return [text if isinstance(text, bytes) else text.encode() for text in texts]
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{argument}: expected text, got half surrogates: {short_repr(error.object)}"
        ) from None


def as_integers(value: Any, argument: str) -> Array:
    """Return whole numbers as int64."""
    array = as_tokens(value, argument)
    if array.size == 0:
        return np.empty(array.shape, np.int64)
    if is_text(array):
        raise TypeError(f"{argument}: expected integers, got text; layers.StringLookup takes text")
    with np.errstate(invalid="ignore"):
        integers = array.astype(np.int64, copy=False)
        wrong = integers != array
    if array.dtype.kind == "f":  # some CPUs convert large numbers to the largest integer
        wrong |= ~(np.abs(array.astype(np.float64)) < 2.0**63)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{argument}: expected integers in [-2**63, 2**63), got {array.ravel()[at]}"
            f"{place(array.shape, at)}"
        )
    return integers


def as_integer_token(argument: str, value: Any) -> int:
    """Return an integer of 64 bits."""
    if not is_integer(value):
        raise TypeError(f"{argument}: expected an integer, got {short_repr(value)}")
    if not -(2**63) <= value < 2**63:
        raise ValueError(
            f"{argument}: expected an integer in [-2**63, 2**63), got {short_repr(value)}"
        )
    return int(value)


def ids_of(tokens: Array, known: Mapping[Any, int], default: int) -> Array:
    """Return the id of each token, `default` for those that aren't `known`."""

    def find(items: list[Any]) -> Array:
        return np.fromiter(map(known.get, items, repeat(default)), np.int64, len(items))

    if is_text(tokens):
        return find(tokens.ravel().tolist()).reshape(tokens.shape)
    return ids_by(find, tokens)  # NumPy finds equal numbers faster


def ids_by(function: Callable[[list[Any]], Array], tokens: Array) -> Array:
    """Return the ids that a function returns for a list, calling it with each token once."""
    if is_text(tokens):
        items = tokens.ravel().tolist()
        different = list(dict.fromkeys(items))
        known = dict(zip(different, function(different).tolist(), strict=True))
        ids = np.fromiter(map(known.__getitem__, items), np.int64, len(items))
    else:
        values, places = np.unique(tokens, return_inverse=True)
        ids = function(values.tolist())[places.reshape(-1)]
    return ids.reshape(tokens.shape)


def place(shape: tuple[int, ...], index: int) -> str:
    """Return the row, and the column, of an element as text: " at row 3, column 1"."""
    if not shape:
        return ""
    row, *columns = map(int, np.unravel_index(index, shape))
    return f" at row {row}" + (f", column {', '.join(map(str, columns))}" if columns else "")


def _as_objects(value: Any, argument: str) -> Array:
    try:
        return np.array(value, dtype=object)
    except ValueError as error:
        raise ValueError(f"{argument}: rows of different lengths ({error})") from None
