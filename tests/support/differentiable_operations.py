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


def reductions(function: Callable[..., Any], name: str, steepness: float) -> list[Case]:
    """Return the cases of a reduction."""

    def case(axis: Any, least_rank: int, **keepdims: bool) -> Case:
        shapes = [
            (shape,)
            for (shape,) in UNARY
            if len(shape) >= least_rank
            # An empty array has a sum, but no mean and no maximum.
            and (
                name == "reduce_sum"
                or np.take(shape, range(len(shape)) if axis is None else axis).all()
            )
        ]
        return Case(name, partial(function, axis=axis, **keepdims), shapes, steepness)

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
    Case("getitem", lambda x: x[0], [((3,),), ((2, 3),), ((1, 0),)], 2),
    Case("getitem", lambda x: x[..., ::-2, None], [((3,),), ((2, 3),), ((2, 1, 3, 2),)], 2),
    Case("getitem", lambda x: x[[1, 1, 0], 1:], [((2, 3),), ((2, 3, 1, 2),)], 2),
    Case("getitem", lambda x: x[np.array([True, False, True])], [((3,),), ((3, 2),)], 2),
    Case("gather", lambda x: a.gather(x, [[1, 0], [1, 1]]), [((2,),), ((3, 0),), ((2, 3),)], 2),
    Case("gather", lambda x: a.gather(x, 1, axis=-1), [((2,),), ((2, 3, 1, 2),)], 2),
    Case("gather", lambda x: a.gather(x, np.zeros(0, int), axis=1), [((2, 3),)], 2),
    Case("cast", lambda x: a.cast(x, "float64"), UNARY, 2),
]
