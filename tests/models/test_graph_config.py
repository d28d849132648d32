"""Descriptions of models, whole and damaged, and operations of Keras in them."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import Input, Model, Sequential, layers, models


def valid() -> list[str]:
    """Return descriptions of models with all that they may have."""
    a, b = Input((4,), name="a"), Input((3,), name="b", dtype="int32")
    inner_input = Input((4,))
    inner = Model(inner_input, layers.Dense(4, "relu", name="i")(inner_input), name="inner")
    chain = Sequential([Input((4,)), layers.Dense(4, name="c", kernel_regularizer="l2")])
    vectors = layers.Embedding(9, 2, name="table")(b)
    parts = [inner(a), chain(inner(a)), layers.Flatten()(vectors)]
    top = layers.Dense(2, kernel_initializer="he_normal")(layers.Concatenate()(parts))
    graph = Model({"a": a, "b": b}, [top, layers.LeakyReLU(0.5)(top)], name="graph")
    graph.compile(
        cnet.optimizers.Adam(cnet.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)),
        ["mse", cnet.losses.Huber(0.5)],
        loss_weights=[1.0, 0.5],
        metrics=[["mae"], [cnet.metrics.MeanSquaredError()]],
    )
    line = Sequential([Input((4,)), layers.BatchNormalization(), layers.Dense(3, "softmax")])
    line.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    operations = operation("Mean", [tensor("x")], axis=-1, keepdims=True)
    return [graph.to_json(), line.to_json(), json.dumps(operations)]


def tensor(name: str) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}


def operation(kind: str, args: list[Any], module: str = "numpy", **options: Any) -> dict[str, Any]:
    """Return a description of a model of one operation, as Keras writes it."""
    head = layers.serialize(layers.InputLayer((4,), name="x"))
    config = {
        "module": f"keras.src.ops.{module}",
        "class_name": kind,
        "config": {"name": "mine", **options},
        "registered_name": kind,
        "name": "mine",
        "inbound_nodes": [{"args": args, "kwargs": {}}],
    }
    model = {
        "name": "model",
        "trainable": True,
        "layers": [head | {"name": "x", "inbound_nodes": []}, config],
        "input_layers": ["x", 0, 0],
        "output_layers": ["mine", 0, 0],
    }
    return {"module": "keras", "class_name": "Functional", "config": model}


SLICE = {"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": None}}
EVERY = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}
MATRIX = {"class_name": "__tensor__", "config": {"value": [[1.0]] * 4, "dtype": "float32"}}
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)


@pytest.mark.parametrize(
    ("kind", "args", "options", "expected"),
    [
        ("Add", [tensor("x"), 1.0], {}, X + 1),
        ("Subtract", [1, tensor("x")], {}, 1 - X),
        ("TrueDivide", [2.0, tensor("x")], {}, 2 / X),
        ("Power", [tensor("x"), 2], {}, X**2),
        ("Matmul", [tensor("x"), MATRIX], {}, X.sum(axis=1, keepdims=True)),
        ("GetItem", [tensor("x"), [EVERY, SLICE]], {}, X[:, 1:]),
        ("Mean", [tensor("x")], {"axis": [1], "keepdims": True}, X.mean(axis=1, keepdims=True)),
        ("Clip", [tensor("x")], {"x_min": 0.0, "x_max": 0.5}, X.clip(0, 0.5)),
        ("Concatenate", [[tensor("x"), tensor("x")]], {"axis": -1}, np.hstack([X, X])),
        ("LeakyRelu", [tensor("x")], {"negative_slope": 0.5}, np.where(X < 0, X / 2, X)),
    ],
)
def test_operations_of_keras(
    kind: str, args: list[Any], options: dict[str, Any], expected: Any
) -> None:
    model = models.model_from_json(json.dumps(operation(kind, args, **options)))
    assert model.layers[-1].name == "mine"
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (operation("Sort", [tensor("x")]), "expected an operation among .*'Sort'"),
        (operation("Max", [tensor("x")], initial=3.0), "'mine': Max: initial is not supported"),
        (operation("Add", [1.0, 2.0]), "'mine': inbound_nodes: .*symbolic tensor"),
        (operation("Add", [tensor("x"), {"class_name": "__lambda__"}]), "can't read"),
        (operation("Add", [tensor("y"), 1.0]), "depend on themselves, or on missing layers"),
        (operation("Gelu", [tensor("x")], negative_slope=1.0), "negative_slope"),
    ],
)
def test_refused_operations(config: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        models.model_from_json(json.dumps(config))


@pytest.mark.parametrize("kwargs", [{"mask": tensor("x")}, {"mask": [None, 1]}, {"training": 7}])
def test_refused_keywords(kwargs: Any) -> None:
    config = operation("Add", [tensor("x"), 1.0])
    config["config"]["layers"][1]["inbound_nodes"][0]["kwargs"] = kwargs
    with pytest.raises(ValueError, match=r"'mine': inbound_nodes: kwargs: \w+ is not supported"):
        models.model_from_json(json.dumps(config))


def test_an_untrainable_model() -> None:
    x = Input((4,))
    trainable = Model(x, layers.Dense(2)(x))
    config = trainable.get_config()
    assert config["trainable"] is True
    model = type(trainable).from_config(config | {"trainable": False})
    assert not model.trainable_weights
    assert model.get_config()["trainable"] is False


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return each list or dict within a value, with each of its keys."""
    keys = range(len(value)) if isinstance(value, list) else list(value)
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], (list, dict)):
            found += places(value[key])
    return found


JUNK: list[Any] = [
    *(None, True, 0, -1, 2**70, 0.5, float("nan"), "", "x", [], [1], {}, {"a": 1}, [[None]]),
    *({"class_name": "Dense"}, {"class_name": ["a"], "config": 1}, tensor("a"), SLICE, MATRIX),
]


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
@pytest.mark.parametrize("text", valid(), ids=["graph", "chain", "operation"])
def test_damaged_descriptions(text: str) -> None:
    """Only TypeError and ValueError come out of models, and of what they are compiled with."""
    source = random.Random(1)
    assert models.model_from_json(text)
    refused = 0
    for _ in range(400):
        config = json.loads(text)
        for _ in range(source.choice([1, 1, 1, 3])):
            holder, key = source.choice(places(config))
            other, other_key = source.choice(places(config))
            change = source.randrange(4)
            if change == 0 and isinstance(holder, dict):
                holder.pop(key, None)
            elif change == 1 and isinstance(holder, list):
                holder.insert(key, copy.deepcopy(other[other_key]))
            elif change == 2:
                holder[key] = copy.deepcopy(other[other_key])
            else:
                holder[key] = copy.deepcopy(source.choice(JUNK))
        try:
            models.model_from_json(json.dumps(config))
        except (TypeError, ValueError):
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("config", [None, {}, {"layers": []}, 3])
def test_configurations_that_are_none(config: Any) -> None:
    with pytest.raises(ValueError, match=r"from_config: expected a dict with input_layers, "):
        cnet.Model.from_config(config)


def test_the_configuration_of_ones_own_class_is_a_dict() -> None:
    class Own(cnet.Model):
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(ValueError, match=r"^Own.from_config: expected a dict of .*, got None"):
        Own.from_config(None)
