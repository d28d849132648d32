"""Masks of `Embedding(mask_zero=True)`: which layers pass them on, and what `GlobalAveragePooling1D` does with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import Input, Model, Sequential, autodiff, layers, models

RNG = np.random.default_rng(0)
IDS = RNG.integers(1, 20, size=(24, 6))
IDS[np.arange(6) >= RNG.integers(1, 7, size=(24, 1))] = 0
LABELS = RNG.integers(3, size=24)


def bag_of_words(length: int | None = None, *, between: Any = (), mask_zero: bool = True) -> Any:
    words = Input((length,), dtype="int32", name="words")
    x = layers.Embedding(20, 4, mask_zero=mask_zero, name="table")(words)
    for layer in between:
        x = layer(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    return Model(words, layers.Dense(3, activation="softmax", name="top")(x))


def expected_mean(vectors: Any, ids: Any = IDS) -> Any:
    kept = (ids != 0)[..., None]
    return (vectors * kept).sum(axis=1) / kept.sum(axis=1)


@pytest.mark.parametrize("length", [6, None])
def test_the_mean_leaves_out_padding(length: int | None, tmp_path: Path) -> None:
    model = bag_of_words(length)
    assert model.in_engine
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(IDS, LABELS, epochs=2, verbose=0)
    mean = Model(model.input, model.get_layer("mean").output)
    vectors = model.get_layer("table").embeddings[IDS]
    np.testing.assert_allclose(mean(IDS), expected_mean(vectors), rtol=1e-5, atol=1e-7)
    model.save(tmp_path / "model.safetensors")
    loaded = models.load_model(tmp_path / "model.safetensors")
    for each in (loaded, models.clone_model(model)):
        each.set_weights(model.get_weights())
        assert (each.predict(IDS, verbose=0) == model.predict(IDS, verbose=0)).all()


def test_samples_without_padding_have_the_bits_of_a_model_without_a_mask() -> None:
    masked, plain = bag_of_words(6), bag_of_words(6, mask_zero=False)
    plain.set_weights(masked.get_weights())
    full = np.where(IDS == 0, 1, IDS)
    for model in (masked, plain):
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(full, LABELS, epochs=2, shuffle=False, verbose=0)
    for ours, theirs in zip(masked.get_weights(), plain.get_weights(), strict=True):
        assert (ours == theirs).all()


def test_padding_changes_nothing() -> None:
    model = bag_of_words()
    longer = np.concatenate([IDS, np.zeros((24, 5), int)], axis=1)
    np.testing.assert_allclose(model(longer), model(IDS), rtol=1e-6)
    assert np.isnan(model(np.zeros((1, 3), int))).all()  # as in Keras


def test_networks_and_tapes_agree() -> None:
    native, taped = bag_of_words(), bag_of_words()
    taped.set_weights(native.get_weights())
    for model in (native, taped):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model._setup.native = model is native
        model.fit(IDS, LABELS, epochs=3, shuffle=False, verbose=0)
    for ours, theirs in zip(native.get_weights(), taped.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_layers_that_pass_the_mask_on() -> None:
    between = [
        layers.Dropout(0.5),
        layers.Dense(4, activation="tanh"),
        layers.LayerNormalization(),
        layers.ReLU(),
        layers.Rescaling(2.0),
    ]
    model = bag_of_words(between=between)
    x = RNG.integers(1, 20, size=(4, 3))
    padded = np.concatenate([x, np.zeros_like(x)], axis=1)
    np.testing.assert_allclose(model(padded), model(x), rtol=1e-5)


def test_merged_masks_are_joined_by_or() -> None:
    first, second = Input((3,), name="first"), Input((3,), name="second")
    tables = [layers.Embedding(9, 2, mask_zero=True)(each) for each in (first, second)]
    for merge in (layers.Add(), layers.Concatenate()):
        mean = Model([first, second], layers.GlobalAveragePooling1D()(merge(tables)))
        steps = Model([first, second], merge.output)
        a, b = np.array([[1, 0, 0]]), np.array([[2, 3, 0]])
        np.testing.assert_allclose(mean([a, b]), steps([a, b])[:, :2].mean(axis=1), rtol=1e-6)
    plain = layers.Embedding(9, 2)(second)
    mean = Model([first, second], layers.GlobalAveragePooling1D()(layers.Add()([tables[0], plain])))
    assert not np.isnan(mean([np.zeros((1, 3)), np.zeros((1, 3))])).any()


def test_layers_that_ignore_the_mask() -> None:
    ids = Input((6,), dtype="int32")
    vectors = layers.Embedding(20, 4, mask_zero=True, name="table")(ids)
    flat = layers.Reshape((6, 4))(layers.Flatten()(vectors))
    outputs = [layers.GlobalMaxPooling1D()(vectors), layers.GlobalAveragePooling1D()(flat)]
    model = Model(ids, outputs)
    rows = model.get_layer("table").embeddings[IDS]
    most, mean = model(IDS)
    assert (most == rows.max(axis=1)).all()
    np.testing.assert_allclose(mean, rows.mean(axis=1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(name="it"),
        layers.Softmax(name="it"),
        layers.Concatenate(axis=1, name="it"),
        layers.Multiply(name="it"),
    ],
)
def test_layers_that_would_compute_with_the_mask_refuse_it(layer: Any) -> None:
    ids = Input((6,), dtype="int32")
    x = layers.Embedding(20, 4, mask_zero=True)(ids)
    with pytest.raises(ValueError, match=r"'it': an input has a mask, of an Embedding with mask"):
        Model(ids, layer([x, x] if layer.takes_list else x))


def test_nested_models_and_text() -> None:
    look_up = layers.StringLookup(vocabulary=["a", "b"], mask_token="")
    words = Input((None,), dtype="string")
    inner_ids = Input((None,), dtype="int64")
    inner = Model(inner_ids, layers.Embedding(4, 2, mask_zero=True, name="table")(inner_ids))
    model = Model(words, layers.GlobalAveragePooling1D()(inner(look_up(words))))
    assert model.in_engine
    table = inner.get_layer("table").embeddings
    np.testing.assert_allclose(
        model(np.array([["b", "", ""], ["a", "?", ""]])),
        [table[3], (table[2] + table[1]) / 2],
        rtol=1e-6,
    )
    chain = Sequential(
        [Input((None,)), layers.Embedding(4, 2, mask_zero=True), layers.GlobalAveragePooling1D()]
    )
    chain.set_weights(inner.get_weights())
    assert (chain(np.array([[3, 0]])) == model(np.array([["b", ""]]))).all()


def test_own_models_and_layers() -> None:
    class Own(cnet.Model):
        def __init__(self) -> None:
            super().__init__()
            self.table = layers.Embedding(20, 4, mask_zero=True)
            self.drop, self.dense = layers.Dropout(0.5), layers.Dense(4)
            self.mean = layers.GlobalAveragePooling1D()

        def call(self, ids: Any) -> Any:
            x = self.table(ids)
            return self.mean(self.dense(self.drop(x)) + x)

    class Added(Own):
        def call(self, ids: Any) -> Any:
            x = self.table(ids)
            return self.mean(layers.add([self.dense(self.drop(x)), x]))

    own, added = Own(), Added()
    x = RNG.integers(1, 20, size=(4, 3))
    padded = np.concatenate([x, np.zeros_like(x)], axis=1)
    for model in (own, added):
        model(padded)
    added.set_weights(own.get_weights())
    plain = Added()
    plain.build((None, 3))
    plain.set_weights(own.get_weights())
    np.testing.assert_allclose(added(padded), plain(x), rtol=1e-5, atol=1e-7)
    vectors = own.table.embeddings[padded]
    dense = vectors @ own.dense.kernel + own.dense.bias
    np.testing.assert_allclose(own(padded), (dense + vectors).mean(axis=1), rtol=1e-4, atol=1e-6)

    class Doubled(layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.supports_masking = True

        def call(self, x: Any) -> Any:
            return x * 2

    model = bag_of_words(6, between=[Doubled()])
    mean = Model(model.input, model.get_layer("mean").output)
    vectors = model.get_layer("table").embeddings[IDS]
    np.testing.assert_allclose(mean(IDS), expected_mean(2 * vectors), rtol=1e-5, atol=1e-7)


def test_masks_of_arrays_are_given() -> None:
    table, mean = layers.Embedding(20, 4, mask_zero=True), layers.GlobalAveragePooling1D()
    vectors = table(IDS)
    mask = table.compute_mask(IDS)
    assert (mask == (IDS != 0)).all()
    assert layers.Embedding(20, 4).compute_mask(IDS) is None
    np.testing.assert_allclose(mean(vectors, mask=mask), expected_mean(vectors), rtol=1e-5)
    with autodiff.GradientTape() as tape:
        total = mean(table(IDS))
    assert np.any(tape.gradient(total, table.weights)[0].value[0]) == 0  # no gradient of id 0
    with pytest.raises(ValueError, match=r"mask: expected shape \(24, 6\), got \(24, 5\)"):
        mean(vectors, mask=mask[:, 1:])
    with pytest.raises(ValueError, match="mask: expected None, as symbolic tensors carry"):
        mean(Input((6, 4)), mask=mask)
