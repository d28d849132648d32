"""Measure cnet's limits other than its speed against its peers: each figure and its bound.

Each section runs in a process of its own. Sections that compare times interleave the runs, so that
a machine that slows down affects all alike. The exit code is 1 if a bound is missed.

    pip install .
    python benchmarks/limits.py
    python benchmarks/limits.py --sections wheel accuracy --wheel dist/cnet-*.whl

Linux only, because it reads /proc.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import accuracy
from installation import measure_installation
from measuring import (
    LEARNING_RATE,
    MIB,
    Array,
    Figure,
    classifier,
    in_a_process,
    memory,
    samples,
    seconds,
)
from scaling import scaling, tables

# -- Importing -------------------------------------------------------------------------------------


def import_time(runs: int = 15) -> list[Figure]:
    """Time processes that import NumPy, and processes that import cnet after it."""
    environment = os.environ.copy()
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def process(names: str) -> float:
        command = [sys.executable, "-c", f"import {names}"]
        return seconds(lambda: subprocess.run(command, check=True, env=environment))

    def difference() -> float:
        without = process("numpy")
        return process("numpy, cnet") - without

    difference()  # compiles the byte code
    median = statistics.median(difference() for _ in range(runs))
    return [Figure("import cnet, over import numpy", 1e3 * median, "ms", 20)]


# -- Memory ----------------------------------------------------------------------------------------


def training_memory() -> list[Figure]:
    """Train on bytes: no shuffled copy and no float copy may be made."""
    import cnet  # noqa: F401 # before the first measurement

    before = memory("VmRSS")
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(60_000, 784), dtype=np.uint8)
    y = rng.integers(10, size=60_000)
    model = classifier(784, 512, 10)
    model.fit(x, y, batch_size=128, verbose=0)
    weights = sum(weight.nbytes for weight in model.get_weights())
    own = memory("VmHWM") - before - x.nbytes - y.nbytes - weights
    name = "784-512-10, 60,000 images of bytes: peak besides data and weights"
    return [Figure(name, own / MIB, "MiB", 64)]


def memmap_growth(count: int, folder: str) -> int:
    """Return the peak growth of anonymous memory in an epoch over memory-mapped files."""
    features = 64
    paths = [Path(folder, name) for name in ("x", "y")]
    with paths[0].open("wb") as file:
        for start in range(0, count, 10_000):
            samples(min(10_000, count - start), (features, 10))[0].tofile(file)
    np.zeros(count, np.int64).tofile(paths[1])
    x = np.memmap(paths[0], np.float32, "r", shape=(count, features))
    y = np.memmap(paths[1], np.int64, "r")
    model = classifier(features, 64, 10)
    model.fit(x[:1000], y[:1000], verbose=0)  # allocates what is made once
    before = peak = memory("RssAnon")
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, memory("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    model.fit(x, y, verbose=0)
    done.set()
    watcher.join()
    return max(peak, memory("RssAnon")) - before


def memmap_memory() -> list[Figure]:
    """Train on ever larger files: memory must not grow with them."""
    growths = []
    for count in (10**4, 10**5, 10**6):
        with tempfile.TemporaryDirectory() as folder:
            growths.append(in_a_process(memmap_growth, count, folder) / MIB)
    return [
        *(
            Figure(f"memmap of {count} × 64 floats: growth", growth, "MiB")
            for count, growth in zip(("10⁴", "10⁵", "10⁶"), growths, strict=True)
        ),
        Figure("memmap: most growth over least", max(growths) - min(growths), "MiB", 16),
    ]


# -- Threads ---------------------------------------------------------------------------------------

RUN_SECONDS = 4e-3


def thread_ratio(run: Callable[[], Any], pairs: int) -> float:
    """Return the median of time(2 threads) / time(1 thread) over adjacent pairs of runs."""
    import cnet

    ratios = []
    for n in range(pairs):
        took = {}
        for threads in (1, 2) if n % 2 else (2, 1):
            cnet.set_num_threads(threads)
            took[threads] = seconds(run)
        ratios.append(took[2] / took[1])
    return statistics.median(ratios)


def repeated(run_times: Callable[[int], Any], most: int) -> Callable[[], Any]:
    """Return a run of enough repetitions to be timed, at most `most`."""
    run, times = partial(run_times, 1), 1
    while times < most and seconds(run) < RUN_SECONDS:
        times = min(2 * times, most)
        run = partial(run_times, times)
    return run


def thread_runs(width: int, batch: int, x: Array, y: Array) -> dict[str, Callable[[], Any]]:
    """Return runs of training and of prediction."""
    model = classifier(width, width, width, 10)
    rows = x[:batch]

    def fit(steps: int) -> None:
        count = steps * batch
        model.fit(x[:count], y[:count], batch_size=batch, verbose=0)

    def predict(calls: int) -> None:
        for _ in range(calls):
            model.predict(rows, verbose=0)

    fit(1)
    predict(1)
    return {"fit": repeated(fit, len(x) // batch), "predict": repeated(predict, 10**4)}


def threads() -> list[Figure]:
    """Compare two threads with one: two must not be slower, whatever the size.

    A case beyond the bound is measured again, longer: among so many, some exceed it by chance. Other
    busy processes make two threads wait for each other: check the load average.
    """
    bound, ratios = 1.05, {}
    for width in (2**n for n in range(3, 11)):
        x, y = samples(min(2**17, 2**24 // width), (width, 10))
        for batch in (2**n for n in range(11)):
            for call, run in thread_runs(width, batch, x, y).items():
                ratio = thread_ratio(run, 9)
                if ratio > bound:
                    ratio = thread_ratio(run, 35)
                ratios[f"{call} {width}-{width}-{width}-10, batch {batch}"] = ratio
    worst = sorted(ratios, key=ratios.__getitem__, reverse=True)[:10]
    return [Figure(f"{name}: 2 threads over 1", ratios[name], "×", bound) for name in worst]


# -- Features --------------------------------------------------------------------------------------


def features(rounds: int = 25) -> list[Figure]:
    """Compare a step of 784-512-10 at batch 128 with a feature to one of plain SGD."""
    import cnet
    from cnet import layers, optimizers

    x, y = samples(12_800, (784, 10))

    def trained(optimizer: Any, *extra: Any, **options: Any) -> Callable[[], Any]:
        hidden = layers.Dense(512, None if extra[1:] else "relu", **options)
        top = layers.Dense(10, "softmax", **options)
        model = cnet.Sequential([cnet.Input((784,)), hidden, *extra, top])
        model.compile(optimizer, "sparse_categorical_crossentropy")
        return partial(model.fit, x, y, batch_size=128, verbose=0)

    def sgd() -> Any:
        return optimizers.SGD(LEARNING_RATE)

    plain = trained(sgd())
    cases = {
        "Adam": (trained(optimizers.Adam()), 1.15),
        "RMSprop": (trained(optimizers.RMSprop()), 1.15),
        "Dropout": (trained(sgd(), layers.Dropout(0.5)), 1.10),
        "BatchNormalization": (trained(sgd(), layers.BatchNormalization(), layers.ReLU()), 1.25),
        "LayerNormalization": (trained(sgd(), layers.LayerNormalization()), None),
        "GaussianNoise": (trained(sgd(), layers.GaussianNoise(0.1)), None),
        "L2": (trained(sgd(), kernel_regularizer="l2"), None),
        "MaxNorm": (trained(sgd(), kernel_constraint="max_norm"), None),
    }
    figures = []
    for threads in (1, 2):
        cnet.set_num_threads(threads)
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(rounds):
            base = seconds(plain)
            for name, (run, _) in cases.items():
                times[name].append(seconds(run) / base)
        figures += [
            Figure(
                f"{name}: over plain SGD, {threads} thread(s)",
                statistics.median(times[name]),
                "×",
                bound,
            )
            for name, (_, bound) in cases.items()
        ]
    return figures


# -- The tape --------------------------------------------------------------------------------------


def tape(rounds: int = 25) -> list[Figure]:
    """Compare steps of 8-64-64-4 at batch 32 on a tape with the engine's staged steps, on one thread."""
    import cnet
    from cnet import _core, autodiff, losses, optimizers

    cnet.set_num_threads(1)
    batches, batch = 500, 32
    x, y = samples(batches * batch, (8, 4))
    model = classifier(8, 64, 64, 4)
    engine = model._setup.engine_for(model)
    options = _core.EpochOptions(batch_size=batch, optimizer=model.optimizer.rule(), staged=True)
    loss, optimizer = losses.SparseCategoricalCrossentropy(), optimizers.SGD(LEARNING_RATE)
    weights = model.trainable_weights

    def staged() -> None:
        labels = y[:, np.newaxis]
        engine.train_epoch([x], [labels], options, None, None, False)

    def taped() -> None:
        for first in range(0, len(x), batch):
            rows = slice(first, first + batch)
            with autodiff.GradientTape() as tape:
                value = loss(y[rows], model(x[rows]))
            gradients = tape.gradient(value, weights)
            optimizer.apply_gradients(zip(gradients, weights, strict=True))

    times = np.array([[seconds(staged), seconds(taped)] for _ in range(rounds)])
    step, on_tape = np.median(times, axis=0) / batches * 1e6
    return [
        Figure("8-64-64-4, batch 32: the engine's staged step", step, "µs"),
        Figure("the same on a tape: at most 3 × + 30 µs", on_tape, "µs", 3 * step + 30),
    ]


