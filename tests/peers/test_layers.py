"""Layers, regularizers and constraints compared with Keras: equal weights after training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import relative_bound, training_bound

import cnet

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of the peers

Array = npt.NDArray[Any]
STEPS, RATE, ROWS = 50, 0.05, 16
RNG = np.random.default_rng(0)
X = RNG.normal(1, 2, size=(STEPS * ROWS, 6))
Y = RNG.normal(size=(STEPS * ROWS, 3))


# Models of either library, which have the same names and arguments. Keras rounds factors of penalties to
# float32; these are exact in float32.
def regularized(library: Any) -> list[Any]:
    r = library.regularizers
    return [
        library.layers.Dense(
            20, "tanh", kernel_regularizer=r.L1L2(2**-7, 2**-6), bias_regularizer=r.L1(2**-5)
        ),
        library.layers.Dense(3, kernel_regularizer=r.L1(2**-8), bias_regularizer=r.L2(2**-4)),
    ]


def constrained(library: Any) -> list[Any]:
    c = library.constraints
    return [
        library.layers.Dense(
            20, "tanh", kernel_constraint=c.MaxNorm(0.8), bias_constraint="max_norm"
        ),
        library.layers.BatchNormalization(
            gamma_constraint="non_neg", beta_constraint=c.MaxNorm(0.1)
        ),
        library.layers.Dense(
            20,
            "tanh",
            kernel_constraint="unit_norm",
            bias_constraint=c.MinMaxNorm(0.1, 0.2, rate=0.5),
        ),
        library.layers.Dense(3, kernel_constraint="non_neg", bias_constraint=c.UnitNorm()),
    ]


def normalized(layer: str, **options: Any) -> Callable[[Any], list[Any]]:
    def make(library: Any) -> list[Any]:
        initializer = library.initializers.Constant(1.5)
        return [
            library.layers.Dense(20, "relu"),
            getattr(library.layers, layer)(gamma_initializer=initializer, **options),
            library.layers.Dense(3),
        ]

    return make


def adapted(library: Any) -> list[Any]:
    normalization = library.layers.Normalization()
    normalization.adapt(X)
    return [normalization, library.layers.Dense(20, "tanh"), library.layers.Dense(3)]


def nested(library: Any) -> list[Any]:
    inner = [library.layers.Dense(20, "tanh"), library.layers.BatchNormalization()]
    return [
        library.Sequential(inner),
        library.layers.Reshape((4, -1)),
        library.layers.Flatten(),
        library.layers.Dense(3),
    ]


def noiseless(library: Any) -> list[Any]:
    return [library.layers.Dropout(0.0), library.layers.GaussianNoise(0.0), library.layers.Dense(3)]


NETS = {
    "BatchNormalization": normalized("BatchNormalization"),
    "BatchNormalization, momentum": normalized("BatchNormalization", momentum=0.5, epsilon=0.1),
    "BatchNormalization, no scale": lambda library: [
        library.layers.Dense(20, "relu"),
        library.layers.BatchNormalization(scale=False),
        library.layers.Dense(3),
    ],
    "BatchNormalization, no center": normalized("BatchNormalization", center=False),
    "BatchNormalization, frozen": normalized("BatchNormalization", trainable=False),
    "BatchNormalization, penalties": lambda library: [
        library.layers.Dense(20, "relu"),
        library.layers.BatchNormalization(
            gamma_regularizer=library.regularizers.L2(2**-5),
            beta_regularizer=library.regularizers.L1(2**-6),
        ),
        library.layers.Dense(3),
    ],
    "LayerNormalization": normalized("LayerNormalization"),
    "LayerNormalization, no center": normalized("LayerNormalization", center=False, epsilon=0.1),
    "Normalization": adapted,
    "nested": nested,
    "noiseless": noiseless,
    "regularizers": regularized,
    "constraints": constrained,
}


def set_types(library: Any, dtype: str) -> None:
    library.config.set_floatx(dtype)
    if library is keras:  # whose layers use the floatx of the time when the first was made
        library.config.set_dtype_policy(dtype)


def trained(
    library: Any, net: str, start: list[Array] | None
) -> tuple[Any, list[Array], list[float]]:
    set_types(library, "float64")
    try:
        model = library.Sequential([library.layers.Input((6,)), *NETS[net](library)])
        if start is not None:
            model.set_weights(start)
        first = [np.asarray(weight) for weight in model.get_weights()]
        model.compile(library.optimizers.SGD(RATE, momentum=0.5), "mse")
        losses = [
            float(model.train_on_batch(X[n : n + ROWS], Y[n : n + ROWS]))
            for n in range(0, len(X), ROWS)
        ]
        losses.append(float(model.evaluate(X, Y, batch_size=ROWS, verbose=0)))
        return model, first, losses
    finally:
        set_types(library, "float32")


@pytest.mark.parametrize("net", NETS)
def test_weights_after_training_match_keras(net: str) -> None:
    def of_cnet(weights: list[Any]) -> list[Array]:
        """Drop Keras's weights for the state of `adapt`, such as its count, which cnet does not store."""
        return weights[-4:] if net == "Normalization" else weights

    peer, start, expected_losses = trained(keras, net, None)
    if net == "Normalization":
        model, mine, _ = trained(cnet, net, None)
        model, _, losses = trained(cnet, net, [*mine[:2], *of_cnet(start)])
    else:
        model, _, losses = trained(cnet, net, start)
    found = of_cnet(model.get_weights())
    expected = of_cnet([np.asarray(weight) for weight in peer.get_weights()])
    # Sums of at most 20 products and of 16 rows, forward and backward through three layers.
    bound = training_bound(STEPS, RATE / (1 - 0.5), 500, np.float64)
    changes = 0.0
    for weight, other, first in zip(found, expected, of_cnet(start), strict=True):
        assert np.abs(weight - other).max() <= bound * max(1, np.abs(other).max())
        changes = max(changes, float(np.abs(other - first).max()))
    assert changes > 1000 * bound, "there was something to compare"
    # Keras sums losses in float32, for any floatx, because its metrics do.
    np.testing.assert_allclose(losses, expected_losses, rtol=relative_bound(100, np.float32))


