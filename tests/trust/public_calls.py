"""Every public call of cnet with valid arguments, from which malformed calls are made.

Functions and classes are found in ``__all__`` of the modules, arguments in the signatures. This module lists
the methods, and how to use the constructed objects.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from support import instances
from support.instances import name_of

import cnet
from cnet import (
    activations,
    callbacks,
    config,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    reference,
    regularizers,
    utils,
)
from cnet.datasets import idx
from cnet.optimizers import schedules

from .good_arguments import (
    CLASSES,
    FEATURES,
    GOOD,
    OWN,
    ROWS,
    categories,
    classes,
    graph,
    ids,
    model,
    probabilities,
    rows,
    unbuilt,
)


@dataclass(frozen=True)
class Call:
    """A call that can be made repeatedly.

    Attributes
    ----------
    prepare : function of nothing
        Returns the function to call, and its model or None.
    parameters : list of str
        Arguments that may be invalid; those that are not `required` are left out otherwise.
    raises : exception types that this call is documented to raise, besides those of every call
    """

    name: str
    prepare: Callable[[], tuple[Callable[..., Any], Any]]
    parameters: tuple[str, ...]
    required: tuple[str, ...]
    good: dict[str, Callable[[], Any]]
    raises: tuple[type[Exception], ...] = ()


MODULES = {
    "activations": activations,
    "callbacks": callbacks,
    "config": config,
    "constraints": constraints,
    "initializers": initializers,
    "layers": layers,
    "losses": losses,
    "metrics": metrics,
    "models": models,
    "ops": ops,
    "optimizers": optimizers,
    "random": random,
    "regularizers": regularizers,
    "schedules": schedules,
    "utils": utils,
}
# For a large class id; for pictures without Graphviz.
RAISES: dict[str, tuple[type[Exception], ...]] = {
    "utils.to_categorical": (MemoryError,),
    "utils.plot_model": (ImportError,),
}
# Calls whose work NumPy does, however long it takes and however much memory the result needs.
NUMPY = {f"ops.{name}" for name in ops.__all__ if name not in reference.__all__}
NUMPY |= {"ops.softmax", "ops.log_softmax"}  # of several axes
RAISES |= dict.fromkeys(NUMPY, (MemoryError,))
# Calls with an effect on the whole process.
LEFT_OUT = {"config.register_threadpoolctl"}


def parameters_of(function: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of all arguments, and of the required ones."""
    names: list[str] = []
    required: list[str] = []
    todo = [function]
    if isinstance(function, type):
        todo = [vars(base)["__init__"] for base in function.__mro__ if "__init__" in vars(base)]
    for n, each in enumerate(todo):
        try:
            parameters = inspect.signature(each).parameters.values()
        except ValueError:  # of object
            break
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            if parameter.name == "self" or parameter.name in names:
                continue
            names.append(parameter.name)
            if parameter.default is parameter.empty and n == 0:
                required.append(parameter.name)
        if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
            break
    return tuple(names), tuple(required)


