"""Conversion of user data to arrays that the core takes.

Arrays keep their dtype and strides, as the core converts one batch at a time. Only layouts that the
core can't read (byte-swapped, long double, unevenly spaced rows) are copied here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._errors import short_repr
from ._frames import as_array_of_columns, is_frame
from ._input_errors import describe_non_array, locate_non_number
from ._typing import Array as Array  # noqa: PLC0414 # for others to import
from ._typing import FloatArray as FloatArray  # noqa: PLC0414 # as above
from ._typing import Shape
from .config import floatx

# The dtypes that the core reads directly.
_READY = frozenset(map(np.dtype, "?bBhHiIqQlLefd"))
_FLOATS = frozenset(map(np.dtype, "fd"))


def as_array(value: Any, argument: str) -> Array:
    """Return `value` as an array of numbers; `argument` ("fit: x") names it in errors.

    Accepts arrays, nested lists, and anything with `__array__` or DLPack. The memory of an array can't
    be resized while the returned array, or a view of it, lives.
    """
    if type(value) is np.ndarray and value.dtype in _READY and value.size:
        return _core.unresizable_view(value)
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{argument}: masked arrays are not supported; fill or drop masked values")
    if not isinstance(value, (np.ndarray, np.generic, list, tuple)) and (
        what := describe_non_array(value)
    ):
        raise TypeError(f"{argument}: expected numbers, got {what}")
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        array = np.from_dlpack(value)
    else:
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise ValueError(f"{argument}: rows of different lengths ({error})") from None
    if array.dtype.kind == "O" and is_frame(value):
        array = as_array_of_columns(value, argument)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{argument}: expected numbers, got {type(value).__name__} of dtype {array.dtype}"
            f"{_hint(array)}"
        )
    # Without rows the work still grows with the columns.
    if array.size == 0 and max(array.shape) >= 2**31:
        raise ValueError(f"{argument}: expected numbers, got none in shape {array.shape}")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = as_type(array, np.float64)
    return _core.unresizable_view(array.astype(array.dtype.newbyteorder("="), copy=False))


def _hint(array: Array) -> str:
    """Return a hint for an array whose dtype isn't numeric, "" if there is none."""
    kind = array.dtype.kind
    if kind == "O" and array.ndim:
        return locate_non_number(array) or "; all are numbers: use astype(float)"
    if array.dtype.names:
        return "; numpy.lib.recfunctions.structured_to_unstructured joins its fields"
    hints = {
        **dict.fromkeys("SU", "encode text as numbers, or convert it with astype(float)"),
        **dict.fromkeys("mM", "convert times to numbers, such as days since a date"),
        "c": "pass real and imaginary parts as two columns",
    }
    return f"; {hints[kind]}" if kind in hints else ""


def as_type(array: Array, dtype: npt.DTypeLike) -> FloatArray:
    """Return an array of a dtype, C-contiguous and aligned; numbers that are too large become inf."""
    if array.dtype == dtype:
        flags = array.flags
        if flags.c_contiguous and flags.aligned and type(array) is np.ndarray:
            return array
        return np.require(array, requirements=["C", "A"])
    with np.errstate(over="ignore"):
        return np.require(array, dtype=dtype, requirements=["C", "A"])


def is_dataset(x: Any) -> bool:
    """Return True if `x` has the methods of a `PyDataset`."""
    has_count = hasattr(x, "num_batches") or hasattr(x, "__len__")
    return has_count and hasattr(x, "__getitem__") and hasattr(x, "on_epoch_end")


def yields_batches(x: Any) -> bool:
    """Return True if `x` yields batches, False if it holds samples."""
    if is_dataset(x):
        return True
    if hasattr(x, "__array__") or hasattr(x, "__dlpack__") or describe_non_array(x):
        return False
    return isinstance(x, Iterable) and not isinstance(x, (Sequence, Mapping, AbstractSet))


def as_samples(value: Any, argument: str, sample_shape: Shape | None = None) -> Array:
    """Return `value` as (samples, …); with a sample shape, as `samples_in_shape` does.

    A one-dimensional array holds samples of one feature, as in Keras.
    """
    array = as_array(value, argument)
    if array.ndim == 0:
        raise ValueError(f"{argument}: expected an array of samples, got the single number {array}")
    if sample_shape is not None:
        return samples_in_shape(array, argument, sample_shape)
    return array[:, np.newaxis] if array.ndim == 1 else array


def samples_in_shape(array: Array, argument: str, sample_shape: Shape) -> Array:
    """Return samples as a matrix with a row for each; as they are, if sizes of the shape are None.

    Samples of one number may be an array of one dimension or two.

    Raises
    ------
    ValueError
        If the samples have another shape.
    """
    given = array
    if array.ndim == 1 and sample_shape == (1,):
        array = array[:, np.newaxis]
    elif array.ndim == 2 and array.shape[1] == 1 and sample_shape == ():
        array = array[:, 0]
    fits = array.ndim == len(sample_shape) + 1 and all(
        expected in (None, size)
        for size, expected in zip(array.shape[1:], sample_shape, strict=True)
    )
    if not fits:
        expected = shape_text((None, *sample_shape))
        is_sample = given.ndim == len(sample_shape) and len(given.shape) > 0
        is_sample = is_sample and all(
            size in (None, n) for n, size in zip(given.shape, sample_shape, strict=True)
        )
        hint = "; for one sample pass x[None]" if is_sample else ""
        raise ValueError(f"{argument}: expected shape {expected}, got {given.shape}{hint}")
    if None in sample_shape:
        return array
    return array.reshape(len(array), math.prod(array.shape[1:]))