# -- The build -------------------------------------------------------------------------------------


def build_time() -> list[Figure]:
    """Install cnet from source, without a compiler cache; the bounds are multiples of the yardstick."""
    build = measure_installation()
    slowest = sorted(build.files, key=build.files.__getitem__, reverse=True)
    return [
        Figure("the yardstick, CPU", build.yardstick, "s"),
        *(
            Figure(f"compile {name}", build.files[name], "s", 4.5 * build.yardstick)
            for name in slowest
        ),
        Figure("pip install ., clock", build.wall, "s"),
        Figure("pip install ., CPU", build.cpu, "s", 30 * build.yardstick),
    ]


# -- The command -----------------------------------------------------------------------------------


def wheel_size(wheel: str) -> list[Figure]:
    """Return the size of the wheel."""
    return [Figure(Path(wheel).name, Path(wheel).stat().st_size / 1e6, "MB", 1.5)]


SECTIONS: dict[str, Callable[[], list[Figure]]] = {
    "build": build_time,
    "import": import_time,
    "memory": training_memory,
    "memmap": memmap_memory,
    "scaling": scaling,
    "tables": tables,
    "accuracy": accuracy,
    "threads": threads,
    "features": features,
    "tape": tape,
}


def main() -> int:
    """Measure the sections that the command line selects; return 1 if a bound is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*SECTIONS, "wheel"]
    parser.add_argument("--sections", nargs="+", choices=names, metavar="NAME", default=names,
                        help=f"only these of {', '.join(names)}")  # fmt: skip
    parser.add_argument("--wheel", metavar="FILE", help="the wheel whose size to measure")
    args = parser.parse_args()
    if args.wheel is None and args.sections is not names and "wheel" in args.sections:
        parser.error("the section wheel needs --wheel FILE")

    missed = 0
    load = f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
    print(f"{load:76}{'figure':>9}{'bound':>9}")
    for name in args.sections:
        if name == "threads" and len(os.sched_getaffinity(0)) < 2:
            print("threads: there is only one CPU")
            continue
        if name == "wheel":
            figures = wheel_size(args.wheel) if args.wheel else []
        else:
            figures = in_a_process(SECTIONS[name])
        for figure in figures:
            missed += figure.missed
            bound = "" if figure.bound is None else f"{figure.bound:9.5g}"
            verdict = "" if figure.bound is None else ("  MISSED" if figure.missed else "  met")
            print(f"{figure.name:69}{figure.unit:>6}{figure.value:10.5g}{bound}{verdict}")
        sys.stdout.flush()
    print(f"{missed} missed" if missed else "all met")
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
