"""Layers of one's own: `call`, `build`, `add_weight`, `add_loss`, layers as attributes, penalties of outputs."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import Input, Model, Sequential, autodiff, layers, regularizers
from cnet.layers.calls import in_training

X = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)
Y = np.arange(24) % 3


class Linear(layers.Layer):
    """A dense layer with a scalar factor."""

    def __init__(self, units: int = 4, **options: Any) -> None:
        super().__init__(**options)
        self.units = units

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=[self.units], initializer="zeros", name="bias")
        self.factor = self.add_weight(initializer="ones", name="factor")
        self.built = True

    def call(self, x: Any) -> Any:
        return (x @ self.kernel) * self.factor + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


class Block(layers.Layer):
    """Layers among its attributes, the mode of which is the block's, and a loss."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.first = Linear(6)
        self.rest = [layers.Dense(6, "relu"), layers.Dropout(0.5, seed=1)]

    def call(self, x: Any) -> Any:
        x = self.first(x)
        for layer in self.rest:
            x = layer(x)
        self.add_loss(autodiff.reduce_sum(x * 0.0) + 0.25)
        return x


class MonteCarlo(layers.Dropout):
    """Drops out in prediction, too."""

    def call(self, x: Any) -> Any:
        return super().call(x, training=True)


CLASSES: dict[str, Any] = {cls.__name__: cls for cls in (Linear, Block, MonteCarlo)}


