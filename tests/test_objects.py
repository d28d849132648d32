"""Objects of each kind as plain values and back, and descriptions that are refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from support import instances
from support.instances import Maker, name_of

import cnet
from cnet import layers, losses, utils

OBJECTS: list[Maker] = [
    *instances.SERIALIZABLE_LAYERS,
    *(*instances.LOSSES, *instances.METRICS, *instances.OPTIMIZERS, *instances.SCHEDULES),
    *(*instances.INITIALIZERS, *instances.REGULARIZERS, *instances.CONSTRAINTS),
]


@pytest.mark.parametrize("make", OBJECTS, ids=name_of)
def test_every_object(make: Maker) -> None:
    thing = make()
    described = json.loads(json.dumps(utils.serialize_keras_object(thing)))
    assert set(described) >= {"module", "class_name", "config", "registered_name"}
    copy = utils.deserialize_keras_object(described)
    assert type(copy) is make.func
    assert utils.serialize_keras_object(copy) == utils.serialize_keras_object(thing)


def test_nested_values() -> None:
    things = {"a": [layers.Dense(2, name="x"), losses.huber], "b": np.arange(3), "c": (1, None)}
    described = json.loads(json.dumps(utils.serialize_keras_object(things)))
    copy = utils.deserialize_keras_object(described)
    assert [type(copy["a"][0]), copy["a"][1]] == [layers.Dense, losses.huber]
    np.testing.assert_array_equal(copy["b"], things["b"])
    assert copy["c"] == [1, None]


def test_models_and_what_they_are_built_and_compiled_for() -> None:
    model = cnet.Sequential([layers.Input((4,)), layers.Dense(3)])
    assert model.get_compile_config() == {}
    model.compile("adam", "mse", metrics=["mae"], loss_weights=[0.5])
    copy = utils.deserialize_keras_object(utils.serialize_keras_object(model))
    assert copy.get_compile_config() == model.get_compile_config()
    assert copy.output_shape == (None, 3)
    dense = layers.deserialize(layers.serialize(model.layers[0]))
    assert dense.get_build_config() == {"input_shape": [None, 4]}
    assert layers.Dense(3).get_build_config() is None
    add = layers.Add()
    add.build([(None, 2), (None, 2)])
    assert layers.deserialize(layers.serialize(add)).input_shape == [(None, 2), (None, 2)]


LAYER = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}, "can't read"),
        ({"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "O"}}, "numbers"),
        ({"class_name": "__numpy__", "config": {"value": [1]}}, "can't read"),
        ({"class_name": "__typespec__", "config": []}, "can't read"),
        ({"class_name": "function", "config": "system", "module": "os"}, "'system' is not known"),
        ({"class_name": "function", "config": "get", "module": "builtins"}, "not known"),
        (LAYER | {"module": "os"}, "got 'Dense' of module 'os'.* known classes"),
        (LAYER | {"class_name": "Conv2D"}, "known classes: .*Dense"),
        (LAYER | {"config": [3]}, "config: expected a dict"),
        (LAYER | {"build_config": [4]}, "build_config: expected a dict with an input_shape"),
        (LAYER | {"build_config": {"input_shape": 4}}, "build_config"),
        (LAYER | {"build_config": {"input_shape": [None, "a"]}}, "Dense"),
        (LAYER | {"config": {"units": 3, "autocast": 7}}, "Dense: autocast is not supported"),
        (LAYER | {"config": {"units": 3, "lora_rank": 4}}, "Dense: lora_rank is not supported"),
        (
            LAYER | {"config": {"units": 3, "dtype": {"class_name": "DTypePolicy", "config": {}}}},
            "Dense: expected dtype",
        ),
        (
            {
                "module": "keras.initializers",
                "class_name": "HeNormal",
                "config": {"input_axes": [0]},
            },
            "HeNormal: input_axes is not supported",
        ),
    ],
)
def test_refused(config: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        utils.deserialize_keras_object(config)


@pytest.mark.parametrize(
    "thing",
    [lambda x: x, object(), layers.Dense, {"a": object()}],
    ids=lambda thing: type(thing).__name__,
)
def test_what_has_no_form(thing: Any) -> None:
    with pytest.raises(TypeError, match=r"serialize_keras_object: .*get_config"):
        utils.serialize_keras_object(thing)


def test_what_has_no_end_or_is_too_large_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    for value in (endless, deep):
        for call in (utils.serialize_keras_object, utils.deserialize_keras_object):
            with pytest.raises(ValueError, match=rf"^{call.__name__}: expected lists and dicts of"):
                call(value)
    with pytest.raises(ValueError, match=r"^serialize_keras_object: expected an array of at most"):
        utils.serialize_keras_object(np.broadcast_to(1.0, (10**6, 10**6)))
