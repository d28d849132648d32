"""The operations with Keras's names by NumPy: the functions of those names, or their definitions."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from cnet import reference
from cnet.reference.activations import ACTIVATIONS
from support.keras_operations import COMPARISONS, NAMES

Array = npt.NDArray[Any]
Call = Callable[..., Any]


def _activation(name: str) -> Call:
    return lambda x, **parameters: ACTIVATIONS[name][0](np.asarray(x, np.float64), **parameters)


def _soft(log: bool) -> Call:
    function = reference.log_softmax if log else reference.softmax
    return lambda x, axis=-1: function(x, axis)


def _binary_crossentropy(target: Array, output: Array, from_logits: bool = False) -> Array:
    p = 1 / (1 + np.exp(-output)) if from_logits else np.clip(output, 1e-7, 1 - 1e-7)
    return -target * np.log(p) - (1 - target) * np.log(1 - p)


def _categorical_crossentropy(
    target: Array, output: Array, from_logits: bool = False, axis: int = -1
) -> Array:
    if from_logits:
        return -np.sum(target * (output - np.log(np.exp(output).sum(axis, keepdims=True))), axis)
    p = np.clip(output / output.sum(axis, keepdims=True), 1e-7, 1 - 1e-7)
    return -np.sum(target * np.log(p), axis)


def _sparse_categorical_crossentropy(
    target: Array, output: Array, from_logits: bool = False
) -> Array:
    rows = np.eye(output.shape[-1])[target.reshape(-1)]
    logits = output if from_logits else np.log(np.clip(output, 1e-7, 1 - 1e-7))
    return _categorical_crossentropy(rows, logits, from_logits=True)


def _one_hot(x: Array, num_classes: int, axis: int = -1, dtype: str = "float32") -> Array:
    rows = np.concatenate([np.eye(num_classes), np.zeros((3, num_classes))])
    return np.moveaxis(rows[x], -1, axis).astype(dtype)


def _normalize(x: Array, axis: int = -1, order: int = 2, epsilon: float = 1e-7) -> Array:
    return x / np.maximum(np.linalg.norm(x, order, axis, keepdims=True), epsilon)


def _norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    return np.linalg.norm(x, ord, axis, keepdims)


def _top_k(x: Array, k: int, sorted: bool = True) -> Any:
    assert sorted
    return np.sort(x)[..., : -k - 1 : -1], np.argsort(x)[..., : -k - 1 : -1]


def _unstack(x: Array, num: int | None = None, axis: int = 0) -> list[Array]:
    assert num in (None, x.shape[axis])
    return list(np.moveaxis(x, axis, 0))


def _slice(inputs: Array, start_indices: Any, shape: Any) -> Array:
    for axis, (start, size) in enumerate(zip(start_indices, shape, strict=True)):
        end = inputs.shape[axis] if size == -1 else start + size
        inputs = np.take(inputs, range(start, end), axis)
    return inputs


def _renamed(function: Call, **names: str) -> Call:
    """Return a function of NumPy whose parameters have other names there."""

    def call(*arguments: Any, **parameters: Any) -> Any:
        return function(
            *arguments, **{names.get(name, name): value for name, value in parameters.items()}
        )

    return call


def _positional(function: Call) -> Call:
    """Return a function of NumPy whose inputs have no names."""
    return lambda *arguments, **parameters: function(*arguments, *parameters.values())


def _with_list(function: Call) -> Call:
    """Return a reduction of NumPy that takes a list of axes, too."""

    def call(x: Array, axis: Any = None, keepdims: bool = False, **parameters: Any) -> Any:
        axis = tuple(axis) if isinstance(axis, list) else axis
        return function(x, axis=axis, keepdims=keepdims, **parameters)

    return call


_REDUCTIONS = "sum mean max min amax amin prod var std"
_SAME = "add subtract multiply divide true_divide floor_divide mod maximum minimum power logaddexp"
_SAME += " arctan2 logical_and logical_or logical_xor matmul " + COMPARISONS

NUMPY = SimpleNamespace(
    **{
        name: getattr(np, name, None)
        for name in NAMES
        if name not in (*_REDUCTIONS.split(), *_SAME.split())
    }
    | {name: _positional(getattr(np, name)) for name in _SAME.split()}
    | {name: _with_list(getattr(np, name)) for name in _REDUCTIONS.split()}
    | {name: _activation(name) for name in ACTIVATIONS if name in NAMES}
    | {
        "array": lambda x, dtype=None: np.array(x, dtype),
        "binary_crossentropy": _binary_crossentropy,
        "broadcast_to": np.broadcast_to,
        "cast": lambda x, dtype: x.astype(dtype),
        "categorical_crossentropy": _categorical_crossentropy,
        "celu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
        "clip": _renamed(np.clip, x_min="a_min", x_max="a_max"),
        "cond": lambda p, t, f: t() if p else f(),
        "convert_to_numpy": np.array,
        "convert_to_tensor": lambda x, dtype=None: np.array(x, dtype),
        "divide_no_nan": _positional(lambda x, y: x / np.where(y == 0, np.inf, y)),
        "dtype": lambda x: str(x.dtype),
        "full_like": np.full_like,
        "gelu": lambda x, approximate=True: ACTIVATIONS["gelu"][0](x, approximate=approximate),
        "get_item": lambda x, key: x[key],
        "glu": lambda x, axis=-1: np.split(x, 2, axis)[0] / (1 + np.exp(-np.split(x, 2, axis)[1])),
        "hard_shrink": lambda x, threshold=0.5: np.where(np.abs(x) > threshold, x, 0),
        "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
        "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
        "hard_tanh": lambda x: np.clip(x, -1, 1),
        "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
        "log_softmax": _soft(log=True),
        "logsumexp": lambda x, axis=None, keepdims=False: np.log(
            np.sum(np.exp(x), axis, keepdims=keepdims)
        ),
        "moments": lambda x, axes, keepdims=False: (
            np.mean(x, tuple(axes), keepdims=keepdims),
            np.var(x, tuple(axes), keepdims=keepdims),
        ),
        "multi_hot": lambda x, num_classes: _one_hot(x, num_classes).max(x.ndim - 1),
        "norm": _norm,
        "normalize": _normalize,
        "one_hot": _one_hot,
        "pad": np.pad,
        "rsqrt": lambda x: 1 / np.sqrt(x),
        "reshape": _renamed(np.reshape, newshape="shape"),
        "slice": _slice,
        "soft_shrink": lambda x, threshold=0.5: np.sign(x) * np.maximum(np.abs(x) - threshold, 0),
        "softmax": _soft(log=False),
        "sparse_categorical_crossentropy": _sparse_categorical_crossentropy,
        "squareplus": lambda x, b=4: (x + np.sqrt(x * x + b)) / 2,
        "stop_gradient": lambda x: x,
        "swish": ACTIVATIONS["silu"][0],
        "take_along_axis": lambda x, indices, axis=None: np.take_along_axis(
            x, indices.reshape(-1) if axis is None else indices, axis
        ),
        "tanh_shrink": lambda x: x - np.tanh(x),
        "threshold": lambda x, threshold, default_value: np.where(x > threshold, x, default_value),
        "tile": np.tile,
        "top_k": _top_k,
        "unstack": _unstack,
        "where": lambda c, x1, x2: np.where(c, x1, x2),
    }
)