def use(thing: Any) -> None:
    """Use an object that was made with invalid arguments."""
    net = cnet.Sequential([cnet.Input((FEATURES,))])
    if isinstance(thing, models.Sequential):
        if thing.layers:
            thing.predict(rows(), verbose=0)
        return
    if isinstance(thing, layers.InputLayer) or type(thing) is layers.Layer:
        return
    if isinstance(thing, layers.Layer) and thing.takes_any_dtype:
        if isinstance(thing, (layers.IntegerLookup, layers.StringLookup)):
            thing.adapt(categories(type(thing)()))
        if isinstance(thing, layers.Discretization):
            thing.adapt(rows())
        thing(categories(thing))
        thing.get_config()
    elif isinstance(thing, layers.Layer):
        net.add(thing)
        if isinstance(thing, layers.Normalization):
            thing.adapt(rows())
        net.compile("sgd", "mse")
        net.train_on_batch(rows(), np.zeros((ROWS, *net.output_shape[1:])))
        thing.get_config()
    elif isinstance(thing, losses.Loss):
        if type(thing) in (losses.Loss, losses.PointwiseLoss):
            return
        labels = classes() if thing.sparse else probabilities()
        thing(labels, probabilities())
        net.add(layers.Dense(CLASSES, "softmax"))
        net.compile("sgd", thing)
        net.train_on_batch(rows(), labels)
        thing.get_config()
    elif isinstance(thing, metrics.Metric):
        if type(thing) is metrics.Mean:
            thing(classes())
        elif type(thing) is not metrics.Metric:
            labels = classes() if thing.sparse else (probabilities() > 0.5)
            thing(labels, probabilities())
    elif isinstance(thing, optimizers.Optimizer):
        if type(thing) is optimizers.Optimizer:
            return
        net.add(layers.Dense(CLASSES))
        net.compile(thing, "mse")
        net.fit(rows(), probabilities(), verbose=0)
        thing.get_config()
    elif isinstance(thing, schedules.LearningRateSchedule):
        if type(thing) is not schedules.LearningRateSchedule:
            thing.rate(3)
    elif isinstance(thing, initializers.Initializer):
        if type(thing) is not initializers.Initializer:
            thing((FEATURES, CLASSES), "float32")
    elif isinstance(thing, (regularizers.Regularizer, constraints.Constraint)):
        if type(thing) in (constraints.Constraint, regularizers.Regularizer):
            return
        thing(rows())
        name = "regularizer" if isinstance(thing, regularizers.Regularizer) else "constraint"
        use(layers.Dense(3, **{f"kernel_{name}": thing}))
    elif isinstance(thing, callbacks.Callback):
        made = unbuilt()
        made.fit(rows(), probabilities(), verbose=0, epochs=2, callbacks=[thing])


def _found() -> list[Call]:
    """Return the calls of the functions and classes of all modules."""
    calls = []
    for module, members in MODULES.items():
        for name in members.__all__:
            thing = getattr(members, name)
            full = f"{module}.{name}"
            if isinstance(thing, types.ModuleType) or full in LEFT_OUT:
                continue
            calls.append(_call(full, thing, raises=RAISES.get(full, ())))
    return calls


def _call(name: str, function: Any, **changes: Any) -> Call:
    names, required = parameters_of(function)
    called = _made_and_used(function) if isinstance(function, type) else function
    return Call(
        name,
        lambda: (called, None),
        names,
        required,
        GOOD | OWN.get(name, {}),
        **changes,
    )


def _made_and_used(cls: Any) -> Callable[..., Any]:
    def make_and_use(**arguments: Any) -> None:
        use(cls(**arguments))

    return make_and_use


def _method(name: str, make: Callable[[], Any], **changes: Any) -> Call:
    """Return the call of a method of a model, or of the object that `make` returns."""
    names, required = parameters_of(getattr(make(), name))
    full = f"{make.__name__}.{name}"

    def prepare() -> tuple[Callable[..., Any], Any]:
        thing = make()
        return getattr(thing, name), thing

    return Call(full, prepare, names, required, GOOD | changes.pop("good", {}), **changes)


def _setter(name: str, make: Callable[[], Any], find: Callable[[Any], Any]) -> Call:
    """Return an assignment to an attribute of a part of a model."""

    def prepare() -> tuple[Callable[..., Any], Any]:
        thing = make()
        return (lambda value: setattr(find(thing), name, value)), thing

    good = {"value": lambda: getattr(find(make()), name)}
    return Call(f"{make.__name__}: {name} =", prepare, ("value",), ("value",), good)


def _within(name: str, make: Callable[[], Any], find: Callable[[Any], Any], **good: Any) -> Call:
    """Return the call of a method of a part of a model."""
    names, required = parameters_of(getattr(find(make()), name))

    def prepare() -> tuple[Callable[..., Any], Any]:
        thing = make()
        return getattr(find(thing), name), thing

    own = type(find(make())).__name__
    return Call(f"{make.__name__}: {own}.{name}", prepare, names, required, GOOD | good)


def _instances() -> list[Call]:
    """Return calls of instances: losses, metrics, layers, initializers and so on."""
    calls = []
    families = (
        instances.LOSSES,
        instances.METRICS,
        instances.INITIALIZERS,
        instances.REGULARIZERS,
        instances.CONSTRAINTS,
    )
    for make in chain.from_iterable(families):
        made = make()
        method = "update_state" if isinstance(made, metrics.Metric) else "__call__"
        good = GOOD | ({"y_true": classes} if getattr(made, "sparse", False) else {})
        names, required = parameters_of(getattr(made, method))
        calls.append(
            Call(
                f"{name_of(make)}.{method}",
                lambda make=make, method=method: (getattr(make(), method), None),
                names,
                required,
                good,
            )
        )
    for make in instances.CATEGORY_LAYERS:
        good = {"x": lambda make=make: categories(make())}
        good |= {"data": good["x"], "values": good["x"]}
        calls += [
            Call(
                f"{name_of(make)}.{method}",
                lambda make=make, method=method: (getattr(make(), method), None),
                *parameters_of(getattr(make(), method)),
                GOOD | good,
            )
            for method in ("__call__", "transform", "adapt", "update_state", "set_vocabulary")
            if hasattr(make.func, method)
        ]
    return calls


