"""The one place where what users pass becomes arrays that the core takes.

Data keeps its dtype and its strides: the core converts a batch at a time. Only what it can't read
(byte-swapped, long double, rows that are not evenly spaced) is copied here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .config import floatx

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.floating[Any]]


def as_array(value: Any, argument: str) -> Array:
    """Return `value` as an array of numbers; `argument` ("fit: x") names it in errors.

    Takes arrays, nested lists, and anything with `__array__` or DLPack.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{argument}: masked arrays are not supported; fill or drop what is masked")
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        array = np.from_dlpack(value)
    else:
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise ValueError(f"{argument}: rows of different lengths ({error})") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{argument}: expected numbers, got {type(value).__name__} of dtype {array.dtype}"
        )
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def as_samples(value: Any, argument: str, sample_shape: tuple[int, ...] | None = None) -> Array:
    """Return `value` as (samples, …); with a sample shape, check it and flatten to two dimensions.

    A single dimension is taken as samples of one feature, as Keras takes it.
    """
    array = as_array(value, argument)
    if array.ndim == 0:
        raise ValueError(f"{argument}: expected an array of samples, got the single number {array}")
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if sample_shape is None:
        return array
    if array.shape[1:] != sample_shape:
        expected = shape_text((None, *sample_shape))
        raise ValueError(f"{argument}: expected shape {expected}, got {array.shape}")
    return array.reshape(len(array), int(np.prod(sample_shape)))


def as_labels(
    value: Any, argument: str, classes: int, *, sparse: bool, are_classes: bool = True
) -> Array:
    """Return labels as the trainer takes them: integer ids (samples, 1) or rows (samples, classes)."""
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


def as_ids(array: Array, argument: str) -> Array:
    """Return class ids as integers; floats are taken where they are whole numbers."""
    if array.dtype.kind != "f":
        return array
    with np.errstate(invalid="ignore"):
        ids = array.astype(np.int64)
    wrong = np.flatnonzero(ids != array)
    if wrong.size:
        row = wrong[0]
        raise ValueError(f"{argument}: {array.flat[row]} at row {row} is not a class id")
    return ids


def as_weights(value: Any, argument: str, samples: int, dtype: str) -> FloatArray:
    """Return how much each sample counts, (samples,), as the trainer takes it."""
    array = as_array(value, argument)
    if array.shape not in ((samples,), (samples, 1)):
        raise ValueError(f"{argument}: expected shape ({samples},), got {array.shape}")
    with np.errstate(over="ignore"):  # refused below
        weights = np.require(array.reshape(samples), dtype=np.dtype(dtype), requirements=["C", "A"])
    wrong = np.flatnonzero(~np.isfinite(weights))
    if wrong.size:
        row = wrong[0]
        raise ValueError(f"{argument}: {array.flat[row]} at row {row} is not a finite {dtype}")
    return weights


def as_class_weights(
    value: Any, argument: str, ids: Array, classes: int | None, dtype: str
) -> FloatArray:
    """Return how much each sample counts by its class: what the mapping says, else 1.

    With a number of classes, the mapping may name no others.
    """
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{argument}: expected a dict of class to weight, got {type(value).__name__}"
        )
    for key, weight in value.items():
        if isinstance(key, bool) or not isinstance(key, (int, np.integer)):
            raise TypeError(f"{argument}: expected classes as integers, got {key!r}")
        if classes is not None and not 0 <= key < classes:
            raise ValueError(f"{argument}: class {key} is outside [0, {classes})")
        with np.errstate(over="ignore"):
            rounded = np.dtype(dtype).type(as_number(f"{argument}[{key}]", weight))
        if not np.isfinite(rounded):
            raise ValueError(f"{argument}[{key}]: {weight} is not a finite {dtype}")
    if not value:
        return np.ones(len(ids), dtype)
    named = np.array(sorted(value))
    place = np.searchsorted(named, ids).clip(max=len(named) - 1)
    weights: FloatArray = np.array([value[key] for key in sorted(value)], dtype)[place]
    weights[named[place] != ids] = 1
    return weights


def as_floats(call: str, **arrays: Any) -> list[FloatArray]:
    """Return arguments of an op as C-contiguous arrays of one floating-point type.

    Arrays of float32 and float64 decide it, the wider winning; all else (integers, lists, half
    precision) becomes `cnet.config.floatx()`.
    """
    found = {name: as_array(value, f"{call}: {name}") for name, value in arrays.items()}
    decisive = [
        found[name].dtype
        for name, value in arrays.items()
        if hasattr(value, "dtype") and found[name].dtype in (np.float32, np.float64)
    ]
    dtype = np.result_type(*decisive) if decisive else np.dtype(floatx())
    return [np.require(array, dtype=dtype, requirements=["C", "A"]) for array in found.values()]


def as_number(argument: str, value: Any, *, least: float | None = None) -> float:
    """Return `value` as a float; `TypeError` unless it is a number, which text never is."""
    try:
        number = None if isinstance(value, (str, bytes)) else float(value)
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise TypeError(f"{argument}: expected a number, got {value!r}")
    if least is not None and not number >= least:
        raise ValueError(f"{argument}: expected a number of at least {least}, got {value!r}")
    return number


def as_count(argument: str, value: Any, *, least: int = 0) -> int:
    """Return `value` as an integer in [least, 2⁶³)."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{argument}: expected an integer, got {value!r}")
    if not least <= value < 2**63:
        raise ValueError(f"{argument}: expected an integer in [{least}, 2**63), got {value}")
    return int(value)


def refuse(call: str, name: str, value: Any, default: Any = None) -> Any:
    """Return the default of an argument that cnet does not have; raise for any other value."""
    if value is not False and not (type(value) is type(default) and value == default):
        raise ValueError(f"{call}: {name} is not supported, got {value!r}")
    return default


def shape_text(shape: tuple[int | None, ...]) -> str:
    """Return a shape for a message, "batch" standing for the samples' axis."""
    sizes = ["batch" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)})" if len(sizes) != 1 else f"({sizes[0]},)"
