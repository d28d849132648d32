"""Training on a tape: `fit` works with custom losses as with the losses of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import autodiff, callbacks, layers, optimizers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6)).astype(np.float32)
Y = RNG.normal(size=(64, 4)).astype(np.float32)


def squared(y_true: Any, y_pred: Any) -> Any:
    """Return the mean squared error; with powers of two samples and outputs it has the engine's bits."""
    return autodiff.reduce_mean(autodiff.square(y_true - y_pred), axis=-1)


def make_model(loss: Any, optimizer: Any = "adam", **dense: Any) -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential(
        [
            cnet.Input((6,)),
            layers.Dense(8, **dense),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.2, seed=1),
            layers.Dense(4, **dense),
        ]
    )
    model.compile(optimizer, loss, metrics=["mae"])
    return model


def batches() -> Iterator[tuple[Any, Any]]:
    for first in range(0, 64, 16):
        yield X[first : first + 16], Y[first : first + 16]


FITS: dict[str, Callable[[cnet.Sequential], Any]] = {
    "arrays": lambda m: m.fit(X, Y, 16, epochs=3, verbose=0),
    "in order": lambda m: m.fit(X, Y, 16, epochs=3, verbose=0, shuffle=False),
    "steps": lambda m: m.fit(X, Y, epochs=6, steps_per_epoch=2, batch_size=16, verbose=0),
    "batches": lambda m: m.fit(batches(), verbose=0),
    "callbacks": lambda m: m.fit(
        X, Y, 16, 3, 0, callbacks=[callbacks.LambdaCallback(on_train_batch_end=lambda *_: None)]
    ),
    "stopped": lambda m: m.fit(
        X, Y, 16, 20, 0, validation_data=(X, Y), callbacks=[callbacks.EarlyStopping("loss", 99)]
    ),
    "on batches": lambda m: [m.train_on_batch(X[:16], Y[:16]) for _ in range(3)],
}


@pytest.mark.parametrize("name", FITS)
def test_weights_and_results_match_the_engine(name: str) -> None:
    models = [make_model(squared), make_model("mse")]
    for model in models:
        FITS[name](model)
    one, other = models
    for weight, twin in zip(one.get_weights(), other.get_weights(), strict=True):
        assert (weight == twin).all()
    assert one.optimizer.iterations == other.optimizer.iterations
    found, expected = one.get_metrics_result(), other.get_metrics_result()
    assert list(found) == list(expected) == ["loss", "mae"]
    assert list(found.values()) == pytest.approx(list(expected.values()), rel=1e-6)
    figures = one.evaluate(X, Y, verbose=0)
    assert figures == pytest.approx(other.evaluate(X, Y, verbose=0), rel=1e-6)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
        lambda: optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=3, clipnorm=0.1),
        lambda: optimizers.AdamW(0.01, gradient_accumulation_steps=3),
    ],
)
def test_every_optimizer_trains_on_a_tape(optimizer: Callable[[], Any]) -> None:
    models = [make_model(squared, optimizer()), make_model("mse", optimizer())]
    for model in models:
        model.fit(X, Y, 16, 4, verbose=0)
    for weight, twin in zip(*[model.get_weights() for model in models], strict=True):
        assert (weight == twin).all()


def test_penalties_are_part_of_the_loss() -> None:
    options = {"kernel_regularizer": cnet.regularizers.L1L2(0.01, 0.02), "bias_regularizer": "l2"}
    models = [make_model(loss, "sgd", **options) for loss in (squared, "mse")]
    histories = [model.fit(X, Y, 16, 3, verbose=0).history["loss"] for model in models]
    np.testing.assert_allclose(*histories, rtol=1e-5)
    for weight, twin in zip(*[model.get_weights() for model in models], strict=True):
        np.testing.assert_allclose(weight, twin, rtol=0, atol=1e-6)
    one, other = [model.evaluate(X, Y, verbose=0)[0] for model in models]
    assert one == pytest.approx(other, rel=1e-5)


def test_weights_frozen_at_the_start_of_training_do_not_change() -> None:
    model = make_model(squared)
    model.compile("sgd", squared)
    model.layers[0].trainable = False
    model.train_on_batch(X, Y)
    model.layers[0].trainable = True  # has no effect before the next compile
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    changed = [(a != b).any() for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, *[True] * 6]


def test_training_continues_from_a_file(tmp_path: Path) -> None:
    whole, parted = make_model(squared), make_model(squared)
    whole.fit(X, Y, 16, 4, verbose=0)
    parted.fit(X, Y, 16, 2, verbose=0)
    parted.save(tmp_path / "model.safetensors")
    loaded = cnet.models.load_model(
        tmp_path / "model.safetensors", custom_objects={"squared": squared}
    )
    loaded.fit(X, Y, 16, 4, verbose=0, initial_epoch=2)
    for weight, twin in zip(whole.get_weights(), loaded.get_weights(), strict=True):
        assert (weight == twin).all()


def test_a_nan_loss_ends_training_before_the_update() -> None:
    model = make_model(squared)
    x = X.copy()
    x[20] = np.nan
    with pytest.raises(FloatingPointError, match=r"batch 2: 'squared' gave nan"):
        model.fit(x, Y, 16, verbose=0, shuffle=False)
    assert model.optimizer.iterations == 1
    assert np.isfinite(model.get_weights()[0]).all()
    history = model.fit(
        x, Y, 16, verbose=0, shuffle=False, callbacks=[callbacks.TerminateOnNaN()]
    ).history
    assert np.isnan(history["loss"][0])


def test_evaluation_during_training_and_fit_under_a_tape() -> None:
    model, found = make_model(squared), []
    hook = callbacks.LambdaCallback(
        on_epoch_end=lambda *_: found.append(model.evaluate(X, Y, verbose=0, return_dict=True))
    )
    with autodiff.GradientTape() as tape:
        model.fit(X, Y, 16, 2, verbose=0, callbacks=[hook])
    assert tape.records == []
    assert len(found) == 2
    assert found[1] == pytest.approx(model.evaluate(X, Y, verbose=0, return_dict=True))


def test_a_callback_ends_the_epoch_after_its_batch() -> None:
    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 # of all such hooks
            self.model.stop_training = batch == 1

    model = make_model(squared)
    model.fit(X, Y, 16, 3, verbose=0, callbacks=[Stop()])
    assert model.optimizer.iterations == 2
