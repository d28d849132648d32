"""Tracebacks end near the user's line, and keep the frames of user code."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from cnet import (
    Input,
    Sequential,
    autodiff,
    callbacks,
    config,
    layers,
    losses,
    metrics,
    ops,
    optimizers,
)

X, Y, WIDE = np.zeros((5, 3)), np.zeros((5, 2)), np.zeros((5, 9))


def make() -> Sequential:
    model = Sequential([Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    return model


def on_tape() -> None:
    with autodiff.GradientTape():
        make()(WIDE)


# Wrong shapes, in every call that accepts arrays or shapes.
CALLS: dict[str, Callable[[], Any]] = {
    "fit": lambda: make().fit(WIDE, Y, verbose=0),
    "fit: y": lambda: make().fit(X, WIDE, verbose=0),
    "fit of batches": lambda: make().fit(iter([(WIDE, Y)]), verbose=0),
    "evaluate": lambda: make().evaluate(WIDE, Y, verbose=0),
    "predict": lambda: make().predict(WIDE, verbose=0),
    "model": lambda: make()(WIDE),
    "model in training": lambda: make()(WIDE, training=True),
    "model on a tape": on_tape,
    "train_on_batch": lambda: make().train_on_batch(WIDE, Y),
    "test_on_batch": lambda: make().test_on_batch(X, WIDE),
    "predict_on_batch": lambda: make().predict_on_batch(WIDE),
    "layer": lambda: make().layers[0](WIDE),
    "layer's first input": lambda: layers.Reshape((5,))(np.zeros((2, 3, 4))),
    "models": lambda: Sequential([Input((2, 2)), layers.Reshape((5,))]),
    "add": lambda: make().add(layers.Reshape((5,))),
    "build": lambda: make().build((None, 5)),
    "layer's build": lambda: layers.Reshape((3,)).build((None, 5, 5)),
    "set_weights": lambda: make().set_weights([X]),
    "layer's set_weights": lambda: make().layers[0].set_weights([X, X]),
    "assign": lambda: make().weights[0].assign(X),
    "loss": lambda: losses.CategoricalCrossentropy()(X, WIDE),
    "loss's function": lambda: losses.mean_squared_error(X, WIDE),
    "metric": lambda: metrics.BinaryAccuracy()(X, WIDE),
    "update_state": lambda: metrics.AUC().update_state(X, WIDE),
    "operation": lambda: ops.dense_forward(X, WIDE, None),
    "operation of a tape": lambda: autodiff.matmul(X, WIDE),
    "apply_gradients": lambda: optimizers.SGD().apply_gradients([(WIDE, make().weights[0])]),
    "adapt": lambda: layers.Normalization(axis=2).adapt(X),
}


def frames_below(function: Callable[[], Any]) -> list[traceback.FrameSummary]:
    """Return the frames of a call's error that are below the last line of this file."""
    with pytest.raises(ValueError) as error:  # the tests of each call check the type
        function()
    frames = traceback.extract_tb(error.value.__traceback__)
    last = max(n for n, frame in enumerate(frames) if frame.filename == __file__)
    return frames[last + 1 :]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_tracebacks_end_within_two_frames(call: Callable[[], Any]) -> None:
    assert len(frames_below(call)) <= 2


def test_filtering_can_be_disabled() -> None:
    assert config.is_traceback_filtering_enabled()
    config.disable_traceback_filtering()
    try:
        assert not config.is_traceback_filtering_enabled()
        names = [frame.name for frame in frames_below(CALLS["fit"])]
        assert {"fit", "as_samples"} <= set(names)
    finally:
        config.enable_traceback_filtering()
    assert len(frames_below(CALLS["fit"])) <= 2


def test_frames_of_user_code_stay() -> None:
    def fail(epoch: int, logs: Any) -> None:
        del epoch, logs
        deeper(100)

    def deeper(depth: int) -> None:
        if depth:
            deeper(depth - 1)
        raise LookupError("the user's") from OSError("its cause")

    def batches() -> Iterator[Any]:
        yield X, Y
        raise LookupError("the user's")

    with pytest.raises(LookupError) as error:
        make().fit(X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=fail)])
    names = [frame.name for frame in traceback.extract_tb(error.value.__traceback__)]
    assert names[1:] == ["call", "fail", *["deeper"] * 101]
    assert isinstance(error.value.__cause__, OSError)
    with pytest.raises(LookupError) as error:
        make().fit(batches(), verbose=0)
    assert traceback.extract_tb(error.value.__traceback__)[-1].name == "batches"


def test_exception_contexts_stay() -> None:
    def fail(epoch: int, logs: Any) -> None:
        del epoch, logs
        try:
            raise OSError
        except OSError:
            raise LookupError  # noqa: B904 # its context is what is tested

    with pytest.raises(LookupError) as error:
        make().fit(X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=fail)])
    assert isinstance(error.value.__context__, OSError)
    assert not error.value.__suppress_context__


def test_infinite_recursion_is_reported() -> None:
    def endless(epoch: int, logs: Any) -> None:
        endless(epoch, logs)

    with pytest.raises(RecursionError):
        make().fit(X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=endless)])


@pytest.mark.parametrize(
    "call",
    [
        lambda: make().fit(iter([(X, Y)]), epochs=2, verbose=0),
        lambda: make().fit(
            X, Y, verbose=0, callbacks=[callbacks.EarlyStopping("none", mode="min")]
        ),
        lambda: make().fit(
            X, Y, steps_per_epoch=2, epochs=2, verbose=0, validation_data=iter([(X, Y)])
        ),
    ],
)
def test_warnings_point_to_the_users_line(call: Callable[[], Any]) -> None:
    with pytest.warns(UserWarning, match="data|monitor") as warned:
        call()
    assert {each.filename for each in warned} == {__file__}
