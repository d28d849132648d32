"""Embedding: its bits are those of a dense layer of one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.subprocesses import run_program

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


# In a process, as a thread that counts other pieces than the others do waits forever.
MANY_THREADS = """
import hashlib, json
import numpy as np
import cnet
from cnet import layers

digests = []
rng = np.random.default_rng(0)
batches, batch = 20, 256
names = np.repeat(rng.integers(1, 51, batches), batch)[:, None]  # how many ids each batch names at most
ids, numbers = rng.integers(50, size=(batches * batch, 3)) % names, rng.normal(size=(batches * batch, 40))
classes = rng.integers(10, size=len(ids))
for threads in (1, 8):
    cnet.set_num_threads(threads)
    cnet.utils.set_random_seed(0)
    x, i = cnet.Input((40,)), cnet.Input((3,), dtype="int32")
    h = layers.Concatenate()([x, layers.Flatten()(layers.Embedding(50, 8)(i))])
    model = cnet.Model([x, i], layers.Dense(10, "softmax")(layers.Dense(512, "relu")(h)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit([numbers, ids], classes, batch_size=batch, epochs=5, verbose=0)
    weights = b"".join(weight.tobytes() for weight in model.get_weights())
    digests.append(hashlib.sha256(weights).hexdigest())
print(json.dumps(digests))
"""


def test_batches_that_name_more_or_fewer_ids_with_more_threads_than_processors() -> None:
    first, second = run_program(MANY_THREADS, timeout=600)
    assert first == second