@pytest.mark.parametrize("name", ["Dropout", "GaussianNoise"])
def test_moments_of_random_layers_match_keras(name: str) -> None:
    x = np.ones((1000, 300), np.float32)
    moments = []
    for library in (cnet, keras):
        y = np.asarray(getattr(library.layers, name)(0.3, seed=1)(x, training=True), np.float64)
        moments.append([y.mean(), y.var(), np.unique(y[y == 0]).size])
    # Five standard errors of 300,000 numbers with a variance below 1, and one of their squares below 2.
    np.testing.assert_allclose(moments[0], moments[1], atol=2 * 5 * (2 / 300_000) ** 0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda library: library.layers.ReLU(),
        lambda library: library.layers.Activation("log_softmax"),
        lambda library: library.layers.Softmax(),
        lambda library: library.layers.LayerNormalization(),
        lambda library: library.layers.BatchNormalization(),
        lambda library: library.layers.Dropout(0.5),
        lambda library: library.layers.Rescaling(2.0, 1.0),
        lambda library: library.layers.Flatten(),
        lambda library: library.layers.Reshape((1, 1)),
        lambda library: library.layers.Normalization(axis=None, mean=1.0, variance=4.0),
    ],
)
def test_an_array_of_one_dimension(make: Any) -> None:
    x = np.array([-1.0, 0.5, 2.0, 3.0], np.float32)
    ours, theirs = make(cnet)(x), np.asarray(make(keras)(x))
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    for library in (cnet, keras):
        with pytest.raises(ValueError, match="expected"):
            library.layers.Dense(3)(x)
