"""The same bits for every instruction set, number of threads and batch size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.forms import in_ci
from support.instances import OPTIMIZERS

import cnet

TESTS = str(Path(__file__).parent)
NETS, DTYPES = ("small", "tall", "activations", "decorated", "wide"), ("float32", "float64")

# Trains each optimizer in the small net and in all others, or in one of them, and random graphs; evaluates and predicts.
# Prints the SHA-256 of each result by name, as JSON.
PROGRAM = """
import hashlib, json, os, sys
import numpy as np, cnet
from functools import partial
from cnet import activations, layers, regularizers

sys.path.insert(0, sys.argv[1])
is_each_in_one = sys.argv[2] == "one"  # besides the small net
from support.instances import OPTIMIZERS, name_of
from support.random_graphs import random_graph

def tasks():
    folder = "/proc/self/task"
    return len(os.listdir(folder)) if os.path.isdir(folder) else None

tasks_before = tasks()
threads = int(os.environ["CNET_NUM_THREADS"])
assert cnet.get_num_threads() == threads
assert cnet.build_info()["instruction_set"] == os.environ["CNET_ISA"]

def dense(widths, dtype):
    hidden = [layers.Dense(width, "relu", dtype=dtype) for width in widths]
    return [*hidden, layers.Dense(10, "softmax", dtype=dtype)]

def mixed(dtype):
    return [
        layers.Rescaling(0.5, 0.1, dtype=dtype),
        layers.Dense(50, "relu", kernel_initializer="he_normal", dtype=dtype),
        layers.Softmax(dtype=dtype),
        *dense([19], dtype),
    ]

ACTIVATIONS = [
    *("relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "tanh", "sigmoid"),
    *("hard_sigmoid", "softplus", "softsign", "exponential", "log_softmax"),
    partial(activations.gelu, approximate=True),
]

def activated(dtype):
    return [
        *(layers.Dense(11 + n, name, dtype=dtype) for n, name in enumerate(ACTIVATIONS)),
        layers.Dense(10, "softmax", dtype=dtype),
    ]

def decorated(dtype):
    return [
        layers.GaussianNoise(0.1, dtype=dtype),
        layers.Dense(90, "relu", kernel_regularizer="l2", kernel_constraint="max_norm", dtype=dtype),
        layers.BatchNormalization(gamma_regularizer="l1", beta_constraint="non_neg", dtype=dtype),
        layers.Dropout(0.2, dtype=dtype),
        layers.Dense(50, bias_regularizer=regularizers.L1L2(0.1, 0.1), dtype=dtype),
        layers.LayerNormalization(dtype=dtype),
        layers.Dense(10, "softmax", dtype=dtype),
    ]

# Samples, features, batch size, layers. A step of those with many samples or units is more than 16e6
# multiply-adds, which eight threads share: by rows where a batch has more of them than the layers
# have columns, else by columns. The last batch is smaller.
NETS = {
    "small": (203, 37, 33, mixed),
    "tall": (801, 40, 800, lambda dtype: dense([90, 50], dtype)),
    "activations": (203, 37, 33, activated),
    "decorated": (801, 40, 800, decorated),
    "wide": (80, 64, 32, lambda dtype: dense([600, 300], dtype)),
}
hashes = {}

def record(name, *arrays):
    assert name not in hashes
    hashes[name] = hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in arrays)).hexdigest()

