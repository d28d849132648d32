"""Configurations that Keras writes and cnet reads, and the other way round: structure, weights, predictions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, training_bound

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")

ROWS = 5
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(ROWS, 4)).astype(np.float32)
OTHERS = RNG.normal(size=(ROWS, 4)).astype(np.float32)
IDS = RNG.integers(6, size=(ROWS, 3))
BOUND = training_bound(1, 1.0, 2 * 12 * 100 + ELEMENTARY_ROUNDINGS, np.float32)


def plain(config: Any) -> Any:
    """Return a configuration as JSON has it, with lists in place of tuples, and numbers as Keras's L1 rounds them."""
    return json.loads(json.dumps(config), parse_float=lambda text: float(np.float32(text)))


def flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, dict):
        return [outputs[name] for name in sorted(outputs)]
    is_shape = isinstance(outputs, tuple) and not isinstance(outputs[0], tuple)
    return [outputs] if is_shape or not isinstance(outputs, (list, tuple)) else list(outputs)


def compare_weights(model: Any, twin: Any) -> None:
    """Compare the weights by their paths, and give them the same values."""
    assert twin.count_params() == model.count_params()
    for kind in ("weights", "trainable_weights"):
        # Keras has the names of chains in the paths of their layers' weights.
        paths = [[w.path.split("/")[-2:] for w in getattr(each, kind)] for each in (model, twin)]
        assert paths[0] == paths[1]
    weights = [RNG.uniform(0.25, 1, size=weight.shape) for weight in model.get_weights()]
    for each in (model, twin):
        each.set_weights(weights)


def compare(model: Any, x: Any, target: Any) -> Any:
    """Return the model of the other library, after comparing structure and predictions."""
    twin = target.models.model_from_json(model.to_json())
    assert twin.name == model.name
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    if not any(type(layer).__name__ == "Normalization" for layer in model.layers):
        compare_weights(model, twin)
    shapes, expected_shapes = (flat(each.output_shape) for each in (twin, model))
    assert shapes == expected_shapes
    outputs, expected = (flat(each.predict(x, verbose=0)) for each in (twin, model))
    for output, other in zip(outputs, expected, strict=True):
        assert output.shape == other.shape
        scale = max(1, abs(other).max())
        np.testing.assert_allclose(output, other, rtol=0, atol=100 * BOUND * scale)
    return twin


# -- Layers ----------------------------------------------------------------------------------------

