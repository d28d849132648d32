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
from trust import hostile_files

import cnet
from cnet.saving.tensor_file import TensorFile, write_tensor_file

CORPUS = hostile_files.CORPUS
MEMORY = Path("/dev/shm")  # in memory, where such a folder exists

# Files of each kind: by default, with --ci, and with --long, which takes an hour and a half on two cores.
KINDS = {
    "bytes": (6_000, 40_000, 97_000_000),
    "model": (1_200, 8_000, 2_000_000),
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
        model = cnet.models.load_model(version / f"{name}.safetensors")
        shape = (2, *(size or 0 for size in model.input_shape[1:]))
        x = np.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
        assert model.predict(x, verbose=0).tobytes().hex() == expected, name
        assert model.optimizer is not None
    plain = cnet.models.load_model(version / "plain.safetensors")
    before = [weight.tobytes() for weight in plain.get_weights()]
    plain.set_weights([np.zeros_like(weight) for weight in plain.get_weights()])
    plain.load_weights(version / "weights.safetensors")
    assert [weight.tobytes() for weight in plain.get_weights()] == before


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
