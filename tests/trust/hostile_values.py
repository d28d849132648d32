"""Values that no call expects, with descriptive names.

`hostile` makes each value from random numbers only, so that a seed reproduces it.
"""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class UserError(Exception):
    """The error that hostile objects raise, as user code would; every call may propagate it."""


@dataclass(frozen=True)
class Hostile:
    """A value, and its allowed effects.

    Attributes
    ----------
    is_huge : bool
        The value requires more memory than there is: `MemoryError` is allowed.
    is_batches : bool
        The value yields batches, and the model learns from those before the invalid one.
    """

    name: str
    value: Any
    is_huge: bool = False
    is_batches: bool = False


class Subclass(np.ndarray[Any, Any]):
    """A subclass of ndarray."""


class Raising:
    """An object whose every method raises."""

    def _raise(self, *_: Any, **__: Any) -> Any:
        raise UserError

    __array__ = __len__ = __getitem__ = __iter__ = __float__ = __int__ = __index__ = _raise
    __bool__ = __eq__ = __call__ = __fspath__ = __str__ = __repr__ = _raise
    __hash__ = object.__hash__


class ArrayOf:
    """An object whose `__array__` returns a given value."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        del dtype, copy
        return self._value


class LyingIndex:
    """An integer with a different value at each call."""

    def __init__(self) -> None:
        self._asked = 0

    def __index__(self) -> int:
        self._asked += 1
        return (3, -1, 2**62, 0)[self._asked % 4]

    __int__ = __index__

    def __float__(self) -> float:
        return float(self.__index__())


class NoIndex:
    """An object whose `__index__` returns text."""

    def __index__(self) -> Any:
        return "a"  # noqa: PLE0305 # a lie

    def __float__(self) -> Any:
        return "a"


class LyingLength:
    """A sequence with a false length."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> float:
        if index >= 3:
            raise IndexError
        return float(index)


def raising_generator() -> Iterator[Any]:
    """Yield a valid batch, and then raise."""
    yield np.ones((8, 4), np.float32), np.zeros(8, np.int64)
    raise UserError


def batches_of(value: Any) -> Iterator[Any]:
    """Yield a valid batch, and then the given one."""
    yield np.ones((8, 4), np.float32), np.zeros(8, np.int64)
    yield value


def nested(depth: int) -> Any:
    """Return nested lists."""
    value: Any = 1.0
    for _ in range(depth):
        value = [value]
    return value


def endless() -> Any:
    """Return a list that contains itself."""
    value: list[Any] = []
    value.append(value)
    return value


