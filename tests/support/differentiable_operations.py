"""Every differentiable operation with array shapes to test it on and a bound of its derivatives.

Inputs are between -2 and 2, or from 1 to 2. They are distinct, and not near each other or zero, so that
none is near a kink.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from cnet import autodiff

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

UNARY: list[tuple[Shape, ...]] = [
    *[((),), ((1,),), ((0,),), ((5,),), ((2, 3),), ((1, 3),), ((3, 1, 2),), ((2, 0, 3),)],
    *[((2, 1, 3, 2),), ((1, 1, 1, 1),)],
]
BINARY: list[tuple[Shape, ...]] = [
    *[((), ()), ((3,), ()), ((), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((2, 3), (2, 3))],
    *[
        ((0, 3), (1, 3)),
        ((0,), (1,)),
        ((1,), (2, 0)),
        ((2, 1, 3, 1), (4, 1, 2)),
        ((1, 1), (3, 1, 1)),
    ],
]
PRODUCTS: list[tuple[Shape, ...]] = [
    *[((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((1, 1), (1, 1))],
    *[((2, 3), (5, 3, 4)), ((5, 2, 3), (3, 4)), ((3, 1, 2, 3), (4, 3, 2)), ((3,), (2, 3, 4))],
    *[((2, 4, 3), (3,)), ((3,), (2, 1, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0,), (0,))],
    *[((2, 3), (3, 0)), ((0, 2, 3), (3, 2)), ((0,), (0, 2))],
]
ROWS: list[tuple[Shape, ...]] = [((1,),), ((5,),), ((2, 3),), ((0, 3),), ((2, 1),), ((2, 1, 3, 2),)]


@dataclass(frozen=True)
class Case:
    """An operation with its parameters, and the shapes to test it on.

    `steepness` bounds, on these inputs, each result and its first five derivatives by an input, for
    gradients of 1; for sums it bounds each of their `terms` terms. `needs_shapes` is True if the function
    reads the shapes of its inputs, which a graph's placeholders don't have.
    """

    name: str
    function: Callable[..., Any]
    shapes: list[tuple[Shape, ...]]
    steepness: float
    positive: bool = False
    needs_shapes: bool = False
    terms: Callable[..., int] = lambda *arrays: max(a.size for a in arrays)

    def draw(self, shapes: tuple[Shape, ...], seed: int = 0) -> list[Array]:
        """Return inputs in float64."""
        rng = np.random.default_rng([seed, *map(len, shapes)])
        sizes = [math.prod(shape) for shape in shapes]
        # Equidistant points, a quarter step off zero, in random order.
        points = (rng.permutation(sum(sizes)) + 0.25) / max(sum(sizes), 1)
        points = 1 + points if self.positive else 4 * points - 2
        parts = np.split(points, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def reductions(
    function: Callable[..., Any], name: str, steepness: float, *, positive: bool = False
) -> list[Case]:
    """Return the cases of a reduction."""

    def case(axis: Any, least_rank: int, **keepdims: bool) -> Case:
        shapes = [
            (shape,)
            for (shape,) in UNARY
            if len(shape) >= least_rank
            # An empty array has a sum and a product, but no mean, no maximum and no logarithm of 0.
            and (
                name in ("reduce_sum", "reduce_prod")
                or np.take(shape, range(len(shape)) if axis is None else axis).all()
            )
        ]
        reduced = partial(function, axis=axis, **keepdims)
        return Case(name, reduced, shapes, steepness, positive)

    return [
        *(case(None, 0, keepdims=keepdims) for keepdims in (False, True)),
        *(case(axis, 2, keepdims=True) for axis in (-1, (0, -1))),
        *(case(axis, 2) for axis in (0, (0, -1), (-2,))),
    ]


def shape_of(x: Any) -> Shape:
    return np.shape(getattr(x, "value", x))


def labels(logits: Any, *, soft: bool = False) -> Array:
    shape = shape_of(logits)
    if soft:
        return np.random.default_rng(1).dirichlet(np.ones(shape[-1]), size=shape[:-1])
    return np.arange(math.prod(shape[:-1])).reshape(shape[:-1]) % shape[-1]


def every_third(*values: Any) -> Array:
    shape = np.broadcast_shapes(*map(shape_of, values))
    return np.arange(math.prod(shape)).reshape(shape) % 3 == 0


a = autodiff
CASES: list[Case] = [
    Case("add", a.add, BINARY, 4),
    Case("subtract", a.subtract, BINARY, 4),
    Case("multiply", a.multiply, BINARY, 4),
    # x / y: 120 x / y⁶ at most.
    Case("divide", a.divide, BINARY, 120 * 2, positive=True),
    Case("negative", a.negative, UNARY, 2),
    Case("matmul", a.matmul, PRODUCTS, 4),
    # xʸ |log x|ᵏ and y (y - 1) … x^(y - 5), their products and sums.
    Case("power", a.power, BINARY, 300, positive=True),
    Case("power", lambda x: x**3, UNARY, 24),
    Case("power", lambda x: x**0, UNARY, 1),
    Case("power", lambda y: 2**y, UNARY, 4),
    Case("square", a.square, UNARY, 4),
    # 105 / 32 x^(-9/2)
    Case("sqrt", a.sqrt, UNARY, 105 / 32, positive=True),
    Case("exp", a.exp, UNARY, math.exp(2)),
    # 24 / x⁵
    Case("log", a.log, UNARY, 24, positive=True),
    Case("expm1", a.expm1, UNARY, math.exp(2)),
    Case("exp2", a.exp2, UNARY, 4),
    Case("log1p", a.log1p, UNARY, 1.1, positive=True),
    Case("log2", a.log2, UNARY, 24 / math.log(2), positive=True),
    Case("log10", a.log10, UNARY, 24 / math.log(10), positive=True),
    Case("logaddexp", a.logaddexp, BINARY, 2 + math.log(2)),
    # 945 / 32 x^(-11/2)
    Case("rsqrt", a.rsqrt, UNARY, 945 / 32, positive=True),
    *(Case(f.__name__, f, UNARY, 1) for f in (a.sin, a.cos)),
    *(Case(f.__name__, f, UNARY, math.cosh(2)) for f in (a.sinh, a.cosh)),
    # By mpmath where no formula is obvious, and away from the poles.
    Case("tan", lambda x: a.tan(x / 2), UNARY, 109),
    Case("arcsin", lambda x: a.arcsin(x / 4), UNARY, 1),
    Case("arccos", lambda x: a.arccos(x / 4), UNARY, 2.1),
    Case("arctan", a.arctan, UNARY, 24),
    Case("arcsinh", a.arcsinh, UNARY, 9),
    Case("arccosh", lambda x: a.arccosh(x + 1), UNARY, 5, positive=True),
    Case("arctanh", lambda x: a.arctanh(x / 4), UNARY, 1),
    # It is the imaginary part of log(x + iy): 24 / |x + iy|⁵.
    Case("arctan2", a.arctan2, BINARY, 24 / 2**2.5, positive=True),
    Case("mod", a.mod, BINARY, 2, positive=True),
    Case("nan_to_num", a.nan_to_num, UNARY, 2),
    Case("abs", a.abs, UNARY, 2),
    Case("maximum", a.maximum, BINARY, 2),
    Case("minimum", a.minimum, BINARY, 2),
    Case("where", lambda x, y: a.where(every_third(x, y), x, y), BINARY, 2, needs_shapes=True),
    Case("clip", lambda x: a.clip(x, -0.9, 1.2), UNARY, 2),
    Case("clip", lambda x: a.clip(x, -0.9, np.inf), UNARY, 2),
    Case("relu", a.relu, UNARY, 2),
    Case("sigmoid", a.sigmoid, UNARY, 1),
    Case("tanh", a.tanh, UNARY, 16),
    Case("softplus", a.softplus, UNARY, 3),
    Case("activation", lambda x: a.activation(x, "relu", negative_slope=0.3), UNARY, 2),
    # Found by evaluating the derivatives with mpmath where no formula is obvious.
    *(
        Case("activation", partial(a.activation, name=name, **parameters), UNARY, steepness)
        for name, parameters, steepness in (
            *[("relu6", {}, 2), ("elu", {"alpha": 0.5}, 2), ("selu", {}, 2.2)],
            *[("gelu", {}, 3), ("gelu", {"approximate": True}, 3), ("silu", {}, 2)],
            *[("mish", {}, 2.3), ("hard_sigmoid", {}, 1), ("softsign", {}, 120)],
            ("exponential", {}, math.exp(2)),
        )
    ),
    *(Case("softmax", partial(a.softmax, axis=axis), ROWS, 24) for axis in (-1, 0)),
    *(Case("log_softmax", partial(a.log_softmax, axis=axis), ROWS, 24) for axis in (-1, 0)),
    *(
        Case(
            "softmax_cross_entropy",
            lambda x, soft=soft: a.softmax_cross_entropy(x, labels(x, soft=soft)),
            ROWS,
            24,
            needs_shapes=True,
        )
        for soft in (False, True)
    ),
    # Labels with a sum of up to 8.
    Case("softmax_cross_entropy", a.softmax_cross_entropy, [(s, s) for (s,) in ROWS], 8 * 24),
    *reductions(a.reduce_sum, "reduce_sum", 2),
    *reductions(a.reduce_mean, "reduce_mean", 2),
    *reductions(a.reduce_max, "reduce_max", 2),
    *reductions(a.reduce_min, "reduce_min", 2),
    Case("reduce_max", lambda x: a.reduce_max(x, -1, initial=0.5), [((4,),), ((2, 3),)], 2),
    Case("reduce_min", lambda x: a.reduce_min(x, initial=-5.0), [((4,),), ((0,),)], 2),
    # A product of n factors i/n + 1, at most 2ⁿ n!⁻¹ (2n)!/(n! nⁿ) < (4/e)ⁿ √2: 103 for 12 factors.
    *reductions(a.reduce_prod, "reduce_prod", 103 * math.sqrt(2), positive=True),
    Case("reduce_prod", a.reduce_prod, [((3,),), ((2, 3),)], 2**6),
    # Its derivatives are those of the logistic function or smaller.
    *reductions(a.reduce_logsumexp, "reduce_logsumexp", 2 + math.log(12)),
    Case("cumsum", lambda x: a.cumsum(x, 0), [s for s in UNARY if s[0]], 2),
    Case("cumsum", lambda x: a.cumsum(x, -1, reverse=True), [((5,),), ((2, 3),)], 2),
    Case("reshape", lambda x: a.reshape(x, (-1, 3)), [((3,),), ((2, 3),), ((2, 0, 3),)], 2),
    Case("reshape", lambda x: a.reshape(x, 6), [((6,),), ((2, 1, 3),)], 2),
    Case("reshape", lambda x: a.reshape(x, ()), [((),), ((1, 1),)], 2),
    Case("transpose", a.transpose, UNARY, 2),
    Case("transpose", lambda x: a.transpose(x, (2, 0, -2)), [((2, 3, 4),), ((2, 0, 1),)], 2),
    Case("concatenate", lambda *x: a.concatenate(x), [((2,),), ((2,), (0,), (3,))], 2),
    Case(
        "concatenate",
        lambda *x: a.concatenate(x, axis=-1),
        [((2, 3), (2, 1)), ((1, 2, 1, 3), (1, 2, 1, 0), (1, 2, 1, 2))],
        2,
    ),
    Case("broadcast_to", lambda x: a.broadcast_to(x, (2, 3)), [((),), ((3,),), ((2, 1),)], 2),
    Case("expand_dims", lambda x: a.expand_dims(x, -1), UNARY, 2),
    Case("expand_dims", lambda x: a.expand_dims(x, (0, 2)), UNARY[3:], 2),
    Case("squeeze", a.squeeze, UNARY, 2),
    Case("squeeze", lambda x: a.squeeze(x, (0, -1)), [((1, 3, 1),), ((1, 0, 1),)], 2),
    Case("swapaxes", lambda x: a.swapaxes(x, 0, -1), [((2, 3),), ((2, 3, 4),), ((0, 2),)], 2),
    Case("moveaxis", lambda x: a.moveaxis(x, (0, 1), (1, 2)), [((2, 3, 4),)], 2),
    Case("moveaxis", lambda x: a.moveaxis(x, 0, -1), [((2, 3, 4),), ((2, 0),)], 2),
    Case("stack", lambda *x: a.stack(x), [((),), ((2, 3), (2, 3)), ((0,), (0,), (0,))], 2),
    Case("stack", lambda *x: a.stack(x, axis=-1), [((2, 3), (2, 3))], 2),
    Case("unstack", lambda x: a.unstack(x, 3, axis=-1)[1], [((3,),), ((2, 3),)], 2),
    *(Case("flip", partial(a.flip, axis=axis), UNARY[4:], 2) for axis in (None, 0, (0, -1))),
    Case("roll", lambda x: a.roll(x, 2), UNARY, 2),
    Case("roll", lambda x: a.roll(x, (1, -2), (0, 1)), [((2, 3),), ((3, 2, 1),)], 2),
    *(Case("tile", partial(a.tile, repeats=n), UNARY, 2) for n in (3, (2, 1), (2, 1, 3))),
    Case("repeat", lambda x: a.repeat(x, 2), UNARY, 2),
    Case("repeat", lambda x: a.repeat(x, [2, 0, 3], axis=-1), [((3,),), ((2, 3),)], 2),
    Case("pad", lambda x: a.pad(x, 2, constant_values=3), UNARY[1:], 2),
    *(
        Case("pad", partial(a.pad, pad_width=((1, 2), (0, 1)), mode=mode), [((3, 2),)], 2)
        for mode in ("constant", "reflect", "symmetric")
    ),
    Case(
        "take_along_axis",
        lambda x: a.take_along_axis(x, np.array([[1, 0, 1], [0, 0, 0]]), 0),
        [((2, 3),), ((3, 3),)],
        2,
    ),
    Case("take_along_axis", lambda x: a.take_along_axis(x, [1, 1, 0], None), [((2, 3),)], 2),
    *(Case("sort", partial(a.sort, axis=axis), UNARY[3:], 2) for axis in (-1, 0, None)),
    *(Case(f.__name__, f, [((3, 4),), ((2, 3, 2),)], 2) for f in (a.tril, a.triu)),
    *(
        Case("einsum", partial(a.einsum, labels), shapes, 2 ** len(shapes[0]), terms=lambda *_: 60)
        for labels, shapes in (
            ("ij->ji", [((2, 3),), ((0, 3),)]),
            ("ij->", [((2, 3),)]),
            ("ij,jk", [((2, 3), (3, 4)), ((2, 0), (0, 3))]),
            ("bij,bkj->ikb", [((2, 3, 4), (2, 5, 4))]),
            ("i,j->ij", [((2,), (3,))]),
            ("ija,jb->i", [((2, 3, 2), (3, 5))]),
            ("ij,jk,k->i", [((2, 3), (3, 4), (4,))]),
        )
    ),
    Case(
        "einsum",
        lambda *x: a.einsum("...ij,jk->...ik", *x),
        [((2, 3), (3, 4)), ((5, 2, 3), (3, 4))],
        4,
        needs_shapes=True,
    ),
    Case("getitem", lambda x: x[0], [((3,),), ((2, 3),), ((1, 0),)], 2),
    Case("getitem", lambda x: x[..., ::-2, None], [((3,),), ((2, 3),), ((2, 1, 3, 2),)], 2),
    Case("getitem", lambda x: x[[1, 1, 0], 1:], [((2, 3),), ((2, 3, 1, 2),)], 2),
    Case("getitem", lambda x: x[np.array([True, False, True])], [((3,),), ((3, 2),)], 2),
    Case("gather", lambda x: a.gather(x, [[1, 0], [1, 1]]), [((2,),), ((3, 0),), ((2, 3),)], 2),
    Case("gather", lambda x: a.gather(x, 1, axis=-1), [((2,),), ((2, 3, 1, 2),)], 2),
    Case("gather", lambda x: a.gather(x, np.zeros(0, int), axis=1), [((2, 3),)], 2),
    Case("cast", lambda x: a.cast(x, "float64"), UNARY, 2),
]
