"""Labels, predictions and weights, and their confusion counts."""

from __future__ import annotations

from typing import Any

import numpy as np

RNG = np.random.default_rng(0)
SAMPLES = 60
# Few distinct values, so that some predictions equal a threshold.
P = (RNG.integers(0, 21, (SAMPLES, 3)) / 20).astype(np.float32)
Y = (RNG.random((SAMPLES, 3)) < P * 0.8 + 0.1).astype(int)
W = RNG.random(SAMPLES)


def counts(y: Any, p: Any, w: Any, threshold: float) -> tuple[float, float, float, float]:
    """Return true positives, false positives, false negatives, true negatives."""
    positive = p > np.float32(threshold)
    w = np.broadcast_to(w.reshape(len(w), -1), p.shape)
    pairs = [(True, True), (False, True), (True, False), (False, False)]
    tp, fp, fn, tn = (w[((y != 0) == truth) & (positive == said)].sum() for truth, said in pairs)
    return tp, fp, fn, tn
