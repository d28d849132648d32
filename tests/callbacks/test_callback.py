"""Callbacks: arguments and order of the hooks, and stopping."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from support.interrupts import interrupt_at_line

import cnet
from cnet import callbacks

X, Y = np.arange(20.0).reshape(10, 2) / 20, np.arange(10) % 3
KEYS = {"loss", "accuracy", "val_loss", "val_accuracy"}
BATCHES = [f"train_batch_{when} {batch}" for batch in range(3) for when in ("begin", "end")]


def compiled_model() -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model: cnet.Sequential, **options: Any) -> callbacks.History:
    return model.fit(X, Y, **({"batch_size": 4, "epochs": 3, "verbose": 0} | options))


def weights_of(model: cnet.Sequential) -> list[bytes]:
    return [weight.tobytes() for weight in model.get_weights()]


def on(**hooks: Callable[..., Any]) -> callbacks.Callback:
    """Return a callback with these hooks, functions of the model and the arguments of the hook."""

    def method(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, *told: function(self.model, *told)

    methods = {f"on_{name}": method(function) for name, function in hooks.items()}
    callback: callbacks.Callback = type("Hooks", (callbacks.Callback,), methods)()
    return callback


HOOKS = [
    *("train_begin", "epoch_begin", "train_batch_begin", "train_batch_end"),
    *("test_begin", "test_end", "epoch_end", "train_end"),
]


def record(calls: list[tuple[str, dict[str, float]]]) -> callbacks.Callback:
    """Return a callback that appends every call to `calls`: ("train_batch_end 2", logs)."""

    def keep(name: str) -> Callable[..., None]:
        return lambda _, *told: calls.append((" ".join([name, *map(str, told[:-1])]), {**told[-1]}))

    return on(**{name: keep(name) for name in HOOKS})


def test_hooks_are_called_in_the_order_of_keras() -> None:
    calls: list[Any] = []
    fit(compiled_model(), epochs=2, validation_data=(X, Y), callbacks=[record(calls)])
    expected = ["train_begin"]
    for epoch in range(2):
        expected += [f"epoch_begin {epoch}", *BATCHES, "test_begin", "test_end"]
        expected += [f"epoch_end {epoch}"]
    assert [name for name, _ in calls] == [*expected, "train_end"]


def test_logs_are_running_means() -> None:
    calls: list[Any] = []
    model, data = compiled_model(), {"shuffle": False, "validation_data": (X, Y)}
    history = fit(model, epochs=1, **data, callbacks=[record(calls)]).history
    logs = dict(calls)
    last = {key: values[-1] for key, values in history.items()}
    assert set(last) == KEYS
    assert logs["epoch_end 0"] == logs["train_end"] == last
    assert logs["test_end"] == {key: last[f"val_{key}"] for key in ("loss", "accuracy")}
    assert logs["train_batch_end 2"] == {key: last[key] for key in ("loss", "accuracy")}
    first = compiled_model().evaluate(X[:4], Y[:4], return_dict=True, verbose=0)
    assert logs["train_batch_end 0"] == first
    assert all((values == {}) == ("begin" in name) for name, values in calls)


def test_evaluate_calls_test_hooks() -> None:
    calls: list[Any] = []
    callback = record(calls)
    logs = compiled_model().evaluate(X, Y, callbacks=[callback], return_dict=True, verbose=0)
    assert calls == [("test_begin", {}), ("test_end", logs)]


PASSES = {
    "evaluate": lambda model, **options: model.evaluate(X, Y, **options),
    "predict": lambda model, **options: model.predict(X, **options),
}


@pytest.mark.parametrize("call", PASSES)
def test_evaluate_and_predict_call_batch_hooks(call: str) -> None:
    calls: list[tuple[str, dict[str, Any]]] = []
    kind = "test" if call == "evaluate" else "predict"
    names = [f"{kind}_{name}" for name in ("begin", "batch_begin", "batch_end", "end")]

    def keep(name: str) -> Callable[..., None]:
        return lambda _, *told: calls.append((" ".join([name, *map(str, told[:-1])]), {**told[-1]}))

    callback = on(**{name: keep(name) for name in names})
    model = compiled_model()
    result = PASSES[call](model, batch_size=4, callbacks=[callback], verbose=0)
    batches = [f"{kind}_batch_{when} {batch}" for batch in range(3) for when in ("begin", "end")]
    assert [name for name, _ in calls] == [f"{kind}_begin", *batches, f"{kind}_end"]
    logs = dict(calls)
    if call == "evaluate":
        assert list(logs["test_batch_end 2"].values()) == list(logs["test_end"].values()) == result
        assert result == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-15)
        first = model.evaluate(X[:4], Y[:4], return_dict=True, verbose=0)
        assert logs["test_batch_end 0"] == first
    else:
        assert logs["predict_end"] == {}
        assert (result == model.predict(X, verbose=0)).all()
        parts = [logs[f"predict_batch_end {batch}"]["outputs"] for batch in range(3)]
        assert np.concatenate(parts).tobytes() == result.tobytes()


def test_validation_calls_test_batch_hooks() -> None:
    calls: list[int] = []
    callback = on(test_batch_end=lambda _, batch, __: calls.append(batch))
    fit(compiled_model(), epochs=2, validation_data=(X, Y), callbacks=[callback])
    assert calls == [0, 1, 2] * 2


@pytest.mark.parametrize("call", PASSES)
def test_stopping_evaluate_and_predict(call: str) -> None:
    batches: list[int] = []

    def stop(model: cnet.Sequential, batch: int, _: Any) -> None:
        batches.append(batch)
        model.stop_evaluating = model.stop_predicting = batch == 1

    model = compiled_model()
    hooks = {"test_batch_end": stop, "predict_batch_end": stop}
    result = PASSES[call](model, batch_size=4, callbacks=[on(**hooks)], verbose=0)
    assert batches == [0, 1]
    expected = model.evaluate(X[:8], Y[:8], verbose=0), model.predict(X[:8], verbose=0)
    np.testing.assert_allclose(result, expected[call == "predict"], rtol=1e-15)


@pytest.mark.parametrize("kind", ["train", "test", "predict"])
def test_hooks_that_are_not_overridden_are_not_called(kind: str) -> None:
    watching = callbacks.EarlyStopping(), callbacks.CSVLogger("x"), callbacks.TerminateOnNaN()
    others = on(**{f"{other}_batch_end": print for other in {"train", "test", "predict"} - {kind}})
    hooks = callbacks.CallbackList([*watching, others], compiled_model(), {}, "fit")
    assert not hooks.wants_batches(kind)
    hooks.callbacks.append(on(**{f"{kind}_batch_begin": print}))
    assert hooks.wants_batches(kind)


def test_callbacks_have_model_and_params() -> None:
    model, callback = compiled_model(), callbacks.Callback()
    fit(model, batch_size=4, epochs=5, callbacks=callback)
    assert callback.model is model
    assert callback.params == {"epochs": 5, "steps": 3, "verbose": 0}
    model.evaluate(X, Y, batch_size=3, callbacks=[callback], verbose=0)
    assert callback.params["steps"] == 4


def test_several_callbacks_are_called_in_order() -> None:
    called: list[str] = []
    pair = (on(epoch_end=lambda *_, name=name: called.append(name)) for name in "ab")
    fit(compiled_model(), epochs=2, callbacks=pair)
    assert called == ["a", "b", "a", "b"]


def test_hooks_may_be_set_on_an_instance() -> None:
    batches: list[int] = []
    callback: Any = callbacks.Callback()
    callback.on_train_batch_end = lambda batch, _: batches.append(batch)
    fit(compiled_model(), epochs=1, callbacks=[callback])
    assert batches == [0, 1, 2]


def test_short_names_of_batch_hooks() -> None:
    calls: list[Any] = []
    short = on(
        batch_begin=lambda _, batch, __: calls.append(f"train_batch_begin {batch}"),
        batch_end=lambda _, batch, __: calls.append(f"train_batch_end {batch}"),
    )
    fit(compiled_model(), epochs=1, callbacks=[short])
    assert calls == BATCHES


def test_training_has_the_same_bits_with_batch_hooks() -> None:
    plain, observed = compiled_model(), compiled_model()
    assert fit(plain).history == fit(observed, callbacks=[record([])]).history
    assert weights_of(plain) == weights_of(observed)


# -- History ---------------------------------------------------------------------------------------


def test_history() -> None:
    model = compiled_model()
    history = fit(model, epochs=7, initial_epoch=4, validation_data=(X, Y))
    assert history is model.history
    assert history.epoch == [4, 5, 6]
    assert set(history.history) == KEYS
    for values in history.history.values():
        assert [type(value) for value in values] == [float] * 3


def test_history_is_kept_up_to_date_during_fit() -> None:
    def check(model: cnet.Sequential, epoch: int, _: Any) -> None:
        assert model.history.epoch == list(range(epoch))
        assert len(model.history.history.get("loss", [])) == epoch

    fit(compiled_model(), callbacks=[on(epoch_begin=check)])


def test_an_interrupt_while_history_records_leaves_whole_epochs() -> None:
    """The interrupt comes at each line of the recording functions in turn."""
    recording = [callbacks.History.on_epoch_end, callbacks.History.refresh_latest]
    interrupted = 0
    for number in range(100):
        model = compiled_model()
        run = partial(fit, model, validation_data=(X, Y))
        interrupted += interrupt_at_line(number, recording, run)
        epochs = model.history.epoch
        assert epochs == list(range(len(epochs)))
        assert {len(values) for values in model.history.history.values()} <= {len(epochs)}
    assert interrupted > 30


def test_history_includes_logs_added_by_callbacks() -> None:
    callback = on(epoch_end=lambda _, epoch, logs: logs.update(twice=2 * epoch))
    assert fit(compiled_model(), callbacks=[callback]).history["twice"] == [0, 2, 4]


def test_a_second_fit_has_a_new_history() -> None:
    model = compiled_model()
    first = fit(model)
    second = fit(model, epochs=1)
    assert (first.epoch, second.epoch) == ([0, 1, 2], [0])
    assert model.history is second


# -- Stopping, changing and reading the model -------------------------------------------------------------------


def stop_at(number: int) -> Callable[..., None]:
    """Return a hook that stops training at an epoch or a batch."""

    def stop(model: cnet.Sequential, at: int, _: Any) -> None:
        model.stop_training = at == number

    return stop


def test_stopping_after_an_epoch() -> None:
    model, calls = compiled_model(), list[Any]()
    history = fit(model, epochs=9, callbacks=[on(epoch_end=stop_at(1)), record(calls)])
    assert history.epoch == [0, 1]
    assert [name for name, _ in calls[-2:]] == ["epoch_end 1", "train_end"]
    assert fit(model, epochs=2).epoch == [0, 1], "the next fit is not stopped"


@pytest.mark.parametrize("order", [1, -1])
def test_stopping_after_a_batch(order: int) -> None:
    model, calls = compiled_model(), list[Any]()
    pair = [on(train_batch_end=stop_at(1)), record(calls)][::order]
    history = fit(model, epochs=9, shuffle=False, validation_data=(X, Y), callbacks=pair)
    end = ["test_begin", "test_end", "epoch_end 0", "train_end"]
    assert [name for name, _ in calls] == ["train_begin", "epoch_begin 0", *BATCHES[:4], *end]
    twin = compiled_model()
    two_batches = twin.fit(X[:8], Y[:8], batch_size=4, shuffle=False, verbose=0)
    assert history.history["loss"] == two_batches.history["loss"]
    assert weights_of(model) == weights_of(twin)


@pytest.mark.parametrize("hook", ["train_begin", "epoch_begin", "train_batch_end", "epoch_end"])
def test_an_exception_propagates_and_the_model_stays_usable(hook: str) -> None:
    def fail(*_: Any) -> None:
        raise LookupError("of a callback")

    model = compiled_model()
    with pytest.raises(LookupError, match="of a callback"):
        fit(model, callbacks=[on(**{hook: fail})])
    assert fit(model).epoch == [0, 1, 2]


def test_a_learning_rate_takes_effect_in_the_next_epoch() -> None:
    def change(model: cnet.Sequential, epoch: int, _: Any) -> None:
        model.optimizer.learning_rate = [0.5, 0.0, 0.1][epoch]

    model, twin = compiled_model(), compiled_model()
    fit(model, callbacks=[on(epoch_end=change)])
    fit(twin, epochs=1)
    twin.optimizer.learning_rate = 0.5
    fit(twin, epochs=1)
    assert weights_of(model) == weights_of(twin), "the third epoch was at a learning rate of 0"


def test_a_callback_may_use_the_model_between_epochs() -> None:
    def use(model: cnet.Sequential, _: int, logs: dict[str, float]) -> None:
        assert model.evaluate(X, Y, verbose=0)[0] == logs["val_loss"]
        assert model.predict(X, verbose=0).shape == (10, 3)
        model.set_weights(list(model.get_weights()))

    model, twin = compiled_model(), compiled_model()
    history = fit(model, validation_data=(X, Y), callbacks=[on(epoch_end=use)])
    assert history.history == fit(twin, validation_data=(X, Y)).history


def test_a_callback_may_read_the_model_between_batches() -> None:
    def look(model: cnet.Sequential, *_: Any) -> None:
        assert model.predict(X, verbose=0).shape == (10, 3)
        assert len(model.get_weights()) == 2
        with pytest.raises(RuntimeError, match="in use by another call"):
            model.train_on_batch(X, Y)

    model, twin = compiled_model(), compiled_model()
    assert fit(model, callbacks=[on(train_batch_end=look)]).history == fit(twin).history
    assert weights_of(model) == weights_of(twin)


@pytest.mark.parametrize("wrong", [callbacks.Callback, "history", [None], 5, print])
@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_invalid_callbacks_are_refused(call: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"{call}: callbacks: expected Callback objects, got "):
        getattr(compiled_model(), call)(
            *((X,) if call == "predict" else (X, Y)), callbacks=wrong, verbose=0
        )


# -- LambdaCallback --------------------------------------------------------------------------------


def test_functions_become_hooks() -> None:
    calls: list[Any] = []
    callback = callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: calls.append(("epoch_begin", epoch, logs)),
        on_train_batch_end=lambda batch, logs: calls.append(("batch_end", batch, sorted(logs))),
        on_test_end=lambda logs: calls.append(("test_end", sorted(logs))),
    )
    fit(compiled_model(), epochs=1, validation_data=(X, Y), callbacks=[callback])
    names = ["accuracy", "loss"]
    batches = [("batch_end", batch, names) for batch in range(3)]
    assert calls == [("epoch_begin", 0, {}), *batches, ("test_end", names)]


@pytest.mark.parametrize(
    ("hooks", "message"),
    [
        ({"on_epoch_stop": print}, "unknown hook 'on_epoch_stop'"),
        ({"model": print}, "unknown hook 'model'"),
        ({"on_epoch_end": 3}, "on_epoch_end: expected a function, got 3"),
    ],
)
def test_invalid_hooks_are_refused(hooks: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=rf"LambdaCallback: {message}"):
        callbacks.LambdaCallback(**hooks)