for number, (net, (samples, features, batch, make)) in enumerate(NETS.items()):
    rng = np.random.default_rng(0)
    x, ids = rng.normal(size=(samples, features)), rng.integers(10, size=samples)
    for dtype in ("float32", "float64"):
        for n, optimizer in enumerate(OPTIMIZERS):
            name = name_of(optimizer)
            for labels in ("ids", "one-hot"):
                if net != "small" and labels == ("ids", "one-hot")[n // 4 % 2]:
                    continue  # to save time
                if net != "small" and is_each_in_one and n % 4 != number - 1:
                    continue
                y, loss = {
                    "ids": (ids, "sparse_categorical_crossentropy"),
                    "one-hot": (np.eye(10)[ids], "categorical_crossentropy"),
                }[labels]
                cnet.utils.set_random_seed(3)
                model = cnet.Sequential(make(dtype))
                model.compile(optimizer(), loss, metrics=["accuracy"])
                history = model.fit(x, y, batch, epochs=2 if net == "small" else 1, verbose=0).history
                key = f"{net}, {dtype}, {name}, {labels}"
                record(f"{key}: weights", *model.get_weights())
                record(f"{key}: history", *history.values())
        key = f"{net}, {dtype}"
        for size in (1, 10, batch, 1000):
            record(f"{key}: evaluate by {size}", model.evaluate(x, y, size, verbose=0))
        record(f"{key}: predict", model.predict(x, verbose=0))
        for size in (1, 10, batch):
            parts = [x[start : start + size] for start in range(0, samples, size)]
            record(f"{key}: predict {size}", *(model.predict(part, verbose=0) for part in parts))
            record(f"{key}: call {size}", *map(model, parts))
        record(f"{key}: call", model(x))
# A step of every third is large enough for eight threads.
for seed in range(8 if is_each_in_one else 40):
    sizes = {"rows": 330, "width": 160} if seed % 3 == 0 else {"rows": 50, "width": 20}
    for dtype in ("float32", "float64") if seed < 2 or not is_each_in_one else ("float32",):
        key = f"graph {seed}, {dtype}"
        batch = sizes["rows"] * 2 // 3
        optimizer = OPTIMIZERS[seed % len(OPTIMIZERS)]()
        model, x, y = random_graph(seed, dtype=dtype, optimizer=optimizer, **sizes)
        history = model.fit(x, y, batch, epochs=2, verbose=0).history
        record(f"{key}: weights", *model.get_weights())
        record(f"{key}: history", *history.values())
        for size in (7, batch, 1000):
            record(f"{key}: evaluate by {size}", model.evaluate(x, y, size, verbose=0))
        for size in (7, batch, 1000):
            batches = [[a[n : n + size] for a in x] for n in range(0, sizes["rows"], size)]
            for call in (model, lambda batch: model.predict(batch, verbose=0)):
                parts = zip(*map(call, batches))
                record(f"{key}: predict by {size}, {call is model}", *map(np.concatenate, parts))
if tasks_before is not None:
    assert tasks() == tasks_before + threads - 1, (tasks_before, tasks())
print(json.dumps(hashes))
"""


def run(program: str, nets: str = "all", **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.run(
        [sys.executable, "-c", program, TESTS, nets],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def supported(isa: str) -> bool:
    """Return True if the build has the instruction set and the CPU supports it."""
    program = "import cnet; print(cnet.build_info()['instruction_set'])"
    return run(program, CNET_ISA=isa).stdout.split()[-1:] == [isa]


@cache
def hashes(isa: str, threads: int, nets: str) -> dict[str, str]:
    result = run(PROGRAM, nets, CNET_ISA=isa, CNET_NUM_THREADS=str(threads))
    assert result.returncode == 0, result.stderr
    found: dict[str, str] = json.loads(result.stdout.splitlines()[-1])
    return found


@pytest.fixture
def nets(amount: Callable[[str, str, str], str]) -> str:
    """Return the number of nets for each optimizer, besides the small one."""
    return amount("one", "all", "all")


def test_this_cpus_instruction_set_is_among_those_compared() -> None:
    isas = [isa for isa in cnet.build_info()["instruction_sets"] if supported(isa)]
    assert isas[0] == "scalar"
    assert cnet.build_info()["instruction_set"] in isas


@pytest.mark.parametrize("threads", [*in_ci(1), 2, *in_ci(3), 8])
@pytest.mark.parametrize("isa", [*in_ci("scalar"), *cnet.build_info()["instruction_sets"][1:]])
def test_every_instruction_set_and_any_number_of_threads_give_the_same_bits(
    isa: str, threads: int, nets: str
) -> None:
    if not supported(isa):
        pytest.skip(f"this CPU has no {isa}")
    expected, found = hashes("scalar", 1, nets), hashes(isa, threads, nets)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def test_the_batch_size_of_predictions_does_not_change_bits(nets: str) -> None:
    found = hashes(cnet.build_info()["instruction_set"], 2, nets)
    keys = {name.rpartition(":")[0] for name in found if "evaluate by" in name}
    assert len(keys) > len(NETS) * len(DTYPES)  # the graphs as well
    for key in keys:
        evaluations = {found[name] for name in found if name.startswith(f"{key}: evaluate")}
        assert len(evaluations) == 1, key
        predictions = {
            found[name] for name in found if name.startswith((f"{key}: predict", f"{key}: call"))
        }
        assert len(predictions) == 1, key


def test_different_trainings_have_different_hashes(nets: str) -> None:
    found = hashes("scalar", 1, nets)
    trained = [name for name in found if name.endswith("ids: weights")]
    assert len(trained) >= 3 * len(OPTIMIZERS)
    assert len({found[name] for name in trained}) == len(trained)


def test_the_number_of_threads_may_change_during_training() -> None:
    def train(numbers: list[int]) -> list[bytes]:
        cnet.utils.set_random_seed(0)
        model = cnet.Sequential([cnet.layers.Dense(300, "relu"), cnet.layers.Dense(4, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        x = np.random.default_rng(0).normal(size=(400, 64))
        for number in numbers:
            cnet.set_num_threads(number)
            model.fit(x, np.arange(400) % 4, batch_size=150, verbose=0)
        return [weight.tobytes() for weight in model.get_weights()]

    limit = cnet.get_num_threads()
    try:
        assert train([1, 8, 2, 3, 1]) == train([1] * 5)
    finally:
        cnet.set_num_threads(limit)
