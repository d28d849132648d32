"""Embedding: its bits are those of a dense layer of one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnet
from cnet import layers

# Ids of several bytes, repeated within the 512 rows of a sum and beyond.
ROWS, SIZE, BATCH = 70_000, 3, 600
IDS = np.random.default_rng(0).choice([0, 7, 255, 256, 65_535, 65_536, ROWS - 1], (BATCH, 1))
TARGETS = np.random.default_rng(1).normal(size=(BATCH, SIZE)).astype(np.float32)


def trained(inputs: Any, layer: Any, x: Any, optimizer: Any) -> Any:
    model = cnet.Model(inputs, layers.Flatten()(layer(inputs)))
    layer.set_weights([np.linspace(-1, 1, ROWS * SIZE, dtype=np.float32).reshape(ROWS, SIZE)])
    model.compile(optimizer, "mse")
    model.fit(x, TARGETS, batch_size=BATCH, epochs=2, shuffle=False, verbose=0)
    return layer.get_weights()[0]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_gradients_have_the_bits_of_one_hot_rows(optimizer: str) -> None:
    one_hot = np.zeros((BATCH, ROWS), np.uint8)
    one_hot[np.arange(BATCH), IDS[:, 0]] = 1
    ids, numbers = cnet.Input((1,), dtype="int32"), cnet.Input((ROWS,))
    table, dense = layers.Embedding(ROWS, SIZE), layers.Dense(SIZE, use_bias=False)
    expected = trained(numbers, dense, one_hot, optimizer)
    assert trained(ids, table, IDS, optimizer).tobytes() == expected.tobytes()
    if optimizer == "sgd":
        before = np.linspace(-1, 1, ROWS * SIZE, dtype=np.float32).reshape(ROWS, SIZE)
        changed = np.flatnonzero((expected != before).any(axis=1))
        np.testing.assert_array_equal(changed, np.unique(IDS))


def test_threads_do_not_change_the_bits() -> None:
    ids = np.random.default_rng(2).integers(ROWS, size=(BATCH, 1))
    limit = cnet.get_num_threads()
    weights = []
    try:
        for count in (1, 3):
            cnet.set_num_threads(count)
            table = layers.Embedding(ROWS, SIZE)
            weights.append(trained(cnet.Input((1,), dtype="int32"), table, ids, "sgd").tobytes())
    finally:
        cnet.set_num_threads(limit)
    assert weights[0] == weights[1]