def _of_graph(name: str) -> Call:
    """Return the call of a method of a model with several inputs and outputs, whose parts may be invalid."""
    has_labels = name in ("fit", "evaluate", "train_on_batch", "test_on_batch")
    good = {"numbers": rows, "ids": ids, "kind": classes, "size": lambda: np.ones(ROWS)}
    good |= {f"{each}_weight": lambda: np.ones(ROWS) for each in ("kind", "size")}
    parts = tuple(good) if has_labels else ("numbers", "ids")

    def prepare() -> tuple[Callable[..., Any], Any]:
        made = graph()

        def call(**given: Any) -> Any:
            inputs = [given["numbers"], given["ids"]]
            if not has_labels:
                return getattr(made, name)(inputs)
            labels = {each: given[each] for each in ("kind", "size")}
            weights = [given[f"{each}_weight"] for each in labels]
            return getattr(made, name)(inputs, labels, sample_weight=weights)

        return call, made

    return Call(f"graph: {name}", prepare, parts, parts, good)


def _methods() -> list[Call]:
    def first(made: Any) -> Any:
        return made.layers[0]

    sparse = {"y": classes, "validation_data": lambda: (rows(), classes())}
    dense = {"y": probabilities, "validation_data": lambda: (rows(), probabilities())}
    paths = {"filepath": lambda: "model.safetensors"}
    calls = []
    for make, good in ((model, sparse), (unbuilt, dense)):
        calls += [
            _method(name, make, good=good)
            for name in ("fit", "evaluate", "train_on_batch", "test_on_batch")
            for _ in range(4)  # because these matter most
        ]
        calls += [
            _method(n, make) for n in ("predict", "__call__", "predict_on_batch") for _ in "ab"
        ]
        calls += [
            _method("compile", make, good={"loss": lambda: "mse"}),
            _method("add", make),
            _method("build", make),
            _method("summary", make),
            _method("get_layer", make),
            _method("set_weights", make),
            _method("get_config", make),
            _method("from_config", make),
            _method("to_json", make),
            _method("save", make, good=paths),
            _method("save_weights", make, good=paths),
            _method("load_weights", make, good=paths),
            _method("compute_output_shape", make),
            _setter("trainable", make, lambda made: made),
            _setter("learning_rate", make, lambda made: made.optimizer),
            _within("set_weights", make, first, weights=lambda: model().layers[0].get_weights()),
            _within("build", make, first),
            _within("compute_output_shape", make, first),
            _within("__call__", make, first),
        ]
    calls += [_of_graph(n) for n in ("fit", "evaluate", "train_on_batch", "test_on_batch")]
    calls += [_of_graph(n) for n in ("predict", "__call__", "predict_on_batch")]
    calls += [_method(n, graph) for n in ("compile", "set_weights", "get_layer", "from_config")]
    calls += [
        _setter("kernel", model, first),
        _setter("bias", model, first),
        _within("assign", model, lambda made: made.weights[0], value=lambda: np.ones((4, 3))),
        _within("adapt", layers.Normalization, lambda made: made),
    ]
    return calls


CALLS = [
    *_found(),
    *_instances(),
    *_methods(),
    _call("set_num_threads", lambda num_threads: cnet.set_num_threads(num_threads)),
    _call("Sequential", cnet.Sequential),
    _call("Input", cnet.Input),
    _call("datasets.spiral", datasets.spiral),
    _call("datasets.idx.read_idx", idx.read_idx),
]


def write_files(folder: Path) -> None:
    """Write the files that valid arguments name."""
    made = model()
    made.save(folder / "model.safetensors")
    made.save(folder / "file.safetensors")
    (folder / "file.idx").write_bytes(bytes.fromhex("00000801 00000003 050004"))