OBJECTS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "False": lambda: False,
    "3": lambda: 3,
    "'a'": lambda: "a",
    "''": lambda: "",
    "'nul'": lambda: "a\0b",
    "'surrogate'": lambda: "\ud800",
    "long text": lambda: "a" * 5000,
    "'relu'": lambda: "relu",
    "b''": lambda: b"",
    "b'12'": lambda: b"12",
    "bytearray": lambda: bytearray(b"12345678"),
    "memoryview": lambda: memoryview(b"12345678"),
    "object()": object,
    "object": lambda: object,
    "int": lambda: int,
    "len": lambda: len,
    "lambda": lambda: lambda *_, **__: None,
    "lambda of text": lambda: lambda *_, **__: "a",
    "[]": list,
    "()": tuple,
    "{}": dict,
    "set": lambda: {1, 2},
    "[None]": lambda: [None],
    "['a']": lambda: ["a"],
    "[1, 2]": lambda: [1, 2],
    "(3,)": lambda: (3,),
    "(-1,)": lambda: (-1,),
    "(0,)": lambda: (0,),
    "(None, 4)": lambda: (None, 4),
    "(None, None)": lambda: (None, None),
    "[[1], [2, 3]]": lambda: [[1], [2, 3]],
    "{'a': 1}": lambda: {"a": 1},
    "{0: nan}": lambda: {0: float("nan")},
    "{2**70: 1}": lambda: {2**70: 1.0},
    "config of nothing": lambda: {"class_name": "Nothing", "config": {}},
    "config of no class": lambda: {"class_name": ["Dense"], "config": {}},
    "config of no dict": lambda: {"class_name": "Dense", "config": 3},
    "config with a wrong name": lambda: {"class_name": "L2", "config": {"l3": 1}},
    "1j": lambda: 1j,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "-1": lambda: -1,
    "0": lambda: 0,
    "1e300": lambda: 1e300,
    "1e39": lambda: 1e39,
    "1e-320": lambda: 1e-320,
    "1.5": lambda: 1.5,
    "-0.5": lambda: -0.5,
    "10**400": lambda: 10**400,
    "-(10**400)": lambda: -(10**400),
    "10**5000": lambda: 10**5000,
    "Fraction": lambda: fractions.Fraction(10**400, 3),
    "Decimal": lambda: decimal.Decimal("1e400"),
    "Decimal NaN": lambda: decimal.Decimal("NaN"),
    "date": lambda: dt.date(2020, 1, 1),
    "slice": lambda: slice(3),
    "Ellipsis": lambda: ...,
    "range": lambda: range(8),
    "np.float32": lambda: np.float32(1.5),
    "np.float16 inf": lambda: np.float16(np.inf),
    "np.int8": lambda: np.int8(-1),
    "np.uint64": lambda: np.uint64(2**64 - 1),
    "np.bool": lambda: np.bool_(True),
    "np.str_": lambda: np.str_("a"),
    "np.longdouble": lambda: np.longdouble("1e400"),
    "np.datetime64": lambda: np.datetime64("NaT"),
    "np.dtype": lambda: np.dtype("float32"),
    "np.void": lambda: np.void(b"abc"),
    "np.ma.masked": lambda: np.ma.masked,
    "Raising": Raising,
    "NoIndex": NoIndex,
    "LyingIndex": LyingIndex,
    "LyingLength": lambda: LyingLength(8),
    "endless list": endless,
    "deep list": lambda: nested(70),
    "very deep list": lambda: nested(2000),
    "__array__ of None": lambda: ArrayOf(None),
    "__array__ of a list": lambda: ArrayOf([1.0]),
    "__array__ of objects": lambda: ArrayOf(np.array([None])),
}
# Iterators: as x they yield batches.
BATCHES: dict[str, Callable[[], Any]] = {
    "generator": lambda: (n for n in range(3)),
    "empty generator": lambda: iter(()),
    "raising generator": raising_generator,
    "generator of None": lambda: batches_of(None),
    "generator of four parts": lambda: batches_of((1, 2, 3, 4)),
    "generator of other widths": lambda: batches_of((np.ones((8, 5)), np.zeros(8))),
    "generator of labels too large": lambda: batches_of((np.ones((8, 4)), np.full(8, 9))),
    "generator of Raising": lambda: batches_of((Raising(), Raising())),
}
HUGE: dict[str, Callable[[], Any]] = {
    **{f"2**{n}": lambda n=n: 2**n for n in (31, 32, 33, 40, 61, 62, 64, 200)},
    "2**63 - 1": lambda: 2**63 - 1,
    "2**63": lambda: 2**63,
    "-(2**63)": lambda: -(2**63),
    "(2**40, 2**40)": lambda: (2**40, 2**40),
    "(2**62,)": lambda: (2**62,),
    "(2**33, 4)": lambda: (2**33, 4),
    "(None, 2**62)": lambda: (None, 2**62),
    "(None, 2**40, 2**40)": lambda: (None, 2**40, 2**40),
    "(2**64,)": lambda: (2**64,),
    "huge rows": lambda: np.broadcast_to(np.float32(1), (2**40, 4)),
    "huge vector": lambda: np.broadcast_to(np.float32(1), (2**60,)),
    "huge bytes": lambda: np.broadcast_to(np.uint8(1), (2**62, 1)),
    "huge features": lambda: np.broadcast_to(np.float32(1), (8, 2**40)),
    "huge cube": lambda: np.broadcast_to(np.float64(0), (2**20, 2**20, 2**19)),
    "huge big-endian": lambda: np.broadcast_to(np.array(1, ">f4"), (2**40, 4)),
    "huge and empty": lambda: np.empty((0, 2**60), np.int8),
    "LyingLength 2**62": lambda: LyingLength(2**62),
}

