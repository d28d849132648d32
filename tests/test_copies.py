"""Models that are pickled, copied and cloned."""

from __future__ import annotations

import concurrent.futures
import copy
import multiprocessing
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import callbacks, layers, models, optimizers

X = np.arange(24, dtype=np.uint8).reshape(6, 2, 2) * 10
Y = np.array([0, 1, 2, 0, 1, 2])

Copy = Callable[[Any], Any]
COPIES: dict[str, Copy] = {
    "copy.deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda x, p=protocol: pickle.loads(pickle.dumps(x, p))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


def make_model(dtype: str = "float32") -> cnet.Sequential:
    model = cnet.Sequential(
        [
            layers.Rescaling(1 / 255, dtype=dtype, input_shape=(2, 2)),
            layers.Flatten(dtype=dtype),
            layers.Dense(5, "relu", dtype=dtype, trainable=False),
            layers.ReLU(6.0, dtype=dtype),
            layers.Dense(3, "softmax", kernel_initializer="orthogonal", dtype=dtype),
        ],
        name="net",
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizers.SGD(0.5), loss, metrics=["acc", "sparse_top_k_categorical_accuracy"])
    return model


def state(model: cnet.Sequential) -> list[Any]:
    return [model.get_config(), [(a.dtype, a.tobytes()) for a in model.get_weights()]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_models(copied: Copy, dtype: str) -> None:
    model = make_model(dtype)
    model.fit(X, Y, batch_size=2, epochs=2, verbose=0)
    twin = copied(model)
    assert state(twin) == state(model)
    assert twin.history.history == model.history.history
    assert twin.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()
    assert twin.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    before = state(model)
    twin.fit(X, Y, batch_size=2, epochs=2, verbose=0)
    assert state(model) == before  # no state is shared
    model.fit(X, Y, batch_size=2, epochs=2, verbose=0)
    assert state(twin) == state(model) != before


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_unbuilt_and_uncompiled_models(copied: Copy) -> None:
    model = cnet.Sequential([layers.Dense(3)])
    twin = copied(model)
    assert (twin.built, twin.optimizer) == (False, None)
    assert twin.get_config() == model.get_config()
    model.build((None, 4))
    assert state(copied(model)) == state(model)


@pytest.mark.parametrize("copied", [*COPIES.values(), copy.copy], ids=[*COPIES, "copy.copy"])
def test_layers(copied: Copy) -> None:
    layer = layers.Dense(3, "relu")
    assert not copied(layer).built
    layer.build((None, 4))
    twin = copied(layer)
    assert twin.kernel.tobytes() == layer.kernel.tobytes()
    twin.kernel = np.zeros((4, 3))
    assert layer.kernel.any()


def test_a_copy_shares_its_layers() -> None:
    model = make_model()
    twin = copy.copy(model)
    assert twin.layers == model.layers
    assert twin.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()


def test_copies_during_fit() -> None:
    cnet.utils.set_random_seed(1)  # with this seed every batch changes the weights
    model, twins = make_model(), []
    hook = callbacks.LambdaCallback(
        on_train_batch_end=lambda *_: twins.append(copy.deepcopy(model))
    )
    weights: list[bytes] = []
    look = callbacks.LambdaCallback(
        on_train_batch_end=lambda *_: weights.append(model.get_weights()[2].tobytes())
    )
    model.fit(X, Y, batch_size=2, verbose=0, callbacks=[hook, look])
    assert [twin.get_weights()[2].tobytes() for twin in twins] == weights
    assert len(set(weights)) == 3


def predict(model: cnet.Sequential) -> bytes:
    return model.predict(X, verbose=0).tobytes()


def test_other_processes() -> None:
    model = make_model()
    expected = predict(model)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        # The new process could not import a function of this module.
        predicted = pool.map(operator.methodcaller("predict", X, verbose=0), [model] * 3)
        assert [outputs.tobytes() for outputs in predicted] == [expected] * 3


# -- clone_model -------------------------------------------------------------------------------------


def test_clones() -> None:
    model = make_model()
    clone = models.clone_model(model)
    assert clone.get_config() == model.get_config()
    assert clone.optimizer is None
    assert (clone.get_weights()[0] != model.get_weights()[0]).any()
    assert not {id(layer) for layer in clone.layers} & {id(layer) for layer in model.layers}


def test_clone_function() -> None:
    def wider(layer: layers.Layer) -> layers.Layer:
        if isinstance(layer, layers.Dense) and layer.units == 5:
            return layers.Dense(7, name=layer.name)
        return type(layer).from_config(layer.get_config())

    clone = models.clone_model(make_model(), clone_function=wider)
    assert [weight.shape for weight in clone.weights] == [(4, 7), (7,), (7, 3), (3,)]


def test_objects_that_cannot_be_cloned() -> None:
    with pytest.raises(TypeError, match="clone_model: expected a model of layers, got Dense"):
        models.clone_model(layers.Dense(3))
    with pytest.raises(ValueError, match="clone_model: input_tensors is not supported"):
        models.clone_model(make_model(), input_tensors=[1])


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_draw_the_same_random_numbers(copied: Copy) -> None:
    layer = layers.Dropout(0.5)
    x = np.ones((9, 50), np.float32)
    first = layer(x, training=True)
    twin = copied(layer)
    second = layer(x, training=True)
    assert (first != second).any()
    np.testing.assert_array_equal(twin(x, training=True), second)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_keep_the_state_of_the_original(copied: Copy) -> None:
    layer = layers.BatchNormalization()
    x = np.arange(12.0).reshape(4, 3)
    layer(x, training=True)
    twin = copied(layer)
    np.testing.assert_array_equal(twin(x), layer(x))
    layer(x, training=True)
    assert (twin.moving_mean.numpy() != layer.moving_mean.numpy()).any()
    twin(x, training=True)
    np.testing.assert_array_equal(twin(x), layer(x))
