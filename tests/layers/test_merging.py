"""Layers that merge inputs, embeddings and pooling: values, and gradients by complex steps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.instances import MERGES, Maker, name_of

import cnet
from cnet import Input, Model, autodiff, layers

Array = npt.NDArray[Any]
X, Y, Z = (np.random.default_rng(seed).normal(size=(6, 5)) for seed in range(3))
COLUMN = np.random.default_rng(3).normal(size=(6, 1))
STEPS = np.random.default_rng(4).normal(size=(6, 3, 17))


def largest(x: Array, y: Array) -> Array:
    """The maximum by the real parts, also of complex numbers."""
    return np.where(x.real >= y.real, x, y)


def over_steps(x: Array) -> Array:
    result = x[:, 0]
    for step in range(1, x.shape[1]):
        result = largest(result, x[:, step])
    return result


def norm(x: Array, axis: int) -> Array:
    root: Array = np.sqrt((x * x).sum(axis, keepdims=True))
    return root


# A layer, its inputs, and its definition for real and complex numbers.
CASES: list[tuple[Callable[[], layers.Layer], list[Array], Callable[..., Array]]] = [
    (lambda: layers.Add(), [X, Y], lambda x, y: x + y),
    (lambda: layers.Add(), [X, Y, Z, X], lambda x, y, z, w: x + y + z + w),
    (lambda: layers.Add(), [X, COLUMN], lambda x, y: x + y),
    (lambda: layers.Subtract(), [X, Y], lambda x, y: x - y),
    (lambda: layers.Subtract(), [COLUMN, Y], lambda x, y: x - y),
    (lambda: layers.Multiply(), [X, Y, Z], lambda x, y, z: x * y * z),
    (lambda: layers.Multiply(), [STEPS, STEPS[:, :1]], lambda x, y: x * y),
    (lambda: layers.Average(), [X, Y, Z], lambda x, y, z: (x + y + z) / 3),
    (lambda: layers.Maximum(), [X, Y, Z], lambda x, y, z: largest(largest(x, y), z)),
    (lambda: layers.Minimum(), [X, Y], lambda x, y: -largest(-x, -y)),
    (lambda: layers.Concatenate(), [X, COLUMN, Y], lambda *xs: np.concatenate(xs, -1)),
    (lambda: layers.Concatenate(), [STEPS, STEPS[..., :2]], lambda *xs: np.concatenate(xs, -1)),
    (lambda: layers.Concatenate(axis=1), [STEPS, STEPS[:, :2]], lambda *xs: np.concatenate(xs, 1)),
    (lambda: layers.Dot(axes=1), [X, Y], lambda x, y: (x * y).sum(1, keepdims=True)),
    (
        lambda: layers.Dot(axes=2),
        [STEPS, STEPS[:, :2]],
        lambda x, y: np.einsum("bik,bjk->bij", x, y),
    ),
    (
        lambda: layers.Dot(axes=1),
        [STEPS, STEPS[..., :2]],
        lambda x, y: np.einsum("bki,bkj->bij", x, y),
    ),
    (
        lambda: layers.Dot(axes=(-1, 1)),
        [STEPS[..., :5], X],
        lambda x, y: np.einsum("bik,bk->bi", x, y),
    ),
    (
        lambda: layers.Dot(axes=(1, 2), normalize=True),
        [STEPS[:, :, :4], STEPS[:, :2, :3]],
        lambda x, y: np.einsum("bki,bjk->bij", x / norm(x, 1), y / norm(y, 2)),
    ),
    (
        lambda: layers.Dot(axes=-1, normalize=True),
        [X, Y],
        lambda x, y: (x / norm(x, 1) * y / norm(y, 1)).sum(1, keepdims=True),
    ),
    (lambda: layers.GlobalAveragePooling1D(), [STEPS], lambda x: x.mean(1)),
    (lambda: layers.GlobalMaxPooling1D(keepdims=True), [STEPS], lambda x: over_steps(x)[:, None]),
]
IDS = [f"{make().name}-{len(inputs)}" for make, inputs, _ in CASES]


def argument(inputs: list[Any]) -> Any:
    return inputs if len(inputs) > 1 else inputs[0]


@pytest.mark.parametrize(("make", "inputs", "definition"), CASES, ids=IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(
    make: Callable[..., layers.Layer],
    inputs: list[Array],
    definition: Callable[..., Array],
    dtype: str,
) -> None:
    cnet.config.set_floatx(dtype)
    try:
        layer = make()
        typed = [x.astype(dtype) for x in inputs]
        result = layer(argument(typed))
        expected = definition(*typed)
        tolerance = 8 * np.finfo(dtype).eps
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)
        assert result.dtype == dtype
        shapes = [(None, *x.shape[1:]) for x in inputs]
        assert layer.compute_output_shape(argument(shapes)) == (None, *expected.shape[1:])
        symbolic = [Input(x.shape[1:]) for x in inputs]
        model = Model(symbolic, make()(argument(symbolic)))
        for batch in (slice(None), slice(2, 3)):
            np.testing.assert_array_equal(model([x[batch] for x in typed]), result[batch])
    finally:
        cnet.config.set_floatx("float32")


@pytest.mark.parametrize(("make", "inputs", "definition"), CASES, ids=IDS)
def test_gradients(
    make: Callable[..., layers.Layer], inputs: list[Array], definition: Callable[..., Array]
) -> None:
    """Of a weighted sum of the results, by each input: the imaginary part of a complex step."""
    cnet.config.set_floatx("float64")
    try:
        layer = make()
        weights = np.random.default_rng(9).normal(size=definition(*inputs).shape)
        constants = [autodiff.constant(x) for x in inputs]
        with autodiff.GradientTape() as tape:
            tape.watch(constants)
            total = autodiff.reduce_sum(layer(argument(constants)) * weights)
        gradients = tape.gradient(total, constants)
    finally:
        cnet.config.set_floatx("float32")
    for number, gradient in enumerate(gradients):
        expected = np.zeros_like(inputs[number])
        for place in np.ndindex(expected.shape):
            moved = [x.astype(complex) for x in inputs]
            moved[number][place] += 1e-200j
            expected[place] = (definition(*moved) * weights).sum().imag / 1e-200
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-13, atol=1e-14)


def test_equal_maxima_share_the_gradient_as_in_tensorflow() -> None:
    x = autodiff.constant([[1.0, 2.0]])
    y = autodiff.constant([[1.0, 3.0]])
    with autodiff.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        largest_of_two = layers.Maximum()([x, y])
        steps = autodiff.constant([[[1.0, 2.0], [1.0, 5.0], [0.0, 5.0]]])
        tape.watch(steps)
        pooled = layers.GlobalMaxPooling1D()(steps)
    assert tape.gradient(largest_of_two, x).numpy().tolist() == [[1, 0]]
    assert tape.gradient(largest_of_two, y).numpy().tolist() == [[0, 1]]
    assert tape.gradient(pooled, steps).numpy().tolist() == [[[0.5, 0], [0.5, 0.5], [0, 0.5]]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.Add()(X), TypeError, "expected a list of inputs, got ndarray"),
        (lambda: layers.Add()([X]), ValueError, "expected at least 2 inputs, got 1"),
        (lambda: layers.Subtract()([X, Y, Z]), ValueError, "expected 2 inputs, got 3"),
        (lambda: layers.Add()([X, Y[:3]]), ValueError, "as many samples, got 6, 3"),
        (lambda: layers.Add()([X, Y[:, :4]]), ValueError, "whose shapes broadcast, got (batch, 5)"),
        (lambda: layers.Add()([X, STEPS]), ValueError, "got (batch, 5) and (batch, 3, 17)"),
        (lambda: layers.Concatenate()([X, STEPS]), ValueError, "agree except for axis -1"),
        (lambda: layers.Concatenate(axis=3)([X, Y]), ValueError, "agree except for axis 3"),
        (lambda: layers.Concatenate(axis=0), ValueError, "got 0, the batch"),
        (lambda: layers.Concatenate(axis=1.5), TypeError, "expected an integer, got 1.5"),
        (lambda: layers.Dot(axes=0), ValueError, "not 0, the batch, got 0"),
        (lambda: layers.Dot(axes=(1, 1, 1)), TypeError, "expected an axis or two, got (1, 1, 1)"),
        (
            lambda: layers.Dot(axes=2, name="d")([X, Y]),
            ValueError,
            "Dot 'd': axes=2: expected axes",
        ),
        (
            lambda: layers.Dot(axes=1, name="d")([X, Y[:, :4]]),
            ValueError,
            "Dot 'd': axes=1: expected as many numbers along them, got inputs of shape (batch, 5) and (batch, 4)",
        ),
        (lambda: layers.GlobalAveragePooling1D()(X), ValueError, "(batch, steps, features)"),
        (lambda: layers.Add()(Input((3,))), TypeError, "got one symbolic tensor"),
        (lambda: layers.Add()([Input((3,)), X]), TypeError, "arrays or symbolic tensors"),
        (lambda: layers.Dense(3)([Input((3,))] * 2), TypeError, "expected one input, got 2"),
        (lambda: layers.Embedding(0, 3), ValueError, "input_dim"),
        (lambda: layers.Embedding(3, 2.5), TypeError, "output_dim"),
        (
            lambda: layers.Embedding(3, 2, name="table")([[1, 3]]),
            ValueError,
            "ids of 'table': 3 at row 0, column 1 is outside",
        ),
        (
            lambda: layers.Embedding(3, 2, name="table")([[-1]]),
            ValueError,
            "ids of 'table': -1 at row 0, column 0 is outside",
        ),
        (lambda: layers.Embedding(3, 2)([[0.5]]), ValueError, "0.5 at row 0 is not"),
    ],
)
def test_what_does_not_fit_is_refused(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("make", MERGES, ids=name_of)
def test_configs_make_the_same_layer(make: Maker) -> None:
    layer = make(name="mine", trainable=False)
    twin = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert type(twin) is type(layer)
    assert twin.get_config() == layer.get_config()
    assert (twin.name, twin.trainable) == ("mine", False)


def one_hot(ids: Array, size: int, dtype: str = "float32") -> Array:
    return np.eye(size, dtype=dtype)[ids]


@pytest.mark.parametrize("rows", [40, 600])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_embedding_has_the_bits_of_a_dense_layer_on_one_hot_rows(
    rows: int, optimizer: str, dtype: str
) -> None:
    """Also where plain SGD changes only the rows that a batch names."""
    rng = np.random.default_rng(5)
    ids, labels = rng.integers(30, size=(rows, 1)), rng.integers(4, size=rows)
    table = rng.normal(size=(30, 20))
    results = []
    for makes_table in (True, False):
        options: Any = {"name": "table", "dtype": dtype}
        first = (
            layers.Embedding(30, 20, **options)
            if makes_table
            else layers.Dense(20, use_bias=False, **options)
        )
        x = Input((1,)) if makes_table else Input((30,))
        vectors = layers.Flatten(dtype=dtype)(first(x)) if makes_table else first(x)
        top = layers.Dense(4, "softmax", kernel_initializer="ones", dtype=dtype)
        model = Model(x, top(vectors))
        first.set_weights([table])
        top.set_weights([rng.normal(size=(20, 4)) if not results else results[0][2], np.zeros(4)])
        start = top.kernel
        model.compile(optimizer, "sparse_categorical_crossentropy")
        data = ids if makes_table else one_hot(ids[:, 0], 30, dtype)
        cnet.utils.set_random_seed(1)
        model.fit(data, labels, batch_size=550, epochs=2, shuffle=False, verbose=0)
        results.append((first.get_weights()[0], top.kernel, start))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_embedding_of_many_ids() -> None:
    """The rows that no batch names stay as they are; repeated ids add up."""
    table = layers.Embedding(100_000, 8, name="table")
    ids = Input((3,), dtype="int32")
    model = Model(ids, layers.GlobalAveragePooling1D()(table(ids)))
    before = table.embeddings
    model.compile(cnet.optimizers.SGD(1.0), "mse")
    x = np.array([[7, 7, 99_999], [0, 7, 1]])
    model.fit(x, np.zeros((2, 8)), batch_size=2, verbose=0)
    after = table.embeddings
    changed = np.flatnonzero((before != after).any(axis=1))
    assert changed.tolist() == [0, 1, 7, 99_999]
    means = before[x].mean(axis=1)
    gradient = np.zeros_like(before)
    for row, sample in zip(x, means, strict=True):
        for each in row:
            gradient[each] += 2 * sample / 8 / 2 / 3
    np.testing.assert_allclose(after, before - gradient, rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match=r"fit: x: ids of 'table': 100000 at row 1, column 0"):
        model.fit(np.array([[0, 1, 2], [100_000, 1, 2]]), np.zeros((2, 8)), verbose=0)
    np.testing.assert_array_equal(table.embeddings, after)
