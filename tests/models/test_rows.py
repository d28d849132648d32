"""Outputs with several rows for each sample: losses, metrics and their errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnet import Input, Model, Sequential, layers, models

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 5, 4)).astype(np.float32)
IDS = RNG.integers(3, size=(12, 5))


def rows(activation: str | None = "softmax", length: int | None = 5) -> Any:
    return Sequential([Input((length, 4)), layers.Dense(3, activation=activation, name="top")])


@pytest.mark.parametrize("length", [5, None])
def test_rows_count_as_samples_of_their_own(length: int | None, tmp_path: Path) -> None:
    """The same numbers as a model of the rows gives."""
    model, flat = rows(length=length), Sequential([Input((4,)), layers.Dense(3, "softmax")])
    flat.set_weights(model.get_weights())
    weights = RNG.uniform(size=(12, 5))
    histories = []
    for each, shape in ((model, (12, 5)), (flat, (60,))):
        each.compile("sgd", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
        x, y = X.reshape(*shape, 4), IDS.reshape(shape)
        options = {"sample_weight": weights.reshape(shape), "verbose": 0}
        each.fit(x, y, epochs=3, batch_size=shape[0], shuffle=False, **options)
        histories.append(each.evaluate(x, y, **options))
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-6)
    for weight, other in zip(model.get_weights(), flat.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-5, atol=1e-7)
    model.save(tmp_path / "model.safetensors")
    loaded = models.load_model(tmp_path / "model.safetensors")
    assert loaded.evaluate(X, IDS, verbose=0) == model.evaluate(X, IDS, verbose=0)


def test_weights_of_samples_and_samples_without_weight() -> None:
    model = rows()
    model.compile("sgd", "sparse_categorical_crossentropy")
    of_samples = RNG.uniform(size=12)
    expected = model.evaluate(X, IDS, sample_weight=np.repeat(of_samples[:, None], 5, 1), verbose=0)
    for weights in (of_samples, of_samples[:, None]):
        assert model.evaluate(X, IDS, sample_weight=weights, verbose=0) == expected
    odd, without = X.copy(), np.ones(12)
    odd[3], without[3] = np.nan, 0
    model.fit(odd, IDS, sample_weight=without, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_two_heads_of_different_ranks() -> None:
    x = Input((5, 4))
    h = layers.Dense(6, activation="tanh")(x)
    each = layers.Dense(3, activation="softmax", name="each")(h)
    total = layers.Dense(1, name="total")(layers.GlobalAveragePooling1D()(h))
    model = Model(x, [each, total])
    model.compile("adam", ["sparse_categorical_crossentropy", "mse"], metrics=[["accuracy"], []])
    history = model.fit(X, [IDS, X.sum((1, 2))], epochs=30, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert set(history) == {"loss", "each_loss", "total_loss", "each_accuracy"}


@pytest.mark.parametrize(
    ("loss", "y", "options", "message"),
    [
        ("mse", np.zeros((12, 5)), {}, r"y: expected labels of shape \(batch, 5, 3\), got shape"),
        ("mse", np.zeros((12, 4, 3)), {}, r"shape \(batch, 5, 3\), got shape \(12, 4, 3\)"),
        (
            "sparse_categorical_crossentropy",
            np.zeros(12),
            {},
            r"y: expected integer class ids of shape \(batch, 5\), got shape \(12,\)",
        ),
        ("sparse_categorical_crossentropy", np.full((12, 5), 3), {}, r"outside \[0, 3\)"),
        (
            "mse",
            np.zeros((12, 5, 3)),
            {"sample_weight": np.ones((12, 4))},
            r"sample_weight: expected shape \(12,\) or \(12, 5\), got \(12, 4\)",
        ),
        (
            "mse",
            np.zeros((12, 5, 3)),
            {"class_weight": {0: 1.0}},
            r"class_weight: expected an output of shape \(batch, classes\), got \(batch, 5, 3\)",
        ),
    ],
)
def test_labels_that_do_not_fit(loss: str, y: Any, options: Any, message: str) -> None:
    model = rows()
    model.compile("sgd", loss)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **options, verbose=0)


def test_outputs_with_a_mask_have_no_loss() -> None:
    ids = Input((None,), dtype="int32")
    output = layers.Dense(1, name="top")(layers.Embedding(9, 4, mask_zero=True)(ids))
    model = Model(ids, output)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="the output 'top' has a mask"):
        model.fit(np.ones((2, 3)), np.ones((2, 3, 1)), verbose=0)
