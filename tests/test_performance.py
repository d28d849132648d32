"""Speed ratios within one process: a slow or busy machine slows both sides."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import cnet
from cnet import layers

MOST_PAIRS = 200


def best_ratio(run: Callable[[], Any], other: Callable[[], Any], enough: float) -> float:
    """Return the best ratio of the time of `other` to that of `run`: noise only adds time.

    Pairs are measured until the ratio reaches `enough`, because noise comes and goes.
    """

    def seconds(function: Callable[[], Any]) -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    run()
    other()
    best = 0.0
    for _ in range(MOST_PAIRS):
        best = max(best, seconds(other) / seconds(run))
        if best > enough:
            break
    return best


def numpy_steps(widths: tuple[int, ...], x: Any, ids: Any, batch: int) -> Callable[[], None]:
    """Return an epoch of SGD in NumPy, with a buffer for every product."""
    rng = np.random.default_rng(1)
    kernels = [rng.normal(0, a**-0.5, (a, b)).astype(np.float32) for a, b in pairwise(widths)]
    outputs = [np.empty((batch, width), np.float32) for width in widths[1:]]
    gradients = [np.empty_like(kernel) for kernel in kernels]
    rate = np.float32(1e-3)

    def step(inputs: Any, labels: Any) -> None:
        activations = [inputs]
        for kernel, output in zip(kernels, outputs, strict=True):
            np.matmul(activations[-1], kernel, out=output)
            if output is not outputs[-1]:
                np.maximum(output, 0, out=output)
            activations.append(output)
        grad = np.exp(outputs[-1] - outputs[-1].max(axis=1, keepdims=True))
        grad /= grad.sum(axis=1, keepdims=True)
        grad[np.arange(batch), labels] -= 1
        grad /= batch
        for n in reversed(range(len(kernels))):
            np.matmul(activations[n].T, grad, out=gradients[n])
            if n:
                grad = grad @ kernels[n].T
                grad *= activations[n] > 0
            gradients[n] *= rate
            kernels[n] -= gradients[n]

    def epoch() -> None:
        for start in range(0, len(x), batch):
            step(x[start : start + batch], ids[start : start + batch])

    return epoch


@pytest.mark.speed
@pytest.mark.skipif(
    cnet.build_info()["instruction_set"] == "scalar",
    reason="the plain C++ kernels are not optimized",
)
@pytest.mark.parametrize(
    ("widths", "batch", "batches", "least"),
    [((784, 512, 10), 128, 10, 1.0), ((8, 64, 64, 4), 32, 200, 3.0)],
    ids=["784-512-10", "8-64-64-4"],
)
def test_fit_is_as_fast_as_numpy(
    widths: tuple[int, ...], batch: int, batches: int, least: float
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch * batches, widths[0])).astype(np.float32)
    ids = rng.integers(widths[-1], size=len(x))
    model = cnet.Sequential([layers.Dense(width, "relu") for width in widths[1:-1]])
    model.add(layers.Dense(widths[-1], "softmax"))
    model.compile(cnet.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
    cnet.config.register_threadpoolctl()
    with threadpool_limits(1):
        ratio = best_ratio(
            lambda: model.fit(x, ids, batch, verbose=0), numpy_steps(widths, x, ids, batch), least
        )
    assert ratio > least, ratio


def test_time_is_linear_in_the_samples() -> None:
    model = cnet.Sequential([layers.Dense(64, "relu"), layers.Dense(4, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")

    def epoch(samples: int) -> None:
        x, ids = np.broadcast_to(np.uint8(1), (samples, 8)), np.broadcast_to(np.uint8(1), samples)
        model.fit(x, ids, 32, verbose=0)

    least = 1 / 8 / 1.5
    assert best_ratio(lambda: epoch(80_000), lambda: epoch(10_000), least) > least
