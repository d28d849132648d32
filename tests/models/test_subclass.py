"""Models of one's own: `call`, and steps such as `train_step`."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import Input, Model, Sequential, autodiff, layers, metrics, ops, optimizers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 5)).astype(np.float32)
Y = RNG.normal(size=(48, 1)).astype(np.float32)


class Twice(Model):
    """Uses a layer twice."""

    def __init__(self, units: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.dense = layers.Dense(units)
        self.dropout = layers.Dropout(0.3, seed=1)

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.dense(self.dropout(x, training=training)) + self.dense(2 * x)

    def get_config(self) -> dict[str, Any]:
        return {"units": self.units}


class Parts(Model):
    """Dicts in and out, and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = layers.Embedding(10, 4)
        self.flatten = layers.Flatten()
        self.heads = {"value": layers.Dense(1), "kind": layers.Dense(2, "softmax")}

    def call(self, inputs: Any) -> Any:
        ids = self.flatten(self.embedding(inputs["ids"]))
        hidden = autodiff.concatenate([ids, inputs["x"]], axis=1)
        return {name: head(hidden) for name, head in self.heads.items()}


class OwnStep(Model):
    """The training step of Keras's guide."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with autodiff.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state([float(loss)])
            else:
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


def functional(cls: Any) -> Any:
    cnet.utils.set_random_seed(3)
    x = Input((5,))
    model = cls(x, layers.Dense(1)(layers.Dense(8, "relu")(x)))
    model.compile(optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def test_a_call_trains_as_the_graph_of_its_layers() -> None:
    class Chain(Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.top = layers.Dense(8, "relu"), layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.top(self.hidden(x))

    graph = functional(Model)
    mine = Chain()
    mine.compile(optimizers.Adam(0.01), "mse", metrics=["mae"])
    mine.build((None, 5))
    mine.set_weights(graph.get_weights())
    histories = [m.fit(X, Y, epochs=3, shuffle=False, verbose=0).history for m in (mine, graph)]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-6)
    for one, other in zip(mine.get_weights(), graph.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_methods_of_a_model_with_a_call() -> None:
    model = Twice()
    assert not model.built
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(X, Y, epochs=2, validation_data=(X, Y), verbose=0).history
    assert set(history) == {"loss", "mae", "val_loss", "val_mae"}
    assert model.predict(X, verbose=0).shape == (48, 1)
    np.testing.assert_array_equal(model(X), model.predict(X, verbose=0))
    assert not np.array_equal(model(X, training=True), model(X))
    assert [layer.name for layer in model.layers] == [model.dense.name, model.dropout.name]
    assert model.count_params() == 6
    assert isinstance(model.evaluate(X, Y, verbose=0), list)
    model.train_on_batch(X, Y)
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "Dropout" in "".join(lines)


def test_dicts_of_inputs_and_outputs() -> None:
    data = {"ids": np.arange(96).reshape(48, 2) % 10, "x": X}
    model = Parts()
    model.compile(
        "sgd",
        {"value": "mse", "kind": "sparse_categorical_crossentropy"},
        metrics={"kind": ["accuracy"]},
    )
    history = model.fit(data, {"value": Y, "kind": np.arange(48) % 2}, verbose=0).history
    assert list(history) == ["loss", "kind_loss", "value_loss", "kind_accuracy"]
    outputs = model.predict(data, verbose=0)
    assert {name: array.shape for name, array in outputs.items()} == {
        "value": (48, 1),
        "kind": (48, 2),
    }


def test_as_a_layer_of_other_models() -> None:
    model = Sequential([Input((5,)), layers.Dense(5), Twice(3), layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    after = model.get_weights()
    assert all(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    x = Input((5,))
    assert Model(x, Twice(2)(x)).output_shape == (None, 2)


@pytest.mark.parametrize("make", [Twice, lambda: functional(OwnStep)])
def test_copies_and_files(make: Any, tmp_path: Path) -> None:
    model = make()
    model.compile(optimizers.Adam(0.01), "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    file = tmp_path / "model.safetensors"
    model.save(file)
    loaded = cnet.models.load_model(file, custom_objects={"Twice": Twice, "OwnStep": OwnStep})
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        assert isinstance(other, (Twice, OwnStep))
        np.testing.assert_array_equal(other.predict(X, verbose=0), model.predict(X, verbose=0))
    for each in (model, loaded):
        each.fit(X, Y, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_a_step_of_one_s_own_has_the_bits_of_fit() -> None:
    mine, plain = functional(OwnStep), functional(Model)
    histories = [
        m.fit(X, Y, 16, 3, verbose=0, validation_data=(X, Y)).history for m in (mine, plain)
    ]
    assert list(histories[0]) == ["loss", "mae", "val_loss", "val_mae"]
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, rtol=1e-6)
    for a, b in zip(mine.get_weights(), plain.get_weights(), strict=True):
        assert np.array_equal(a, b)
    assert isinstance(mine, OwnStep)
    assert isinstance(mine, cnet.models.Functional)


def test_parts_of_a_step() -> None:
    class Halved(Model):
        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None,
                         sample_weight: Any = None, training: bool = True) -> Any:  # fmt: skip
            return super().compute_loss(x, y, y_pred, sample_weight, training) * 0.5

        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            return super().compute_metrics(x, y, y_pred, sample_weight) | {"mine": 7.0}

        def predict_step(self, data: Any) -> Any:
            return super().predict_step(data) + 100

    model, plain = functional(Halved), functional(Model)
    one, other = (m.evaluate(X, Y, verbose=0, return_dict=True) for m in (model, plain))
    np.testing.assert_allclose(one["loss"], other["loss"] / 2, rtol=1e-6)
    assert one["mine"] == 7.0
    np.testing.assert_allclose(one["mae"], other["mae"], rtol=1e-6)
    np.testing.assert_allclose(
        model.predict(X, verbose=0), plain.predict(X, verbose=0) + 100, rtol=1e-6
    )
    assert set(model.fit(X, Y, verbose=0).history) == {"loss", "mae", "mine"}


def test_a_prediction_step_of_several_inputs() -> None:
    class Raised(Model):
        def predict_step(self, data: Any) -> Any:
            return super().predict_step(data) + 1

    one, other = Input((5,), name="one"), Input((5,), name="other")
    model = Raised({"one": one, "other": other}, layers.Dense(1)(one + other))
    data = {"one": X, "other": X}
    expected = model(data)
    for predicted in (model.predict(data, verbose=0), model.predict_on_batch(data)):
        np.testing.assert_allclose(predicted, expected + 1, rtol=1e-6)


def test_an_autoencoder_without_labels() -> None:
    class Autoencoder(Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = layers.Dense(2), layers.Dense(5)
            self.error = metrics.Mean("error")

        def call(self, x: Any) -> Any:
            return self.decoder(self.encoder(x))

        @property
        def metrics(self) -> list[Any]:
            return [self.error]

        def train_step(self, data: Any) -> dict[str, Any]:
            (x,) = data
            with autodiff.GradientTape() as tape:
                loss = autodiff.reduce_mean(autodiff.square(self(x, training=True) - x))
            weights = self.trainable_weights
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            self.error.update_state([float(loss)])
            return {"error": self.error.result()}

    model = Autoencoder()
    model.compile(optimizers.Adam(0.05))
    errors = model.fit(X, epochs=5, verbose=0).history["error"]
    assert errors[-1] < errors[0]


def test_steps_get_data_as_it_was_given() -> None:
    seen: list[Any] = []

    class Watching(Model):
        def train_step(self, data: Any) -> dict[str, Any]:
            seen.append(data)
            return {"loss": 0.0}

    model = functional(Watching)
    model.fit(X, Y[:, 0], sample_weight=np.ones(48), batch_size=24, shuffle=False, verbose=0)
    x, y, weights = seen[0]
    assert (x.shape, y.shape, weights.shape) == ((24, 5), (24,), (24,))
    np.testing.assert_array_equal(x, X[:24])


def test_subclasses_that_make_their_graph() -> None:
    class Inside(Model):
        def __init__(self, units: int) -> None:
            x = Input((5,))
            super().__init__(inputs=x, outputs=layers.Dense(units)(x), name="inside")
            self.units = units

    model = Inside(4)
    assert model.predict(X, verbose=0).shape == (48, 4)
    assert isinstance(model, Inside)


class Empty(Model):
    """Has neither."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Empty(), "^Model: inputs: expected symbolic tensors"),
        (lambda: Twice().output_shape, "is not built"),
        (lambda: type("Both", (Sequential,), {"call": Twice.call})(), "derive from cnet.Model"),
        (lambda: Twice(1, name=5), "^Twice: name: expected"),
        (lambda: Parts().get_config(), r"define get_config\(\)"),
        (lambda: Twice().fit(X, Y, verbose=0), r"fit: call compile\(\) first"),
    ],
)
def test_refusals(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError), match=message):
        make()