SHAPES: list[tuple[int, ...]] = [
    *((8, 4), (8, 4), (8, 3), (8,), (8, 1), (3,), (4, 3), (1, 4), (7, 4), (9,)),
    *((), (0,), (0, 4), (8, 0), (0, 0), (2, 2, 2), (8, 4, 1), (8, 2, 2), (1, 8, 4, 1)),
    *((1,) * 5, (2,) * 6, (1,) * 32, (1,) * 33, (1,) * 64),
]
DTYPES = [
    *("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f4", "f8", "f8", "g"),
    *("F", "D", "G", "O", "S3", "U3", "V4", "M8[s]", "m8[ns]", ">f4", ">f8", ">i8", ">u2", ">f2"),
    *("f4,i4", "(2,)f4,f8"),
]
CONTENTS: dict[str, tuple[Any, ...]] = {
    "zeros": (0,),
    "ones": (1,),
    "ids": (0, 1, 2),
    "negative ids": (0, -1),
    "ids too large": (0, 3),
    "2**62": (2**62,),
    "2**63": (2.0**63, 0.0),
    "fractions": (0.5, 0.25),
    "NaN": (float("nan"), 1.0),
    "inf": (1.0, float("inf")),
    "-inf": (float("-inf"),),
    "1e30": (1e30, -1e30),
}


def unaligned(array: Array) -> Array:
    moved = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array


def matrix(array: Array) -> Array:
    return np.matrix(
        array.reshape(len(array), -1) if array.ndim and array.size else np.ones((8, 4))
    )


LAYOUTS: dict[str, Callable[[Array], Any]] = {
    "C": lambda a: a,
    "F": np.asfortranarray,
    "every other column": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "every third row": lambda a: np.repeat(a, 3, axis=0)[::3],
    "reversed": lambda a: np.flip(np.flip(a).copy()),
    "zero strides": lambda a: np.broadcast_to(a.reshape(-1)[:1].reshape(()), a.shape),
    "overlapping rows": lambda a: np.lib.stride_tricks.as_strided(
        a, a.shape, (a.strides[-1],) * a.ndim
    ),
    "unaligned": unaligned,
    "read-only": read_only,
    "subclass": lambda a: a.view(Subclass),
    "masked": lambda a: np.ma.masked_array(a, np.zeros(a.shape, bool)),
    "matrix": matrix,
    "list": lambda a: a.tolist(),
    "__array__": ArrayOf,
    "in a list": lambda a: [a],
    "pair": lambda a: (a, a),
}


def hostile_array(rng: Random) -> Hostile:
    """Return an array of some shape, dtype, content and layout."""
    shape, dtype = rng.choice(SHAPES), rng.choice(DTYPES)
    content, layout = rng.choice(list(CONTENTS)), rng.choice(list(LAYOUTS))
    name = f"{layout} {dtype}{list(shape) if len(shape) < 9 else len(shape)} of {content}"
    try:
        with np.errstate(all="ignore"):
            values = np.resize(np.array(CONTENTS[content]), shape).astype(dtype)
        return Hostile(name, LAYOUTS[layout](values))
    except (TypeError, ValueError, IndexError, OverflowError, AttributeError):  # there is none
        return Hostile(f"zeros {dtype}{len(shape)}", np.zeros(shape, dtype))


def hostile(rng: Random, *, huge: bool = True) -> Hostile:
    """Return any hostile value; `huge` ones only where they cannot cause endless work."""
    kind = rng.random()
    if kind < 0.45:
        return hostile_array(rng)
    tables = [OBJECTS, OBJECTS, OBJECTS, BATCHES, *([HUGE, HUGE] if huge else [])]
    table = rng.choice(tables)
    name = rng.choice(list(table))
    return Hostile(name, table[name](), is_huge=table is HUGE, is_batches=table is BATCHES)
