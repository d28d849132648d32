"""Layers of categories: their base class, the encodings of ids, and `CategoryEncoding`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import numpy.typing as npt

from .._data import Array, FloatArray, as_array, as_count, require_default
from .._errors import missing, short_repr
from .._tracebacks import brief_traceback
from .._typing import Shape
from .batch_shapes import as_batch_shape
from .core import Layer, LayerOptions
from .symbolic import has_symbolic
from .tokens import as_integers, place

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "CategoryEncoding",
    "CategoryLayer",
    "OtherOptions",
    "UnnamedOptions",
    "as_output_mode",
    "encode",
    "float_dtype",
]

MODES = ("int", "one_hot", "multi_hot", "count")
# Keras's former names of output modes.
_SYNONYMS = {"binary": "multi_hot", "tf-idf": "tf_idf"}


class OtherOptions(TypedDict, total=False):
    """Options of all layers but name and dtype, for constructors that have these as arguments."""

    trainable: bool
    input_shape: tuple[int, ...] | None
    input_dim: int | None


class UnnamedOptions(OtherOptions, total=False):
    """Options of all layers but the name."""

    dtype: str | None


class CategoryLayer(Layer):
    """Base of layers that compute ids, encodings or tokens from arrays of any dtype, without a gradient.

    Subclasses define `_read`, which checks and converts user data, and `_transform`.
    """

    in_engine = False
    takes_any_dtype = True
    output_mode = "int"

    @brief_traceback
    def __call__(  # type: ignore[override] # its subclasses have no call of a user
        self,
        x: Any,
        training: bool | None = None,  # noqa: ARG002 # from Layer
    ) -> Array:
        """Return ids (int64), encodings (of the layer's dtype) or tokens.

        Parameters
        ----------
        x : array_like of any shape, or a single value
            With "multi_hot", "count" and "tf_idf", an array of one dimension is a single sample.
        training
            Ignored.
        """
        if has_symbolic(x):
            return self._symbolic(x)  # type: ignore[no-any-return] # a symbolic tensor
        values = self._read(x)
        shape = getattr(values, "shape", ())
        if len(shape) > 1 and all(shape[1:]):
            self.build((None, *shape[1:]))
        return self._transform(values)

    def transform(self, values: Any) -> Array:
        """Return what calling the layer returns, without building it."""
        return self._transform(self._read(values))

    def _read(self, x: Any) -> Any:
        """Return user data as an array for `_transform`."""
        raise NotImplementedError(missing(self, "_read(x)"))

    def _transform(self, values: Any) -> Array:
        """Return ids, encodings or tokens."""
        raise NotImplementedError(missing(self, "_transform(values)"))

    def _depth(self) -> int:
        """Return the size of the encoding."""
        raise NotImplementedError(missing(self, "_depth()"))

    def _encoded(self, ids: Array) -> Array:
        """Return ids, which may be negative to be left out, in the layer's output mode."""
        if self.output_mode == "int":
            return ids
        return encode(ids, self.output_mode, self._depth(), self.dtype, self._call)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = as_batch_shape("compute_output_shape", input_shape)
        if self.output_mode == "int":
            return shape
        return _encoded_shape(shape, self.output_mode, self._depth(), self._call)

    def python_function(self, *, training: bool) -> Callable[[Any], Any]:  # noqa: ARG002 # from Layer
        return self._compute

    @property
    def output_dtype(self) -> str:
        """The dtype of the result: "int64" for ids."""
        return "int64" if self.output_mode == "int" else self.dtype

    def _compute(self, x: Any) -> Any:
        """Return the result for arrays or tensors, of the same type."""
        from ..autodiff.tensor import Tensor

        leaves = list(x) if isinstance(x, (list, tuple)) else [x]
        arrays = [getattr(leaf, "value", leaf) for leaf in leaves]
        outputs = self.transform(arrays if isinstance(x, (list, tuple)) else arrays[0])
        return outputs if all(isinstance(leaf, np.ndarray) for leaf in leaves) else Tensor(outputs)

    @property
    def _call(self) -> str:
        return f"{type(self).__name__} '{self.name}'"


class CategoryEncoding(CategoryLayer):
    """Encodes integer ids that are smaller than a known number.

    Parameters
    ----------
    num_tokens : int
        The size of the encoding; ids are in [0, num_tokens).
    output_mode : {"multi_hot", "one_hot", "count"}, default "multi_hot"
        "one_hot": each id becomes zeros with a 1 at its index, along a new last axis, which takes the
        place of a last axis of size 1. "multi_hot": the last axis is a sample, which becomes zeros with
        ones at its ids. "count": the number of times that each id is in the sample, or the sum of its
        `count_weights`.
    sparse
        Not supported; must be False.
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; when called, if the ids are not integers in [0, num_tokens).

    Examples
    --------
    >>> from cnet import layers
    >>> layers.CategoryEncoding(num_tokens=4)([[0, 1], [3, 3]])
    array([[1., 1., 0., 0.],
           [0., 0., 0., 1.]], dtype=float32)
    >>> count = layers.CategoryEncoding(num_tokens=4, output_mode="count")
    >>> count([[0, 1], [3, 3]], count_weights=[[0.5, 2], [1, 1]])
    array([[0.5, 2. , 0. , 0. ],
           [0. , 0. , 0. , 2. ]], dtype=float32)
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        if num_tokens is None:
            raise ValueError(
                "CategoryEncoding: expected num_tokens; if it isn't known, use layers.IntegerLookup"
            )
        self.num_tokens = as_count("CategoryEncoding: num_tokens", num_tokens, least=1)
        self.output_mode = as_output_mode("CategoryEncoding", output_mode, MODES[1:])
        self.sparse = require_default("CategoryEncoding", "sparse", sparse, default=False)

    @brief_traceback
    def __call__(  # type: ignore[override] # the order of Keras
        self,
        x: Any,
        count_weights: npt.ArrayLike | None = None,
        training: bool | None = None,
    ) -> Array:
        """Return the encodings of ids.

        Parameters
        ----------
        x : array_like of int, (batch,) or (batch, …), or an int
            With "multi_hot" and "count", an array of one dimension is a single sample.
        count_weights : array_like, optional
            For "count", a weight for each id.
        training
            Ignored.
        """
        if count_weights is None:
            return super().__call__(x, training)
        if self.output_mode != "count":
            raise ValueError(
                f"{self._call}: count_weights require output_mode 'count', got {self.output_mode!r}"
            )
        ids = self._read(x)
        weights = as_array(count_weights, f"{self._call}: count_weights")
        if weights.shape != ids.shape:
            raise ValueError(
                f"{self._call}: count_weights: expected the shape of the ids, {ids.shape}, got {weights.shape}"
            )
        super().__call__(ids)
        return encode(ids, "count", self.num_tokens, self.dtype, self._call, weights)

    def _read(self, x: Any) -> Array:
        ids = as_integers(x, self._call)
        wrong = np.flatnonzero((ids < 0) | (ids >= self.num_tokens))
        if wrong.size:
            raise ValueError(
                f"{self._call}: {ids.reshape(-1)[wrong[0]]}{place(ids.shape, wrong[0])} is outside "
                f"[0, {self.num_tokens}), the range of num_tokens"
            )
        return ids

    def _transform(self, values: Array) -> Array:
        return self._encoded(values)

    def _depth(self) -> int:
        return self.num_tokens


def as_output_mode(call: str, mode: Any, known: tuple[str, ...] = MODES) -> str:
    """Return the name of an output mode, also for Keras's former names."""
    if not isinstance(mode, str):
        raise TypeError(f"{call}: output_mode: expected text, got {short_repr(mode)}")
    name = _SYNONYMS.get(mode, mode)
    if name not in known:
        raise ValueError(
            f"{call}: output_mode: expected one of {', '.join(known)}, got {short_repr(mode)}"
        )
    return str(name)


def encode(
    ids: Array,
    mode: str,
    depth: int,
    dtype: str,
    call: str,
    weights: Array | None = None,
) -> FloatArray:
    """Return the "one_hot", "multi_hot" or "count" encoding of ids below `depth`.

    Negative ids are left out.
    """
    ids = ids.reshape(ids.shape or (1,))
    shape = _encoded_shape(ids.shape, mode, depth, call)
    kept = np.flatnonzero(ids >= 0)
    samples = ids.size if mode == "one_hot" else len(ids) if ids.ndim == 2 else 1
    rows = kept // max(ids.size // max(samples, 1), 1)
    at = rows * depth + ids.reshape(-1)[kept]
    if mode == "count":
        kept_weights = None if weights is None else weights.reshape(-1)[kept].astype(np.float64)
        encoded = np.bincount(at, kept_weights, minlength=samples * depth).astype(dtype)
    else:
        encoded = np.zeros(samples * depth, dtype)
        encoded[at] = 1
    return encoded.reshape([size or 0 for size in shape])


def _encoded_shape(shape: Shape, mode: str, depth: int, call: str) -> Shape:
    """Return the shape of an encoding of ids of a shape."""
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    if len(shape) > 2:
        raise ValueError(
            f"{call}: with output_mode {mode!r}, expected samples of one dimension, got shape {shape}"
        )
    return (*shape[:-1], depth)


def float_dtype(dtype: Any, output_mode: Any) -> Any:
    """Return a layer's dtype without Keras's integer types of ids, which are always int64 here."""
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype)
    is_integer = isinstance(name, str) and name in ("int32", "int64")
    return None if is_integer and output_mode == "int" else dtype
