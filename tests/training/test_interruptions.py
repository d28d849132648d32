"""Ctrl-C, exceptions, and other threads during a call."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from functools import partial
from typing import Any

import numpy as np
import pytest
from support.classifiers import IDS, X, bits, make_model
from support.interrupts import interrupt_at_line

import cnet
from cnet import Sequential
from cnet.training.loop import Loop

# -- Interruptions and threads ---------------------------------------------------------------------

# The program measures the delay from the signal to the exception. A busy machine can only lengthen it, so
# the shortest of three counts.
INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
import cnet

signal.signal(signal.SIGINT, signal.default_int_handler)  # which the parent may have changed

call, whole = sys.argv[1], sys.argv[2:] == ["whole"]
# Enough work for more than one thread.
model = cnet.Sequential([cnet.layers.Dense(64, "relu"), cnet.layers.Dense(4, "softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")

def data(samples):  # broadcast, so that it takes no memory
    return np.broadcast_to(np.uint8(1), (samples, 512)), np.broadcast_to(np.uint8(1), samples)

def run(samples, **options):
    x, y = data(samples)
    if whole:
        options["batch_size"] = samples
    getattr(model, call)(*((x,) if call == "predict" else (x, y)), verbose=0, **options)

def interrupt():
    global sent
    sent = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)

class Interrupt(cnet.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            threading.Timer(0.02, interrupt).start()

run(1000)
start = time.perf_counter()
run(20_000)
samples = int(20_000 * 0.4 / (time.perf_counter() - start))  # enough for 0.4 s

delays = []
for _ in range(3):
    try:
        if call == "fit":
            run(samples, epochs=100, callbacks=[Interrupt()])
        else:
            threading.Timer(0.02, interrupt).start()
            run(2 * samples)
        raise SystemExit("it was not interrupted")
    except KeyboardInterrupt:
        delays.append(time.perf_counter() - sent)
    if call == "fit":
        assert model.history.epoch == [0, 1], model.history.epoch
        assert len(model.history.history["loss"]) == 2
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
assert min(delays) < 0.2, delays
steps = model.optimizer.iterations
model.fit(*data(64), verbose=0)
assert model.optimizer.iterations == steps + 2
"""


@pytest.mark.parametrize("call", ["fit", "fit whole", "evaluate", "predict"])
def test_ctrl_c_stops_a_call_at_once_and_the_model_stays_usable(call: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, *call.split()]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 0, result.stderr


# On one CPU, one thread continues before the other has checked whether to end.
FAILING = """
import os
import numpy as np
import cnet

class Fail(cnet.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise LookupError

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
cnet.set_num_threads(2)
model = cnet.Sequential([cnet.layers.Dense(256, "relu"), cnet.layers.Dense(10, "softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")
x, y = np.ones((512, 64), np.float32), np.zeros(512, int)
for _ in range(300):
    try:
        model.fit(x, y, batch_size=128, callbacks=[Fail()], verbose=0)
    except LookupError:
        pass
assert model.optimizer.iterations == 3 * 300
"""


def test_exceptions_end_training_on_all_threads() -> None:
    command = [sys.executable, "-c", FAILING]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 0, result.stderr


def fit_in_a_thread(model: Sequential, callback: cnet.callbacks.Callback) -> threading.Thread:
    """Start an epoch of some tenths of a second in another thread."""
    x, y = np.broadcast_to(np.uint8(1), (400_000, 6)), np.broadcast_to(np.uint8(1), 400_000)
    options = {"batch_size": 1, "callbacks": [callback], "verbose": 0}
    thread = threading.Thread(target=lambda: model.fit(x, y, **options))
    thread.start()
    return thread


def test_other_threads_run_during_an_epoch() -> None:
    begun = threading.Event()

    class Tell(cnet.callbacks.Callback):
        def on_epoch_begin(self, *_: Any) -> None:
            begun.set()

    thread = fit_in_a_thread(make_model(5), Tell())
    begun.wait()
    ticks = 0
    while thread.is_alive():
        time.sleep(0.001)
        ticks += 1
    assert ticks > 10, "with the GIL held, the first sleep would last as long as the epoch"


def test_a_model_in_training_predicts_and_refuses_to_be_trained() -> None:
    within, go_on = threading.Event(), threading.Event()

    class Hold(cnet.callbacks.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            within.set()
            go_on.wait()
            self.model.stop_training = True

    model = make_model(5)
    thread = fit_in_a_thread(model, Hold())
    within.wait()
    try:
        before = bits(model)
        for call in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
            with pytest.raises(RuntimeError, match="the model is in use by another call"):
                getattr(model, call)(X, IDS)
        assert np.isfinite(model.predict(X, verbose=0)).all()
        assert bits(model) == before
    finally:
        go_on.set()
        thread.join()
    model.fit(X, IDS, verbose=0)


def test_an_interrupt_around_the_engines_call_keeps_iterations_and_steps_equal() -> None:
    """The interrupt comes at each line of the calling function in turn."""
    interrupted = 0
    for number in range(100):
        model = cnet.Sequential([cnet.Input((2,)), cnet.layers.Dense(1)])
        model.compile("sgd", "mse")
        batches = ((np.ones((4, 2)), np.ones(4)) for _ in range(3))
        run = partial(model.fit, batches, verbose=0)
        interrupted += interrupt_at_line(number, [Loop.train], run)
        assert model._setup is not None
        engine = model._setup.engine
        assert model.optimizer.iterations == (engine.steps if engine else 0)
    assert interrupted > 30
