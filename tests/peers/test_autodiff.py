"""Gradients compared with PyTorch and JAX, in float64: every operation, kinks, second derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, relative_bound

from cnet import autodiff

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of the peers

Array = npt.NDArray[Any]
Expression = Callable[..., Any]  # of the operations of a library, and of its arrays

SHAPES = {
    "x": (4, 3),
    "y": (4, 3),
    "row": (3,),
    "column": (4, 1),
    "matrix": (3, 5),
    "stack": (2, 3, 5),
}
IDS = np.array([0, 2, 1, 1])
MASK = np.arange(12).reshape(4, 3) % 3 == 0

EXPRESSIONS: dict[str, Expression] = {
    "add": lambda m, x, row: m.add(x, row),
    "subtract": lambda m, column, row: m.subtract(column, row),
    "multiply": lambda m, x, column: m.multiply(x, column),
    "divide": lambda m, x, row: m.divide(x, row),
    "negative": lambda m, x: m.negative(x),
    "matmul": lambda m, x, matrix: m.matmul(x, matrix),
    "matmul of stacks": lambda m, x, stack: m.matmul(x, stack),
    "matmul of vectors": lambda m, row, stack: m.matmul(row, stack),
    "power": lambda m, x, y: m.power(x, y),
    "square": lambda m, x: m.square(x),
    "sqrt": lambda m, x: m.sqrt(x),
    "exp": lambda m, x: m.exp(x),
    "log": lambda m, x: m.log(x),
    "abs": lambda m, x: m.abs(m.subtract(x, 1.0)),
    "maximum": lambda m, x, row: m.maximum(x, row),
    "minimum": lambda m, x, column: m.minimum(x, column),
    "where": lambda m, x, row: m.where(m.array(MASK), x, row),
    "relu": lambda m, x: m.relu(m.subtract(x, 1.0)),
    "sigmoid": lambda m, x: m.sigmoid(x),
    "tanh": lambda m, x: m.tanh(x),
    "softplus": lambda m, x: m.softplus(x),
    "softmax": lambda m, x: m.softmax(x, 0),
    "log_softmax": lambda m, x: m.log_softmax(x, -1),
    "cross-entropy": lambda m, x: m.softmax_cross_entropy(x, m.array(IDS)),
    "reduce_sum": lambda m, x: m.reduce_sum(x, 1),
    "reduce_mean": lambda m, stack: m.reduce_mean(stack, (0, 2)),
    "reduce_max": lambda m, stack: m.reduce_max(stack, 1),
    "reshape": lambda m, stack: m.reshape(stack, (5, 6)),
    "transpose": lambda m, stack: m.transpose(stack, (2, 0, 1)),
    "concatenate": lambda m, x, column: m.concatenate([x, column], 1),
    "getitem": lambda _, stack: stack[1, 1:],
    "gather": lambda m, x: x[m.array(IDS)],
    "clip": lambda m, x: m.clip(x, 0.7, 1.5),
    "net": lambda m, x, matrix, row: m.log_softmax(
        m.matmul(m.tanh(m.add(m.matmul(x, matrix), 0.5)), m.transpose(matrix, (1, 0))) * row, -1
    ),
}


def draw(expression: Expression) -> list[Array]:
    """Return numbers from 0.5 to 2, not near each other or a kink."""
    names = expression.__code__.co_varnames[1 : expression.__code__.co_argcount]
    sizes = [math.prod(SHAPES[name]) for name in names]
    points = (np.random.default_rng(0).permutation(sum(sizes)) + 0.25) / sum(sizes)
    parts = np.split(0.5 + 1.5 * points, np.cumsum(sizes)[:-1])
    return [part.reshape(SHAPES[name]) for part, name in zip(parts, names, strict=True)]


OURS = SimpleNamespace(
    **{name: getattr(autodiff, name) for name in autodiff.operations.__all__}, array=np.asarray
)


def our_gradients(expression: Expression, arrays: list[Array], grad: Array) -> list[Array]:
    variables = [autodiff.Variable(array) for array in arrays]
    with autodiff.GradientTape() as tape:
        result = expression(OURS, *variables)
    return [gradient.numpy() for gradient in tape.gradient(result, variables, grad)]


def our_second_derivatives(expression: Expression, arrays: list[Array], grad: Array) -> list[Array]:
    """Return the gradients of half the sum of the squared gradients."""
    variables = [autodiff.Variable(array) for array in arrays]
    with autodiff.GradientTape() as outer:
        with autodiff.GradientTape() as inner:
            result = expression(OURS, *variables)
        slopes = inner.gradient(result, variables, grad)
        total = sum(autodiff.reduce_sum(slope * slope) / 2 for slope in slopes)
    found = outer.gradient(total, variables, unconnected_gradients="zero")
    return [gradient.numpy() for gradient in found]


def assert_near(found: list[Array], expected: list[Array], second: bool = False) -> None:
    """Compare sums of up to thirty products of elementary functions, with terms up to about 2⁶."""
    roundings = (30 + 4 * ELEMENTARY_ROUNDINGS) * (4 if second else 1)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        magnitude = 64 * max(1.0, float(np.abs(theirs).max()))
        assert np.abs(ours - theirs).max() <= relative_bound(roundings, np.float64) * magnitude


# -- PyTorch ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch() -> Any:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    names = ["abs", "exp", "log", "maximum", "minimum", "matmul", "multiply", "divide", "negative"]
    names += ["relu", "reshape", "sigmoid", "softmax", "log_softmax", "sqrt", "square", "tanh"]
    names += ["add", "subtract", "where"]
    return SimpleNamespace(
        **{name: getattr(torch, name) for name in names},
        power=torch.pow,
        softplus=lambda x: torch.logaddexp(x, torch.zeros_like(x)),
        softmax_cross_entropy=lambda z, ids: functional.cross_entropy(z, ids, reduction="none"),
        reduce_sum=torch.sum,
        reduce_mean=torch.mean,
        reduce_max=torch.amax,
        transpose=torch.permute,
        concatenate=torch.cat,
        clip=torch.clamp,
        array=torch.tensor,
        module=torch,
    )


def torch_gradients(torch: Any, expression: Expression, arrays: list[Array], grad: Array) -> Any:
    variables = [torch.module.tensor(array, requires_grad=True) for array in arrays]
    result = expression(torch, *variables)
    slopes = torch.module.autograd.grad(
        result, variables, torch.module.tensor(grad), create_graph=True
    )
    return variables, slopes


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_torch(torch: Any, name: str) -> None:
    expression = EXPRESSIONS[name]
    arrays = draw(expression)
    grad = np.random.default_rng(1).normal(size=np.shape(expression(OURS, *arrays)))
    variables, slopes = torch_gradients(torch, expression, arrays, grad)
    assert_near(our_gradients(expression, arrays, grad), [s.detach().numpy() for s in slopes])
    total = sum((slope * slope).sum() / 2 for slope in slopes)
    if total.requires_grad:
        bends = torch.module.autograd.grad(total, variables, allow_unused=True)
        expected = [
            np.zeros(array.shape) if bend is None else bend.numpy(force=True)
            for bend, array in zip(bends, arrays, strict=True)
        ]
        assert_near(our_second_derivatives(expression, arrays, grad), expected, second=True)


KINKS: dict[str, tuple[Expression, list[float]]] = {
    "abs": (lambda m, x: m.abs(x), [0.0, -0.0]),
    "relu": (lambda m, x: m.relu(x), [0.0, -0.0]),
    "clip": (lambda m, x: m.clip(x, 0.0, 1.0), [-1.0, 0.0, 0.5, 1.0, 2.0]),
    "maximum": (lambda m, x: m.maximum(x, m.array(np.array([1.0, 1.0, 1.0]))), [0.0, 1.0, 2.0]),
    "minimum": (lambda m, x: m.minimum(x, m.array(np.array([1.0, 1.0, 1.0]))), [0.0, 1.0, 2.0]),
    "reduce_max": (lambda m, x: m.reduce_max(x, 0), [3.0, 1.0, 3.0, 3.0]),
    "sqrt": (lambda m, x: m.sqrt(x), [0.0, 4.0]),
    "power 0": (lambda m, x: m.power(x, 0.0), [0.0, 2.0, -1.0]),
    "power 1": (lambda m, x: m.power(x, 1.0), [0.0, 2.0, -1.0]),
    "power 3": (lambda m, x: m.power(x, 3), [0.0, 2.0, -1.0]),
    "power of 0": (lambda m, x: m.power(m.array(np.zeros(3)), x), [1.0, 2.0, 3.0]),
    "power of -1": (lambda m, x: m.power(m.array(-np.ones(2)), x), [1.0, 2.0]),
}


@pytest.mark.parametrize("name", KINKS)
def test_torch_at_kinks(torch: Any, name: str) -> None:
    expression, numbers = KINKS[name]
    arrays = [np.array(numbers)]
    grad = np.ones(np.shape(expression(OURS, *arrays)))
    _, slopes = torch_gradients(torch, expression, arrays, grad)
    found = our_gradients(expression, arrays, grad)
    np.testing.assert_array_equal(found[0], slopes[0].detach().numpy())


# -- JAX -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jax() -> Any:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    names = ["abs", "exp", "log", "maximum", "minimum", "matmul", "multiply", "divide", "negative"]
    names += ["reshape", "sqrt", "square", "tanh", "add", "subtract", "where", "power", "clip"]
    names += ["transpose", "concatenate"]
    rows = ["relu", "sigmoid", "softmax", "log_softmax", "softplus"]
    return SimpleNamespace(
        **{name: getattr(jnp, name) for name in names},
        **{name: getattr(jax.nn, name) for name in rows},
        softmax_cross_entropy=lambda z, ids: -jax.nn.log_softmax(z)[jnp.arange(len(ids)), ids],
        reduce_sum=jnp.sum,
        reduce_mean=jnp.mean,
        reduce_max=jnp.max,
        array=jnp.asarray,
        module=jax,
    )


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_jax(jax: Any, name: str) -> None:
    expression = EXPRESSIONS[name]
    arrays = draw(expression)
    grad = np.random.default_rng(1).normal(size=np.shape(expression(OURS, *arrays)))

    def slopes(*variables: Any) -> Any:
        _, backward = jax.module.vjp(lambda *v: expression(jax, *v), *variables)
        return backward(jax.array(grad))

    def total(*variables: Any) -> Any:
        return sum((slope**2).sum() / 2 for slope in slopes(*variables))

    inputs = [jax.array(array) for array in arrays]
    assert_near(our_gradients(expression, arrays, grad), [np.asarray(s) for s in slopes(*inputs)])
    bends = jax.module.grad(total, argnums=tuple(range(len(arrays))))(*inputs)
    if name not in ("add", "subtract"):  # which have no path for second derivatives
        expected = [np.asarray(bend) for bend in bends]
        assert_near(our_second_derivatives(expression, arrays, grad), expected, second=True)
