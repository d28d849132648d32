"""Operations that reorder, repeat or select elements along axes; encodings of class ids.

As in `shapes`, all differentiable ones are linear, and the VJP of each is its transpose.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..._data import Array
from ...config import floatx
from .operation import Value, number_type, operation
from .shapes import gather, positions, reshape, scatter_gather

__all__ = [
    "argsort",
    "flip",
    "one_hot",
    "pad",
    "part",
    "repeat",
    "roll",
    "sort",
    "take_along_axis",
    "tile",
    "top_k_indices",
    "tril",
    "triu",
    "unstack",
]

Axes: TypeAlias = "int | tuple[int, ...] | None"
Sections: TypeAlias = "int | Sequence[int]"


@operation(lambda grad, _, __, axis=None: flip(grad, axis))
def flip(x: Value, axis: Axes = None) -> Value:
    """Return `x` in reverse order along axes, by default all."""
    return np.flip(x, axis)


@operation(lambda grad, _, __, shift, axis=None: roll(grad, _negative(shift), axis))
def roll(x: Value, shift: int | Sequence[int], axis: Axes = None) -> Value:
    """Return `x` shifted along axes, by default of the flattened `x`; the end comes back at the start."""
    return np.roll(x, shift, axis)


def _negative(shift: int | Sequence[int]) -> Any:
    return np.negative(shift).tolist()


@operation(lambda grad, _, x, repeats: _untile(grad, x, repeats))
def tile(x: Value, repeats: Sections) -> Value:
    """Return `x` repeated as a whole along each axis."""
    return np.tile(x, repeats)


@operation(lambda grad, _, __, ___, repeats: tile(grad, repeats), None)
def _untile(x: Value, like: Value, repeats: Sections) -> Value:
    """Return the sum of the repetitions; `like` is the input of `tile`."""
    counts = np.atleast_1d(repeats).tolist()
    ndim = max(len(counts), np.ndim(like))
    counts = [1] * (ndim - len(counts)) + counts
    sizes = [1] * (ndim - np.ndim(like)) + list(np.shape(like))
    both = [size for pair in zip(counts, sizes, strict=True) for size in pair]
    return np.reshape(x, both).sum(axis=tuple(range(0, 2 * ndim, 2))).reshape(np.shape(like))


def repeat(x: Value, repeats: Sections, axis: int | None = None) -> Value:
    """Return `x` with each element repeated along an axis, by default of the flattened `x`.

    Parameters
    ----------
    x : array_like
    repeats : int or sequence of int
        For all elements of the axis, or for each.
    axis : int, optional
    """
    return _repeat(reshape(x, (-1,)), repeats, 0) if axis is None else _repeat(x, repeats, axis)


@operation(lambda grad, _, x, repeats, axis: _unrepeat(grad, x, repeats, axis))
def _repeat(x: Value, repeats: Sections, axis: int) -> Value:
    return np.repeat(x, repeats, axis)


@operation(lambda grad, _, __, ___, repeats, axis: _repeat(grad, repeats, axis), None)
def _unrepeat(x: Value, like: Value, repeats: Sections, axis: int) -> Value:
    """Return the sum of the repetitions of each element; `like` is the input of `_repeat`."""
    return scatter_gather(x, np.repeat(np.arange(like.shape[axis]), repeats), like, axis)


@operation(lambda grad, _, x, pad_width, mode="constant", **__: _unpad(grad, x, pad_width, mode))
def pad(x: Value, pad_width: Any, mode: str = "constant", constant_values: float = 0) -> Value:
    """Return `x` with elements added before and after those of each axis.

    Parameters
    ----------
    x : array_like
    pad_width : int, pair of int, or a pair for each axis
    mode : {"constant", "reflect", "symmetric"}, default "constant"
    constant_values : float, default 0
        Of the mode "constant".
    """
    if isinstance(pad_width, dict):
        raise TypeError("pad_width: expected pairs of numbers, got a dict")
    if mode == "constant":
        return np.pad(x, pad_width, constant_values=constant_values)
    if mode not in ("reflect", "symmetric"):
        raise ValueError(f"mode: expected 'constant', 'reflect' or 'symmetric', got {mode!r}")
    return np.pad(x, pad_width, mode=mode)  # type: ignore[call-overload] # one of two modes


@operation(lambda grad, _, __, ___, pad_width, mode: pad(grad, pad_width, mode), None)
def _unpad(x: Value, like: Value, pad_width: Any, mode: str) -> Value:
    """Return the sum of the copies of each element; `like` is the input of `pad`."""
    shape = np.shape(like)
    result = np.zeros(np.size(like) + 1, x.dtype)  # the last is for constants
    sources = np.arange(np.size(like)).reshape(shape)
    constants = {"constant_values": np.size(like)} if mode == "constant" else {}
    np.add.at(result, np.pad(sources, pad_width, mode=mode, **constants), x)  # type: ignore[call-overload] # as above
    return result[:-1].reshape(shape)


@operation(
    lambda grad, _, x, indices, axis: _scatter_along_axis(grad, indices, x, axis),
    None,
)
def _take_along_axis(x: Value, indices: Value, axis: int) -> Value:
    return np.take_along_axis(np.asarray(x), positions(indices), axis)


@operation(
    lambda grad, _, __, indices, ___, axis: _take_along_axis(grad, indices, axis), None, None
)
def _scatter_along_axis(x: Value, indices: Value, like: Value, axis: int) -> Value:
    """Return zeros of the shape of `like` with `x` added at the indices of `_take_along_axis`."""
    result = np.zeros(like.shape, x.dtype)
    sources = np.arange(result.size).reshape(result.shape)
    np.add.at(result.reshape(-1), np.take_along_axis(sources, positions(indices), axis), x)
    return result


def take_along_axis(x: Value, indices: Value, axis: int | None = -1) -> Value:
    """Return the elements of `x` at indices along an axis, None for the flattened `x`.

    The other axes of `indices` are those of `x`, as of the results of `argsort`.
    """
    if axis is None:
        return _take_along_axis(reshape(x, (-1,)), reshape(indices, (-1,)), 0)
    return _take_along_axis(x, indices, axis)


@operation(nondifferentiable=1)
def argsort(x: Value, axis: int | None = -1) -> Value:
    """Return the indices that sort `x` along an axis, None for the flattened `x`; ties stay in order."""
    return np.argsort(x, axis, kind="stable")


def sort(x: Value, axis: int | None = -1) -> Value:
    """Return `x` in increasing order along an axis, None for the flattened `x`."""
    return take_along_axis(x, argsort(x, axis), axis)


@operation(nondifferentiable=1)
def top_k_indices(x: Value, k: int) -> Value:
    """Return the indices of the k largest elements along the last axis, the largest first."""
    if not x.ndim or not 0 <= k <= x.shape[-1]:
        raise ValueError(f"k: expected at most the size of the last axis, got {k}")
    return np.argsort(-x if x.dtype.kind == "f" else ~x, axis=-1, kind="stable")[..., :k]


@operation(lambda grad, _, x, index, sections, axis: _unpart(grad, x, index, sections, axis))
def part(x: Value, index: int, sections: Sections, axis: int = 0) -> Value:
    """Return one of the parts of `x` along an axis.

    Parameters
    ----------
    x : array_like
    index : int
    sections : int or sequence of int
        The number of equal parts, or where each but the first begins.
    axis : int, default 0
    """
    return x[_key(x, index, sections, axis)]


@operation(lambda grad, _, __, ___, index, sections, axis: part(grad, index, sections, axis), None)
def _unpart(x: Value, like: Value, index: int, sections: Sections, axis: int) -> Value:
    """Return zeros of the shape of `like` with `x` as the part."""
    result = np.zeros(like.shape, x.dtype)
    result[_key(like, index, sections, axis)] = x
    return result


def _key(x: Array, index: int, sections: Sections, axis: int) -> tuple[slice, ...]:
    size = np.shape(x)[axis]
    if isinstance(sections, (int, np.integer)):
        if sections < 1 or size % sections:
            raise ValueError(f"{size} elements can't be split into {sections} equal parts")
        starts = [n * size // int(sections) for n in range(int(sections))]
    else:
        starts = [0, *sections]
    return (slice(None),) * (axis % x.ndim) + (slice(*[*starts, None][index : index + 2]),)


def unstack(x: Value, num: int, axis: int = 0) -> list[Value]:
    """Return the `num` parts of `x` along an axis, without that axis."""
    return [gather(x, n, axis) for n in range(num)]


@operation(lambda grad, _, __, k=0: tril(grad, k))
def tril(x: Value, k: int = 0) -> Value:
    """Return matrices with zeros above diagonal k."""
    return np.tril(x, operator.index(k))


@operation(lambda grad, _, __, k=0: triu(grad, k))
def triu(x: Value, k: int = 0) -> Value:
    """Return matrices with zeros below diagonal k."""
    return np.triu(x, operator.index(k))


@operation(nondifferentiable=1)
def one_hot(
    ids: Value, num_classes: int, axis: int = -1, dtype: npt.DTypeLike | None = None
) -> Value:
    """Return vectors with 1 at each class id and 0 elsewhere; all 0 for ids outside the classes.

    Parameters
    ----------
    ids : array_like of int, (…)
    num_classes : int
    axis : int, default -1
        Of the classes in the result.
    dtype : optional
        Default: `cnet.config.floatx()`.

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.one_hot([1, -1], 3)
    array([[0., 1., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    kind = number_type("one_hot", floatx() if dtype is None else dtype)
    rows = np.equal(np.asarray(ids)[..., np.newaxis], np.arange(num_classes)).astype(kind)
    return np.moveaxis(rows, -1, axis)
