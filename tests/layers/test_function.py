"""Models and layers on a tape: the bits of `fit`, and the gradients of their operations."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.tolerances import relative_bound

import cnet
from cnet import autodiff, layers, losses, optimizers
from cnet.autodiff import GradientTape

RNG = np.random.default_rng(0)
X = RNG.normal(size=(49, 8)).astype(np.float32)
IDS = np.arange(49) % 4
ROWS = np.eye(4, dtype=np.float32)[IDS]

Case = tuple[Callable[[], list[layers.Layer]], Callable[[], losses.Loss], Any]
CASES: dict[str, Case] = {
    "softmax": (
        lambda: [layers.Dense(64, "relu"), layers.Dense(4, "softmax")],
        losses.SparseCategoricalCrossentropy,
        IDS,
    ),
    "one-hot": (
        lambda: [layers.Dense(64, "tanh"), layers.Dense(4), layers.Softmax()],
        lambda: losses.CategoricalCrossentropy(label_smoothing=0.1),
        ROWS,
    ),
    "logits": (
        lambda: [layers.Dense(64, "elu"), layers.Dense(4)],
        lambda: losses.SparseCategoricalCrossentropy(from_logits=True),
        IDS,
    ),
    "ignored class": (
        lambda: [layers.Dense(64, "relu"), layers.Dense(4, "softmax")],
        lambda: losses.SparseCategoricalCrossentropy(ignore_class=2),
        IDS,
    ),
    "sigmoid": (
        lambda: [layers.Dense(16, "gelu"), layers.Dense(4, "sigmoid")],
        losses.BinaryCrossentropy,
        ROWS,
    ),
    "softmax, otherwise": (
        lambda: [layers.Dense(16, "relu"), layers.Dense(4, "softmax")],
        losses.MeanSquaredError,
        ROWS,
    ),
    "all in training": (
        lambda: [
            layers.Rescaling(0.5, 0.1),
            layers.Dense(32),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.3, seed=1),
            layers.LayerNormalization(),
            layers.GaussianNoise(0.1, seed=2),
            layers.Dense(4),
        ],
        losses.Huber,
        ROWS,
    ),
    "frozen": (
        lambda: [
            layers.Dense(16, "relu", trainable=False),
            layers.BatchNormalization(trainable=False),
            layers.Dense(4),
        ],
        losses.MeanSquaredError,
        ROWS,
    ),
}
OPTIMIZERS: dict[str, Callable[[], optimizers.Optimizer]] = {
    "SGD": lambda: optimizers.SGD(0.1),
    "Adam": lambda: optimizers.Adam(0.01, global_clipnorm=0.1),
    "scheduled": lambda: optimizers.RMSprop(
        optimizers.schedules.ExponentialDecay(0.01, 2, 0.5), clipnorm=0.5
    ),
    "accumulating": lambda: optimizers.AdamW(0.01, gradient_accumulation_steps=2, use_ema=True),
}


def make_model(make: Callable[[], list[layers.Layer]], dtype: str = "float32") -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    before = cnet.config.floatx()
    cnet.config.set_floatx(dtype)
    try:
        return cnet.Sequential([cnet.Input((8,)), *make()])
    finally:
        cnet.config.set_floatx(before)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", CASES)
def test_a_step_has_the_bits_of_fit(name: str, threads: int) -> None:
    make, make_loss, labels = CASES[name]
    before = cnet.get_num_threads()
    cnet.set_num_threads(threads)
    try:
        for make_optimizer in OPTIMIZERS.values():
            fitted, taped = make_model(make), make_model(make)
            fitted.compile(make_optimizer(), make_loss())
            optimizer, loss = make_optimizer(), make_loss()
            for _ in range(3):
                fitted.train_on_batch(X, labels)
                with GradientTape() as tape:
                    value = loss(labels, taped(X, training=True))
                weights = taped.trainable_weights
                gradients = tape.gradient(value, weights)
                optimizer.apply_gradients(zip(gradients, weights, strict=True))
            for one, other in zip(fitted.get_weights(), taped.get_weights(), strict=True):
                assert (one == other).all()
            assert optimizer.iterations == fitted.optimizer.iterations
    finally:
        cnet.set_num_threads(before)


def test_a_large_step_on_many_threads_has_the_bits_of_fit() -> None:
    x = RNG.normal(size=(300, 400)).astype(np.float32)
    y = np.arange(300) % 10

    def make() -> cnet.Sequential:
        cnet.utils.set_random_seed(1)
        return cnet.Sequential(
            [cnet.Input((400,)), layers.Dense(600, "relu"), layers.Dense(10, "softmax")]
        )

    fitted, taped = make(), make()
    fitted.compile(optimizers.Adam(), "sparse_categorical_crossentropy")
    optimizer, loss = optimizers.Adam(), losses.SparseCategoricalCrossentropy()
    for _ in range(2):
        fitted.train_on_batch(x, y)
        with GradientTape() as tape:
            value = loss(y, taped(x))
        weights = taped.trainable_weights
        optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
    for one, other in zip(fitted.get_weights(), taped.get_weights(), strict=True):
        assert (one == other).all()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_outputs_have_the_bits_of_a_call_without_a_tape(name: str, training: bool) -> None:
    one, other = make_model(CASES[name][0]), make_model(CASES[name][0])
    expected = one(X, training=training)
    with GradientTape():
        outputs = other(X, training=training)
    assert isinstance(outputs, autodiff.Tensor)
    assert (outputs.numpy() == expected).all()
    for weight, twin in zip(one.weights, other.weights, strict=True):  # including moving statistics
        assert (weight.numpy() == twin.numpy()).all()


def by_operations(model: cnet.Sequential, x: Any) -> Any:
    """Return the prediction of a model, computed by operations."""
    for layer in model.layers:
        if isinstance(layer, layers.Dense):
            kernel, bias = layer.weights
            x = autodiff.matmul(x, kernel) + bias
            x = x if layer.activation is None else layer.activation(x)
        elif isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.weights
            x = (x - mean.numpy()) / np.sqrt(variance.numpy() + layer.epsilon) * gamma + beta
        elif isinstance(layer, layers.Softmax):
            x = autodiff.softmax(x)
        else:
            assert isinstance(layer, layers.Dropout)
    return x


def test_gradients_match_those_of_the_operations() -> None:
    model = make_model(
        lambda: [
            layers.Dense(6, "tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(5, "softplus"),
            layers.Dense(4, "softmax"),
        ],
        "float64",
    )
    model.layers[1].set_weights([*RNG.uniform(0.5, 2, (4, 6))])
    given, targets = autodiff.constant(X.astype(np.float64)), RNG.normal(size=(49, 4))
    found = []
    for call in (model, lambda x: by_operations(model, x)):
        with GradientTape() as tape:
            tape.watch(given)
            loss = autodiff.reduce_sum(targets * call(given))  # of the probabilities themselves
        found.append(tape.gradient(loss, [given, *model.trainable_weights]))
    assert len(found[0]) == 1 + 8
    for one, other in zip(*found, strict=True):
        assert one.dtype == np.float64
        # Sums of up to 49 · 6 terms of magnitude 1, through three layers.
        scale = np.abs(other.numpy()).max()
        assert np.abs(one.numpy() - other.numpy()).max() <= relative_bound(2000, "float64") * scale


def test_the_gradient_of_the_input_through_a_rescaling_and_of_images() -> None:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential(
        [cnet.Input((2, 3)), layers.Rescaling(0.25), layers.Flatten(), layers.Dense(1)]
    )
    images = autodiff.Variable(RNG.normal(size=(5, 2, 3)).astype(np.float32))
    with GradientTape() as tape:
        loss = autodiff.reduce_sum(model(images))
    expected = np.broadcast_to(model.layers[-1].kernel.reshape(2, 3) * np.float32(0.25), (5, 2, 3))
    assert (tape.gradient(loss, images).numpy() == expected).all()


def test_one_model_twice_on_a_persistent_tape() -> None:
    model = make_model(lambda: [layers.Dense(4, "tanh")])
    one, other = X[:20], X[20:]
    singles = []
    for x in (one, other):
        with GradientTape() as tape:
            loss = autodiff.reduce_sum(model(x))
        singles.append(tape.gradient(loss, model.trainable_weights[0]).numpy())
    with GradientTape(persistent=True) as tape:
        first, second = (autodiff.reduce_sum(model(x)) for x in (one, other))
        both = first + second
    weight = model.trainable_weights[0]
    for target, expected in [(first, singles[0]), (second, singles[1]), (first, singles[0])]:
        assert (tape.gradient(target, weight).numpy() == expected).all()
    assert (tape.gradient(both, weight).numpy() == singles[1] + singles[0]).all()


def test_engines_are_reused() -> None:
    model = make_model(lambda: [layers.Dense(4, "softmax")])
    for _ in range(5):
        with GradientTape() as tape:
            loss = autodiff.reduce_sum(model(X)) + autodiff.reduce_sum(model(X[:3]))
        tape.gradient(loss, model.trainable_weights)
    del tape, loss
    gc.collect()
    (network,) = model.function(training=False)._pieces
    assert len(network._operation._free) == 2


def test_a_layer_on_a_tape() -> None:
    layer = layers.Dense(3, "relu")
    with GradientTape() as tape:
        outputs = layer(X)  # builds the layer
        loss = autodiff.reduce_sum(outputs)
    gradient = tape.gradient(loss, layer.trainable_weights[1]).numpy()
    assert (gradient == (outputs.numpy() > 0).sum(axis=0)).all()


def test_tensors_give_tensors_without_a_tape() -> None:
    model = make_model(lambda: [layers.Dense(4)])
    assert isinstance(model(autodiff.constant(X)), autodiff.Tensor)
    assert isinstance(model.layers[0](autodiff.constant(X)), autodiff.Tensor)
    assert isinstance(model(X), np.ndarray)


def test_an_unbuilt_model_is_built() -> None:
    model = cnet.Sequential([layers.Dense(2)])
    with GradientTape() as tape:
        loss = autodiff.reduce_sum(model(X))
    assert tape.gradient(loss, model.weights[1]).numpy().tolist() == [49, 49]


@pytest.mark.parametrize(
    ("x", "error"), [(X[:, :5], ValueError), (X[:0], ValueError), (np.array([["a"]]), TypeError)]
)
def test_invalid_input_is_refused_as_without_a_tape(x: Any, error: type[Exception]) -> None:
    model = make_model(lambda: [layers.Dense(4)])
    with GradientTape() as tape:
        with pytest.raises(error, match="expected"):
            model(x)
        assert tape.records == []
        with pytest.raises(error, match="expected"):
            model(autodiff.constant(x) if x.dtype.kind == "f" else x)


def test_the_second_derivative_of_the_engine_is_refused() -> None:
    model = make_model(lambda: [layers.Dense(4, "tanh")])
    x = autodiff.constant(X)
    with GradientTape() as outer:
        outer.watch(x)
        with GradientTape() as inner:
            inner.watch(x)
            loss = autodiff.reduce_sum(model(x))
        slope = autodiff.reduce_sum(inner.gradient(loss, x) ** 2)
    with pytest.raises(NotImplementedError, match="second derivative"):
        outer.gradient(slope, x)


def test_penalties_in_a_custom_loop() -> None:
    model = make_model(
        lambda: [
            layers.Dense(4, kernel_regularizer=cnet.regularizers.L1L2(0.1, 0.2)),
            layers.Dense(2, kernel_regularizer="l2", trainable=False),
        ]
    )
    kernel = model.layers[0].weights[0]
    with GradientTape() as tape:
        (penalty,) = model.losses
    w = kernel.numpy()
    expected = np.float32(0.1) * np.sign(w) + np.float32(0.2) * (w + w)
    found = tape.gradient(penalty, kernel).numpy()
    assert (np.abs(found - expected) <= relative_bound(4, "float32") * np.abs(expected)).all()
    # Penalties that are not added have no effect.
    plain = make_model(lambda: [layers.Dense(4), layers.Dense(2, trainable=False)])
    plain.set_weights(model.get_weights())
    gradients = []
    for each in (model, plain):
        with GradientTape() as tape:
            loss = autodiff.reduce_sum(each(X))
        gradients.append(tape.gradient(loss, each.weights[0]).numpy())
    assert (gradients[0] == gradients[1]).all()
    assert float(penalty) == pytest.approx(
        cnet.regularizers.L1L2(0.1, 0.2)(w), rel=relative_bound(40, "float32")
    )


def test_keras_names_of_sources() -> None:
    model = make_model(lambda: [layers.Dense(4), layers.BatchNormalization()])
    for each in (model, *model.layers):
        assert each.variables == each.weights
        assert each.trainable_variables == each.trainable_weights
        assert each.non_trainable_variables == each.non_trainable_weights
    assert len(model.non_trainable_variables) == 2


def test_gradients_are_refused_after_a_change_of_the_weights() -> None:
    model = make_model(lambda: [layers.Dense(4, "tanh"), layers.Dense(1)])
    weights = model.trainable_weights
    with GradientTape(persistent=True) as tape:
        loss = autodiff.reduce_sum(model(X))
    gradients = tape.gradient(loss, weights)
    optimizers.SGD(1.0).apply_gradients(zip(gradients, weights, strict=True))
    with pytest.raises(RuntimeError, match="weights have changed since the forward pass"):
        tape.gradient(loss, weights)


def test_moving_moments_may_be_written_before_gradients() -> None:
    """As for a model that sees real and generated samples on one tape."""
    model = make_model(lambda: [layers.Dense(4), layers.BatchNormalization(), layers.Dense(1)])
    with GradientTape() as tape:
        loss = autodiff.reduce_sum(model(X[:20], training=True) ** 2)
        loss = loss + autodiff.reduce_sum(model(X[20:], training=True) ** 2)
    assert all(each is not None for each in tape.gradient(loss, model.trainable_weights))


def test_gradients_by_probabilities() -> None:
    model = make_model(lambda: [layers.Dense(4, "softmax")])
    cross_entropy = losses.SparseCategoricalCrossentropy()
    with GradientTape() as tape:
        probabilities = model(X)
        loss = cross_entropy(IDS, probabilities)
    with pytest.raises(ValueError, match="the logits of a model's probabilities"):
        tape.gradient(loss, probabilities)
    with GradientTape(persistent=True) as tape:
        probabilities = model(X)
        tape.watch(probabilities)
        loss = cross_entropy(IDS, probabilities)
    variable = autodiff.Variable(probabilities.numpy())
    with GradientTape() as other:
        same = cross_entropy(IDS, variable)
    found = tape.gradient(loss, probabilities).numpy()
    assert (found == other.gradient(same, variable).numpy()).all()
    assert tape.gradient(loss, probabilities.logits) is not None


def test_weights_of_frozen_layers_are_not_sources() -> None:
    model = make_model(lambda: [layers.Dense(4, trainable=False), layers.Dense(1)])
    with GradientTape() as tape:
        tape.watch(model.weights)
        with pytest.raises(NotImplementedError, match="a layer that isn't trainable"):
            model(X)


def test_two_threads_use_one_tape() -> None:
    """Each thread gets the right gradient, or an error that another thread uses the tape."""
    model = make_model(lambda: [layers.Dense(200, "tanh"), layers.Dense(1)])
    with GradientTape(persistent=True) as tape:
        targets = [autodiff.reduce_sum(model(X)) * factor for factor in (1.0, 2.0)]
    weight = model.trainable_weights[0]
    expected = [tape.gradient(target, weight).numpy() for target in targets]
    wrong, right, busy = [0, 0], [0, 0], [0, 0]

    def ask(thread: int) -> None:
        for _ in range(200):
            try:
                found = tape.gradient(targets[thread], weight).numpy()
            except RuntimeError:
                busy[thread] += 1
                continue
            wrong[thread] += bool((found != expected[thread]).any())
            right[thread] += 1

    threads = [threading.Thread(target=ask, args=(thread,)) for thread in (0, 1)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (wrong, sum(right) + sum(busy)) == ([0, 0], 400)
    assert sum(right) > 0


@pytest.mark.parametrize(
    "make",
    [layers.Flatten, lambda: layers.Rescaling(0.5, 1), layers.Softmax, lambda: layers.Dropout(0.5)],
)
def test_single_layers_without_weights(make: Callable[[], layers.Layer]) -> None:
    x = RNG.normal(size=(4, 3))
    model = cnet.Sequential([make()])
    expected = model(x)
    given = autodiff.Variable(x.astype(np.float32))
    with GradientTape() as tape:
        assert isinstance(model(x), autodiff.Tensor)
        outputs = model(given)
        loss = autodiff.reduce_sum(outputs)
    assert (outputs.numpy() == expected).all()
    assert outputs.dtype == np.float32
    slope = {"Rescaling": 0.5, "Softmax": 0.0}.get(type(model.layers[0]).__name__, 1.0)
    gradient = tape.gradient(loss, given).numpy()
    # The gradient of the sum of a softmax is 0, up to roundings of numbers up to 1.
    assert np.abs(gradient - slope).max() <= relative_bound(8, "float32")
