"""Common behaviour of losses: reductions, weights, shapes, functions and configs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cnet import Sequential, layers, losses, optimizers
from cnet.losses import _FUNCTIONS, Loss

Array = npt.NDArray[Any]
RNG = np.random.default_rng(0)
Y, P = RNG.normal(size=(10, 3)), RNG.normal(size=(10, 3))
EACH = ((Y - P) ** 2).mean(axis=1)
WEIGHTS = np.array([0, 1, 2, 0.5, 1, 3, 1, 1, 0.25, 2])
TOTAL = (EACH * WEIGHTS).sum()
REDUCED: list[tuple[Any, float, float]] = [
    ("sum_over_batch_size", EACH.mean(), TOTAL / 10),
    ("mean", EACH.mean(), TOTAL / 10),
    ("mean_with_sample_weight", EACH.mean(), TOTAL / WEIGHTS.sum()),
    ("sum", EACH.sum(), TOTAL),
]


@pytest.mark.parametrize("reduction", [reduction for reduction, _, _ in REDUCED])
def test_infinite_weights_of_both_signs_have_no_sum(reduction: Any) -> None:
    weights = np.full(10, np.inf)
    weights[1] = -np.inf
    assert np.isnan(losses.MeanSquaredError(reduction)(Y, P, weights))


@pytest.mark.parametrize(("reduction", "plain", "weighted"), REDUCED)
def test_reductions_of_arrays(reduction: Any, plain: float, weighted: float) -> None:
    loss = losses.MeanSquaredError(reduction)
    assert loss(Y, P) == pytest.approx(plain, rel=1e-13)
    for weights in (WEIGHTS, WEIGHTS[:, np.newaxis], WEIGHTS.tolist()):
        assert loss(Y, P, weights) == pytest.approx(weighted, rel=1e-13)
    doubled = plain if reduction == "mean_with_sample_weight" else 2 * plain
    assert loss(Y, P, sample_weight=2) == pytest.approx(doubled, rel=1e-13)
    assert loss(Y, P, np.zeros(10)) == 0
    wild = np.where(WEIGHTS[:, np.newaxis] == 0, np.nan, P)
    assert loss(Y, wild, WEIGHTS) == pytest.approx(weighted, rel=1e-13)


@pytest.mark.parametrize("reduction", ["none", None])
def test_reduction_none(reduction: Any) -> None:
    loss = losses.MeanSquaredError(reduction)
    np.testing.assert_allclose(loss(Y, P), EACH, rtol=1e-13)
    np.testing.assert_allclose(loss(Y, P, WEIGHTS), EACH * WEIGHTS, rtol=1e-13)
    assert loss(np.float32(Y), np.float32(P)).dtype == np.float32


def one_layer(loss: Any) -> Sequential:
    model = Sequential([layers.Input((10,)), layers.Dense(3, use_bias=False, dtype="float64")])
    model.set_weights([P])
    model.compile(optimizers.SGD(1.0), loss)
    return model


@pytest.mark.parametrize(("reduction", "plain", "weighted"), REDUCED)
def test_reductions_in_training(reduction: Any, plain: float, weighted: float) -> None:
    # Each row of the kernel is the prediction of a sample, so its update is the gradient.
    for sample_weight, expected in ((None, plain), (WEIGHTS, weighted)):
        model = one_layer(losses.MeanSquaredError(reduction))
        reported = model.train_on_batch(np.eye(10), Y, sample_weight=sample_weight)
        assert reported == pytest.approx(expected, rel=1e-13)
        counts = np.ones(10) if sample_weight is None else sample_weight
        divisor = (EACH * counts).sum() / expected
        gradient = 2 * (P - Y) / 3 * counts[:, np.newaxis] / divisor
        np.testing.assert_allclose(P - model.get_weights()[0], gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("batch_size", [3, 10])
def test_each_batch_is_reduced_separately(batch_size: int) -> None:
    parts = [slice(i, i + batch_size) for i in range(0, 10, batch_size)]
    for reduction, *_ in REDUCED:
        loss = losses.MeanSquaredError(reduction)
        model = one_layer(loss)
        by_batch = [loss(Y[s], P[s], WEIGHTS[s]) * len(Y[s]) for s in parts]
        reported = model.evaluate(np.eye(10), Y, batch_size, verbose=0, sample_weight=WEIGHTS)
        assert reported == pytest.approx(sum(by_batch) / 10, rel=1e-13)


def test_a_weight_sum_of_zero_changes_nothing() -> None:
    weights = np.array([1.0, -1.0] * 5)
    loss = losses.MeanSquaredError("mean_with_sample_weight")
    assert loss(Y, P, weights) == 0
    model = one_layer(loss)
    assert model.train_on_batch(np.eye(10), Y, sample_weight=weights) == 0
    np.testing.assert_array_equal(model.get_weights()[0], P)


@pytest.mark.parametrize("reduction", ["none", None])
@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch"])
def test_training_requires_a_scalar_loss(reduction: Any, call: str) -> None:
    model = one_layer(losses.MeanSquaredError(reduction))
    message = f"MeanSquaredError: reduction: .* need a single number, got {reduction}"
    with pytest.raises(ValueError, match=message.replace(" none", " 'none'")):
        getattr(model, call)(np.eye(10), Y)
    np.testing.assert_array_equal(model.get_weights()[0], P)


@pytest.mark.parametrize("cls", _FUNCTIONS, ids=lambda cls: cls.name)
def test_a_loss_has_a_function_of_samples(cls: type[Loss]) -> None:
    function = _FUNCTIONS[cls]
    assert getattr(losses, function.__name__) is function
    assert cls.name == ("huber_loss" if cls is losses.Huber else function.__name__)  # as in Keras
    p = RNG.uniform(0.1, 0.9, (4, 3))
    y: Any = [0, 1, 2, 1] if cls.sparse else np.eye(3)[[0, 1, 2, 1]]
    each = function(y, p)
    assert each.shape == (4,)
    assert each.mean() == pytest.approx(cls()(y, p), rel=1e-13)
    row = function(y[0], p[0])  # a single sample
    assert row.shape == ()
    assert row == each[0]
    further = function(np.reshape(y, (2, 2, *np.shape(y)[1:])), p.reshape(2, 2, 3))
    np.testing.assert_array_equal(further, each.reshape(2, 2))
    assert type(losses.get(function)) is cls
    loss = losses.get(cls.from_config(cls().get_config()))
    assert loss.get_config() == cls().get_config()


def test_functions_have_the_options_of_the_classes() -> None:
    p, y = RNG.uniform(0.1, 0.9, (4, 3)), np.eye(3)[[0, 1, 2, 1]]
    for name, options in [
        ("Huber", {"delta": 0.3}),
        ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
        ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}),
        ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
        ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
        ("CategoricalFocalCrossentropy", {"alpha": 0.4, "gamma": 1.5}),
        ("CategoricalFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ]:
        cls = getattr(losses, name)
        loss = cls(**options, reduction="none", name="mine")
        function = _FUNCTIONS[cls]
        each = function(y, p, **options)
        np.testing.assert_array_equal(each, loss(y, p))
        assert (each != function(y, p)).any()
        assert loss.get_config() == {**cls().get_config(), **options} | {
            "reduction": "none",
            "name": "mine",
        }


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("mse", "mean_squared_error"),
        ("MSE", "mean_squared_error"),
        ("mae", "mean_absolute_error"),
        ("mape", "mean_absolute_percentage_error"),
        ("MSLE", "mean_squared_logarithmic_error"),
        ("kld", "kl_divergence"),
        ("bce", "binary_crossentropy"),
        ("logcosh", "log_cosh"),
    ],
)
def test_aliases(alias: str, name: str) -> None:
    assert getattr(losses, alias) is getattr(losses, name)
    assert losses.get(alias).name == name


@pytest.mark.parametrize("cls", [cls for cls in _FUNCTIONS if "axis" in cls().get_config()])
def test_the_outputs_are_the_last_axis(cls: Any) -> None:
    for axis in (0, 1, True, "last"):
        message = rf"^{cls.__name__}: axis={axis!r} is not supported: .* axis=-1"
        with pytest.raises(ValueError, match=message):
            cls(axis=axis)
        with pytest.raises(ValueError, match=message):
            _FUNCTIONS[cls]([[1.0]], [[0.5]], axis=axis)


@pytest.mark.parametrize("cls", [Loss, *_FUNCTIONS])
def test_a_dtype_is_refused(cls: Any) -> None:
    with pytest.raises(ValueError, match=f"^{cls.__name__}: dtype is not supported, got 'float32'"):
        cls(dtype="float32")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (Y[:, :2], P),
            ValueError,
            "MeanSquaredError: y_true: expected shape (10, 3), got (10, 2)",
        ),
        (
            (Y, 1.0),
            ValueError,
            "MeanSquaredError: y_pred: expected an array, got the single number",
        ),
        ((Y, ["a"]), TypeError, "MeanSquaredError: y_pred: expected numbers"),
        ((Y, P, WEIGHTS[:4]), ValueError, "sample_weight: expected shape (10,), got (4,)"),
        ((Y, P, Y), ValueError, "sample_weight: expected shape (10,), got (10, 3)"),
        ((Y, P, "a"), TypeError, "MeanSquaredError: sample_weight: expected numbers"),
    ],
)
def test_invalid_arguments_are_refused(
    arguments: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        losses.MeanSquaredError()(*arguments)
