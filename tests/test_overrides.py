"""Mistakes of subclasses: methods that are never called, constructors that forget the base class."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import cnet
from cnet import constraints, initializers, layers, losses, metrics, optimizers, regularizers


def overriding(base: type[Any], name: str) -> type[Any]:
    """Return a custom subclass that overrides a method and calls that of the base class."""

    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        return getattr(super(mine, self), name)(*arguments, **options)

    mine: Any = type("Mine", (base,), {name: method})
    return mine


IGNORED = [
    *((base, "__call__") for base in (layers.Dense, layers.Dropout, layers.Layer)),
    *((cnet.Sequential, name) for name in ("call", "make_train_function")),
    (losses.Huber, "__call__"),
]


@pytest.mark.parametrize(("base", "name"), IGNORED)
def test_overriding_an_uncalled_method_is_refused(base: type[Any], name: str) -> None:
    mine = overriding(base, name)
    child = type("Child", (mine,), {})
    for cls in (mine, child):
        message = rf"^{cls.__name__}: Mine\.{name}\(\) would never be called: "
        with pytest.raises(TypeError, match=message):
            cls(0.5)


@pytest.mark.parametrize(
    ("base", "name", "argument"),
    [
        (layers.Dense, "build", 3),
        (layers.Dense, "call", 3),
        (layers.Dense, "get_config", 3),
        (losses.Huber, "call", 0.5),
        (metrics.BinaryAccuracy, "update_state", "mine"),
        (initializers.Constant, "__call__", 0.5),
        (constraints.MaxNorm, "__call__", 0.5),
        (regularizers.L2, "__call__", 0.5),
        (optimizers.SGD, "rule", 0.5),
        *(
            (optimizers.SGD, name, 0.5)
            for name in ("apply", "apply_gradients", "build", "update_step")
        ),
        (cnet.Sequential, "fit", []),
    ],
)
def test_called_methods_may_be_overridden(base: type[Any], name: str, argument: Any) -> None:
    made = overriding(base, name)(argument)
    assert isinstance(copy.deepcopy(made), base)


def test_overrides_of_cnet_itself_are_allowed() -> None:
    for made in (layers.Lambda(abs), constraints.UnitNorm(), losses.KLDivergence()):
        assert type(copy.deepcopy(made)) is type(made)
    assert isinstance(pickle.loads(pickle.dumps(optimizers.Adam())), optimizers.Adam)


@pytest.mark.parametrize(
    "base",
    [layers.Layer, layers.Dense, cnet.Model, cnet.Sequential, metrics.Metric, optimizers.Optimizer],
)
def test_a_constructor_that_forgets_the_base_class(base: type[Any]) -> None:
    class Forgets(base):  # type: ignore[misc] # any class
        def __init__(self) -> None:
            self.number = 3

    class Child(Forgets):
        pass

    class Remembers(Forgets):
        def __init__(self, *arguments: Any) -> None:
            super(Forgets, self).__init__(*arguments)

    for cls in (Forgets, Child):
        message = rf"^{cls.__name__}: __init__ must call super\(\).__init__\(\)"
        with pytest.raises(RuntimeError, match=message):
            cls()
    x = cnet.Input((2,))
    arguments = {layers.Dense: [1], optimizers.Optimizer: [0.1], cnet.Model: [x, x]}
    assert isinstance(Remembers(*arguments.get(base, [])), base)
