"""Layers of categories at the beginning of models: text in, ids and encodings computed once, the rest by the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cnet
from cnet import Input, Model, Sequential, autodiff, layers

RNG = np.random.default_rng(0)
SHOPS = np.array(["north", "south", "east"])[RNG.integers(3, size=60)]
SIZES = RNG.integers(10, 14, size=60)
NUMBERS = RNG.normal(size=(60, 2)).astype(np.float32)
Y = RNG.normal(size=(60, 1)).astype(np.float32)
DATA = {"shop": SHOPS, "size": SIZES, "numbers": NUMBERS}


def whole() -> Any:
    """Return a model of text, integers and numbers."""
    shop, size, numbers = (
        Input((1,), name="shop", dtype="string"),
        Input((1,), name="size", dtype="int64"),
        Input((2,), name="numbers"),
    )
    ids = layers.StringLookup(vocabulary=["east", "north", "south"], name="ids")(shop)
    parts = [
        layers.Flatten(name="flat")(layers.Embedding(4, 3, name="table")(ids)),
        layers.IntegerLookup(vocabulary=[10, 11, 12], output_mode="one_hot", name="one")(size),
        layers.CategoryEncoding(4, "multi_hot", name="bins")(
            layers.Discretization([-1.0, 0.0, 1.0], name="cut")(numbers)
        ),
        numbers,
    ]
    hidden = layers.Dense(5, activation="tanh", name="h")(layers.Concatenate(name="all")(parts))
    return Model([shop, size, numbers], layers.Dense(1, name="top")(hidden))


def after_look_ups(model: Any) -> tuple[Any, Any]:
    """Return the part behind the layers of categories, with the same weights, and its data."""
    ids, one, bins, numbers = Input((1,)), Input((4,)), Input((4,)), Input((2,))
    parts = [layers.Flatten()(layers.Embedding(4, 3)(ids)), one, bins, numbers]
    hidden = layers.Dense(5, activation="tanh")(layers.Concatenate()(parts))
    other = Model([ids, one, bins, numbers], layers.Dense(1)(hidden))
    other.set_weights(model.get_weights())
    cut = model.get_layer("cut")(NUMBERS)
    data = [
        model.get_layer("ids")(SHOPS[:, None]),
        model.get_layer("one")(SIZES),
        model.get_layer("bins")(cut),
        NUMBERS,
    ]
    return other, data


def test_the_engine_computes_all_but_the_look_ups() -> None:
    model = whole()
    other, data = after_look_ups(model)
    assert model.in_engine
    for each in (model, other):
        each.compile(cnet.optimizers.Adam(0.01), "mse")
    histories = [
        each.fit(x, Y, batch_size=16, epochs=3, shuffle=False, verbose=0).history
        for each, x in ((model, DATA), (other, data))
    ]
    assert histories[0] == histories[1]
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(a, b)
    expected = other.predict(data, verbose=0)
    assert np.array_equal(model.predict(DATA, verbose=0), expected)
    assert np.array_equal(model(DATA), expected)
    assert model.evaluate(DATA, Y, verbose=0) == other.evaluate(data, Y, verbose=0)


def test_look_ups_run_once_for_arrays() -> None:
    model = whole()
    model.compile("sgd", "mse")
    calls: list[int] = []
    look_up = model.get_layer("ids")
    transform = look_up.transform
    look_up.transform = lambda values: calls.append(len(values)) or transform(values)
    model.fit(DATA, Y, batch_size=8, epochs=4, verbose=0)
    assert calls == [60]


def test_frames_generators_and_tapes() -> None:
    model = whole()
    model.compile("sgd", "mse")
    frame = pd.DataFrame({"shop": SHOPS, "size": SIZES})
    model.fit({"shop": frame["shop"], "size": frame["size"], "numbers": NUMBERS}, Y, verbose=0)
    batches = (
        ({name: part[n : n + 20] for name, part in DATA.items()}, Y[n : n + 20])
        for n in range(0, 60, 20)
    )
    model.fit(batches, verbose=0)
    with autodiff.GradientTape() as tape:
        loss = autodiff.reduce_mean(autodiff.square(model(DATA) - Y))
    gradients = tape.gradient(loss, model.trainable_weights)
    assert all(np.abs(gradient.numpy()).max() > 0 for gradient in gradients)


def test_a_python_loss_and_steps_of_one_s_own() -> None:
    for compiled in (lambda y, p: (y - p) ** 2, "mse"):
        model = whole()
        model.compile(cnet.optimizers.SGD(0.1), compiled, metrics=["mae"])
        before = model.get_weights()
        model.fit(DATA, Y, verbose=0)
        assert model.evaluate(DATA, Y, verbose=0)[0] > 0
        changed = [
            not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)
        ]
        assert all(changed)

    class Own(Model):
        def train_step(self, data: Any) -> dict[str, Any]:
            (x, _) = data
            assert x["shop"].dtype.kind == "U"
            return super().train_step(data)

    shop = Input((1,), name="shop", dtype="string")
    one_hot = layers.StringLookup(vocabulary=["north"], output_mode="one_hot")(shop)
    own = Own({"shop": shop}, layers.Dense(1)(one_hot))
    own.compile("sgd", "mse")
    own.fit({"shop": SHOPS}, Y, verbose=0)


def test_a_prediction_step_of_one_s_own_gets_text() -> None:
    class Own(Model):
        def predict_step(self, data: Any) -> Any:
            assert data[0].dtype.kind == "U"
            return super().predict_step(data) + 1

    shop = Input((1,), name="shop", dtype="string")
    one_hot = layers.StringLookup(vocabulary=["north"], output_mode="one_hot")(shop)
    own = Own(shop, layers.Dense(1)(one_hot))
    for predicted in (own.predict(SHOPS, verbose=0), own.predict_on_batch(SHOPS)):
        np.testing.assert_allclose(predicted, own(SHOPS) + 1, rtol=1e-6)


def test_sequences() -> None:
    model = Sequential(
        [layers.StringLookup(vocabulary=["north", "south"], output_mode="one_hot"), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    model.fit(SHOPS, Y, verbose=0)
    assert model.in_engine
    assert model.predict(SHOPS[:3], verbose=0).shape == (3, 1)
    crossing = layers.HashedCrossing(8, output_mode="one_hot")
    a, b = Input((1,), dtype="string"), Input((1,), dtype="string")
    crossed = Model([a, b], layers.Dense(1)(crossing([a, b])))
    assert crossed.in_engine
    assert crossed.predict([SHOPS, SHOPS], verbose=0).shape == (60, 1)


def test_a_look_up_behind_other_layers_is_computed_on_a_tape() -> None:
    x = Input((2,))
    cut = layers.Discretization([0.0])(layers.Dense(2)(x))
    model = Model(x, layers.Dense(1)(layers.CategoryEncoding(2, "multi_hot")(cut)))
    assert not model.in_engine
    model.compile("sgd", "mse")
    model.fit(NUMBERS, Y, verbose=0)


def test_files_and_clones(tmp_path: Path) -> None:
    model = whole()
    model.compile("adam", "mse")
    model.fit(DATA, Y, verbose=0)
    model.save(tmp_path / "a.safetensors")
    loaded = cnet.models.load_model(tmp_path / "a.safetensors")
    clone = cnet.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for other in (loaded, clone, cnet.models.model_from_json(model.to_json())):
        other.set_weights(model.get_weights())
        assert np.array_equal(other.predict(DATA, verbose=0), model.predict(DATA, verbose=0))
    for each in (model, loaded):
        each.fit(DATA, Y, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("shop", "error", "message"),
    [
        (NUMBERS[:, :1], TypeError, "StringLookup 'ids': expected text, got numbers"),
        (SHOPS[:, None][:, [0, 0]], ValueError, r"fit: x\['shop'\]: expected shape \(batch, 1\)"),
        (np.array(["north", None] * 30), TypeError, r"fit: x\['shop'\]"),
        (SHOPS[:30], ValueError, "expected as many samples in each input"),
    ],
)
def test_refusals(shop: Any, error: type[Exception], message: str) -> None:
    model = whole()
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(error, match=message):
        model.fit(DATA | {"shop": shop}, Y, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(a, b)
