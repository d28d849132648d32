"""Models with sizes that are not known before there is data: `Input(shape=(None,))`, and samples of one number, ()."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import Input, Model, Sequential, autodiff, layers, models, ops

RNG = np.random.default_rng(0)
LENGTHS = (5, 2, 9, 5, 2)
BATCHES = [(RNG.integers(20, size=(8, length)), RNG.integers(3, size=8)) for length in LENGTHS]


def bag_of_words(length: int | None = None, **options: Any) -> Any:
    words = Input((length,), dtype="int32", name="words")
    x = layers.Embedding(20, 4, name="table")(words)
    x = layers.GlobalAveragePooling1D(name="mean", **options)(x)
    x = layers.Dropout(0.25, seed=1, name="drop")(x)
    return Model(words, layers.Dense(3, activation="softmax", name="top")(x))


def compiled(model: Any, optimizer: str = "adam", **options: Any) -> Any:
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_known_length_gives_the_bits_of_a_model_for_it(optimizer: str) -> None:
    open_model, closed = bag_of_words(), bag_of_words(5)
    closed.set_weights(open_model.get_weights())
    x, y = np.tile(BATCHES[0][0], (5, 1)), np.tile(BATCHES[0][1], 5)
    losses = []
    for model in (open_model, closed):
        cnet.utils.set_random_seed(3)
        compiled(model, optimizer)
        losses.append(model.fit(x, y, epochs=3, validation_split=0.25, verbose=0).history)
    assert losses[0] == losses[1]
    for ours, theirs in zip(open_model.get_weights(), closed.get_weights(), strict=True):
        assert (ours == theirs).all()
    assert (open_model.predict(x, verbose=0) == closed.predict(x, verbose=0)).all()
    assert (open_model(x) == closed(x)).all()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_optimizer_goes_on_from_length_to_length(optimizer: str) -> None:
    """Batches of different lengths, each padded by ids whose vectors stay zero, would be of one length."""
    model = compiled(bag_of_words(), optimizer)
    taped = bag_of_words()
    taped.set_weights(model.get_weights())
    compiled(taped, optimizer)
    taped._setup.native = False  # the engine of own layers and losses
    for each in (model, taped):
        each.get_layer("drop").seed = 7
        each.fit(iter(BATCHES), verbose=0)
    assert model.optimizer.batches == taped.optimizer.batches == len(BATCHES)
    for ours, theirs in zip(model.get_weights(), taped.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_training_resumes_between_lengths(tmp_path: Path) -> None:
    model = compiled(bag_of_words())
    model.fit(iter(BATCHES[:2]), verbose=0)
    model.save(tmp_path / "model.safetensors")
    copies = [models.load_model(tmp_path / "model.safetensors"), copy.deepcopy(model)]
    for each in (model, *copies):
        each.fit(iter(BATCHES[2:]), verbose=0)
    for twin in copies:
        assert twin.input_shape == (None, None)
        for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
            assert (ours == theirs).all()


def test_validation_and_evaluation_may_have_other_lengths() -> None:
    model = compiled(bag_of_words())
    (x, y), other = BATCHES[0], BATCHES[1]
    history = model.fit(x, y, validation_data=other, epochs=2, verbose=0).history
    expected = model.evaluate(*other, verbose=0, return_dict=True)
    assert history["val_loss"][-1] == expected["loss"]
    assert model.optimizer.batches == 2
    assert model.evaluate(iter([other]), verbose=0, return_dict=True) == expected


def test_prediction_in_many_threads() -> None:
    model = bag_of_words()
    expected = [model.predict(x, verbose=0) for x, _ in BATCHES]
    model._rebuild_network()
    wrong: list[int] = []

    def predict() -> None:
        for _ in range(10):
            found = [model(x) for x, _ in BATCHES]
            wrong.extend(
                n for n, (a, b) in enumerate(zip(found, expected, strict=True)) if (a != b).any()
            )

    threads = [threading.Thread(target=predict) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_many_lengths_keep_few_networks() -> None:
    model = compiled(bag_of_words(), "sgd")
    for length in range(1, 101):
        x = np.ones((2, length), int)
        assert model(x).shape == (2, 3)
        model.train_on_batch(x, np.ones(2))
    assert len(model.function(training=False)._functions) <= 64
    assert len(model._setup.engine._trainers) <= 16
    assert model.optimizer.batches == 100


def test_tapes_and_steps_take_any_length() -> None:
    class Own(Model):
        def train_step(self, data: Any) -> Any:
            x, y = data
            with autodiff.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            weights = self.trainable_weights
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"length": float(x.shape[1]), "loss": loss}

    model = bag_of_words()
    own = Own(model.input, model.output)
    compiled(own)
    for x, y in BATCHES:
        assert own.train_on_batch(x, y, return_dict=True)["length"] == x.shape[1]
    with autodiff.GradientTape() as tape:
        loss = ops.sum(own(BATCHES[0][0])[:, 0])
    assert np.any(tape.gradient(loss, own.trainable_weights)[0].value)


def test_an_own_layer_takes_any_length() -> None:
    class Last(layers.Layer):
        def call(self, x: Any) -> Any:
            return x[:, -1]

    words = Input((None,), dtype="int32")
    model = Model(words, layers.Dense(3)(Last()(layers.Embedding(20, 4)(words))))
    assert model.output_shape == (None, 3)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(iter(BATCHES), verbose=0)
    x = BATCHES[2][0]
    assert (model(x) == model(x[:, -1:])).all()


def test_float_inputs_and_sequences_of_outputs(tmp_path: Path) -> None:
    x = Input((None, 3), name="x")
    h = layers.LayerNormalization()(layers.Dense(4, activation="relu")(x))
    h = layers.Add()([h, layers.Dense(4)(h)])
    rows = layers.Concatenate()([h, x])
    model = Model(x, {"rows": rows, "most": layers.GlobalMaxPooling1D()(rows)})
    assert model.output_shape == {"rows": (None, None, 7), "most": (None, 7)}
    model.save(tmp_path / "model.safetensors")
    loaded = models.load_model(tmp_path / "model.safetensors")
    for length in (1, 4):
        data = RNG.normal(size=(5, length, 3)).astype(np.float32)
        outputs = model.predict(data, verbose=0)
        assert outputs["rows"].shape == (5, length, 7)
        assert (outputs["rows"].max(axis=1) == outputs["most"]).all()
        assert (loaded.predict(data, verbose=0)["rows"] == outputs["rows"]).all()


def test_nested_in_a_model_of_known_length() -> None:
    inner = bag_of_words()
    words = Input((4,), dtype="int32")
    outer = Model(words, inner(words))
    x = RNG.integers(20, size=(6, 4))
    assert (outer(x) == inner(x)).all()
    assert not outer.is_open
    sentence = Input((None,), dtype="int32")
    assert models.clone_model(Model(sentence, inner(sentence))).input_shape == (None, None)
    part = Model(inner.get_layer("table").output, inner.output)
    assert part(np.ones((2, 3, 4))).shape == (2, 3)
    assert models.clone_model(part).input_shape == (None, None, 4)


def test_text_of_any_length() -> None:
    words = Input((None,), dtype="string")
    look_up = layers.StringLookup(vocabulary=["a", "b"])
    bags = layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot")(words)
    vectors = layers.GlobalAveragePooling1D()(layers.Embedding(3, 2)(look_up(words)))
    model = Model(words, layers.Dense(1)(layers.Concatenate()([bags, vectors])))
    model.compile("sgd", "mse")
    for x in (np.array([["a", "b", "?"]]), np.array([["b"]])):
        model.fit(x, np.ones((1, 1)), verbose=0)
        assert model(x).shape == (1, 1)


def test_sequential(capsys: pytest.CaptureFixture[str]) -> None:
    table = layers.Embedding(20, 4, input_shape=(None,))
    model = Sequential([table, layers.GlobalAveragePooling1D(), layers.Dense(3)])
    assert (model.input_shape, model.output_shape) == ((None, None), (None, 3))
    model.summary()
    assert "(None, None, 4)" in capsys.readouterr().out
    built = Sequential([layers.Embedding(20, 4), layers.GlobalAveragePooling1D()])
    built.build((None, None))
    for x, _ in BATCHES:
        assert (built(x).shape, model(x).shape) == ((8, 4), (8, 3))
    restored = Sequential.from_config(model.get_config())
    assert restored.input_shape == (None, None)


def test_samples_of_one_number() -> None:
    shop, price = Input((), dtype="int32", name="shop"), Input((), name="price")
    vector = layers.Embedding(5, 3, name="table")(shop)
    assert vector.shape == (None, 3)
    h = layers.Concatenate()([vector, ops.expand_dims(price, -1), layers.Reshape((1,))(price)])
    model = Model([shop, price], layers.Dense(1)(h))
    model.compile("sgd", "mse")
    ids, prices = np.array([4, 0, 2]), np.array([1.0, 2.0, 3.0])
    model.fit([ids, prices], np.ones(3), verbose=0)
    columns = model.predict([ids[:, None], prices[:, None]], verbose=0)
    assert (model.predict([ids, prices], verbose=0) == columns).all()
    table = model.get_layer("table")
    assert (table(ids) == table.embeddings[ids]).all()


def test_text_of_one_word() -> None:
    word = Input((), dtype="string")
    ids = layers.StringLookup(vocabulary=["a", "b"])(word)
    model = Model(word, layers.CategoryEncoding(3, "one_hot")(ids))
    assert model(np.array(["b", "?"])).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_a_fixed_size_of_the_batch_is_only_shown() -> None:
    x = Input((4,), batch_size=8, name="x")
    assert (x.shape, Input(batch_shape=(8, 4)).shape) == ((8, 4), (8, 4))
    for model in (Model(x, layers.Dense(3)(x)), Sequential([x, layers.Dense(3)])):
        assert (model.input_shape, model.output_shape) == ((8, 4), (8, 3))
        assert type(model).from_config(model.get_config()).input_shape == (8, 4)
        model.compile("sgd", "mse")
        model.fit(np.ones((5, 4)), np.ones((5, 3)), verbose=0)
        assert model.predict(np.ones((20, 4)), verbose=0).shape == (20, 3)
        assert model(np.ones((1, 4))).shape == (1, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(2, name="d")(Input((None,))), r"Dense 'd'.*\(batch, None\)$"),
        (lambda: layers.Dense(2, name="d")(Input(())), r"Dense 'd'.*\(batch,\)$"),
        (
            lambda: layers.BatchNormalization(name="n")(Input((3, None))),
            r"BatchNormalization 'n'.*\(batch, 3, None\)$",
        ),
        (
            lambda: layers.Normalization(axis=None, name="n")(Input((None,))),
            r"Normalization 'n'.*\(batch, None\)$",
        ),
        (
            lambda: layers.Concatenate(name="c")([Input((None, 2)), Input((3,))]),
            r"Concatenate 'c'.*\(batch, None, 2\) and \(batch, 3\)$",
        ),
        (
            lambda: layers.Add(name="a")([Input((None, 2)), Input((4, 3))]),
            r"Add 'a'.*\(batch, None, 2\) and \(batch, 4, 3\)$",
        ),
        (lambda: Input((0,)), "positive sizes"),
        (lambda: Input((4,), batch_size=0), "batch_size: expected an integer"),
        (lambda: Input(batch_shape=(8, 4), batch_size=8), "batch_shape or batch_size, got both"),
        (lambda: Input(batch_shape=()), r"batch_shape: expected \(None, …\), got \(\)"),
        (lambda: bag_of_words()(Input((None, 2))), r"inputs of shape \(batch, None\), got "),
    ],
)
def test_shapes_that_do_not_fit(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([1, 2]), r"expected shape \(batch, None\), got \(2,\); for one sample pass"),
        (np.ones((2, 3, 4)), r"expected shape \(batch, None\), got \(2, 3, 4\)"),
        (np.array([[1, 20]]), r"ids of 'table': 20 at row 0, column 1 is outside \[0, 20\)"),
    ],
)
def test_data_that_does_not_fit(x: Any, message: str) -> None:
    model = compiled(bag_of_words())
    before = model.get_weights()
    for call in (model, lambda x: model.fit(x, np.zeros(len(x)), verbose=0)):
        with pytest.raises(ValueError, match=message):
            call(x)
    for weight, other in zip(model.get_weights(), before, strict=True):
        assert (weight == other).all()


def test_lengths_that_do_not_fit_each_other() -> None:
    x, y = Input((None, 2)), Input((None, 2))
    model = Model([x, y], layers.Add(name="sum")([x, y]))
    assert model([np.ones((1, 3, 2)), np.ones((1, 3, 2))]).shape == (1, 3, 2)
    with pytest.raises(ValueError, match=r"Add 'sum'.*\(batch, 3, 2\) and \(batch, 4, 2\)"):
        model([np.ones((1, 3, 2)), np.ones((1, 4, 2))])
