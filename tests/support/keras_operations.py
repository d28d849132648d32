"""Calls of every operation of `cnet.ops` that has a name of `keras.ops`.

A call is a function of a module and of arrays, which its parameters name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cnet import ops
from support.op_arguments import ALL_NAMES

Array = npt.NDArray[Any]
Call = Callable[..., Any]

# The softmaxes are Keras's and the engine's.
NAMES = sorted(set(ops.__all__) - set(ALL_NAMES) | {"softmax", "log_softmax"})

_rng = np.random.default_rng(0)


def _distinct(*shape: int, low: float, high: float) -> Array:
    """Return equidistant numbers in random order: none is near another, or near 0, ±1 or ±½."""
    count = int(np.prod(shape))
    points = low + (high - low) * (_rng.permutation(count) + 0.3123) / count
    return points.reshape(shape)


ARRAYS: dict[str, Array] = {
    "x": _distinct(4, 3, low=-2, high=2),
    "y": _distinct(4, 3, low=-1.7, high=1.8),
    "p": _distinct(4, 3, low=1.1, high=2),
    "q": _distinct(4, 3, low=1.2, high=1.9),
    "unit": _distinct(4, 3, low=-0.9, high=0.9),
    "probabilities": _distinct(4, 3, low=0.1, high=0.9),
    "hard": np.eye(3)[[0, 2, 1, 1]],
    "row": _distinct(3, low=-2, high=2),
    "column": _distinct(4, 1, low=-2, high=2),
    "cube": _distinct(2, 3, 4, low=-2, high=2),
    "block": _distinct(4, 5, 3, low=-2, high=2),
    "number": np.array(0.7),
    "single": _distinct(1, 3, 1, low=-2, high=2),
    "mask": np.arange(12).reshape(4, 3) % 3 == 0,
    "n": np.arange(12).reshape(4, 3) % 5 - 2,
    "ids": np.array([0, 2, 1, 1]),
    "column_of_ids": np.array([[0], [2], [1], [1]]),
    "positions": np.array([[2, 0], [1, 1], [0, 2], [0, 0]]),
    "special": np.array([np.nan, np.inf, -np.inf, 1.5, 0.0]),
}


def parameters_of(call: Call) -> list[str]:
    """Return the names of the arrays that a call takes after the module."""
    names = call.__code__.co_varnames[1 : call.__code__.co_argcount]
    return [name for name in names if name in ARRAYS]


def _unary(name: str, array: str) -> Call:
    return {
        "x": lambda m, x: getattr(m, name)(x),
        "p": lambda m, p: getattr(m, name)(p),
        "unit": lambda m, unit: getattr(m, name)(unit),
        "cube": lambda m, cube: getattr(m, name)(cube),
        "n": lambda m, n: getattr(m, name)(n),
        "number": lambda m, number: getattr(m, name)(number),
        "special": lambda m, special: getattr(m, name)(special),
    }[array]


def _binary(name: str) -> list[Call]:
    return [
        lambda m, x, y: getattr(m, name)(x, y),
        lambda m, x, row: getattr(m, name)(x, row),
        lambda m, column, row: getattr(m, name)(x1=column, x2=row),
        lambda m, x, number: getattr(m, name)(number, x),
        lambda m, x: getattr(m, name)(x, 0.75),
        lambda m, x, n: getattr(m, name)(x, n),
    ]


def _reduction(name: str) -> list[Call]:
    return [
        lambda m, x: getattr(m, name)(x),
        lambda m, cube: getattr(m, name)(cube, axis=1),
        lambda m, cube: getattr(m, name)(cube, axis=-1, keepdims=True),
        lambda m, cube: getattr(m, name)(cube, axis=(0, -1)),
        lambda m, cube: getattr(m, name)(cube, (2, 0), True),
        lambda m, x: getattr(m, name)(x, keepdims=True),
        lambda m, number: getattr(m, name)(number),
    ]


_ANY = "abs absolute negative square sign sin cos tan arctan sinh cosh arcsinh exp expm1 exp2 floor ceil"
_ANY += " round trunc relu relu6 leaky_relu elu selu gelu silu swish mish tanh sigmoid hard_sigmoid"
_ANY += " softplus softsign celu hard_shrink hard_silu hard_swish hard_tanh log_sigmoid soft_shrink"
_ANY += (
    " squareplus tanh_shrink softmax log_softmax ones_like zeros_like isnan isinf isfinite ravel"
)
_ANY += " logical_not"
_POSITIVE = "sqrt rsqrt log log2 log10 log1p reciprocal arccosh"
COMPARISONS = (
    "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor"
)

CALLS: dict[str, list[Call]] = {
    **{name: [_unary(name, array) for array in ("x", "cube", "number")] for name in _ANY.split()},
    **{name: [_unary(name, "p")] for name in _POSITIVE.split()},
    **{name: [_unary(name, "unit")] for name in ("arcsin", "arccos", "arctanh")},
    **{
        name: _binary(name)
        for name in ("add", "subtract", "multiply", "maximum", "minimum", *COMPARISONS.split())
    },
    **{
        name: [
            lambda m, p, q, name=name: getattr(m, name)(p, q),
            lambda m, x, q, name=name: getattr(m, name)(x1=x, x2=q),
            lambda m, n, q, name=name: getattr(m, name)(n, q),
        ]
        for name in ("divide", "true_divide", "divide_no_nan", "floor_divide", "mod", "arctan2")
    },
    **{
        name: _reduction(name)
        for name in ("sum", "mean", "max", "min", "amax", "amin", "prod", "var", "std", "logsumexp")
    },
    **{
        name: [
            lambda m, mask, name=name: getattr(m, name)(mask),
            lambda m, mask, name=name: getattr(m, name)(mask, axis=1, keepdims=True),
            lambda m, n, name=name: getattr(m, name)(n, (0, 1)),
        ]
        for name in ("all", "any")
    },
}


def add(name: str, *calls: Call) -> None:
    CALLS.setdefault(name, []).extend(calls)


add("isnan", _unary("isnan", "special"))
add("isinf", _unary("isinf", "special"))
add("isfinite", _unary("isfinite", "special"))
add("logical_not", _unary("logical_not", "n"))
for each in ("exp", "sqrt", "sin", "floor", "log1p", "tanh"):
    add(each, lambda m, ids, each=each: getattr(m, each)(ids))
add("abs", _unary("abs", "n"))
add("power", lambda m, p, q: m.power(p, q), lambda m, x: m.power(x, 3))
add("power", lambda m, p, row: m.power(x1=p, x2=row), lambda m, n: m.power(n, 2))
add("logaddexp", lambda m, x, y: m.logaddexp(x, y), lambda m, x, row: m.logaddexp(x1=x, x2=row))
add("divide_no_nan", lambda m, x, n: m.divide_no_nan(x, n))
add("nan_to_num", _unary("nan_to_num", "special"))
add("nan_to_num", lambda m, special: m.nan_to_num(special, nan=1.0, posinf=2.0, neginf=3.0))
add("round", lambda m, x: m.round(x, decimals=1))
add("clip", lambda m, x: m.clip(x, -0.5, 0.25), lambda m, x: m.clip(x, x_min=-1, x_max=1))
add("where", lambda m, mask, x, row: m.where(mask, x, row))
add("where", lambda m, mask, x: m.where(mask, x1=x, x2=0.0))
add("where", lambda m, mask: m.where(mask, 1.0, 0.0))
add("isclose", lambda m, x, y: m.isclose(x, y), lambda m, x, y: m.isclose(x, y, rtol=1, atol=0.5))
add("sum", lambda m, cube: m.sum(cube, axis=[0, 1]), lambda m, n: m.sum(n, axis=0))
add("mean", lambda m, n: m.mean(n), lambda m, n: m.mean(n, axis=[0]))
for each in ("max", "min"):
    add(each, lambda m, x, each=each: getattr(m, each)(x, axis=1, initial=0.5))
    add(each, lambda m, n, each=each: getattr(m, each)(n, axis=1))
for each in ("argmax", "argmin"):
    add(each, lambda m, x, each=each: getattr(m, each)(x))
    add(each, lambda m, cube, each=each: getattr(m, each)(cube, axis=1, keepdims=True))
    add(each, lambda m, cube, each=each: getattr(m, each)(cube, -1))
for each in ("sort", "argsort"):
    add(each, lambda m, x, each=each: getattr(m, each)(x))
    add(each, lambda m, cube, each=each: getattr(m, each)(cube, axis=1))
add("count_nonzero", lambda m, n: m.count_nonzero(n), lambda m, n: m.count_nonzero(n, axis=1))
add("cumsum", lambda m, x: m.cumsum(x), lambda m, cube: m.cumsum(cube, axis=1))
add("cumsum", lambda m, ids: m.cumsum(ids, dtype="float32"))
add("moments", lambda m, x: m.moments(x, [0]), lambda m, cube: m.moments(cube, (0, 2), True))
add("norm", lambda m, x: m.norm(x), lambda m, cube: m.norm(cube, axis=-1, keepdims=True))
for order in (1, 2, 3, 0.5, 0, np.inf, -np.inf):
    add("norm", lambda m, x, order=order: m.norm(x, ord=order, axis=1))
for order in ("fro", 1, -1, np.inf, -np.inf):
    add("norm", lambda m, x, order=order: m.norm(x, order))
    add("norm", lambda m, cube, order=order: m.norm(cube, order, axis=(2, 0)))
    add("norm", lambda m, cube, order=order: m.norm(cube, order, axis=(0, 1), keepdims=True))
for order in (1, 2, 3):
    add("normalize", lambda m, x, order=order: m.normalize(x, order=order))
    add("normalize", lambda m, x, order=order: m.normalize(x, axis=0, order=order, epsilon=2.0))
add("top_k", lambda m, x: m.top_k(x, 2), lambda m, cube: m.top_k(cube, k=3, sorted=True))
add("reshape", lambda m, x: m.reshape(x, (2, -1)), lambda m, cube: m.reshape(cube, newshape=(24,)))
add("expand_dims", lambda m, x: m.expand_dims(x, 1), lambda m, x: m.expand_dims(x, axis=-1))
add("squeeze", lambda m, single: m.squeeze(single), lambda m, column: m.squeeze(column, axis=-1))
add("squeeze", lambda m, single: m.squeeze(single, (0, 2)))
add("transpose", lambda m, cube: m.transpose(cube), lambda m, cube: m.transpose(cube, (1, 2, 0)))
add(
    "swapaxes",
    lambda m, cube: m.swapaxes(cube, 0, 2),
    lambda m, x: m.swapaxes(x, axis1=-1, axis2=0),
)
add("moveaxis", lambda m, cube: m.moveaxis(cube, 0, -1))
add("moveaxis", lambda m, cube: m.moveaxis(cube, (0, 1), (1, 2)))
add("broadcast_to", lambda m, row: m.broadcast_to(row, (2, 3)))
add("broadcast_to", lambda m, column: m.broadcast_to(column, shape=(2, 4, 3)))
add("concatenate", lambda m, x, y: m.concatenate([x, y]))
add("concatenate", lambda m, x, column: m.concatenate((x, column), axis=-1))
add("stack", lambda m, x, y: m.stack([x, y]), lambda m, x, y: m.stack((x, y), axis=-1))
add("unstack", lambda m, cube: m.unstack(cube), lambda m, cube: m.unstack(cube, num=3, axis=1))
add("split", lambda m, x: m.split(x, 2), lambda m, cube: m.split(cube, [1, 3], axis=-1))
add("get_item", lambda m, cube: m.get_item(cube, (0, slice(1, 3))))
add("slice", lambda m, cube: m.slice(cube, (0, 1, 2), (2, 1, 2)))
add("slice", lambda m, x: m.slice(x, [1, 0], shape=[2, -1]))
add("take", lambda m, x, ids: m.take(x, ids), lambda m, x, ids: m.take(x, ids, axis=0))
add(
    "take",
    lambda m, cube: m.take(cube, [[0, -1], [1, 1]], axis=1),
    lambda m, x: m.take(x, 1, axis=-1),
)
add("take_along_axis", lambda m, x, positions: m.take_along_axis(x, positions, axis=1))
add("take_along_axis", lambda m, x, ids: m.take_along_axis(x, ids))
add("tile", lambda m, x: m.tile(x, (2, 1)), lambda m, row: m.tile(row, [2, 2]))
add("tile", lambda m, cube: m.tile(cube, 2))
add("repeat", lambda m, x: m.repeat(x, 2), lambda m, x: m.repeat(x, repeats=3, axis=1))
add("repeat", lambda m, x: m.repeat(x, [1, 0, 2], axis=-1))
add("flip", lambda m, x: m.flip(x), lambda m, cube: m.flip(cube, axis=1))
add("flip", lambda m, cube: m.flip(cube, (0, 2)))
add("roll", lambda m, x: m.roll(x, 2), lambda m, x: m.roll(x, -1, axis=0))
add(
    "pad",
    lambda m, x: m.pad(x, ((1, 2), (0, 1))),
    lambda m, row: m.pad(row, 1, constant_values=3.0),
)
add("pad", lambda m, x: m.pad(x, ((1, 2), (2, 1)), mode="reflect"))
add("pad", lambda m, x: m.pad(x, ((1, 2), (2, 1)), "symmetric"))
for each in ("tril", "triu"):
    add(each, lambda m, x, each=each: getattr(m, each)(x))
    add(each, lambda m, cube, each=each: getattr(m, each)(cube, k=-1))
add("matmul", lambda m, x, cube: m.matmul(x, cube[0]), lambda m, x, cube: m.matmul(x, cube))
add("matmul", lambda m, row, cube: m.matmul(row, cube), lambda m, x, row: m.matmul(x1=x, x2=row))
add("matmul", lambda m, ids, x: m.matmul(ids, x))
add("dot", lambda m, x, cube: m.dot(x, cube), lambda m, x, row: m.dot(x, row))
add("dot", lambda m, number, x: m.dot(number, x), lambda m, cube, x: m.dot(cube, x))
add("inner", lambda m, x, block: m.inner(x, block), lambda m, row: m.inner(row, row))
add("vdot", lambda m, x, y: m.vdot(x, y))
add("outer", lambda m, x, row: m.outer(x, row))
add("tensordot", lambda m, cube, block: m.tensordot(cube, block, axes=1))
add("tensordot", lambda m, cube, block: m.tensordot(cube, block, axes=[[1, 2], [2, 0]]))
add("tensordot", lambda m, cube, x: m.tensordot(cube, x, axes=(2, 0)))
for labels in ("ij,kj->ik", "ij,ij->", "ij,ij->ij", "ij,kj->kij", "ij,kj", "ij,kj->i"):
    add("einsum", lambda m, x, y, labels=labels: m.einsum(labels, x, y))
add("einsum", lambda m, cube: m.einsum("bij->jb", cube), lambda m, cube: m.einsum("bij->i", cube))
add("einsum", lambda m, cube, x: m.einsum("...ij,jk->...ik", cube, x))
add("einsum", lambda m, cube, x, row: m.einsum("bij,jk,k->bi", cube, x, row))
add("einsum", lambda m, cube, block: m.einsum("bij,jkl->bikl", cube, block))
add("softmax", lambda m, cube: m.softmax(cube, axis=1), lambda m, cube: m.softmax(cube, (1, 2)))
add("log_softmax", lambda m, cube: m.log_softmax(cube, axis=0))
CALLS["softmax"].remove(CALLS["softmax"][2])  # of a number
CALLS["log_softmax"].remove(CALLS["log_softmax"][2])
add("leaky_relu", lambda m, x: m.leaky_relu(x, negative_slope=0.5))
add("elu", lambda m, x: m.elu(x, alpha=0.5))
add("celu", lambda m, x: m.celu(x, alpha=0.5))
add("gelu", lambda m, x: m.gelu(x, approximate=False))
add("squareplus", lambda m, x: m.squareplus(x, b=2))
add("soft_shrink", lambda m, x: m.soft_shrink(x, threshold=1.0))
add("hard_shrink", lambda m, x: m.hard_shrink(x, threshold=1.0))
add("threshold", lambda m, x: m.threshold(x, 0.5, default_value=7.0))
add("glu", lambda m, cube: m.glu(cube), lambda m, x: m.glu(x, axis=0))
add("one_hot", lambda m, ids: m.one_hot(ids, 3), lambda m, n: m.one_hot(n, num_classes=2, axis=1))
add("one_hot", lambda m, ids: m.one_hot(ids, 3, dtype="int32"))
add(
    "multi_hot",
    lambda m, ids: m.multi_hot(ids, 4),
    lambda m, positions: m.multi_hot(positions, num_classes=3),
)
for logits in (False, True):
    add(
        "binary_crossentropy",
        lambda m, mask, probabilities, logits=logits: m.binary_crossentropy(
            m.cast(mask, "float64"), probabilities, from_logits=logits
        ),
    )
    for axis in (-1, 0):
        add(
            "categorical_crossentropy",
            lambda m, unit, probabilities, logits=logits, axis=axis: m.categorical_crossentropy(
                m.softmax(unit, axis=axis), probabilities, from_logits=logits, axis=axis
            ),
        )
    add(
        "sparse_categorical_crossentropy",
        lambda m, ids, probabilities, logits=logits: m.sparse_categorical_crossentropy(
            ids, probabilities, from_logits=logits
        ),
        lambda m, column_of_ids, probabilities, logits=logits: m.sparse_categorical_crossentropy(
            column_of_ids, probabilities, logits
        ),
    )
add(
    "binary_crossentropy", lambda m, probabilities, hard: m.binary_crossentropy(probabilities, hard)
)
add("categorical_crossentropy", lambda m, unit, hard: m.categorical_crossentropy(unit, hard))
add(
    "sparse_categorical_crossentropy",
    lambda m, ids, hard: m.sparse_categorical_crossentropy(2 - ids, hard),
)
add("zeros", lambda m: m.zeros((2, 3)), lambda m: m.zeros(3, dtype="int32"))
add("ones", lambda m: m.ones((2, 3)), lambda m: m.ones((), dtype="float64"))
add("full", lambda m: m.full((2, 3), 7), lambda m: m.full((2, 2), [1.0, 2.0], dtype="float64"))
add("full_like", lambda m, x: m.full_like(x, 2), lambda m, n: m.full_like(n, 2.5, dtype="float32"))
add("zeros_like", lambda m, n: m.zeros_like(n), lambda m, n: m.zeros_like(n, dtype="float32"))
add("ones_like", lambda m, n: m.ones_like(n, dtype="bool"))
add("eye", lambda m: m.eye(3), lambda m: m.eye(2, 3, k=1, dtype="int32"))
add("identity", lambda m: m.identity(3))
add("tri", lambda m: m.tri(3), lambda m: m.tri(2, 3, k=-1))
add(
    "arange", lambda m: m.arange(4), lambda m: m.arange(1, 7, 2), lambda m: m.arange(0.0, 1.0, 0.25)
)
add("arange", lambda m: m.arange(3, dtype="float64"))
add("linspace", lambda m: m.linspace(0, 1, 5), lambda m: m.linspace(0.0, 1.0, 4, endpoint=False))
add("linspace", lambda m, row: m.linspace(0.0, row, num=3, dtype="float64", axis=-1))
add("cast", lambda m, x: m.cast(x, "float32"), lambda m, x: m.cast(x, dtype="int32"))
add(
    "convert_to_tensor",
    lambda m, x: m.convert_to_tensor(x),
    lambda m: m.convert_to_tensor([1.0, 2.0]),
)
add("convert_to_tensor", lambda m, n: m.convert_to_tensor(n, dtype="float32"))
add("array", lambda m, x: m.array(x), lambda m: m.array([[1.5]], dtype="float64"))
add("convert_to_numpy", lambda m, x: m.convert_to_numpy(m.convert_to_tensor(x)))
add("shape", lambda m, cube: m.shape(cube))
add("ndim", lambda m, cube: m.ndim(cube))
add("size", lambda m, cube: m.size(cube))
add("dtype", lambda m, x: m.dtype(m.convert_to_tensor(x)))
add("stop_gradient", lambda m, x: m.stop_gradient(x))
add("cond", lambda m, x: m.cond(m.any(m.greater(x, 1.0)), lambda: m.exp(x), lambda: m.sin(x)))

# Their numbers are arbitrary.
UNSET = {"empty", "empty_like"}