def compiled(*own: Any) -> Sequential:
    model = Sequential([Input((5,)), *own, layers.Dense(3, "softmax")])
    model.compile(cnet.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    return model


def test_a_layer_of_one_s_own_has_the_gradients_of_the_engine_s() -> None:
    mine, dense = compiled(Linear(4)), compiled(layers.Dense(4))
    kernel, bias, *rest = dense.get_weights()
    mine.set_weights([kernel, bias, np.float32(1), *rest])
    mine.layers[0].factor.learnable = False
    for model in (mine, dense):
        model.compile(cnet.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        model.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    for one, other in zip(mine.get_weights()[:2], dense.get_weights()[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)


def test_weights_of_any_shape() -> None:
    class Odd(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.scalar = self.add_weight(name="scalar", initializer="ones")
            self.cube = self.add_weight((2, 3, 5), "ones", name="cube")

        def call(self, x: Any) -> Any:
            return x * self.scalar + autodiff.reduce_sum(self.cube * self.cube, axis=(0, 1))

    model = compiled(Odd())
    before = model.get_weights()
    assert [weight.shape for weight in model.layers[0].weights] == [(), (2, 3, 5)]
    model.fit(X, Y, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(changed)
    assert [a.shape for a in before] == [a.shape for a in model.get_weights()]


def test_layers_among_the_attributes() -> None:
    block = Block(name="block")
    model = compiled(block)
    assert [weight.path for weight in block.weights] == [
        *("block/first/kernel", "block/first/bias", "block/first/factor"),
        *("block/rest/0/kernel", "block/rest/0/bias"),
    ]
    assert len(model.weights) == 7
    block.rest[0].trainable = False
    before = model.get_weights()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    after = model.get_weights()
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [True, True, True, False, False, True, True]
    block.trainable = False
    assert not any(weight.trainable for weight in block.weights)


def test_the_mode_of_a_call_is_that_of_the_calls_inside() -> None:
    block = Block()
    block(X)
    assert np.array_equal(block(X), block(X))
    assert not np.array_equal(block(X, training=True), block(X))
    assert not in_training(None)


def test_dropout_in_prediction() -> None:
    model = compiled(MonteCarlo(0.5))
    assert model.output_shape == (None, 3)
    one, other = model.predict(X, verbose=0), model.predict(X, verbose=0)
    assert not np.array_equal(one, other)


def test_added_losses_are_part_of_the_loss() -> None:
    cnet.utils.set_random_seed(1)
    model = compiled(Block())
    with_loss = model.evaluate(X, Y, verbose=0)
    plain = float(cnet.losses.SparseCategoricalCrossentropy()(Y, model.predict(X, verbose=0)))
    np.testing.assert_allclose(with_loss, plain + 0.25, rtol=1e-5)
    model.fit(X, Y, epochs=2, verbose=0)
    with autodiff.GradientTape():
        model(X)
        assert [float(loss) for loss in model.losses] == [0.25]


def test_activity_regularizers_change_the_gradient() -> None:
    weights = []
    for penalty in (None, "l2", lambda y: 0.01 * autodiff.reduce_sum(y * y)):
        cnet.utils.set_random_seed(1)
        model = compiled(layers.Dense(4, activity_regularizer=penalty))
        model.fit(X, Y, verbose=0)
        weights.append(model.get_weights()[0])
    assert not np.array_equal(weights[0], weights[1])
    np.testing.assert_allclose(weights[1], weights[2], rtol=0, atol=1e-6)


def test_lists_of_inputs() -> None:
    class Sampling(layers.Layer):
        def call(self, inputs: Any) -> Any:
            mean, deviation = inputs
            return mean + autodiff.exp(deviation)

    x = Input((5,))
    output = Sampling()([layers.Dense(2)(x), layers.Dense(2)(x)])
    model = Model(x, output)
    assert model.output_shape == (None, 2)
    model.compile("sgd", "mse")
    model.fit(X, np.zeros((24, 2)), verbose=0)
    np.testing.assert_allclose(Sampling()([X, X]), X + np.exp(X), rtol=1e-6)


def test_copies_and_files(tmp_path: Path) -> None:
    model = compiled(Linear(6), Block(), MonteCarlo(0.0))
    model.fit(X, Y, epochs=2, verbose=0)
    file = tmp_path / "model.safetensors"
    model.save(file)
    loaded = cnet.models.load_model(file, custom_objects=CLASSES)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
            assert np.array_equal(a, b)
    for each in (model, loaded):
        each.fit(X, Y, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_models_can_be_called_by_several_threads() -> None:
    model = compiled(Block())
    expected = model.predict(X, verbose=0)
    found: list[Any] = []

    def predict() -> None:
        found.extend(model(X) for _ in range(20))

    threads = [threading.Thread(target=predict) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80
    assert all(np.array_equal(each, expected) for each in found)


def test_a_failed_build_leaves_no_weights() -> None:
    class Failing(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.add_weight(input_shape[1:])
            raise OSError("no")

        def call(self, x: Any) -> Any:
            return x

    layer = Failing()
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            layer(X)
        assert layer.weights == []
        assert not layer.built


def returning(value: Any) -> layers.Layer:
    class Returning(layers.Layer):
        def call(self, x: Any) -> Any:
            return value(x)

    return Returning(name="it")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: returning(lambda _: None)(X), "^Returning 'it': call: expected arrays or tensors"),
        (lambda: returning(lambda x: [x, None])(X), "^Returning 'it': call: .* got NoneType"),
        (lambda: returning(lambda _: [])(X), r"^Returning 'it': call: expected arrays .* got \[\]"),
        (
            lambda: returning(lambda x: x)(X, X),
            "'it': expected the arguments x and training, got 2",
        ),
        (
            lambda: layers.Dense(3, name="d")(X, mask=X),
            "'d': expected the arguments x and .*, mask$",
        ),
        (
            lambda: returning(autodiff.reduce_sum)(X),
            r"expected an output \(batch, …\) for each of 24",
        ),
        (lambda: returning(lambda x: x[:3])(X), r"for each of 24 samples, got shape \(3, 5\)"),
        (lambda: Linear(3).add_weight("kernel", (3,)), "add_weight: shape: .*pass name='kernel'"),
        (lambda: Linear(3).add_weight((0,)), "add_weight: shape"),
        (
            lambda: Linear(3).add_weight((2,), dtype="float64"),
            "expected that of the layer, float32",
        ),
        (
            lambda: Linear(3).add_weight((2,), dtype="int32"),
            "'linear.*add_weight: expected trainable=False for integers, of dtype int32",
        ),
        (lambda: layers.Dense(3, activity_regularizer="l5"), "^Dense: activity_regularizer: "),
        (lambda: returning(lambda x: Linear.add_loss(Linear(), x))(X), "expected a single number"),
    ],
)
def test_refusals(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_regularizers_of_weights_of_one_s_own() -> None:
    class Penalized(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(
                input_shape[1:], "ones", regularizer="l1", constraint="non_neg"
            )

        def call(self, x: Any) -> Any:
            return x * self.w

    layer = Penalized()
    layer(X)
    assert layer.losses == [regularizers.L1(0.01)(np.ones(5))]


def test_counters(tmp_path: Path) -> None:
    class Counting(layers.Layer):
        def build(self, input_shape: Any) -> None:
            del input_shape
            self.count = self.add_weight(dtype="int32", trainable=False, name="count")

        def call(self, x: Any, training: bool | None = None) -> Any:
            if training:
                self.count.assign_add(1)
            return x

    model = compiled(Counting(name="counting"))
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    count = model.get_layer("counting").count
    assert (count.numpy(), count.numpy().dtype, count.dtype) == (6, np.int32, "int32")
    assert [weight.dtype.name for weight in model.get_weights()] == ["int32", "float32", "float32"]
    model.save(tmp_path / "model.safetensors")
    loaded = cnet.models.load_model(
        tmp_path / "model.safetensors", custom_objects={"Counting": Counting}
    )
    for twin in (loaded, copy.deepcopy(model)):
        assert twin.get_layer("counting").count.numpy() == 6
    count.assign(2**24)
    for wrong in (0.5, 2**24 + 2, np.nan):
        with pytest.raises(
            ValueError, match=r"^Counting.count: expected whole numbers in \[-16777"
        ):
            count.assign(wrong)
    assert count.numpy() == 2**24


def test_an_output_of_another_shape_than_before_is_refused() -> None:
    class Changing(layers.Layer):
        def call(self, x: Any) -> Any:
            return x if len(x) == 2 else x[:, :2]

    model = Sequential([Input((5,)), Changing(name="changing"), layers.Dense(1)])
    model.compile("sgd", "mse")
    message = r"Changing 'changing': expected an output of shape \(batch, 5\), got \(batch, 2\)$"
    for call in model.predict, lambda x, verbose: model.fit(x, Y, verbose=verbose):
        with pytest.raises(ValueError, match=message):
            call(X, verbose=0)
