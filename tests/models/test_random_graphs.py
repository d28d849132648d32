"""Random graphs: gradients of all weights by complex steps through a definition in NumPy, files, batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.random_graphs import random_graph
from support.tolerances import relative_bound

import cnet
from cnet import layers
from cnet.models.graph_calls import Calls

Array = npt.NDArray[Any]


def positive(x: Array) -> Array:
    return np.where(x.real > 0, x, 0)


def larger(x: Array, y: Array) -> Array:
    return np.where(x.real >= y.real, x, y)


def folded(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def fold(first: Array, *others: Array) -> Array:
        for other in others:
            first = function(first, other)
        return first

    return fold


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.real.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def normalized(x: Array, axis: Any, layer: Any, gamma: Array, beta: Array) -> Array:
    centered = x - x.mean(axis=axis, keepdims=True)
    variance = (centered**2).mean(axis=axis, keepdims=True)
    return centered / np.sqrt(variance + layer.epsilon) * gamma + beta


# Of real and complex numbers.
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": positive,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "elu": lambda x: np.where(x.real > 0, x, np.exp(x) - 1),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "softmax": softmax,
}
# In training mode, given the layer, its weights and its inputs.
DEFINITIONS: dict[str, Callable[..., Array]] = {
    "Dense": lambda layer, w, x: activated(layer, x @ w[0] + w[1]),
    "Activation": lambda layer, _, x: activated(layer, x),
    "Embedding": lambda _, w, ids: w[0][ids],
    "Add": lambda _, __, *xs: folded(np.add)(*xs),
    "Subtract": lambda _, __, x, y: x - y,
    "Multiply": lambda _, __, *xs: folded(np.multiply)(*xs),
    "Divide": lambda _, __, x, y: x / y,
    "Average": lambda _, __, *xs: folded(np.add)(*xs) / len(xs),
    "Maximum": lambda _, __, *xs: folded(larger)(*xs),
    "Minimum": lambda _, __, *xs: -folded(larger)(*(-x for x in xs)),
    "Concatenate": lambda layer, _, *xs: np.concatenate(xs, axis=layer.axis),
    "Dot": lambda _, __, x, y: (x * y).sum(axis=1, keepdims=True),
    "LayerNormalization": lambda layer, w, x: normalized(x, -1, layer, *w),
    "BatchNormalization": lambda layer, w, x: normalized(x, 0, layer, *w[:2]),
    "Rescaling": lambda layer, _, x: x * layer.scale + layer.offset,
    "Reshape": lambda layer, _, x: x.reshape(len(x), *layer.target_shape),
    "Flatten": lambda _, __, x: x.reshape(len(x), -1),
    "GlobalAveragePooling1D": lambda _, __, x: x.mean(axis=1),
    "GlobalMaxPooling1D": lambda _, __, x: folded(larger)(*np.moveaxis(x, 1, 0)),
}


def activated(layer: Any, x: Array) -> Array:
    return ACTIVATIONS[getattr(layer.activation, "__name__", "linear")](x)


def outputs_of(model: Any, weights: Mapping[Any, Array], x: Sequence[Array]) -> list[Array]:
    """Return the outputs of a model by the definitions of its layers, given all weights."""
    calls = Calls(len(x))
    outputs = model._add_calls(range(len(x)), calls)
    values = list(x)
    for call in calls.calls:
        layer: Any = call.layer
        own = [weights[weight] for weight in layer.weights]
        inputs = [values[operand] for operand in call.operands]
        values.append(DEFINITIONS[type(layer).__name__](layer, own, *inputs))
    return [values[output] for output in outputs]


def loss_of(model: Any, weights: Mapping[Any, Array], x: Any, y: Any) -> complex:
    outputs = outputs_of(model, weights, x)
    parts = [output.loss_weight for output in model._setup.outputs]
    return complex(
        sum(
            part * ((output - labels) ** 2).mean()
            for part, output, labels in zip(parts, outputs, y, strict=True)
        )
    )


SEEDS = range(16)


def test_every_layer_of_graphs_is_among_the_random_ones() -> None:
    found = {
        type(layer).__name__
        for seed in SEEDS
        for layer in random_graph(seed, 2, is_random=False).model._flat_layers()
    }
    assert found - {"InputLayer"} == set(DEFINITIONS)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_step_follows_the_gradient(seed: int) -> None:
    """Of a sample of the weights: the imaginary part of the loss after a complex step."""
    model, x, y = random_graph(seed, 9, width=7, dtype="float64", is_random=False)
    model.optimizer.learning_rate = 1.0
    before = {weight: weight.numpy() for weight in model.weights}
    loss = model.train_on_batch(x, y)
    losses = [loss_of(model, before, x, y).real]
    assert (loss if isinstance(loss, float) else loss[0]) == pytest.approx(losses[0], rel=1e-12)
    choices = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        complex_weights = {each: array.astype(complex) for each, array in before.items()}
        moved = complex_weights[weight].reshape(-1)
        change = (before[weight] - weight.numpy()).reshape(-1)
        for place in choices.permutation(len(moved))[:4]:
            moved[place] += 1e-200j
            expected = loss_of(model, complex_weights, x, y).imag / 1e-200
            moved[place] -= 1e-200j
            # Sums of a few hundred products, and the difference of two weights.
            scale = max(np.abs(change).max(), np.abs(before[weight]).max(), 1)
            bound = relative_bound(2000, np.float64) * scale
            assert abs(change[place] - expected) <= bound, (weight.path, place)


@pytest.mark.parametrize("seed", SEEDS)
def test_files_and_batches(seed: int, tmp_path: Path) -> None:
    """A loaded model continues with the same bits, and has the same predictions in any batch."""
    model, x, y = random_graph(seed, 20)
    model.fit(x, y, batch_size=8, verbose=0)
    path = tmp_path / "model.safetensors"
    model.save(path)
    twin = cnet.models.load_model(path)
    assert twin.get_config() == model.get_config()
    whole = model.predict(x, verbose=0)
    for first in (0, 7):
        parts = twin([array[first : first + 7] for array in x])
        for output, part in zip(whole, parts, strict=True):
            np.testing.assert_array_equal(output[first : first + 7], part)
    for each in (model, twin):
        each.fit(x, y, batch_size=8, verbose=0)
    for one, other in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_seeds_give_other_graphs() -> None:
    configs = [random_graph(seed, 2).model.to_json() for seed in SEEDS]
    assert len(set(configs)) == len(SEEDS)
    models = [random_graph(seed, 2).model for seed in SEEDS]
    assert any(isinstance(layer, layers.Embedding) for m in models for layer in m.layers)
    assert any(len(model.inputs) > 2 for model in models)
    assert any(len(model.outputs) > 2 for model in models)
    assert any(layer.__class__.__name__ == "Functional" for m in models for layer in m.layers)
