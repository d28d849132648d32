"""Inputs of ids: read by tables, as numbers, or both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnet import Input, Model, layers, models, ops

RNG = np.random.default_rng(0)
IDS = RNG.integers(9, size=(24, 3))
TARGETS = RNG.normal(size=(24, 1)).astype(np.float32)


def read_twice(ids: Any, numbers: Any) -> Any:
    vectors = layers.Flatten(name="flat")(layers.Embedding(9, 2, name="table")(ids))
    dense = layers.Dense(2, activation="tanh", name="dense")(layers.Flatten(name="same")(numbers))
    joined = layers.Concatenate(name="all")([vectors, dense, numbers])
    return layers.Dense(1, name="top")(joined)


def test_one_input_as_ids_and_as_numbers(tmp_path: Path) -> None:
    ids, numbers = Input((3,), dtype="int32", name="ids"), Input((3,), name="numbers")
    model = Model(ids, read_twice(ids, ids))
    assert model.in_engine
    apart = Model([ids, numbers], read_twice(ids, numbers))
    apart.set_weights(model.get_weights())
    for each, x in ((model, IDS), (apart, [IDS, IDS])):
        each.compile("adam", "mse")
        each.fit(x, TARGETS, epochs=3, shuffle=False, verbose=0)
    for weight, other in zip(model.get_weights(), apart.get_weights(), strict=True):
        assert (weight == other).all()
    model.save(tmp_path / "model.safetensors")
    for each in (model, models.load_model(tmp_path / "model.safetensors")):
        assert (each(IDS) == apart([IDS, IDS])).all()
        assert (each.predict(IDS, verbose=0) == apart([IDS, IDS])).all()
    with pytest.raises(
        ValueError, match=r"ids of 'table': 9 at row 0, column 1 is outside \[0, 9\)"
    ):
        model(np.array([[0, 9, 0]]))


def test_numbers_by_an_operation_in_python() -> None:
    ids = Input((3,), dtype="int32")
    known = ops.cast(ops.not_equal(ids, 0), "float32")
    vectors = layers.Embedding(9, 2, name="table")(ids)
    total = ops.sum(vectors * ops.expand_dims(known, -1), axis=1)
    model = Model(ids, layers.Dense(1)(total))
    model.compile("sgd", "mse")
    model.fit(IDS, TARGETS, verbose=0)
    expected = (model.get_layer("table").embeddings[IDS] * (IDS != 0)[..., None]).sum(axis=1)
    (kernel, bias) = model.layers[-1].get_weights()
    np.testing.assert_allclose(model(IDS), expected @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_ids_that_are_the_output_too() -> None:
    ids = Input((3,), dtype="int32")
    model = Model(ids, [layers.Embedding(9, 2, name="table")(ids), layers.Flatten()(ids)])
    vectors, same = model(IDS)
    assert (vectors == model.get_layer("table").embeddings[IDS]).all()
    assert (same == IDS).all()
