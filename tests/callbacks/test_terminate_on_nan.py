"""TerminateOnNaN: a loss that is not finite ends training before the update."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import callbacks

X, Y = np.arange(24.0).reshape(12, 2) / 24, np.arange(12) % 3
SPOILT = X.copy()
SPOILT[9] = np.nan  # in the third of three batches of four


def compiled_model() -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model: cnet.Sequential, *hooks: callbacks.Callback, x: Any = SPOILT) -> Any:
    return model.fit(x, Y, batch_size=4, epochs=5, shuffle=False, verbose=0, callbacks=hooks)


@pytest.mark.parametrize("observed", [False, True])
def test_training_ends_before_the_update(
    observed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    model, twin, calls = compiled_model(), compiled_model(), list[Any]()
    names = ["on_epoch_end", "on_train_end", *(["on_train_batch_end"] if observed else [])]
    watch = callbacks.LambdaCallback(
        **{name: lambda *told, name=name: calls.append((name, *told[:-1])) for name in names}
    )
    history = fit(model, callbacks.TerminateOnNaN(), watch)
    assert "epoch 1: the loss is not finite at batch 3" in capsys.readouterr().out
    assert list(history.history) == ["loss", "accuracy"]
    assert all(len(values) == 1 and math.isnan(values[0]) for values in history.history.values())
    batches = [("on_train_batch_end", batch) for batch in range(3)] if observed else []
    assert calls == [*batches, ("on_epoch_end", 0), ("on_train_end",)]
    twin.fit(X[:8], Y[:8], batch_size=4, shuffle=False, verbose=0)
    assert [w.tolist() for w in model.get_weights()] == [w.tolist() for w in twin.get_weights()]
    assert fit(model, x=X).epoch == list(range(5)), "the model stays usable"


def test_training_raises_without_the_callback() -> None:
    with pytest.raises(FloatingPointError, match="epoch 1: the loss is not finite at batch 3"):
        fit(compiled_model(), callbacks.Callback())


def test_raise_error() -> None:
    with pytest.raises(RuntimeError, match="the loss is not finite at batch 3"):
        fit(compiled_model(), callbacks.TerminateOnNaN(raise_error=True))


def test_finite_losses_are_ignored() -> None:
    model, twin = compiled_model(), compiled_model()
    assert fit(model, callbacks.TerminateOnNaN(), x=X).history == fit(twin, x=X).history
