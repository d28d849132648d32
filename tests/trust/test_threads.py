"""Threads that use one model concurrently: right results or `RuntimeError`, never a partial change."""

from __future__ import annotations

import json
import pickle
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graphs import GRAPHS, make_graph

import cnet
from cnet import Input, Model, Sequential, callbacks, layers
from cnet.models.nesting import leaves_of

THREADS = 8
X = (np.arange(600 * 24).reshape(600, 24) % 13).astype(np.float32)
Y = np.ones((600, 3), np.float32)


@pytest.fixture(autouse=True)
def _frequent_thread_switches() -> Iterator[None]:
    before, limit = sys.getswitchinterval(), cnet.get_num_threads()
    sys.setswitchinterval(1e-5)
    cnet.set_num_threads(2)
    yield
    sys.setswitchinterval(before)
    cnet.set_num_threads(limit)


def make_model(base: Sequential, name: str) -> Sequential:
    """Return a model whose training does not change the weights that are set."""
    model = Sequential([base, layers.Dense(200, "relu"), layers.Dense(3)], name=name)
    model.compile(cnet.optimizers.SGD(0.0), "mse", metrics=["mae"])
    return model


def make_base() -> Sequential:
    base = Sequential([cnet.Input((24,)), layers.Dense(100, "relu")], name="base")
    base.trainable = False
    return base


def constants(model: Sequential, value: float) -> list[Any]:
    return [np.full_like(weight, value) for weight in model.get_weights()]


