"""The arguments of compile in model files, and custom classes and functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.instances import LOSSES, METRICS, OPTIMIZERS, SCHEDULES, Maker, name_of
from support.saved_models import CLASSIFY, X, Y, make_model, saved

import cnet
from cnet import layers, losses, metrics, models, optimizers


@pytest.mark.parametrize("make", OPTIMIZERS, ids=name_of)
def test_every_optimizer(tmp_path: Path, make: Maker) -> None:
    model = make_model()
    model.compile(make(name="mine"), CLASSIFY)
    copy = models.load_model(saved(model, tmp_path)).optimizer
    assert type(copy) is make.func
    assert copy.get_config() == make(name="mine").get_config()


@pytest.mark.parametrize("make", SCHEDULES, ids=name_of)
def test_every_schedule(tmp_path: Path, make: Maker) -> None:
    model = make_model()
    model.compile(optimizers.SGD(make()), CLASSIFY)
    copy = models.load_model(saved(model, tmp_path)).optimizer
    assert copy.get_config() == model.optimizer.get_config()
    assert copy.learning_rates(20, 3) == model.optimizer.learning_rates(20, 3)


@pytest.mark.parametrize("make", LOSSES, ids=name_of)
def test_every_loss(tmp_path: Path, make: Maker) -> None:
    model = make_model()
    model.compile("sgd", make(name="mine"))
    copy = models.load_model(saved(model, tmp_path)).loss
    assert copy is not None
    assert type(copy) is make.func
    assert copy.get_config() == make(name="mine").get_config()
    assert vars(copy) == vars(make(name="mine"))


@pytest.mark.parametrize("make", METRICS, ids=name_of)
def test_every_metric(tmp_path: Path, make: Maker) -> None:
    model = make_model()
    metric = make(name="mine")
    model.compile("sgd", CLASSIFY if metric.sparse else "mse", metrics=[metric])
    (copy,) = models.load_model(saved(model, tmp_path)).metrics
    assert type(copy) is make.func
    assert copy.get_config() == make(name="mine").get_config()


def test_a_loss_as_metric(tmp_path: Path) -> None:
    model = make_model()
    model.compile("sgd", "mse", metrics=[losses.huber])
    y = np.ones((len(X), 3))
    copy = models.load_model(saved(model, tmp_path))
    assert copy.evaluate(X, y, verbose=0) == model.evaluate(X, y, verbose=0)


@pytest.mark.parametrize("trained", [False, True])
def test_accuracy_by_shape(tmp_path: Path, trained: bool) -> None:
    model = make_model()
    model.compile("sgd", CLASSIFY, metrics=["acc"])
    if trained:
        model.fit(X, Y, verbose=0)
    copy = models.load_model(saved(model, tmp_path))
    assert copy.metrics_names == ["loss", "acc"]
    assert copy.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert type(copy.metrics[0]) is metrics.SparseCategoricalAccuracy


def test_without_compile(tmp_path: Path) -> None:
    model = make_model()
    model.compile(optimizers.SGD(name="mine"))
    copy = models.load_model(saved(model, tmp_path))
    assert (copy.optimizer.name, copy.loss) == ("mine", None)
    assert models.load_model(tmp_path / "model.safetensors", compile=False).optimizer is None


# -- Custom classes and functions ------------------------------------------------------------------


class Mine(layers.Dense):
    def __init__(self, extra: int = 1, **kwargs: Any) -> None:
        super().__init__(3, **kwargs)
        self.extra = extra


class MySchedule(optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate: float) -> None:
        self.rate_ = rate

    def __call__(self, step: int) -> float:
        return self.rate_ / (step + 1)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate_}


class MyOptimizer(optimizers.SGD):
    pass


class MyMetric(metrics.Mean):
    pass


class MyModel(cnet.Sequential):
    pass


def bias(y_true: Any, y_pred: Any) -> Any:
    return y_pred - y_true


OBJECTS: dict[str, Any] = {
    each.__name__: each for each in (Mine, MySchedule, MyOptimizer, MyMetric, MyModel, bias)
}


def test_custom_classes_and_functions(tmp_path: Path) -> None:
    model = MyModel([layers.Input((4,)), Mine(7)])
    model.compile(MyOptimizer(MySchedule(0.5)), "mse", metrics=[MyMetric(name="m"), bias])
    path = saved(model, tmp_path)
    copy = models.load_model(path, custom_objects=OBJECTS)
    assert isinstance(copy, MyModel)
    layer: Any = copy.layers[0]
    assert (type(layer), layer.extra) == (Mine, 7)
    assert type(copy.optimizer) is MyOptimizer
    assert copy.optimizer.learning_rate == 0.5
    assert [type(metric) for metric in copy.metrics] == [MyMetric, metrics.MeanMetricWrapper]
    assert copy.metrics_names == ["loss", "m", "bias"]
    for missing in OBJECTS:
        known = {name: value for name, value in OBJECTS.items() if name != missing}
        with pytest.raises(cnet.FormatError, match=missing):
            models.load_model(path, custom_objects=known)


def falling() -> float:
    return 0.25


def test_a_function_for_the_learning_rate(tmp_path: Path) -> None:
    model = make_model()
    model.compile(optimizers.SGD(falling), CLASSIFY)
    path = saved(model, tmp_path)
    copy = models.load_model(path, custom_objects={"falling": falling})
    assert copy.optimizer.get_config() == model.optimizer.get_config()
    with pytest.raises(cnet.FormatError, match="learning_rate: the function 'falling' is not"):
        models.load_model(path)


def test_objects_without_a_config(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    layer = layers.Dense(3, kernel_initializer=lambda shape, dtype: np.zeros(shape, dtype))
    with pytest.raises(TypeError, match=r"kernel_initializer: .* can't be described"):
        cnet.Sequential([layers.Input((4,)), layer]).save(path)
    assert not list(tmp_path.iterdir())
