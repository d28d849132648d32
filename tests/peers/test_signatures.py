"""Names, arguments, their order and defaults compared with Keras, for each public class and function.

Two tables list the differences, with reasons; a row that is no longer needed fails.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")

MODULES = (
    *("activations", "callbacks", "config", "constraints", "initializers", "layers", "losses"),
    *("metrics", "models", "optimizers", "optimizers.schedules", "regularizers", "saving"),
    *("utils", "wrappers"),
)
OURS_ALONE = {
    "models.Functional": "Keras has it, but does not export it",
    "config.register_threadpoolctl": "cnet has threads of its own",
    "layers.Weight": "Keras's Variable, without a graph",
    "losses.LossFunctionWrapper": "Keras has it, and keeps it to itself",
    "losses.PointwiseLoss": "the base of the losses that the engine has in a table",
}
AXES = "of kernels with more axes than a dense layer's"
STATIC = "samples have one shape, batches any size"
# By path, the arguments that cnet lacks or defines differently.
DIFFERENCES: dict[str, dict[str, str]] = {
    **{
        f"initializers.{name}": {"input_axes": AXES, "output_axes": AXES}
        for name in (
            *("GlorotNormal", "GlorotUniform", "glorot_normal", "glorot_uniform"),
            *("HeNormal", "HeUniform", "he_normal", "he_uniform"),
            *("LecunNormal", "LecunUniform", "lecun_normal", "lecun_uniform"),
            *("VarianceScaling", "variance_scaling"),
        )
    },
    **{
        f"{module}.serialize": dict.fromkeys(("value", name), "one function for all modules")
        for module, name in (
            *(("activations", "activation"), ("constraints", "constraint")),
            *(("initializers", "initializer"), ("losses", "loss"), ("metrics", "metric")),
            *(("optimizers", "optimizer"), ("regularizers", "regularizer")),
            ("optimizers.schedules", "learning_rate_schedule"),
        )
    },
    "losses.deserialize": dict.fromkeys(("config", "name"), "one function for all modules"),
    "callbacks.CallbackList": {"": "made by fit alone, from what fit knows"},
    "layers.InputLayer": dict.fromkeys(("input_shape", "trainable"), "all layers have it"),
    "layers.Layer": {"": "Keras's are behind **kwargs"},
    "layers.Embedding": {"input_length": "Keras's is behind **kwargs"},
    "layers.LeakyReLU": {"alpha": "Keras's is behind **kwargs"},
    "models.Model": {"": "Keras's are behind *args"},
    "models.Sequential": {"": "Keras's are behind **kwargs"},
    "models.clone_model": {
        "call_function": "of functional models",
        "recursive": "models within are always cloned",
    },
    "models.save_model": {"zipped": "there is one format"},
    "optimizers.Optimizer": {"": "Keras's are behind **kwargs"},
    "Sequential.add": {"rebuild": "the network is put together when it is needed"},
    "Sequential.pop": {"rebuild": "the network is put together when it is needed"},
    "Sequential.save_weights": {"max_shard_size": "there is one file"},
    "Layer.add_weight": {"": "Keras's are behind *args"},
    "Layer.call": {"": "Keras's are behind *args"},
    "Layer.__call__": {"": "Keras's are behind *args"},
    "Layer.compute_output_shape": {"": "Keras's are behind *args"},
    "Metric.update_state": {"": "Keras's are behind *args"},
    "Sequential.call": {"": "a model of one's own has its arguments, of any names"},
    "Sequential.__call__": {"": "Keras's are behind *args"},
}
Arguments = list[tuple[str, Any]]


def of(root: Any, path: str) -> Any:
    for name in path.split("."):
        root = getattr(root, name)
    return root


def arguments(thing: Any) -> Arguments:
    """Return names and defaults in order, without `self` and variadic arguments."""
    return [
        (parameter.name, parameter.default)
        for parameter in inspect.signature(thing).parameters.values()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name != "self"
    ]


def by_name(thing: Any) -> Arguments:
    """Return the **options of an optimizer: the keyword arguments of the base class."""
    if not (inspect.isclass(thing) and issubclass(thing, cnet.optimizers.Optimizer)):
        return []
    own = {name for name, _ in arguments(thing)}
    return [each for each in arguments(cnet.optimizers.Optimizer) if each[0] not in own]


def named(cls: Any, found: Arguments) -> Arguments:
    """Replace a default name of None by the name that the class gives its instances."""
    own = getattr(cls, "name", None)
    own = own if isinstance(own, str) else None  # otherwise names are numbered
    return [(key, own if key == "name" and value is None else value) for key, value in found]


def compare(path: str, ours: Any, theirs: Any) -> None:
    reasons = DIFFERENCES.get(path, {})
    if "" in reasons:
        assert arguments(ours) != arguments(theirs), "the row is no longer needed"
        return
    has, expected = (named(ours, arguments(thing)) for thing in (ours, theirs))
    assert {name for name, _ in {*has, *by_name(ours)} ^ {*expected}} == set(reasons)
    in_place = [each for each in has if each[0] not in reasons]
    assert in_place == [each for each in expected if each[0] not in reasons][: len(in_place)]


PUBLIC = [
    f"{module}.{name}"
    for module in MODULES
    for name in getattr(of(cnet, module), "__all__", ())
    if not isinstance(of(cnet, f"{module}.{name}"), ModuleType)
]


@pytest.mark.parametrize("path", PUBLIC)
def test_classes_and_functions(path: str) -> None:
    module, _, name = path.rpartition(".")
    if path in OURS_ALONE:
        assert not hasattr(of(keras, module), name), "the row is no longer needed"
    else:
        compare(path, of(cnet, path), of(keras, path))


METHODS = [
    ("Sequential", keras.Sequential, cnet.Sequential),
    ("Layer", keras.layers.Layer, cnet.layers.Layer),
    ("Callback", keras.callbacks.Callback, cnet.callbacks.Callback),
    ("Metric", keras.metrics.Metric, cnet.metrics.Metric),
    ("Loss", keras.losses.Loss, cnet.losses.Loss),
]


@pytest.mark.parametrize(
    ("path", "ours", "theirs"),
    [
        (f"{path}.{name}", method, getattr(theirs, name))
        for path, theirs, ours in METHODS
        for name, method in inspect.getmembers(ours, inspect.isfunction)
        if (not name.startswith("_") or name == "__call__") and hasattr(theirs, name)
    ],
)
def test_methods(path: str, ours: Any, theirs: Any) -> None:
    compare(path, ours, theirs)


def test_every_name_in_the_tables_exists() -> None:
    methods = [row.partition(".") for row in DIFFERENCES if row[0].isupper()]
    for name, _, method in methods:
        cls = next(ours for path, _, ours in METHODS if path == name)
        assert hasattr(cls, method)
    assert {row for row in DIFFERENCES if row[0].islower()} | OURS_ALONE.keys() <= set(PUBLIC)


def table(module: str) -> dict[str, Any]:
    """Return Keras's table of a module, from names to the objects that its `get` returns."""
    found = __import__(f"keras.src.{module}", fromlist=["ALL_OBJECTS_DICT"])
    return dict(found.ALL_OBJECTS_DICT)


BASES = {
    *(
        "Constraint",
        "Initializer",
        "Loss",
        "LossFunctionWrapper",
        "MeanMetricWrapper",
        "Metric",
        "Optimizer",
        "Regularizer",
    ),
}
NAMES = [
    (module, name, thing)
    for module in (
        *("activations", "constraints", "initializers", "losses", "metrics", "optimizers"),
        "regularizers",
    )
    for name, thing in sorted(table(module).items())
    if thing.__name__ in of(cnet, module).__all__ and thing.__name__ not in BASES
]


@pytest.mark.parametrize(("module", "name", "theirs"), NAMES)
def test_names_for_get(module: str, name: str, theirs: Any) -> None:
    found = of(cnet, module).get(name)
    expected = of(cnet, f"{module}.{theirs.__name__}")
    if module == "losses" and not inspect.isclass(expected):
        expected = type(cnet.losses.get(expected))
    assert (found if inspect.isfunction(found) else type(found)) is expected