PENALTY = {"class_name": "L1L2", "config": {"l1": 0.5, "l2": 0.25}}
LAYERS: list[tuple[str, dict[str, Any], str]] = [
    ("Activation", {"activation": "gelu"}, "numbers"),
    ("BatchNormalization", {}, "numbers"),
    (
        "BatchNormalization",
        {
            "momentum": 0.5,
            "epsilon": 0.25,
            "center": False,
            "gamma_initializer": "random_normal",
            "gamma_regularizer": "l2",
            "gamma_constraint": "non_neg",
            "moving_variance_initializer": "zeros",
        },
        "numbers",
    ),
    ("Dense", {"units": 3}, "numbers"),
    (
        "Dense",
        {
            "units": 3,
            "activation": "softplus",
            "kernel_initializer": {"class_name": "RandomUniform", "config": {"seed": 3}},
            "bias_initializer": "ones",
            "kernel_regularizer": PENALTY,
            "bias_regularizer": "l1",
            "kernel_constraint": "max_norm",
            "bias_constraint": "unit_norm",
            "trainable": False,
        },
        "numbers",
    ),
    ("Dense", {"units": 2, "use_bias": False, "kernel_constraint": "min_max_norm"}, "numbers"),
    *(
        ("Dense", {"units": 2, "kernel_initializer": name}, "numbers")
        for name in (
            *("glorot_normal", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform"),
            *("orthogonal", "truncated_normal", "variance_scaling", "identity"),
            {"class_name": "Constant", "config": {"value": 0.5}},
        )
    ),
    ("Dropout", {"rate": 0.5, "seed": 7}, "numbers"),
    ("ELU", {"alpha": 0.5}, "numbers"),
    (
        "Embedding",
        {
            "input_dim": 6,
            "output_dim": 2,
            "embeddings_initializer": "zeros",
            "embeddings_regularizer": "l2",
            "embeddings_constraint": "non_neg",
        },
        "ids",
    ),
    ("Flatten", {}, "rows"),
    ("GaussianNoise", {"stddev": 0.5, "seed": 7}, "numbers"),
    ("GlobalAveragePooling1D", {"keepdims": True}, "rows"),
    ("GlobalMaxPooling1D", {}, "rows"),
    (
        "LayerNormalization",
        {"epsilon": 0.25, "scale": False, "beta_initializer": "ones", "beta_regularizer": "l1"},
        "numbers",
    ),
    ("LeakyReLU", {"negative_slope": 0.5}, "numbers"),
    ("Normalization", {"mean": [1.0, 2, 3, 4], "variance": [5.0, 6, 7, 8]}, "numbers"),
    ("ReLU", {"max_value": 0.5, "negative_slope": 0.25, "threshold": 0.125}, "numbers"),
    ("Rescaling", {"scale": 0.5, "offset": -0.5}, "numbers"),
    ("Reshape", {"target_shape": (2, -1)}, "numbers"),
    ("Softmax", {}, "numbers"),
    ("Add", {}, "both"),
    ("Average", {}, "both"),
    ("Concatenate", {"axis": 1}, "both"),
    ("Dot", {"axes": 1}, "both"),
    ("Dot", {"axes": (1, -1), "normalize": True}, "both"),
    ("Maximum", {}, "both"),
    ("Minimum", {}, "both"),
    ("Multiply", {}, "both"),
    ("Subtract", {}, "both"),
]
DATA: dict[str, Any] = {
    "numbers": NUMBERS,
    "rows": RNG.normal(size=(ROWS, 3, 4)).astype(np.float32),
    "ids": IDS,
    "both": [NUMBERS, OTHERS],
}
CATEGORIES: list[tuple[str, dict[str, Any], Any]] = [
    ("CategoryEncoding", {"num_tokens": 6, "output_mode": "count"}, IDS),
    ("Discretization", {"bin_boundaries": [0.0, 0.5], "output_mode": "one_hot"}, NUMBERS[:, :1]),
    ("Discretization", {"num_bins": 3, "epsilon": 0.1}, None),
    ("HashedCrossing", {"num_bins": 7, "output_mode": "one_hot"}, None),
    ("Hashing", {"num_bins": 7, "salt": [1, 2]}, IDS),
    ("IntegerLookup", {"vocabulary": [5, 1, 3], "output_mode": "multi_hot"}, IDS),
    ("IntegerLookup", {"max_tokens": 9, "num_oov_indices": 2, "mask_token": 0}, None),
    ("StringLookup", {"vocabulary": ["a", "b"], "oov_token": "?"}, np.array([["a"], ["c"]])),
    ("StringLookup", {"vocabulary": ["a", "b"], "invert": True}, None),
]
BOTH_WAYS = pytest.mark.parametrize(
    ("source", "target"), [(cnet, keras), (keras, cnet)], ids=["to Keras", "from Keras"]
)


def test_every_layer_is_covered() -> None:
    named = {name for name, *_ in [*LAYERS, *CATEGORIES]} | {"InputLayer", "Layer", "Lambda"}
    classes = {name for name in cnet.layers.__all__ if isinstance(getattr(cnet.layers, name), type)}
    assert classes - {"Weight"} == named


@BOTH_WAYS
@pytest.mark.parametrize(("name", "options", "data"), LAYERS, ids=[name for name, *_ in LAYERS])
def test_layer(name: str, options: dict[str, Any], data: str, source: Any, target: Any) -> None:
    x = DATA[data]
    inputs = [
        source.Input(each.shape[1:], name=f"x{n}", dtype="int32" if data == "ids" else "float32")
        for n, each in enumerate(x if data == "both" else [x])
    ]
    layer = getattr(source.layers, name)(name="mine", **options)
    outputs = layer(inputs if data == "both" else inputs[0])
    model = source.Model(inputs, outputs, name="whole")
    twin = compare(model, x, target)
    again = source.models.model_from_json(twin.to_json())
    assert plain(again.get_config()) == plain(model.get_config())


@BOTH_WAYS
@pytest.mark.parametrize(("name", "options", "data"), CATEGORIES, ids=[c[0] for c in CATEGORIES])
def test_layer_of_categories(
    name: str, options: dict[str, Any], data: Any, source: Any, target: Any
) -> None:
    layer = getattr(source.layers, name)(name="mine", **options)
    text = json.dumps(source.layers.serialize(layer))
    twin = target.layers.deserialize(json.loads(text))
    assert twin.name == "mine"
    if data is not None:
        np.testing.assert_array_equal(np.asarray(twin(data)), np.asarray(layer(data)))
    again = source.layers.deserialize(json.loads(json.dumps(target.layers.serialize(twin))))
    if "vocabulary" in options:  # which cnet describes with the tokens that stand for others
        assert again.get_vocabulary() == layer.get_vocabulary()
    else:
        assert plain(again.get_config()) == plain(layer.get_config())


# -- Models ----------------------------------------------------------------------------------------


def several(k: Any) -> Any:
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    shared = k.layers.Dense(3, activation="tanh", name="shared")
    h = k.layers.Concatenate(name="joined")([shared(a), shared(b), b])
    top = k.layers.Dense(2, activation="softmax", name="top")(h)
    return k.Model([a, b], [top, k.layers.Dense(1, name="side")(h)], name="several")


def by_names(k: Any) -> Any:
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    h = k.layers.Add(name="sum")([k.layers.Dense(4, name="h")(a), b])
    outputs = {"one": k.layers.Dense(1, name="one")(h), "two": k.layers.Dense(2, name="two")(h)}
    return k.Model({"a": a, "b": b}, outputs, name="by_names")


def nested(k: Any) -> Any:
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    x = k.Input((4,), name="x")
    tower = k.Model(x, k.layers.Dense(3, activation="relu", name="t")(x), name="tower")
    chain = k.Sequential([k.Input((3,)), k.layers.Dense(2, name="c")], name="chain")
    p, q = tower(a), tower(b)
    both = k.layers.Multiply(name="both")([p, q])
    return k.Model([a, b], [p, chain(both), q], name="nested")


def nested_twice(k: Any) -> Any:
    x, y, z = (k.Input((4,), name=name) for name in "xyz")
    inner = k.Model(x, k.layers.Dense(4, name="d")(x), name="inner")
    middle = k.Model(y, inner(inner(y)), name="middle")
    return k.Model(z, middle(z), name="nested_twice")


def two_inputs_within(k: Any) -> Any:
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    p, q = k.Input((4,), name="p"), k.Input((4,), name="q")
    merged = k.layers.Subtract(name="s")([p, q])
    inner = k.Model([p, q], [merged, k.layers.Dense(2, name="d")(merged)], name="inner")
    one, two = inner([a, b])
    return k.Model([a, b], k.layers.Concatenate(name="top")([two, one]), name="outer")


def chain(k: Any) -> Any:
    layers = [k.layers.Dense(3, activation="relu", name="h"), k.layers.Dense(2, name="top")]
    return k.Sequential([k.Input((4,), name="x"), *layers], name="chain")


def chain_without_input(k: Any) -> Any:
    model = k.Sequential([k.layers.Dense(3, name="h"), k.layers.Dense(2, name="top")], name="chain")
    model.build((None, 4))
    return model


BOTH = [NUMBERS, OTHERS]
MODELS: dict[Callable[[Any], Any], Any] = {
    several: BOTH,
    by_names: {"a": NUMBERS, "b": OTHERS},
    nested: BOTH,
    nested_twice: NUMBERS,
    two_inputs_within: BOTH,
    chain: NUMBERS,
    chain_without_input: NUMBERS,
}


@BOTH_WAYS
@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_model(build: Callable[[Any], Any], source: Any, target: Any) -> None:
    model = build(source)
    twin = compare(model, MODELS[build], target)
    again = source.models.model_from_json(twin.to_json())
    assert plain(again.get_config()) == plain(model.get_config())


@BOTH_WAYS
def test_a_chain_that_is_not_built(source: Any, target: Any) -> None:
    model = source.Sequential([source.layers.Dense(3, name="h")], name="chain")
    twin = target.models.model_from_json(model.to_json())
    assert not twin.built
    twin.build((None, 4))
    assert twin.count_params() == 15


def test_operators_of_keras() -> None:
    ops = keras.ops
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    h = (x + y) * 2.0 - x / 4.0 + (1.0 - y) * x
    parts = [
        h,
        ops.relu(h),
        ops.tanh(x),
        ops.sigmoid(-y),
        ops.softmax(x),
        ops.maximum(x, y),
        ops.minimum(x, 0.5),
        ops.exp(x),
        ops.abs(y) ** 2,
        ops.mean(x, axis=-1, keepdims=True),
        ops.sum(h, axis=1, keepdims=True),
        ops.max(y, axis=-1, keepdims=True),
        ops.clip(x, -0.5, 0.5),
        ops.matmul(x, np.arange(8, dtype=np.float32).reshape(4, 2)),
        ops.reshape(ops.reshape(x, (-1, 2, 2)), (-1, 4)),
        x[:, 1:3],
        keras.activations.gelu(x, approximate=False),
        keras.activations.leaky_relu(x, negative_slope=0.5),
        keras.activations.relu(x, max_value=0.5),
        ops.silu(x),
        2.0 / (3.0 + ops.square(x)),
    ]
    model = keras.Model([x, y], ops.concatenate(parts, axis=-1), name="whole")
    twin = cnet.models.model_from_json(model.to_json())
    expected = model.predict(BOTH, verbose=0)
    bound = 100 * BOUND * abs(expected).max()
    np.testing.assert_allclose(twin.predict(BOTH, verbose=0), expected, rtol=0, atol=bound)
    names = {layer.name for layer in model.layers}
    assert {layer.name for layer in twin.layers} >= names - {"true_divide", "true_divide_1"}


def test_operators_of_cnet() -> None:
    x, y = cnet.Input((4,), name="x"), cnet.Input((4,), name="y")
    model = cnet.Model([x, y], (x + y) * 2.0 - x / 4.0 - y, name="whole")
    compare(model, BOTH, keras)


# -- The arguments of compile ----------------------------------------------------------------------

COMPILED: list[Callable[[Any], dict[str, Any]]] = [
    lambda _: {"optimizer": "adam", "loss": "mse", "metrics": ["mae", "accuracy"]},
    lambda k: {
        "optimizer": k.optimizers.SGD(0.5, momentum=0.25, nesterov=True, clipnorm=2.0),
        "loss": k.losses.Huber(reduction="sum"),
        "metrics": [k.metrics.MeanSquaredError(name="m")],
        "weighted_metrics": [k.metrics.RootMeanSquaredError()],
    },
    lambda k: {
        "optimizer": k.optimizers.RMSprop(k.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)),
        "loss": k.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.5),
        "metrics": [k.metrics.AUC(num_thresholds=5), k.metrics.Precision(thresholds=0.25)],
    },
]


