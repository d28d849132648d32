"""Who undoes what calls have built, as they end one by one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress

import pytest

from cnet import layers
from cnet.layers import building


class Failure(Exception):
    """What a call fails with."""


class Caller:
    """A thread that is within a call, until it is told how that ends."""

    def __init__(self, layer: layers.Layer) -> None:
        self.layer, self.undone = layer, list[layers.Layer]()
        self.thread = ThreadPoolExecutor(1)
        self.call: AbstractContextManager[None] | None = None

    def begin(self) -> None:
        self.call = building.undone_on_error([self.layer], self.undone.extend)
        self.thread.submit(self.call.__enter__).result()

    def build(self) -> None:
        self.thread.submit(self.layer.build, (None, 3)).result()

    def end(self, *, fails: bool) -> None:
        assert self.call is not None
        error = Failure() if fails else None
        with suppress(Failure):
            self.thread.submit(self.call.__exit__, Failure if fails else None, error, None).result()


@pytest.fixture
def layer() -> layers.Dense:
    return layers.Dense(2)


@pytest.fixture
def callers(layer: layers.Dense) -> Iterator[tuple[Caller, Caller]]:
    pair = Caller(layer), Caller(layer)
    yield pair
    for caller in pair:
        caller.thread.shutdown()


Pair = tuple[Caller, Caller]


def test_a_call_that_fails_undoes(layer: layers.Dense, callers: Pair) -> None:
    one, _ = callers
    one.begin()
    one.build()
    one.end(fails=True)
    assert (layer.built, layer.weights, one.undone) == (False, [], [layer])


def test_what_was_built_before_a_call_stays(layer: layers.Dense, callers: Pair) -> None:
    one, _ = callers
    one.build()
    one.begin()
    one.end(fails=True)
    assert (layer.built, one.undone) == (True, [])


@pytest.mark.parametrize("builder", [0, 1])
def test_the_last_to_fail_undoes(layer: layers.Dense, callers: Pair, builder: int) -> None:
    one, other = callers
    one.begin()
    other.begin()
    callers[builder].build()
    one.end(fails=True)
    assert (layer.built, one.undone) == (True, [])
    other.end(fails=True)
    assert (layer.built, other.undone) == (False, [layer])


@pytest.mark.parametrize("fails_first", [True, False])
def test_one_success_keeps(layer: layers.Dense, callers: Pair, fails_first: bool) -> None:
    one, other = callers
    one.begin()
    other.begin()
    one.build()
    one.end(fails=fails_first)
    other.end(fails=not fails_first)
    assert layer.built


def test_a_call_that_has_built_nothing_keeps_nothing(layer: layers.Dense, callers: Pair) -> None:
    one, other = callers
    one.begin()
    other.begin()
    one.end(fails=False)
    other.build()
    other.end(fails=True)
    assert not layer.built


def test_a_call_within_leaves_it_to_the_one_around(layer: layers.Dense) -> None:
    undone = list[layers.Layer]()
    with suppress(Failure), building.undone_on_error([layer], undone.extend):
        with building.undone_on_error([layer], undone.extend):
            layer.build((None, 3))
        with suppress(Failure), building.undone_on_error([layer], undone.extend):
            raise Failure
        assert (layer.built, undone) == (True, [])
        raise Failure
    assert (layer.built, undone) == (False, [layer])


def test_settled_layers_stay(layer: layers.Dense) -> None:
    with suppress(Failure), building.undone_on_error([layer], pytest.fail):
        building.settle([layer])  # nothing yet
        layer.build((None, 3))
        building.settle([layer])
        raise Failure
    assert layer.built
