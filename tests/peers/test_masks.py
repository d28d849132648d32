"""Masks of `Embedding(mask_zero=True)` compared with Keras: results, 50 steps of training, and configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, training_bound

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")

pytestmark = [
    pytest.mark.usefixtures("in_float64"),
    # Of Keras, for each layer that drops a mask.
    pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask"),
]

ROWS, STEPS, RATE = 8, 50, 0.01
RNG = np.random.default_rng(0)
IDS = RNG.permutation(np.arange(1, 49)).reshape(ROWS, 6)
# Each id once: Keras's Adam squares the parts of the gradient of a repeated id before it adds them.
ONCE = IDS.copy()
ONCE[3, 4] = 0
IDS[np.arange(6) >= RNG.integers(1, 7, size=(ROWS, 1))] = 0
LABELS = RNG.integers(3, size=ROWS)
BOUND = 2 * training_bound(STEPS, RATE, 2 * 12 * 100 + ROWS + ELEMENTARY_ROUNDINGS, np.float64)


def plain(_: Any, x: Any) -> Any:
    return x


def rows(k: Any, x: Any) -> Any:
    x = k.layers.Dense(5, activation="tanh", name="rows")(x)
    x = k.layers.LayerNormalization(name="norm")(k.layers.Dropout(0.0, name="drop")(x))
    return k.layers.LeakyReLU(0.25, name="leaky")(k.layers.Rescaling(0.5, name="half")(x))


def merged(k: Any, x: Any) -> Any:
    y = k.layers.Dense(4, name="other")(x)
    return k.layers.Average(name="half")([k.layers.Add(name="sum")([x, y]), y])


def dropped(k: Any, x: Any) -> Any:
    return k.layers.Reshape((6, 4), name="shaped")(k.layers.Flatten(name="flat")(x))


def build(k: Any, between: Callable[[Any, Any], Any]) -> Any:
    words = k.Input((6,), dtype="int32", name="words")
    x = between(k, k.layers.Embedding(49, 4, mask_zero=True, name="table")(words))
    parts = [
        k.layers.GlobalAveragePooling1D(name="mean")(x),
        k.layers.GlobalMaxPooling1D(name="most")(x),
    ]
    x = k.layers.Concatenate(name="both")(parts)
    return k.Model(words, k.layers.Dense(3, activation="softmax", name="top")(x))


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("between", [plain, rows, merged, dropped], ids=lambda f: f.__name__)
def test_training(between: Any, optimizer: str) -> None:
    ours, theirs = build(cnet, between), build(keras, between)
    ours.set_weights(theirs.get_weights())
    for library, model in ((cnet, ours), (keras, theirs)):
        betas = {"beta_1": 0.875, "beta_2": 1 - 2**-10} if optimizer == "Adam" else {}
        chosen = getattr(library.optimizers, optimizer)(RATE, **betas)
        model.compile(chosen, "sparse_categorical_crossentropy")
        x = ONCE if optimizer == "Adam" else IDS
        model.fit(x, LABELS, batch_size=ROWS, epochs=STEPS, shuffle=False, verbose=0)
    for weight, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert abs(weight - other).max() <= BOUND * max(1, abs(other).max())
    outputs = theirs.predict(IDS, verbose=0)
    np.testing.assert_allclose(ours.predict(IDS, verbose=0), outputs, rtol=0, atol=100 * BOUND)


@pytest.mark.parametrize("between", [plain, rows, merged, dropped], ids=lambda f: f.__name__)
def test_configurations(between: Any) -> None:
    theirs = build(keras, between)
    expected = theirs.predict(IDS, verbose=0)
    ours = cnet.models.model_from_json(theirs.to_json())
    back = keras.models.model_from_json(ours.to_json())
    for model in (ours, back):
        assert [layer.name for layer in model.layers] == [layer.name for layer in theirs.layers]
        model.set_weights(theirs.get_weights())
        np.testing.assert_allclose(model.predict(IDS, verbose=0), expected, rtol=1e-9)


def test_a_mean_of_nothing() -> None:
    nothing = np.zeros((1, 6), int)
    for k in (cnet, keras):
        assert np.isnan(np.asarray(build(k, plain)(nothing))).all()
