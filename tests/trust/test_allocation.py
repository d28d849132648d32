"""Every allocation fails once: `MemoryError`, and the model is unchanged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.subprocesses import run_program

pytestmark = [
    pytest.mark.memory,
    pytest.mark.skipif(sys.platform != "linux", reason="preloads a library"),
]


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the library that makes allocations fail, and return its path."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    assert compiler is not None, "these tests need a C++ compiler"
    library = tmp_path_factory.mktemp("preloaded") / "failing_allocations.so"
    source = Path(__file__).with_name("failing_allocations.cpp")
    command = [compiler, "-std=c++17", "-O1", "-shared", "-fPIC", source, "-o", library, "-ldl"]
    subprocess.run(command, check=True)
    return library


SETUP = """
import ctypes, hashlib, json, os, pathlib, signal, sys, tempfile, traceback
import numpy as np
import cnet
from cnet import _core, layers

failing = ctypes.CDLL(os.environ["LD_PRELOAD"])
failing.watch_library.argtypes = [ctypes.c_size_t] * 2
failing.failed_allocations.restype = ctypes.c_long
failing.fail_allocation.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_size_t]
failing.limit_threads.argtypes = [ctypes.c_long]
with open("/proc/self/maps") as maps:
    ranges = [line.split()[0].split("-") for line in maps if _core.__file__ in line]
assert ranges
failing.watch_library(min(int(a, 16) for a, _ in ranges), max(int(b, 16) for _, b in ranges))

cnet.set_num_threads(3)
x = (np.arange(256 * 64).reshape(256, 64) % 11 - 5).astype(np.float32)
y = np.arange(256) % 10

def make():
    cnet.utils.set_random_seed(1)
    model = cnet.Sequential([
        cnet.Input((64,)), layers.Dense(512, "relu"), layers.Dense(10, "softmax"),
    ], name="model")
    model.compile(cnet.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def digest(model):
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).digest()

# Reserves room in pybind11's table of objects: if it cannot grow, pybind11 frees twice.
del [_core.RandomState(0) for _ in range(5000)][:]

class Note(cnet.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        after.append(digest(self.model))

model = make()
after = [digest(model)]  # by number of steps
model.fit(x, y, batch_size=64, verbose=0, callbacks=[Note()])
"""

FAILURES = """
what, least_size, stride = json.loads(sys.argv[1])
folder = tempfile.TemporaryDirectory()
file = pathlib.Path(folder.name, "m.safetensors")
make().save(file)
first = make()
expected = first.predict(x, verbose=0).tobytes()
first.set_weights([weight + 1 for weight in first.get_weights()])
raised = digest(first)
single = make()
single.train_on_batch(x[:64], y[:64])
one_step = digest(single)

calls = {
    "fit": lambda model: model.fit(x, y, batch_size=64, verbose=0),
    "fit with hooks": lambda model: model.fit(x, y, batch_size=64, verbose=0, callbacks=[cnet.callbacks.Callback()]),
    "train_on_batch": lambda model: model.train_on_batch(x[:64], y[:64]),
    "evaluate": lambda model: model.evaluate(x, y, verbose=0),
    "predict": lambda model: model.predict(x, verbose=0),
    "call": lambda model: model(x),
    "call in training": lambda model: model(x, training=True),
    "compile": lambda model: model.compile("rmsprop", "sparse_categorical_crossentropy"),
    "save": lambda model: model.save(file),
    "load_model": lambda model: cnet.models.load_model(file),
    "make": lambda model: make(),
    "get_weights": lambda model: model.get_weights(),
    "set_weights": lambda model: model.set_weights([weight + 1 for weight in first_weights]),
    "softmax": lambda model: cnet.ops.softmax(x),
}
for name in ("evaluate", "predict", "call"):
    calls[name + " again"] = calls[name]
first_weights = make().get_weights()

def attempt(n, and_all_after):
    \"\"\"Run in a new process without threads: return 0 if all is right, 1 if nothing failed.\"\"\"
    model = make()
    if what.endswith(" again"):
        calls[what](model)
    failing.fail_allocation(n, and_all_after, least_size)
    try:
        calls[what](model)
        is_done = True
    except MemoryError:
        is_done = False
    finally:
        failed = failing.failed_allocations()
        failing.fail_allocation(0, 0, 0)
    steps = model.optimizer.iterations
    if what == "train_on_batch":
        assert digest(model) == (one_step if steps else after[0])
    elif what == "set_weights":
        assert digest(model) == (raised if is_done else after[0])
    else:
        assert digest(model) == after[steps], f"after {steps} steps"
    if what.startswith("fit"):
        assert not is_done or steps == 4
    assert cnet.models.load_model(file).predict(x, verbose=0).tobytes() == expected
    again = make()
    again.fit(x, y, batch_size=64, verbose=0)
    assert digest(again) == after[4]
    model.set_weights(first_weights)
    assert model.predict(x, verbose=0).tobytes() == expected
    calls[what](model)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, verbose=0)
    return 1 if failed == 0 else 0

