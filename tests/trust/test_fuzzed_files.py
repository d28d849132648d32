"""Hostile model and data files: each is read or refused, with little time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.forms import in_ci
from support.graphs import CUSTOM_OBJECTS
from trust import hostile_files
from trust.make_corpus import CORPUS, inputs

import cnet
from cnet.models.nesting import leaves_of
from cnet.saving.tensor_file import TensorFile, write_tensor_file

MEMORY = Path("/dev/shm")  # in memory, where such a folder exists

# Files of each kind: by default, with --ci, and with --long, which takes an hour and a half on two cores.
KINDS = {
    "bytes": (6_000, 40_000, 97_000_000),
    "model": (1_200, 8_000, 2_000_000),
    "graph": (800, 8_000, 2_000_000),
    "weights": (1_500, 10_000, 1_000_000),
    "idx": (1_500, 10_000, 10_000_000),
}


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_files(
    tmp_path: Path,
    kind: str,
    amount: Callable[[int, int, int], int],
    report: Callable[[str], None],
) -> None:
    count = amount(*KINDS[kind])
    processes = amount(1, 1, os.cpu_count() or 1)
    where = MEMORY if os.access(MEMORY, os.W_OK) else tmp_path
    first = int.from_bytes(os.urandom(4), "big") if count == KINDS[kind][2] else 1
    files = {
        seed: where / f"cnet-hostile-{kind}-{seed}" for seed in range(first, first + processes)
    }
    running = {
        seed: subprocess.Popen(
            [
                sys.executable,
                hostile_files.__file__,
                kind,
                str(seed),
                str(count // processes),
                str(file),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"CNET_NUM_THREADS": "1"},
        )
        for seed, file in files.items()
    }
    seen: Counter[str] = Counter()
    slowest = 0.0
    try:
        for seed, process in running.items():
            output, errors = process.communicate()
            assert process.returncode == 0, f"seed {seed}, file {files[seed]}:\n{errors[-5000:]}"
            found = json.loads(output)
            slowest = max(slowest, found.pop("slowest"))
            seen.update(found)
    finally:
        for process in running.values():
            process.kill()
    read = seen.total() - seen["refused"]
    assert seen["refused"] > count / 10
    assert read > count / 10_000
    seeds = f"{processes} process(es) from seed {first}"
    report(f"{kind}: {seen.total()} files by {seeds}: {dict(seen)}, slowest {slowest} s")


@pytest.mark.parametrize("version", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_files_of_all_versions_are_read(version: Path) -> None:
    predictions = json.loads((version / "predictions.json").read_text())
    for name, expected in predictions.items():
        model = cnet.models.load_model(version / f"{name}.safetensors", CUSTOM_OBJECTS)
        outputs = leaves_of(model.predict(inputs(model), verbose=0))
        assert b"".join(rows.tobytes() for rows in outputs).hex() == expected, name
        assert model.optimizer is not None
    before = [weight.tobytes() for weight in model.get_weights()]
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.load_weights(version / "weights.safetensors")
    assert [weight.tobytes() for weight in model.get_weights()] == before


# Small files that require much: as many metrics, layers or models as a description may contain.
MANY: dict[str, Callable[[dict[str, Any]], None]] = {
    "metrics": lambda d: d["compile"]["metrics"].extend(
        [{"class_name": "AUC", "config": {"num_thresholds": 2**17}}] * 50
    ),
    "layers": lambda d: d["model"]["config"]["layers"].extend(
        {"class_name": "ReLU", "config": {"name": str(n)}} for n in range(2000)
    ),
    "models": lambda d: d["model"]["config"]["layers"].extend(
        {
            "class_name": "Sequential",
            "config": {"name": str(n), "layers": [{"class_name": "ReLU", "config": {"name": "r"}}]},
        }
        for n in range(800)
    ),
}


@pytest.mark.parametrize("what", ["metrics", "layers", *in_ci("models")])
def test_descriptions_at_their_limits(tmp_path: Path, what: str) -> None:
    """It takes about one second; without a limit on layers it took minutes."""
    with TensorFile(CORPUS / "version-1" / "nested.safetensors") as file:
        tensors = {name: file.read(name) for name in file.entries}
        document: Any = file.document
    MANY[what](document)
    path = tmp_path / "much.safetensors"
    write_tensor_file(path, tensors, document, overwrite=True)
    begin = time.process_time()
    cnet.models.load_model(path)
    assert time.process_time() - begin < 10
    tracemalloc.start()
    try:
        cnet.models.load_model(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20 + 200 * path.stat().st_size
    finally:
        tracemalloc.stop()


def layer(config: dict[str, Any], *sources: tuple[str, int]) -> dict[str, Any]:
    """Return a described layer with a call of the result of each source, a call of another layer."""
    calls = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [*source, 0]}}
        for source in sources
    ]
    name = config["config"]["name"]
    return config | {"name": name, "inbound_nodes": [{"args": [call]} for call in calls]}


def relu(name: str) -> dict[str, Any]:
    return {"class_name": "ReLU", "config": {"name": name}}


def graph(name: str, output: list[Any], *inner: dict[str, Any]) -> dict[str, Any]:
    """Return a described functional model of an input `x` and other layers."""
    x = {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 2]}}
    layers = [*inner, layer(x)]
    config = {"name": name, "layers": layers, "input_layers": ["x", 0, 0], "output_layers": output}
    return {"class_name": "Functional", "config": config}


def backwards(size: int) -> dict[str, Any]:
    """Return a chain whose layers are described last first."""
    layers = [layer(relu(f"r{n}"), (f"r{n - 1}" if n else "x", 0)) for n in range(size)]
    return graph("chain", [f"r{size - 1}", 0, 0], *reversed(layers))


def nested_calls(depth: int, calls: int) -> dict[str, Any]:
    """Return a model that calls a nested one several times, which does so as well."""
    model, first = (
        relu("m"),
        0,
    )  # the first call of a nested model has the number 1 in "output_layers"
    for level in range(depth):
        name = model["config"]["name"]
        sources = [("x", 0), *((name, n) for n in range(calls - 1))]
        output = [name, first + calls - 1, 0]
        model, first = graph(f"m{level}", output, layer(model, *sources)), 1
    return model


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        (backwards(800), None),
        (nested_calls(12, 2), None),
        (nested_calls(12, 8), "at most 65536 calls"),
    ],
    ids=["backwards", "nested", "many"],
)
def test_graphs_at_their_limits(tmp_path: Path, model: Any, refused: str | None) -> None:
    path = tmp_path / "graph.safetensors"
    write_tensor_file(path, {}, {"version": 1, "weights": [], "model": model}, overwrite=True)
    begin = time.process_time()
    if refused:
        with pytest.raises(cnet.FormatError, match=refused):
            cnet.models.load_model(path)
    else:
        loaded = cnet.models.load_model(path)
        assert loaded.predict([[-1.0, 1.0]], verbose=0).tolist() == [[0, 1]]
    assert time.process_time() - begin < 10
