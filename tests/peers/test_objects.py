"""Classes and functions of the user's, and plain values, as configurations describe them: beside Keras."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")


@pytest.mark.parametrize("k", [cnet, keras], ids=["cnet", "keras"])
def test_registration(k: Any) -> None:
    @k.saving.register_keras_serializable("shop", "Half")
    class Mine(k.layers.Rescaling):
        pass

    @k.utils.register_keras_serializable()
    def distance(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred) ** 2

    try:
        assert k.saving.get_registered_name(Mine) == "shop>Half"
        assert k.saving.get_registered_object("shop>Half") is Mine
        assert k.utils.get_registered_name(distance) == "Custom>distance"
        assert k.utils.get_registered_name(k.layers.Dense) == "Dense"
        assert k.saving.get_custom_objects()["shop>Half"] is Mine
        config = k.saving.serialize_keras_object(Mine(0.5, name="mine"))
        assert config["class_name"] == "Mine"
        assert config["registered_name"] == "shop>Half"
        assert type(k.saving.deserialize_keras_object(config)) is Mine
        assert k.saving.serialize_keras_object(distance) == {
            "module": "builtins",
            "class_name": "function",
            "config": "Custom>distance",
            "registered_name": "function",
        }
        model = k.Sequential([k.Input((4,)), Mine(0.5), k.layers.Dense(1)])
        model.compile("sgd", distance, metrics=[distance])
        twin = k.models.model_from_json(model.to_json())
        assert [type(layer) for layer in twin.layers] == [Mine, k.layers.Dense]
        twin.evaluate(np.ones((5, 4)), np.zeros((5, 1)), verbose=0)
    finally:
        k.saving.get_custom_objects().clear()
    assert k.saving.get_registered_object("shop>Half") is None
    with k.saving.custom_object_scope({"shop>Half": Mine}):
        assert k.saving.get_registered_object("shop>Half") is Mine
        with k.utils.CustomObjectScope({"b": 1}):
            assert k.saving.get_registered_object("shop>Half") is None
        assert type(k.saving.deserialize_keras_object(config)) is Mine
    assert k.saving.get_registered_object("shop>Half") is None
    assert k.saving.get_registered_object("a", {"a": 1}, {"a": 2}) == 1
    with pytest.raises(ValueError, match="get_config"):
        k.saving.register_keras_serializable()(int)


VALUES: list[Any] = [
    None,
    *(1, 0.5, "text", True, [1, [2]], {"a": [1, "b"]}),
    *(b"bytes", slice(1, None, 2), ..., np.arange(3), np.float32(0.5), np.ones((2, 2), np.float32)),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_values(value: Any) -> None:
    ours, theirs = (k.saving.serialize_keras_object(value) for k in (cnet, keras))
    assert ours == theirs
    restored = cnet.saving.deserialize_keras_object(json.loads(json.dumps(theirs)))
    np.testing.assert_equal(restored, value)
    if isinstance(value, np.ndarray):
        assert restored.dtype == value.dtype
