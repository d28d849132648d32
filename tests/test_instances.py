"""support/instances.py makes every public class, and sets every argument to a value other than its default."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest
from support import instances
from support.instances import Maker

from cnet import constraints, initializers, layers, losses, metrics, optimizers, regularizers
from cnet.optimizers import schedules

Family = tuple[ModuleType, list[Maker], type, set[str]]
# A module, its instances, their common base class, and the base classes for users to derive from.
FAMILIES: dict[str, Family] = {
    "layers": (layers, [*instances.LAYERS, *instances.MERGES], layers.Layer, set()),
    "losses": (losses, instances.LOSSES, losses.Loss, {"LossFunctionWrapper", "PointwiseLoss"}),
    "metrics": (metrics, instances.METRICS, metrics.Metric, {"MeanMetricWrapper"}),
    "optimizers": (optimizers, instances.OPTIMIZERS, optimizers.Optimizer, set()),
    "schedules": (schedules, instances.SCHEDULES, schedules.LearningRateSchedule, set()),
    "initializers": (initializers, instances.INITIALIZERS, initializers.Initializer, set()),
    "regularizers": (regularizers, instances.REGULARIZERS, regularizers.Regularizer, set()),
    "constraints": (constraints, instances.CONSTRAINTS, constraints.Constraint, set()),
}
# Arguments with a single supported value. Arguments of type None are recognized by their annotation.
ONE_VALUE = {
    "axis": (constraints.Constraint, losses.Loss, metrics.Metric, layers.Layer),
    "dtype": (metrics.Metric, layers.InputLayer),
    "optional": (layers.InputLayer,),
    "renorm": (layers.BatchNormalization,),
    "renorm_momentum": (layers.BatchNormalization,),
    "sparse": (layers.Layer,),
    "synchronized": (layers.BatchNormalization,),
    "vocabulary_dtype": (layers.IntegerLookup,),
}
# Arguments that all classes of a family have; tests of the whole family set them.
COMMON = {"name", "trainable", "activity_regularizer"}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_public_class_has_an_instance(family: str) -> None:
    module, makers, base, bases = FAMILIES[family]
    public = {getattr(module, name) for name in module.__all__}
    classes = {c for c in public if inspect.isclass(c) and issubclass(c, base)}
    bases = {getattr(module, name) for name in {*bases, base.__name__}}
    assert {make.func for make in makers} == classes - bases
    for make in makers:
        assert type(make()) is make.func


@pytest.mark.parametrize("family", FAMILIES)
def test_every_argument_has_a_value_other_than_its_default(family: str) -> None:
    _, makers, _, _ = FAMILIES[family]
    missing = []
    for cls in {make.func for make in makers}:
        signature = inspect.signature(cls)
        given = [signature.bind(*m.args, **m.keywords).arguments for m in makers if m.func is cls]
        for name, parameter in signature.parameters.items():
            if name in COMMON or parameter.kind is parameter.VAR_KEYWORD:
                continue
            if parameter.annotation == "None" or issubclass(cls, ONE_VALUE.get(name, ())):
                continue
            values: list[Any] = [arguments.get(name, parameter.default) for arguments in given]
            if all(value is parameter.default or value == parameter.default for value in values):
                missing.append(f"{cls.__name__}: {name}")
    assert not missing


def test_every_option_of_all_optimizers_is_given() -> None:
    options = {
        parameter.name
        for parameter in inspect.signature(optimizers.Optimizer).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.annotation != "None"
    }
    given = {key for make in instances.OPTIMIZERS for key in make.keywords}
    assert options <= given