def test_a_step_that_returns_no_figures_or_no_finite_loss() -> None:
    for value, error, message in (
        (None, TypeError, "train_step: expected a dict of figures"),
        ({"loss": float("nan")}, FloatingPointError, "the loss is not finite at batch 1"),
    ):
        cls = type("Wrong", (Model,), {"train_step": lambda _, __, value=value: value})
        with pytest.raises(error, match=message):
            functional(cls).fit(X, Y, verbose=0)


class Reconstructing(Model):
    """Makes a layer in `build`, as wide as the input, and tracks a metric of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = [layers.Dense(4, "relu") for _ in range(2)]
        self.out = layers.Dense(1)
        self.error = metrics.Mean(name="error")
        self.builds = 0

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.builds += 1
        self.reconstruct = layers.Dense(input_shape[-1])
        self.built = True

    def call(self, x: Any, training: bool | None = None) -> Any:
        h = x
        for layer in self.hidden:
            h = layer(h)
        error = ops.mean(ops.square(self.reconstruct(h) - x))
        self.add_loss(0.05 * error)
        if training:
            self.error.update_state(error)
        return self.out(h)


@pytest.mark.parametrize("is_built_first", [False, True])
def test_a_build_of_ones_own_runs_once(is_built_first: bool) -> None:
    model = Reconstructing()
    if is_built_first:
        model.build((None, 5))
    model.compile("sgd", "mse")
    before = model.fit(X, Y, verbose=0).history
    assert sorted(before) == ["error", "loss"]
    assert model.fit(X, Y, epochs=3, verbose=0).history["error"][-1] < before["error"][0]
    assert model.builds == 1
    assert model.reconstruct.kernel.shape == (4, 5)


def test_a_build_that_fails_can_be_repeated() -> None:
    class Late(Model):
        def build(self, input_shape: Any) -> None:
            self.dense = layers.Dense(width + input_shape[-1])

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Late()
    with pytest.raises(NameError):
        model(X)
    width = 3
    assert model(X).shape == (48, 8)


def test_a_model_adds_losses() -> None:
    class Penalized(Twice):
        def call(self, x: Any, training: bool | None = None) -> Any:
            self.add_loss(0.5)
            return super().call(x, training)

    cnet.utils.set_random_seed(0)
    plain, penalized = Twice(), Penalized()
    for model in plain, penalized:
        model(X)
        model.compile("sgd", "mse")
    penalized.set_weights(plain.get_weights())
    assert penalized.losses == [0.5]
    assert penalized.evaluate(X, Y, verbose=0) == pytest.approx(
        plain.evaluate(X, Y, verbose=0) + 0.5
    )
    nested = Sequential([Input((5,)), penalized])
    nested.compile("sgd", "mse")
    assert nested.evaluate(X, Y, verbose=0) == penalized.evaluate(X, Y, verbose=0)
    assert nested.losses == [0.5]
    assert copy.deepcopy(penalized).losses == []


def test_the_shape_of_an_output_does_not_change() -> None:
    class Changing(Model):
        def call(self, x: Any) -> Any:
            return x if len(x) == 2 else x[:, :1]

    model = Changing()
    message = r"^Changing.call: expected outputs of the shapes .* \(batch, 5\), got \(batch, 1\)$"
    with pytest.raises(ValueError, match=message):
        model.predict(X, verbose=0)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=message):
        model.fit(X, X, verbose=0)


class Bag(Model):
    """A bag of words, and the ids themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = layers.Embedding(10, 4)
        self.mean = layers.GlobalAveragePooling1D()

    def call(self, ids: Any) -> Any:
        return self.mean(self.embedding(ids)), ids * 2


def test_sizes_that_differ_from_call_to_call() -> None:
    model = Bag()
    model.build((None, None))
    assert (model.input_shape, model.output_shape) == ((None, None), ((None, 4), (None, None)))
    for length in 3, 7:
        ids = RNG.integers(10, size=(5, length))
        mean, doubled = model.predict(ids, verbose=0)
        np.testing.assert_allclose(mean, model.embedding(ids).mean(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(doubled, ids * 2)
        np.testing.assert_array_equal(model(ids)[1], doubled)
    model.compile("sgd", ["mse", None])
    batches = ((RNG.integers(10, size=(5, n)), [np.ones((5, 4))]) for n in (2, 6))
    assert len(model.fit(batches, verbose=0).history["loss"]) == 1
