"""Times that must not grow with the data."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from measuring import LEARNING_RATE, Figure, classifier, samples, seconds


def scaling(rounds: int = 9) -> list[Figure]:
    """Train on ever more samples: the time per sample must stay the same."""
    widths = (8, 64, 64, 4)
    x, y = samples(10**6, widths)
    counts = {"10³": 10**3, "10⁴": 10**4, "10⁵": 10**5, "10⁶": 10**6}
    times: dict[str, list[float]] = {name: [] for name in counts}
    model = classifier(*widths)
    model.fit(x[:1000], y[:1000], verbose=0)

    def nanoseconds(count: int) -> float:
        epochs = max(1, 10**5 // count)
        data = x[:count], y[:count]
        took = seconds(lambda: model.fit(*data, batch_size=32, epochs=epochs, verbose=0))
        return 1e9 * took / (count * epochs)

    for _ in range(rounds):
        for name, count in counts.items():
            times[name].append(nanoseconds(count))
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = max(medians.values()) / min(medians.values())
    return [
        *(
            Figure(f"8-64-64-4, {name} samples: time of each", t, "ns")
            for name, t in medians.items()
        ),
        Figure("8-64-64-4: most over least", ratio, "×", 1.25),
    ]


def tables(rounds: int = 9) -> list[Figure]:
    """Train embeddings of ever larger tables with SGD: only the rows that a batch names may be touched."""
    import cnet
    from cnet import layers

    batches, batch = 200, 256
    rng = np.random.default_rng(0)
    labels = rng.normal(size=(batches * batch, 1))
    runs: dict[str, Callable[[], Any]] = {}
    for name, rows in {"10³": 10**3, "10⁵": 10**5, "10⁶": 10**6}.items():
        ids = rng.integers(rows, size=(len(labels), 4), dtype=np.int32)
        x = cnet.Input((4,), dtype="int32")
        vectors = layers.Flatten()(layers.Embedding(rows, 16)(x))
        model = cnet.Model(x, layers.Dense(1)(vectors))
        model.compile(cnet.optimizers.SGD(LEARNING_RATE), "mse")
        runs[name] = partial(model.fit, ids, labels, batch_size=batch, verbose=0)
        runs[name]()
    times = np.array([[seconds(run) for run in runs.values()] for _ in range(rounds)])
    each = dict(zip(runs, np.median(times, axis=0) / batches * 1e6, strict=True))
    return [
        *(
            Figure(f"table of {name} × 16, a batch of 256 × 4 ids", t, "µs")
            for name, t in each.items()
        ),
        # Rows of a large table are in no cache; to touch all of them would take 100 times as long.
        Figure("the largest table's time over the smallest's", each["10⁶"] / each["10³"], "×", 2),
    ]