def unwrap_single_input(value: Any, ndim: int | None = None) -> Any:
    """Return the array in a list of one: Keras's form for the only input of a model.

    The array has `ndim` dimensions, by default at least two. Other lists are lists of samples.
    """
    if not isinstance(value, (list, tuple)) or len(value) != 1:
        return value
    dimensions = getattr(value[0], "ndim", 0)
    is_input = dimensions >= 2 if ndim is None else dimensions == ndim
    return value[0] if is_input else value


def as_labels(
    value: Any, argument: str, classes: int, *, sparse: bool, are_classes: bool = True
) -> Array:
    """Return labels for the trainer: integer ids (samples, 1) or rows (samples, classes)."""
    array = as_samples(value, argument)
    if sparse:
        if array.shape[1:] != (1,):
            raise ValueError(
                f"{argument}: expected integer class ids of shape (batch,), got shape "
                f"{np.shape(value)}; for one-hot labels use categorical_crossentropy"
            )
        return as_ids(array, argument)
    if array.shape[1:] != (classes,):
        kind = "one-hot labels" if are_classes else "numbers"
        hint = "; for integer ids use sparse_categorical_crossentropy" if are_classes else ""
        raise ValueError(
            f"{argument}: expected {kind} of shape (batch, {classes}), got shape {np.shape(value)}{hint}"
        )
    return array


def as_ids(
    array: Array, argument: str, kind: str = "a class id", bound: int | None = None
) -> Array:
    """Return ids as integers; floats must be whole numbers. With a bound, check that they are in [0, bound)."""
    ids = array
    if array.dtype.kind == "b":
        ids = array.view(np.uint8)
    elif array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            ids = array.astype(np.int64)
        _refuse(array, ids != array, argument, f"is not {kind}")
    if bound is not None:
        _refuse(array, (ids < 0) | (ids >= bound), argument, f"is outside [0, {bound})")
    return ids


def _refuse(array: Array, are_wrong: Array, argument: str, what: str) -> None:
    """Raise `ValueError` for the first number that is wrong."""
    wrong = np.flatnonzero(are_wrong)
    if wrong.size:
        columns = math.prod(array.shape[1:])
        row, column = divmod(wrong[0], columns)
        place = f"row {row}, column {column}" if columns > 1 else f"row {row}"
        raise ValueError(f"{argument}: {array.reshape(-1)[wrong[0]]} at {place} {what}")


def as_weights(value: Any, argument: str, samples: int, dtype: str) -> FloatArray:
    """Return sample weights (samples,) for the trainer."""
    array = as_array(value, argument)
    if array.shape not in ((samples,), (samples, 1)):
        raise ValueError(f"{argument}: expected shape ({samples},), got {array.shape}")
    weights = as_type(array.reshape(samples), dtype)
    wrong = np.flatnonzero(~np.isfinite(weights))
    if wrong.size:
        row = wrong[0]
        raise ValueError(
            f"{argument}: {array.reshape(-1)[row]} at row {row} is not a finite {dtype}"
        )
    return weights


def as_class_weights(
    value: Any, argument: str, ids: Array, classes: int | None, dtype: str
) -> FloatArray:
    """Return the weight of each sample by its class, 1 for classes that the mapping lacks.

    Given a number of classes, the mapping may contain no other class.
    """
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{argument}: expected a dict of class to weight, got {type(value).__name__}"
        )
    for key, weight in value.items():
        is_number = isinstance(key, (int, float, np.number, np.bool_))
        if not is_number or isinstance(key, np.timedelta64):
            raise TypeError(f"{argument}: expected classes as integers, got {short_repr(key)}")
        if key != key // 1:
            raise ValueError(
                f"{argument}: expected classes as whole numbers, got {short_repr(key)}"
            )
        if classes is not None and not 0 <= key < classes:
            raise ValueError(f"{argument}: class {key} is outside [0, {classes})")
        with np.errstate(over="ignore"):
            rounded = np.dtype(dtype).type(as_number(f"{argument}[{key}]", weight, infinite=True))
        if not np.isfinite(rounded):
            raise ValueError(f"{argument}[{key}]: {weight} is not a finite {dtype}")
    if not value:
        return np.ones(len(ids), dtype)
    named = np.array(sorted(value)).astype(np.int64)
    index = np.searchsorted(named, ids).clip(max=len(named) - 1)
    weights: FloatArray = np.array([value[key] for key in sorted(value)], dtype)[index]
    weights[named[index] != ids] = 1
    return weights