counts = []
for and_all_after in (False, True):
    n, results = 0, []
    while not results or results[-1] == 0:
        n += stride if n else 1
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)
            code = 2
            try:
                code = attempt(n, and_all_after)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        results.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    assert results[-1] == 1, f"{what}: allocation {n}, {and_all_after}: ended by {results[-1]}"
    counts.append(len(results) - 1)
folder.cleanup()
print(json.dumps(counts))
"""

# When pybind11 creates an object of a class of the core, it aborts if there is no memory for its own records,
# of less than 64 bytes. So in calls that create objects smaller allocations do not fail. (Nor does the table
# of all objects grow meanwhile: see above.)
CALLS = {
    "fit": 64, "fit with hooks": 64, "train_on_batch": 64, "evaluate": 64, "predict": 64, "call": 64,
    "call in training": 64, "load_model": 64, "make": 64, "evaluate again": 0, "predict again": 0,
    "call again": 0, "compile": 0, "save": 64, "get_weights": 0, "set_weights": 0, "softmax": 0,
}  # fmt: skip


@pytest.mark.parametrize(("what", "least_size"), CALLS.items())
def test_every_allocation_may_fail(
    what: str,
    least_size: int,
    preloaded: Path,
    amount: Callable[[int, int, int], int],
    report: Callable[[str], None],
) -> None:
    arguments = (what, least_size, amount(29, 7, 1))
    counts = run_program(SETUP + FAILURES, *arguments, timeout=900, LD_PRELOAD=str(preloaded))
    report(f"{what}: {counts[0]} allocations failed, {counts[1]} with all later ones; no faults")
    assert min(counts) > 0 or what == "compile"


THREADS = """
def threads():
    return len(os.listdir("/proc/self/task"))

(allowed,) = json.loads(sys.argv[1])
failing.limit_threads(allowed)
pid = os.fork()  # the child has no threads yet
if pid == 0:
    cnet.set_num_threads(4)
    again = make()
    again.fit(x, y, batch_size=64, verbose=0)
    os._exit(threads() if digest(again) == after[4] else 100)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_calls_work_without_threads_that_the_system_refuses(allowed: int, preloaded: Path) -> None:
    threads = run_program(SETUP + THREADS, allowed, timeout=60, LD_PRELOAD=str(preloaded))
    assert threads == 1 + allowed


LIMIT = """
import json, resource
import numpy as np
import cnet

model = cnet.Sequential([cnet.Input((1000,)), cnet.layers.Dense(1000), cnet.layers.Dense(3)])
model.compile("adam", "mse")
x = np.ones((100, 1000), np.float32)
model.fit(x, x[:, :3], verbose=0)
before = [weight.tobytes() for weight in model.get_weights()]
with open("/proc/self/statm") as statm:
    size = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 30 * 2**20, resource.RLIM_INFINITY))
wide = np.broadcast_to(np.float32(1), (2 * 10**7, 1000))
calls = {
    "fit": lambda: model.fit(wide, wide[:, :3], batch_size=10**6, verbose=0),
    "predict": lambda: model.predict(wide, verbose=0),
    "build": lambda: cnet.Sequential([cnet.Input((1000,)), cnet.layers.Dense(10**5)]),
}
outcomes = {}
for name, call in calls.items():
    try:
        call()
        outcomes[name] = "no error"
    except MemoryError:
        outcomes[name] = "MemoryError"
assert [weight.tobytes() for weight in model.get_weights()] == before
model.predict(x, verbose=0)
model.fit(x, x[:, :3], verbose=0)
print(json.dumps(outcomes))
"""


def test_memory_limits_raise_memory_error() -> None:
    outcomes = run_program(LIMIT, timeout=60)
    assert outcomes == dict.fromkeys(outcomes, "MemoryError")
