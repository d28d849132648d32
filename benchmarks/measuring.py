"""What the measurements share: figures with bounds, times, memory, and a network with its data."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
LEARNING_RATE = float(np.float32(0.01))  # the same number in float32 and float64
MIB = 2**20


@dataclass(frozen=True)
class Figure:
    """A measured value and its upper bound, if it has one."""

    name: str
    value: float
    unit: str
    bound: float | None = None

    @property
    def missed(self) -> bool:
        """True if the value exceeds its bound or is not a number."""
        return self.bound is not None and not self.value <= self.bound


def in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own, and return its result."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def seconds(run: Callable[[], Any]) -> float:
    """Return the duration of a call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def memory(field: str) -> int:
    """Return a memory field of this process in bytes: VmRSS, VmHWM (its peak), RssAnon."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    raise KeyError(field)


def classifier(*widths: int) -> Any:
    """Return a ReLU network with a softmax output, compiled with plain SGD."""
    import cnet

    inputs, *hidden, classes = widths
    dense = [cnet.layers.Dense(width, activation="relu") for width in hidden]
    last = cnet.layers.Dense(classes, activation="softmax")
    model = cnet.Sequential([cnet.Input((inputs,)), *dense, last])
    model.compile(cnet.optimizers.SGD(LEARNING_RATE), "sparse_categorical_crossentropy")
    return model


def samples(count: int, widths: tuple[int, ...]) -> tuple[Array, Array]:
    """Return normally distributed float32 features and class ids."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, widths[0]), np.float32)
    return x, rng.integers(widths[-1], size=count)