def as_floats(call: str, **arrays: Any) -> list[FloatArray]:
    """Return arguments of an op as C-contiguous arrays of one floating-point type.

    The type is the widest of the float32 and float64 arrays; without any (integers, lists, half
    precision) it is `cnet.config.floatx()`.
    """
    if len(arrays) == 1:
        (value,) = arrays.values()
        if type(value) is np.ndarray and value.dtype in _FLOATS and value.size:
            return [as_type(_core.unresizable_view(value), value.dtype)]
    found = {name: as_array(value, f"{call}: {name}") for name, value in arrays.items()}
    decisive = [
        found[name].dtype
        for name, value in arrays.items()
        if hasattr(value, "dtype") and found[name].dtype in (np.float32, np.float64)
    ]
    dtype = np.result_type(*decisive) if decisive else np.dtype(floatx())
    return [as_type(array, dtype) for array in found.values()]


def as_number(
    argument: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    infinite: bool = False,
) -> float:
    """Return `value` as a float in [least, most], not NaN and, unless `infinite`, finite.

    Raises `TypeError` for values that aren't numbers: text, masked arrays, arrays with dimensions.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        plain = value.ndim == 0 and not isinstance(value, np.ma.MaskedArray)
        is_number = plain and value.dtype.kind in "biuf"
    else:
        is_number = hasattr(value, "__float__") or hasattr(value, "__index__")
    number: float | None = None
    if is_number:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        except (TypeError, ValueError):
            pass  # reported below
    if number is None:
        raise TypeError(f"{argument}: expected a number, got {short_repr(value)}")
    low, high = (-math.inf if least is None else least), (math.inf if most is None else most)
    inside = low <= number <= high and (above is None or number > above)
    if not inside or (math.isinf(number) and not infinite):
        limits = "" if least is None else f" of at least {least}"
        limits = limits if above is None else f" above {above}"
        limits = limits if most is None else f" in [{low}, {high}]"
        endless = math.isinf(number) and not limits and not infinite
        kind = "a finite number" if endless else "a number"
        raise ValueError(f"{argument}: expected {kind}{limits}, got {short_repr(value)}")
    return number


def as_numbers(
    argument: str, values: Any, *, least: float | None = None, most: float | None = None
) -> list[float]:
    """Return a list or one-dimensional array of numbers as floats in [least, most]."""
    array = as_array(values, argument)
    if array.ndim != 1:
        raise TypeError(f"{argument}: expected a list of numbers, got {short_repr(values)}")
    numbers = as_type(array, np.float64).tolist()
    return [as_number(argument, number, least=least, most=most) for number in numbers]


def as_fraction(argument: str, value: Any) -> float:
    """Return `value` as a float in [0, 1]."""
    return as_number(argument, value, least=0, most=1)


def is_integer(value: Any) -> bool:
    """Return True for integers, but not for bool or `np.timedelta64`."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64))


def as_count(argument: str, value: Any, *, least: int = 0) -> int:
    """Return `value` as an integer in [least, 2⁶³)."""
    if not is_integer(value):
        raise TypeError(f"{argument}: expected an integer, got {short_repr(value)}")
    if not least <= value < 2**63:
        raise ValueError(
            f"{argument}: expected an integer in [{least}, 2**63), got {short_repr(value)}"
        )
    return int(value)


def as_optional_count(argument: str, value: Any, *, least: int = 1) -> int | None:
    """Return None for None, else `value` as an integer in [least, 2⁶³)."""
    return None if value is None else as_count(argument, value, least=least)


def as_text(argument: str, value: Any) -> str:
    """Return `value` if it is text that UTF-8 can encode; raise otherwise."""
    if not isinstance(value, str):
        raise TypeError(f"{argument}: expected text, got {short_repr(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{argument}: expected text, got half surrogates: {short_repr(value)}"
        ) from None
    return str(value)


def as_shape(argument: str, value: Any, *, least: int = 0) -> tuple[int, ...]:
    """Return a shape as a tuple of ints; all sizes are at least `least`, their product below 2⁶³."""
    if not isinstance(value, (tuple, list)) or not all(map(is_integer, value)):
        raise TypeError(
            f"{argument}: expected a shape (a tuple of integers), got {short_repr(value)}"
        )
    shape = tuple(int(size) for size in value)
    if min(shape, default=least) < least:
        sizes = "positive sizes" if least else "sizes of at least 0"
        raise ValueError(f"{argument}: expected a shape of {sizes}, got {short_repr(shape)}")
    if math.prod(shape) >= 2**63:
        raise ValueError(
            f"{argument}: expected less than 2**63 numbers, got shape {short_repr(shape)}"
        )
    return shape


def require_default(call: str, name: str, value: Any, default: Any = None) -> Any:
    """Return the default of an unsupported argument; raise `ValueError` for any other value."""
    if value is not False and not (type(value) is type(default) and value == default):
        raise ValueError(f"{call}: {name} is not supported, got {short_repr(value)}")
    return default


def shape_text(shape: tuple[int | None, ...]) -> str:
    """Return a shape as text, with "batch" for None in the first place."""
    sizes = ["batch" if (size, n) == (None, 0) else str(size) for n, size in enumerate(shape)]
    return f"({', '.join(sizes)})" if len(sizes) != 1 else f"({sizes[0]},)"