@BOTH_WAYS
@pytest.mark.parametrize("arguments", COMPILED)
def test_compile(arguments: Callable[[Any], dict[str, Any]], source: Any, target: Any) -> None:
    model = chain(source)
    model.compile(**arguments(source))
    twin = target.models.model_from_json(model.to_json())
    y = RNG.integers(2, size=(ROWS, 2)).astype(np.float32)
    twin.set_weights(model.get_weights())
    figures = [each.evaluate(NUMBERS, y, verbose=0, return_dict=True) for each in (twin, model)]
    assert set(figures[0]) == set(figures[1])
    for name, value in figures[1].items():
        assert figures[0][name] == pytest.approx(value, rel=1e-5), name
    config, other = (each.optimizer.get_config() for each in (twin, model))
    assert set(config) == set(other)
    for name, value in other.items():
        if not isinstance(value, dict):
            assert config[name] == pytest.approx(value) if isinstance(value, float) else True


@BOTH_WAYS
def test_compile_of_several_outputs(source: Any, target: Any) -> None:
    model = several(source)
    model.compile(
        source.optimizers.Adam(0.25),
        {"top": "mse", "side": source.losses.MeanAbsoluteError()},
        {"top": 0.5, "side": 2.0},
        metrics={"top": ["mae"]},
    )
    twin = target.models.model_from_json(model.to_json())
    twin.set_weights(model.get_weights())
    y = [RNG.normal(size=(ROWS, size)).astype(np.float32) for size in (2, 1)]
    figures = [each.evaluate(BOTH, y, verbose=0, return_dict=True) for each in (twin, model)]
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)
