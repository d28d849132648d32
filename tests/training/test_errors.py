"""Invalid calls, and losses that are not finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.classifiers import (
    DTYPES,
    IDS,
    ONE_HOT,
    SPARSE,
    Array,
    X,
    bits,
    make_model,
    momentum,
    with_value,
)

import cnet
from cnet import Sequential, layers

VALIDATION = {"validation_data": (X, IDS)}
DATA = {"x": X, "y": IDS}
# Arguments in place of valid data, the error, and its message.
WRONG_DATA: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"x": X[:, :5]}, ValueError, r"x: expected shape \(batch, 6\), got \(77, 5\)"),
    ({"x": X[:, 0]}, ValueError, r"x: expected shape \(batch, 6\), got \(77,\)"),
    ({"x": X[:, :, np.newaxis]}, ValueError, r"x: expected shape \(batch, 6\), got \(77, 6, 1\)"),
    ({"x": 7.0}, ValueError, r"x: expected an array of samples, got the single number 7"),
    ({"x": [[1, 2], [3]]}, ValueError, r"x: rows of different lengths"),
    ({"x": X.astype(complex)}, TypeError, r"x: expected numbers, got ndarray of dtype complex128"),
    ({"x": np.ma.masked_array(X)}, TypeError, r"x: masked arrays are not supported"),
    ({"x": None}, TypeError, r"x: expected numbers, got None"),
    ({"x": X[:76]}, ValueError, r"x has 76 samples, y has 77"),
    ({"x": X[:0], "y": IDS[:0]}, ValueError, r"x holds no samples"),
    ({"y": IDS[:1]}, ValueError, r"x has 77 samples, y has 1"),
    ({"y": None}, ValueError, r"y: expected labels for x .*, got None"),
    ({"y": list("abc")}, TypeError, r"y: expected numbers, got list"),
    ({"y": np.eye(4)[IDS]}, ValueError, r"y: expected integer class ids of .*\(77, 4\)"),
    ({"y": with_value(IDS, 76, 4)}, ValueError, r"4 at row 76 is outside \[0, 4\)"),
    ({"y": with_value(IDS, 3, -1)}, ValueError, r"-1 at row 3 is outside \[0, 4\)"),
    (
        {"y": with_value(IDS, 3, 2**62)},
        ValueError,
        r"4611686018427387904 at row 3 is outside \[0, 4\)",
    ),
    (
        {"y": with_value(IDS.astype(np.uint64), 3, 2**63)},
        ValueError,
        r"9223372036854775808 at row 3 is outside \[0, 4\)",
    ),
    ({"y": with_value(1.0 * IDS, 3, 12)}, ValueError, r"12 at row 3 is outside \[0, 4\)"),
    ({"y": with_value(1.0 * IDS, 3, math.nan)}, ValueError, r"y: nan at row 3 is not a class id"),
    ({"y": with_value(1.0 * IDS, 3, 0.5)}, ValueError, r"y: 0.5 at row 3 is not a class id"),
    (
        {"y": with_value(1.0 * IDS, 3, 2.0**63)},
        ValueError,
        r"y: 9.2\d*e\+18 at row 3 is not a class",
    ),
]
WRONG_OPTIONS: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    *[
        (call, {option: value}, error, rf"{option}: expected ")
        for call, option in (
            *(("fit", "batch_size"), ("evaluate", "batch_size"), ("predict", "batch_size")),
            *(("fit", "validation_batch_size"), ("fit", "validation_freq")),
            *(("fit", "steps_per_epoch"), ("fit", "validation_steps")),
            *(("evaluate", "steps"), ("predict", "steps")),
        )
        for value, error in (
            *((0, ValueError), (-1, ValueError), (2**70, ValueError)),
            *((2.0, TypeError), ("8", TypeError), (True, TypeError)),
        )
    ],
    ("fit", {"epochs": "3"}, TypeError, r"epochs: expected "),
    ("fit", {"epochs": 2.5}, TypeError, r"epochs: expected "),
    ("fit", {"epochs": -1}, ValueError, r"epochs: expected "),
    ("fit", {"initial_epoch": None}, TypeError, r"initial_epoch: expected "),
    ("fit", {"initial_epoch": -1}, ValueError, r"initial_epoch: expected "),
    ("fit", {"shuffle": "batch"}, TypeError, r"shuffle: expected "),
    ("fit", {"validation_split": 1.0}, ValueError, r"validation_split: .* \[0, 1\), got 1.0"),
    ("fit", {"validation_split": -0.1}, ValueError, r"validation_split: .* \[0, 1\), got -0.1"),
    ("fit", {"validation_split": math.nan}, ValueError, r"validation_split: .*got nan"),
    ("fit", {"validation_split": 0.999}, ValueError, r"validation_split=0.999 of 77 .* empty"),
    ("fit", {"validation_split": "0.1"}, TypeError, r"validation_split: expected "),
    ("fit", {"validation_split": np.ma.ones([1] * 33)}, TypeError, r"validation_split: expected "),
    (
        "fit",
        {"validation_split": 0.1, "y": IDS[:70]},
        ValueError,
        r"x has 77 samples, y has 70",
    ),
    ("fit", {"validation_data": X}, ValueError, r"validation_data: expected a tuple \(x, y\)"),
    ("fit", {"validation_data": (X,)}, ValueError, r"validation_data: expected a tuple"),
    ("fit", {"validation_data": (X, IDS[:3])}, ValueError, r"validation_data: x has 77 .* 3"),
    ("fit", {"validation_data": (X[:, :2], IDS)}, ValueError, r"validation_data: x: .*\(77, 2\)"),
    ("fit", {"validation_data": (X, IDS + 1)}, ValueError, r"validation_data: .* \[0, 4\)"),
]
WRONG_CALLS = [
    *[
        (call, wrong, error, message)
        for wrong, error, message in WRONG_DATA
        for call in ("fit", "evaluate", "train_on_batch", "test_on_batch", "predict")
        if call != "predict" or ("y" not in wrong and "samples, y" not in message)
    ],
    *WRONG_OPTIONS,
]


@pytest.mark.parametrize(
    ("call", "wrong", "error", "message"),
    WRONG_CALLS,
    ids=[f"{call}: {message}" for call, _, _, message in WRONG_CALLS],
)
def test_an_invalid_call_leaves_the_model_unchanged(
    call: str, wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    model, twin = (make_model(5, optimizer=momentum(), metrics=["acc"]) for _ in range(2))
    for each in (model, twin):
        each.fit(X, IDS, epochs=2, verbose=0)
    before, history = bits(model), model.history
    good = {"x": X} if call == "predict" else DATA
    with pytest.raises(error, match=rf"^{call}: .*{message}"):
        getattr(model, call)(**(good | wrong))
    assert bits(model) == before
    assert model.history is history
    assert model.optimizer.iterations == twin.optimizer.iterations
    # Including velocities, shuffles and seeds:
    assert model.fit(X, IDS, verbose=0).history == twin.fit(X, IDS, verbose=0).history
    assert bits(model) == bits(twin)


@pytest.mark.parametrize(
    ("wrong", "message"), [({"x": X[1:]}, "samples"), ({"y": IDS + 9}, "outside")]
)
@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_the_model_works_after_a_wrong_first_call(
    call: str, wrong: dict[str, Any], message: str
) -> None:
    model = Sequential([layers.Dense(4, "softmax")])
    model.compile("sgd", SPARSE)
    with pytest.raises(ValueError, match=message):
        getattr(model, call)(**(DATA | wrong))
    model.fit(X, IDS, verbose=0)


@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_calls_before_compile_are_refused(call: str) -> None:
    model = Sequential([layers.Dense(4, "softmax")])
    with pytest.raises(ValueError, match=rf"^{call}: call compile\(\) first"):
        getattr(model, call)(X, IDS)
    assert model.optimizer is model.loss is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (IDS, r"y: expected one-hot labels of shape \(batch, 4\), got shape \(77,\)"),
        (np.eye(5)[IDS], r"y: expected one-hot labels of shape \(batch, 4\), got shape \(77, 5\)"),
        (np.eye(4)[IDS[:9]], r"x has 77 samples, y has 9"),
    ],
)
def test_invalid_one_hot_labels_are_refused(labels: Array, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^fit: {message}"):
        make_model(5, loss=ONE_HOT).fit(X, labels)


@pytest.mark.parametrize("dtype", [bool, int, float])
def test_one_hot_labels_of_a_single_class(dtype: type) -> None:
    model = Sequential([layers.Dense(1, "softmax")])
    model.compile("sgd", ONE_HOT, metrics=["accuracy"])
    assert model.evaluate(X, np.ones((77, 1), dtype), verbose=0) == [0.0, 1.0]


# -- Losses that are not finite --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_in_the_data_ends_training_before_the_update(dtype: str) -> None:
    model, twin = (make_model(5, dtype=dtype, optimizer=momentum()) for _ in range(2))
    message = (
        r"^fit: epoch 1: the loss is not finite at batch 3: the input is not finite in sample 20$"
    )
    with pytest.raises(FloatingPointError, match=message):
        model.fit(with_value(X, (20, 3), math.nan), IDS, batch_size=8, shuffle=False, verbose=0)
    twin.fit(X[:16], IDS[:16], batch_size=8, shuffle=False, verbose=0)
    assert bits(model) == bits(twin)
    assert model.optimizer.iterations == 2
    assert model.history.epoch == []
    expected = twin.fit(X, IDS, shuffle=False, verbose=0).history
    assert model.fit(X, IDS, shuffle=False, verbose=0).history == expected


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_first_layer_whose_weights_are_not_finite_is_named(value: float, layer: int) -> None:
    class Spoil(cnet.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 # of all such hooks
            if epoch == 1:
                bias = self.model.weights[2 * layer + 1]
                bias.assign(np.full(bias.shape, value))

    model = make_model(5, 5)
    name = model.layers[layer].name
    message = rf"^fit: epoch 2: .* at batch 1: the weights of layer '{name}' are not finite$"
    with pytest.raises(FloatingPointError, match=message):
        model.fit(X, IDS, epochs=3, callbacks=[Spoil()], verbose=0)
    assert model.history.epoch == [0]
    assert len(model.history.history["loss"]) == 1


FINITE = r"the outputs and y are finite, but the loss of sample \d overflows or is undefined"
PENALTY = "the losses of all samples are finite, but the penalty of the weights is not"


def ones(*at: int, value: float = 1.0) -> Any:
    array = np.ones((8, 3), np.float32)
    array[at] = value
    return array


@pytest.mark.parametrize(
    ("loss", "x", "y", "message"),
    [
        ("mse", ones(5, 1, value=math.nan), ones(), "the input is not finite in sample 5"),
        ("mse", ones(), ones(3, 2, value=math.nan), "y is not finite in sample 3"),
        ("mae", ones(), ones(7, 0, value=-math.inf), "y is not finite in sample 7"),
        ("mse", 1e25 * ones(), ones(), FINITE),
        ("poisson", -ones(), ones(), FINITE),  # log of a negative number
        (
            "mse",
            2e38 * ones(),
            ones(),
            r"layer 'top' is the first whose output is not finite, and .* are finite",
        ),
    ],
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_error_names_the_cause(loss: str, x: Any, y: Any, message: str, shuffle: bool) -> None:
    """A sample is named by its number in the arrays, also if they are shuffled."""
    one = cnet.initializers.Ones()
    model = Sequential([layers.Dense(3, kernel_initializer=one, name="top")])
    model.compile("sgd", loss)
    with pytest.raises(FloatingPointError, match=rf"^fit: epoch 1: .* at batch 1: {message}$"):
        model.fit(x, y, verbose=0, shuffle=shuffle)


def test_the_error_names_a_penalty() -> None:
    one = cnet.initializers.Constant(1e10)
    penalty = cnet.regularizers.L2(1e300)
    model = Sequential([layers.Dense(3, kernel_initializer=one, kernel_regularizer=penalty)])
    model.compile("sgd", "mae")
    with pytest.raises(FloatingPointError, match=PENALTY):
        model.fit(ones(), ones(), verbose=0)


def test_the_error_names_train_on_batch() -> None:
    model = make_model(5)
    before = bits(model)
    with pytest.raises(FloatingPointError, match=r"^train_on_batch: the loss is not finite"):
        model.train_on_batch(with_value(X, (0, 0), math.nan), IDS)
    assert bits(model) == before
    assert math.isnan(model.evaluate(with_value(X, (0, 0), math.nan), IDS, verbose=0))
