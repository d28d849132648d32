"""The user's classes and functions: registered, in a scope, as custom_objects; in files, JSON and configurations."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import initializers, layers, losses, metrics, models, optimizers, saving, utils

register = saving.register_keras_serializable


@pytest.fixture(autouse=True)
def _nothing_registered() -> Iterator[None]:
    saving.get_custom_objects().clear()  # what examples of docstrings have registered
    yield
    saving.get_custom_objects().clear()


def make_model() -> Any:
    """Return a model of registered classes and functions only."""

    @register()
    class MyDense(layers.Dense):
        pass

    @register("shop")
    class Model(cnet.Sequential):
        pass

    @register("shop")
    def halves(shape: Any, dtype: Any = None) -> Any:
        return np.full(shape, 0.5, dtype)

    @register("shop")
    class Ones(initializers.Ones):
        pass

    @register("shop")
    class Error(losses.MeanSquaredError):
        pass

    @register("shop")
    class Figure(metrics.MeanAbsoluteError):
        pass

    @register("shop")
    class Descent(optimizers.SGD):
        pass

    @register("shop")
    class Rate(optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return 0.5 / (step + 1)

    @register("shop")
    def bias(y_true: Any, y_pred: Any) -> Any:
        return y_pred - y_true

    dense: Any = MyDense(3, kernel_initializer=halves, bias_initializer=Ones(), name="mine")
    model = Model([layers.Input((4,)), dense], name="whole")
    model.compile(Descent(Rate()), Error(), metrics=[Figure(), bias])
    return model


def kinds(model: Any) -> list[str]:
    layer = model.layers[0]
    things = [model, layer, model.optimizer, model.loss, model.metrics[0], layer.bias_initializer]
    return [type(thing).__name__ for thing in things]


KINDS = ["Model", "MyDense", "Descent", "Error", "Figure", "Ones"]


def test_a_model_of_registered_classes(tmp_path: Path) -> None:
    model = make_model()
    model.save(tmp_path / "a.safetensors")
    for copy in (
        models.load_model(tmp_path / "a.safetensors"),
        models.model_from_json(model.to_json()),
        saving.deserialize_keras_object(saving.serialize_keras_object(model)),
    ):
        assert kinds(copy) == KINDS
        assert copy.optimizer.learning_rate == 0.5
        assert copy.metrics[1].fn is model.metrics[1].fn
        assert copy.layers[0].kernel_initializer is model.layers[0].kernel_initializer
        assert copy.get_config() == model.get_config()
    text = model.to_json()
    objects = dict(saving.get_custom_objects())
    saving.get_custom_objects().clear()
    for name in objects:
        known = {key: value for key, value in objects.items() if key != name}
        with pytest.raises(ValueError, match=f"{name}|{name.partition('>')[2]}"):
            models.model_from_json(text, custom_objects=known)
        with pytest.raises(cnet.FormatError), utils.custom_object_scope(known):
            models.load_model(tmp_path / "a.safetensors")
    assert kinds(models.model_from_json(text, custom_objects=objects)) == KINDS
    with utils.CustomObjectScope(objects):
        assert kinds(models.load_model(tmp_path / "a.safetensors")) == KINDS


def test_names_instead_of_objects() -> None:
    model = make_model()
    assert type(losses.get("shop>Error")).__name__ == "Error"
    assert metrics.get("shop>bias").name == "bias"
    assert type(optimizers.get({"class_name": "shop>Descent", "config": {"learning_rate": 1.0}}))
    dense = layers.Dense(3, kernel_initializer="shop>halves")
    dense.build((None, 4))
    assert (dense.kernel == 0.5).all()
    model.compile("sgd", "shop>Error", metrics=["shop>Figure"])
    assert type(model.loss).__name__ == "Error"
    with utils.custom_object_scope({"gone": lambda y_true, y_pred: y_pred - y_true}):
        assert losses.get("gone").name == "<lambda>"
    with pytest.raises(ValueError, match="gone"):
        losses.get("gone")


def test_a_class_of_another_package_is_not_one_of_cnet() -> None:
    config = layers.serialize(layers.Dense(3))
    for change in (
        {"module": "os", "class_name": "system"},
        {"module": "shop.layers"},
        {"module": ["keras.layers"]},
        {"registered_name": "shop>Dense"},
        {"class_name": "Layer"},
        {"class_name": "__import__"},
    ):
        with pytest.raises(ValueError, match="known classes"):
            layers.deserialize(config | change)
    assert type(layers.deserialize(config | {"registered_name": "Dense"})) is layers.Dense


def test_scopes_belong_to_threads_and_can_be_entered_again() -> None:
    scope = utils.CustomObjectScope({"one": 1})
    found = []
    with scope, scope:
        assert saving.get_registered_object("one") == 1
        thread = threading.Thread(
            target=lambda: found.append(saving.get_registered_object("one", {"one": 2}))
        )
        thread.start()
        thread.join()
    assert found == [2]
    assert saving.get_registered_object("one") is None


@pytest.mark.parametrize("call", [utils.CustomObjectScope, lambda x: layers.deserialize({}, x)])
def test_custom_objects_of_another_type(call: Any) -> None:
    with pytest.raises(TypeError, match="custom_objects: expected a dict"):
        call([1])


def test_a_class_without_a_config() -> None:
    with pytest.raises(ValueError, match=r"a method get_config\(\)"):
        register()(Iterator)


def test_what_has_no_name() -> None:
    with pytest.raises(TypeError, match="expected a class or a function, got 3"):
        utils.get_registered_name(3)
