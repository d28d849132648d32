"""Forks at any moment: the child predicts and trains, on several threads, and never hangs."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable

import joblib
import numpy as np
import pytest
from support.subprocesses import run_program

import cnet

# A child works for some milliseconds and may take half a minute.
FORKS = """
import hashlib, json, os, random, signal, sys, threading, time
import numpy as np
import cnet
from cnet import callbacks, layers

when, count, kind = json.loads(sys.argv[1])
cnet.utils.set_random_seed(5)
cnet.set_num_threads(3)
X = (np.arange(500 * 40).reshape(500, 40) % 7 - 3).astype(np.float32)
Y = np.arange(500) % 10
if kind == "graph":
    X, Y = [X, np.arange(1500).reshape(500, 3) % 50], [Y, X[:, :1]]

def make():
    hidden, top = layers.Dense(512, "relu"), layers.Dense(10, "softmax")
    loss = "sparse_categorical_crossentropy"
    if kind == "graph":
        x, ids = cnet.Input((40,)), cnet.Input((3,), dtype="int32")
        vectors = layers.Flatten()(layers.Embedding(50, 8)(ids))
        h = hidden(layers.Concatenate()([x, vectors]))
        model = cnet.Model([x, ids], [top(h), layers.Dense(1)(layers.Concatenate()([h, x]))])
        loss = [loss, "mse"]
    else:
        model = cnet.Sequential([cnet.Input((40,)), hidden, top])
    model.compile(cnet.optimizers.SGD(0.01), loss)
    return model

def outputs(model, rows=500):
    found = model.predict([x[:rows] for x in X] if kind == "graph" else X[:rows], verbose=0)
    return b"".join(np.asarray(y).tobytes() for y in (found if kind == "graph" else [found]))

def digest(model):
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).digest()

model, apart = make(), make()
start = model.get_weights()
whole = {digest(model)}  # all valid weights: those after each step of an epoch

class Note(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        whole.add(digest(self.model))

def epoch(model, *hooks):
    model.set_weights(start)
    model.fit(X, Y, batch_size=100, shuffle=False, verbose=0, callbacks=list(hooks))

epoch(model, Note())
trained = digest(model)
apart.set_weights(start)
expected = outputs(apart)

def child():
    if digest(model) not in whole:
        return 2
    if outputs(apart) != expected:
        return 3
    if not np.isfinite(np.frombuffer(outputs(model, 3), np.float32)).all():
        return 4
    if when != "callback":  # a callback runs during a fit of this thread
        epoch(model)
        if digest(model) != trained:
            return 5
        model.evaluate(X, Y, verbose=0)
    epoch(apart)
    return 7 if digest(apart) == trained else 6

results = {}

def fork():
    pid = os.fork()
    if pid == 0:
        code = 8
        try:
            code = child()
        finally:
            os._exit(code)
    deadline = time.monotonic() + 30
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            result = str(os.waitstatus_to_exitcode(status))
            break
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            result = "hang"
            break
        time.sleep(0.0005)
    results[result] = results.get(result, 0) + 1

class Fork(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if random.random() < 0.5 and sum(results.values()) < count:
            fork()

ends = False
def background():
    while not ends:
        if when == "fit":
            epoch(model)
        else:
            assert outputs(apart) == expected

if when == "callback":
    while sum(results.values()) < count:
        epoch(model, Fork())
else:
    if when != "idle":
        thread = threading.Thread(target=background)
        thread.start()
    for _ in range(count):
        time.sleep(random.random() * 0.003)
        fork()
    ends = True
    if when != "idle":
        thread.join()
if when == "fit" or when == "callback":
    assert digest(model) == trained
print(json.dumps(results))
"""


@pytest.mark.parametrize(
    ("when", "kind"),
    [
        *((when, "chain") for when in ("idle", "fit", "predict", "callback")),
        *(("fit", "graph"), ("callback", "graph")),
    ],
)
def test_forked_children_work(
    when: str, kind: str, amount: Callable[[int, int, int], int], report: Callable[[str], None]
) -> None:
    count = amount(15, 60, 2500)
    # Python 3.12 warns about any fork in a process with threads.
    results = run_program(FORKS, when, count, kind, timeout=3600, PYTHONWARNINGS="ignore")
    report(
        f"forks, {when}, {kind}: {count} children, {results.get('hang', 0)} hangs; exit codes {results}"
    )
    assert results == {"7": count}


# A fork in a signal handler, which Python may run during a batch that other threads work on. The child
# cannot continue with the batch, and gets an error.
HANDLER = """
import json, os, signal, sys, time
import numpy as np
import cnet

(call,) = json.loads(sys.argv[1])
cnet.set_num_threads(2)
model = cnet.Sequential([cnet.layers.Dense(1000, "relu"), cnet.layers.Dense(10, "softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")
x, y = np.broadcast_to(np.float32(1), (60_000, 300)), np.zeros(60_000, int)
model.fit(x[:10], y[:10], verbose=0)
pid = None

def fork(*_):
    global pid
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)

signal.signal(signal.SIGALRM, fork)
signal.setitimer(signal.ITIMER_REAL, 0.03)
try:
    if call == "fit":
        model.fit(x, y, batch_size=30_000, verbose=0)
    else:
        model.predict(x, verbose=0)
except RuntimeError as error:
    assert pid == 0 and "forked during" in str(error), error
assert pid is not None, "it took too short"
if pid == 0:
    model.fit(x[:100], y[:100], verbose=0)
    os._exit(7 if np.isfinite(model.predict(x[:100], verbose=0)).all() else 1)
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize("call", ["fit", "predict"])
def test_a_child_forked_during_a_batch_does_not_wait_for_lost_threads(call: str) -> None:
    assert run_program(HANDLER, call, timeout=60, PYTHONWARNINGS="ignore") == 7


def make_model() -> cnet.Sequential:
    model = cnet.Sequential([cnet.layers.Dense(64, "relu"), cnet.layers.Dense(3)])
    model.compile("adam", "mse")
    model.fit(X, X[:, :3], verbose=0)
    return model


X = np.random.default_rng(0).normal(size=(400, 20)).astype(np.float32)


def work(model: cnet.Sequential, part: slice) -> tuple[bytes, bytes]:
    """Predict and train in a worker."""
    output = model.predict(X[part], verbose=0).tobytes()
    model.fit(X[part], X[part, :3], verbose=0)
    return output, model.get_weights()[0].tobytes()


PARTS = [slice(first, first + 50) for first in range(0, 400, 50)]


def expected(model: cnet.Sequential) -> list[bytes]:
    return [model.predict(X[part], verbose=0).tobytes() for part in PARTS]


def test_multiprocessing_with_fork() -> None:
    model = make_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.starmap(work, [(model, part) for part in PARTS], chunksize=1)
    assert [output for output, _ in results] == expected(model)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_joblib(backend: str) -> None:
    model = make_model()
    predict = joblib.delayed(cnet.Sequential.predict)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tasks = [predict(model, X[part], verbose=0) for part in PARTS]
        results = joblib.Parallel(n_jobs=2, backend=backend)(tasks)
    assert [output.tobytes() for output in results] == expected(model)
