"""Days of work in minutes: memory stays as it was after warming up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.subprocesses import run_program

pytestmark = pytest.mark.memory

SOAK = """
import ctypes, gc, json, os, pathlib, pickle, sys, tempfile
import numpy as np
import cnet
from cnet import layers

what, count = json.loads(sys.argv[1])
cnet.set_num_threads(2)
x, y = np.random.default_rng(0).normal(size=(64, 16)).astype(np.float32), np.arange(64) % 3
folder = tempfile.TemporaryDirectory()
file = pathlib.Path(folder.name, "model.safetensors")

def make():
    model = cnet.Sequential([
        cnet.Input((16,)), layers.Dense(32, "relu"), layers.BatchNormalization(),
        layers.Dropout(0.1), layers.Dense(3, "softmax"),
    ], name="soaked")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

model = make()
model.fit(x, y, verbose=0)
large = np.random.default_rng(0).normal(size=(5000, 16)).astype(np.float32)

def predicts(n):
    model(x[: n % 64 + 1])
    if n % 1000 == 0:
        model.predict(large, verbose=0)
    if n % 100 == 0:
        model.predict(x.astype(float), verbose=0)

def cycles(n):
    own = make()
    own.fit(x, y, epochs=2, batch_size=16, verbose=0, validation_split=0.25)
    own.save(file)
    loaded = cnet.models.load_model(file)
    assert loaded(x).tobytes() == own(x).tobytes()
    pickle.loads(pickle.dumps(own)).evaluate(x, y, verbose=0)

def stop(*_):
    raise LookupError

class Stop(cnet.callbacks.Callback):
    on_train_batch_end = stop

damaged = pathlib.Path(folder.name, "damaged.safetensors")
make().save(damaged)
damaged.write_bytes(damaged.read_bytes()[:-40])
failing = [
    lambda: model.fit(x, y[:5], verbose=0),
    lambda: model.fit(x, y + 2, verbose=0),
    lambda: model.fit(x, y, verbose=0, callbacks=[Stop()]),
    lambda: model.fit(np.full_like(x, np.nan), y, verbose=0),
    lambda: model.predict(x[:, :3], verbose=0),
    lambda: model.predict("text", verbose=0),
    lambda: model(x.astype(object)),
    lambda: model.set_weights([x]),
    lambda: model.compile("nothing"),
    lambda: cnet.models.load_model(damaged),
    lambda: cnet.ops.dense_forward(x, x, x),
    lambda: layers.Dense(-1),
    lambda: layers.Dense(3, "no"),
]

def failures(n):
    try:
        failing[n % len(failing)]()
    except (ValueError, TypeError, LookupError, FloatingPointError):
        return
    raise AssertionError(f"{n % len(failing)} didn't fail")

malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

def measure():
    gc.collect()
    if malloc_trim is not None:
        malloc_trim(0)  # free memory that malloc keeps is not a leak
    with open("/proc/self/statm") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {"resident": resident, "blocks": sys.getallocatedblocks(), "objects": len(gc.get_objects())}

work = {"predicts": predicts, "cycles": cycles, "failures": failures}[what]
warm = max(count // 10, 2 * len(failing))
for n in range(warm):
    work(n)
before = measure()
for n in range(count):
    work(n)
after = measure()
folder.cleanup()
print(json.dumps({name: after[name] - before[name] for name in before}))
"""


@pytest.mark.parametrize(
    ("what", "counts"),
    [
        ("predicts", (10_000, 50_000, 10**6)),
        ("cycles", (20, 40, 10**3)),
        ("failures", (1_000, 3_000, 10**5)),
    ],
)
def test_memory_stays_flat(
    what: str,
    counts: tuple[int, int, int],
    amount: Callable[[int, int, int], int],
    report: Callable[[str], None],
) -> None:
    count = amount(*counts)
    grown = run_program(SOAK, what, count, timeout=7200)
    report(f"soak: {count} {what}: growth {grown}")
    assert grown["resident"] < 2**20
    # Python's objects: a leak is at least one per call; caches may grow a little at first.
    assert grown["blocks"] < 2000
    assert grown["objects"] < 30
