"""Models built by their first data, in concurrent calls and in failing calls."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import callbacks, layers

X = np.random.default_rng(0).normal(size=(40, 6))
Y = np.arange(40) % 3


def make_model(*, shared: layers.Layer | None = None) -> cnet.Sequential:
    model = cnet.Sequential([shared or layers.Dense(4, "relu"), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def run_concurrently(*calls: Callable[[], Any]) -> list[BaseException]:
    """Make calls in threads that start at the same time; return their exceptions."""
    barrier, raised = threading.Barrier(len(calls)), list[BaseException]()

    def run(call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            call()
        except BaseException as error:  # noqa: BLE001 # for the test to look at
            raised.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.fixture
def frequent_thread_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("frequent_thread_switches")
def test_several_threads_build_a_model_once() -> None:
    for _ in range(100):
        model = make_model()
        assert run_concurrently(*[lambda model=model: model(X)] * 4) == []
        assert len(model.get_weights()) == 4
        expected = model(X)
        assert (model.predict(X, verbose=0) == expected).all()


@pytest.mark.usefixtures("frequent_thread_switches")
def test_models_in_two_threads_build_a_layer_of_both_once() -> None:
    for _ in range(100):
        shared = layers.Dense(4, "relu")
        one, other = make_model(shared=shared), make_model(shared=shared)
        assert run_concurrently(lambda m=one: m(X), lambda m=other: m(X)) == []
        assert len(shared.weights) == 2
        assert one.layers[0] is other.layers[0]


@pytest.mark.usefixtures("frequent_thread_switches")
def test_a_failed_call_keeps_what_another_call_built() -> None:
    for _ in range(60):
        model = make_model()

        def predict_nonsense(model: cnet.Sequential = model) -> None:
            def batches() -> Iterator[Any]:
                yield X[:4]
                yield X[:4, :2]

            with pytest.raises(ValueError, match="expected"):
                model.predict(batches(), verbose=0)

        raised = run_concurrently(lambda m=model: m.fit(X, Y, verbose=0), predict_nonsense)
        assert raised == []
        assert len(model.get_weights()) == 4
        assert model.optimizer.iterations == 2


def test_a_call_during_a_failing_call() -> None:
    model = make_model()

    def batches() -> Iterator[Any]:
        model.fit(X, Y, verbose=0)
        yield X[:4, :2]

    with pytest.raises(ValueError, match="expected"):
        model.predict(batches(), verbose=0)
    assert (model.built, model.optimizer.iterations) == (True, 2)


def test_a_first_call_that_fails_may_leave_the_model_built() -> None:
    model = make_model()
    with pytest.raises(FloatingPointError, match="not finite"):
        model.train_on_batch(X * np.nan, Y)
    assert (model.input_shape, model.optimizer.iterations) == ((None, 6), 0)
    weights = model.get_weights()
    with pytest.raises(ValueError, match="expected"):
        model.predict(iter([X[:4], X[:4, :2]]), verbose=0)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    model.train_on_batch(X, Y)


def test_a_build_that_fails_leaves_no_layer_built() -> None:
    inner = cnet.Sequential([cnet.Input((6,)), layers.Dense(3)])
    model = cnet.Sequential([layers.BatchNormalization(), inner])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="expected"):
        model.fit(X[:, :4], X[:, :3], verbose=0)
    assert not model.layers[0].built
    model.fit(X, X[:, :3], verbose=0)


@pytest.mark.parametrize("change", [lambda m: m.add(layers.Dense(2)), lambda m: m.pop()])
def test_a_model_in_use_keeps_its_layers(change: Callable[[Any], Any]) -> None:
    inner = make_model()
    outer = cnet.Sequential([inner, layers.Dense(3, "softmax")])
    outer.compile("adam", "sparse_categorical_crossentropy")
    for changed in (inner, outer):
        hook = callbacks.LambdaCallback(on_epoch_end=lambda *_, m=changed: change(m))
        with pytest.raises(RuntimeError, match="in use"):
            outer.fit(X, Y, epochs=2, verbose=0, callbacks=[hook])
    assert (len(inner.layers), len(outer.layers)) == (2, 2)