def run_together(works: list[Callable[[], None]]) -> None:
    """Run functions in threads until all have ended; raise the first exception."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:  # noqa: BLE001 # raised by whoever waits for them
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not any(thread.is_alive() for thread in threads), "a thread is blocked"
    if failures:
        raise failures[0]


def test_predictions_of_many_threads_have_the_bits_of_one(
    amount: Callable[[int, int, int], int],
) -> None:
    cnet.utils.set_random_seed(3)
    model = make_model(make_base(), "served")
    calls = [
        (call, rows)
        for call in (model, model.predict_on_batch, lambda x: model.predict(x, verbose=0))
        for rows in (1, 2, 31, 64, 257, 600)
    ]
    expected = [call(X[:rows]).tobytes() for call, rows in calls]

    def predict() -> None:
        for _ in range(amount(20, 20, 2000)):
            for (call, rows), output in zip(calls, expected, strict=True):
                assert call(X[:rows]).tobytes() == output

    run_together([predict] * THREADS)


class UseModel(callbacks.Callback):
    """Makes the calls that callbacks may make during a fit."""

    def __init__(self, check: Callable[[str], None]) -> None:
        super().__init__()
        self.check = check

    def on_train_batch_end(self, batch: int, *_: Any) -> None:
        if batch % 3 == 0:
            for call in ("predict", "get_weights", "evaluate", "set_weights"):
                self.check(call)
            with pytest.raises(RuntimeError, match="in use by another call"):
                self.model.fit(X, Y, verbose=0)


VALUES = [0.0, 0.25, 0.5, 1.0, 2.0]


def test_threads_that_make_all_calls_concurrently(
    tmp_path: Path, amount: Callable[[int, int, int], int], report: Callable[[str], None]
) -> None:
    base = make_base()
    models = [make_model(base, "one"), make_model(base, "two")]
    # All weights of a model always have the same value: a mix shows a partial change. Setting one model
    # also changes the base of the other, whose head keeps its value: so only one model is checked.
    model, neighbour = models
    outputs, losses = set(), set()
    for value in VALUES:
        model.set_weights(constants(model, value))
        outputs.add(model.predict(X, verbose=0).tobytes())
        losses.add(tuple(model.evaluate(X, Y, verbose=0)))
    assert len(outputs) == len(losses) == len(VALUES)
    all_constants = [constants(model, value) for value in VALUES]

    def uniform(arrays: list[Any]) -> bool:
        return len({float(value) for array in arrays for value in np.unique(array)}) == 1

    def check(call: str) -> None:
        match call:
            case "fit":
                model.fit(X, Y, batch_size=random.choice([16, 100, 600]), verbose=0)
            case "fit with callbacks":
                model.fit(X, Y, batch_size=64, verbose=0, callbacks=[UseModel(check)])
            case "fit a neighbour":
                neighbour.fit(X, Y, batch_size=32, verbose=0)
            case "train_on_batch":
                model.train_on_batch(X[:50], Y[:50])
            case "evaluate":
                assert tuple(model.evaluate(X, Y, verbose=0)) in losses
            case "predict":
                assert model.predict(X, verbose=0).tobytes() in outputs
            case "call":
                assert model(X).tobytes() in outputs
            case "set_weights":
                model.set_weights(random.choice(all_constants))
            case "get_weights":
                assert uniform(model.get_weights())
            case "save":
                file = tmp_path / f"{threading.get_ident()}.safetensors"
                model.save(file)
                loaded = cnet.models.load_model(file)
                assert uniform(loaded.get_weights())
                assert loaded(X).tobytes() in outputs
            case "pickle":  # copies one layer at a time
                copy = pickle.loads(pickle.dumps(model))
                assert all(uniform(layer.get_weights()) for layer in copy.layers)
            case "clone":
                copy = Sequential.from_config(model.get_config())
                assert copy.count_params() == model.count_params()

    calls = (
        "fit", "fit with callbacks", "fit a neighbour", "train_on_batch", "evaluate", "predict",
        "call", "set_weights", "get_weights", "save", "pickle", "clone",
    )  # fmt: skip
    done, refused = Counter[str](), Counter[str]()
    end = time.monotonic() + amount(3, 8, 300)

    def work(seed: int) -> None:
        choices = random.Random(seed)
        while time.monotonic() < end or len(done) < len(calls):
            call = choices.choice(calls)
            try:
                check(call)
                done[call] += 1
            except RuntimeError as error:
                if "in use by another call" not in str(error):
                    raise
                refused[call] += 1

    run_together([lambda seed=seed: work(seed) for seed in range(THREADS)])
    report(f"{THREADS} threads completed {json.dumps(done)}; refused {json.dumps(refused)}")
    assert set(refused) <= {
        "fit", "fit with callbacks", "fit a neighbour", "train_on_batch", "evaluate"
    }  # fmt: skip
    assert refused["fit"] > 0
    model.fit(X, Y, verbose=0)


def test_two_models_with_a_shared_frozen_base_train_concurrently() -> None:
    base = make_base()
    one, two = make_model(base, "one"), make_model(base, "two")
    meeting = threading.Barrier(2, timeout=60)

    class Meet(callbacks.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            meeting.wait()

    def fit(model: Sequential) -> Callable[[], None]:
        return lambda: model.fit(X, Y, batch_size=100, verbose=0, callbacks=[Meet()])

    run_together([fit(one), fit(two)])


def test_a_prediction_waits_for_at_most_a_batch() -> None:
    model = make_model(make_base(), "busy")
    model.stop_training = False
    begun = threading.Event()

    class Tell(callbacks.Callback):
        def on_epoch_begin(self, *_: Any) -> None:
            begun.set()

        def on_epoch_end(self, *_: Any) -> None:
            begun.clear()

    x, y = np.broadcast_to(X[:1], (40_000, 24)), np.broadcast_to(Y[:1], (40_000, 3))
    fitting = threading.Thread(
        target=lambda: model.fit(x, y, batch_size=16, verbose=0, callbacks=[Tell()])
    )
    fitting.start()
    begun.wait()
    counts = 0
    while fitting.is_alive():
        model(X[:1])
        model.get_weights()
        model.set_weights(model.get_weights())
        counts += 1
    fitting.join()
    assert counts > 20, "few other calls ran during an epoch of 2,500 batches"


def outputs_of(model: Any, x: Any) -> bytes:
    return b"".join(rows.tobytes() for rows in leaves_of(model.predict_on_batch(x)))


class Outputs(callbacks.Callback):
    """Collects the predictions after each batch."""

    def __init__(self, x: Any) -> None:
        super().__init__()
        self.x, self.all = x, set[bytes]()

    def on_train_batch_end(self, *_: Any) -> None:
        self.all.add(outputs_of(self.model, self.x))


@pytest.mark.parametrize("name", GRAPHS)
def test_predictions_of_a_graph_that_is_trained(
    name: str, amount: Callable[[int, int, int], int]
) -> None:
    """Each is one of the weights between two steps. Only parts of it are, where a layer in Python divides it."""
    graph = make_graph(name, 48)
    epochs = amount(30, 30, 400)
    options: dict[str, Any] = {"batch_size": 8, "epochs": epochs, "verbose": 0}
    steps = Outputs(graph.x)
    before = outputs_of(graph.model, graph.x)
    graph.model.fit(graph.x, graph.y, callbacks=[steps], **options)
    allowed = {before, *steps.all, outputs_of(graph.model, graph.x)}  # fit ends with the averages
    assert len(allowed) > epochs

    model, x, y = make_graph(name, 48)
    assert outputs_of(model, x) == before
    ended, seen = threading.Event(), Counter[bytes]()

    def fit() -> None:
        try:
            model.fit(x, y, **options)
        finally:
            ended.set()

    def predict() -> None:
        seen[outputs_of(model, x)] += 1
        while not ended.is_set():
            seen[outputs_of(model, x)] += 1

    run_together([fit, predict, predict, predict])
    if model.in_engine:
        assert set(seen) <= allowed
    assert outputs_of(model, x) == outputs_of(graph.model, x)


def test_two_models_that_share_trained_layers_never_train_concurrently() -> None:
    table, dense = layers.Embedding(20, 4), layers.Dense(30, "relu")
    ids = np.arange(3000).reshape(1000, 3) % 20
    models = []
    for name in ("one", "two"):
        x = Input((3,), dtype="int32")
        model = Model(x, layers.Dense(3)(dense(layers.Flatten()(table(x)))), name=name)
        model.compile("sgd", "mse")
        models.append(model)
    counts = Counter[str]()
    begun = threading.Barrier(2, timeout=60)

    def outcome(model: Any) -> str:
        try:
            model.fit(ids, np.ones((1000, 3)), batch_size=8, verbose=0)
        except RuntimeError as error:
            if "in use by another call" not in str(error):
                raise
            return "refused"
        return "done"

    def fit(model: Any) -> None:
        begun.wait()
        counts.update(outcome(model) for _ in range(20))

    run_together([lambda model=model: fit(model) for model in models])  # type: ignore[misc]
    assert counts["done"]
    assert counts["refused"]
    steps = sum(model.optimizer.iterations for model in models)
    assert steps == 125 * counts["done"]
