"""Pointwise losses: against the reference, central differences, and in training."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import gamma

import cnet
from cnet import Sequential, layers, losses, ops, optimizers, reference
from cnet.reference.losses import FORMULAS

Array = npt.NDArray[Any]
RNG = np.random.default_rng(0)
SHAPES = [(1, 1), (3, 2), (17, 16), (5, 33)]
DELTA = 0.75


PARAMETERS: dict[str, Any] = {"gamma": 1.5, "positive_weight": 0.25, "negative_weight": 0.75}


def logs(x: Array) -> Array:
    return abs(np.log(x))


def focal(q: Array, t: Array) -> Array:
    """Return t (1 + |log q|) of clipped probabilities q, times the error that (1 − q)ᵞ adds."""
    q = np.clip(q, 1e-7, 1 - 1e-7)
    return t * (1 + logs(q)) * (1 + 1.5 * (logs(1 - q) + 1 / (1 - q))) * (1 - q) ** 1.5


# The terms of each loss, added without cancellation: its rounding errors are in proportion.
MAGNITUDES: dict[str, Callable[[Array, Array], Array]] = {
    "mean_squared_error": lambda p, t: (p + t) ** 2,
    "mean_absolute_error": lambda p, t: p + t,
    "mean_absolute_percentage_error": lambda p, t: 100 * (p + t) / np.maximum(t, 1e-7),
    "mean_squared_logarithmic_error": lambda p, t: (2 + logs(1 + p) + logs(1 + t)) ** 2,
    "huber": lambda p, t: (p + t) ** 2 + DELTA * (p + t + DELTA),
    "poisson": lambda p, t: p + t * (1 + logs(p)),
    "kl_divergence": lambda p, t: t * (2 + logs(p)) + 2 + logs(np.maximum(t, 1e-7)),
    "hinge": lambda p, t: 1 + p * np.maximum(t, 1),
    "squared_hinge": lambda p, t: (1 + p * np.maximum(t, 1)) ** 2,
    # The logarithm of 1 − q has the error of 1 − q divided by 1 − q.
    "binary_crossentropy": lambda p, _: 2 + logs(p) + logs(1 - p) + 1 / (1 - p),
    "binary_crossentropy_from_logits": lambda p, t: 1 + p + p * t,
    "log_cosh": lambda p, t: p + t + np.log(2),
    # A power has the error of the logarithm times the exponent, 1 − p that of p divided by 1 − p.
    "binary_focal_crossentropy": lambda p, _: (1 + 1.5 * logs(1 - p)) * (2 + 2 / (1 - p) + 1 / p),
    "binary_focal_crossentropy_from_logits": lambda p, t: 2 * (1 + p + p * t),
    "categorical_focal_crossentropy": lambda p, t: focal(p / p.sum(axis=1, keepdims=True), t),
    "categorical_focal_crossentropy_from_logits": lambda p, t: focal(
        np.exp(p) / np.exp(p).sum(axis=1, keepdims=True), t
    ),
}
SUMS = ("kl_divergence", "categorical_focal")
# Subtractions, products, quotients and two logarithms of 4 units each, and a sum over the columns.
ROUNDINGS = 24 + 33


def sample(name: str, shape: tuple[int, int], dtype: str) -> tuple[Array, Array]:
    """Return predictions and targets for which the loss is defined."""
    p = RNG.uniform(0.05, 0.95, shape)
    t = RNG.uniform(0, 1, shape)
    if "hinge" in name or "binary" in name:
        t = np.round(t)
    elif name == "mean_absolute_percentage_error":
        t += 0.25
    return p.astype(dtype), t.astype(dtype)


def test_the_docstring_names_each_loss() -> None:
    named = re.findall(r'"(\w+)"', ops.pointwise_loss_forward.__doc__ or "")
    assert {name.removesuffix("_from_logits") for name in FORMULAS} <= set(named)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", FORMULAS)
def test_each_loss_agrees_with_the_reference(name: str, shape: tuple[int, int], dtype: str) -> None:
    p, t = sample(name, shape, dtype)
    exact = reference.pointwise_loss_forward(
        name, p.astype("float64"), t.astype("float64"), DELTA, **PARAMETERS
    )
    actual = ops.pointwise_loss_forward(name, p, t, DELTA, **PARAMETERS)
    assert actual.dtype == dtype
    magnitude = MAGNITUDES[name](np.float64(p), np.float64(t))
    terms = magnitude.sum(axis=1) if name.startswith(SUMS) else magnitude.mean(axis=1)
    assert (abs(actual - exact) <= 2 * gamma(ROUNDINGS, dtype) * terms).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_each_gradient_agrees_with_the_reference(name: str, dtype: str) -> None:
    p, t = sample(name, (17, 5), dtype)
    expected = reference.pointwise_loss_backward(name, p, t, DELTA, **PARAMETERS)
    actual = ops.pointwise_loss_backward(name, p, t, DELTA, **PARAMETERS)
    # Slopes are products and quotients of differences of numbers below 2, of at most 1 / 0.05².
    largest = 100 if "percentage" in name else 1 / 0.05**2
    assert (abs(actual - expected) <= 2 * gamma(ROUNDINGS, dtype) * largest).all()
    assert actual.any()


@pytest.mark.parametrize("name", FORMULAS)
def test_each_gradient_agrees_with_central_differences(name: str) -> None:
    p, t = sample(name, (7, 3), "float64")
    step = 1e-6
    slopes = np.empty_like(p)
    for index in np.ndindex(p.shape):
        ends = []
        for side in (-step, step):
            moved = p.copy()
            moved[index] += side
            ends.append(ops.pointwise_loss_forward(name, moved, t, DELTA, **PARAMETERS).mean())
        slopes[index] = (ends[1] - ends[0]) / (2 * step)
    # Central differences err by the third derivative times step² / 6 and by rounding over step.
    np.testing.assert_allclose(
        ops.pointwise_loss_backward(name, p, t, DELTA, **PARAMETERS), slopes, rtol=1e-6, atol=2e-9
    )


def test_losses_of_large_logits_stay_finite() -> None:
    for dtype in ("float32", "float64"):
        z = np.array([[-1e4, -90.0, 0.0, 90.0, 1e4]], dtype)
        for t in (np.zeros_like(z), np.ones_like(z)):
            loss = ops.pointwise_loss_forward("binary_crossentropy_from_logits", z, t)
            assert np.isfinite(loss).all()
            slope = ops.pointwise_loss_backward("binary_crossentropy_from_logits", z, t)
            assert (abs(slope) <= 0.2).all()
        p = np.array([[0.0, 1.0]], dtype)
        for name in ("binary_crossentropy", "kl_divergence", "poisson"):
            assert np.isfinite(ops.pointwise_loss_forward(name, p, 1 - p)).all()
        small = np.array([[-20.0]], dtype)  # log(1 + e⁻²⁰) = e⁻²⁰ up to the last bits
        loss = ops.pointwise_loss_forward("binary_crossentropy_from_logits", small, 0 * small)
        assert loss[0] == pytest.approx(np.exp(-20.0), rel=4 * float(np.finfo(dtype).eps))


def test_class_balancing_weighs_labels() -> None:
    p = [[0.5, 0.5]]
    plain, balanced = (
        losses.BinaryFocalCrossentropy(apply_class_balancing=on, alpha=0.25) for on in (False, True)
    )
    assert balanced([[1, 1]], p) == pytest.approx(0.25 * plain([[1, 1]], p), rel=1e-6)
    assert balanced([[0, 0]], p) == pytest.approx(0.75 * plain([[0, 0]], p), rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_focal_losses_of_certain_predictions(dtype: str) -> None:
    right, wrong = np.array([[0.0, 1.0]], dtype), np.array([[1.0, 0.0]], dtype)
    far = np.array([[-1e4, 1e4]], dtype)
    for power in (0.0, 0.5, 2.0):
        for name, p in [
            ("binary_focal_crossentropy", right),
            ("binary_focal_crossentropy_from_logits", far),
            ("categorical_focal_crossentropy", right),
            ("categorical_focal_crossentropy_from_logits", far),
        ]:
            loss = ops.pointwise_loss_forward(name, p, right, gamma=power)[0]
            assert 0 <= loss <= 2e-7
            assert ops.pointwise_loss_forward(name, p, wrong, gamma=power)[0] > 10
            for t in (right, wrong):
                slope = ops.pointwise_loss_backward(name, p, t, gamma=power)
                assert np.isfinite(slope).all()
        # With exponent 0 the losses are the plain cross-entropies.
        p = RNG.uniform(0.1, 0.9, (5, 3)).astype(dtype)
        t = np.eye(3)[[0, 1, 2, 1, 0]].astype(dtype)
        focal = ops.pointwise_loss_backward("binary_focal_crossentropy", p, t, gamma=0.0)
        plain = ops.pointwise_loss_backward("binary_crossentropy", p, t)
        np.testing.assert_array_equal(focal, plain)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "prediction", "target", "loss", "slope"),
    [
        ("binary_crossentropy_from_logits", -np.inf, 0.0, 0.0, 0.0),
        ("binary_crossentropy_from_logits", np.inf, 1.0, 0.0, 0.0),
        ("binary_crossentropy_from_logits", np.inf, 0.0, np.inf, 1.0),
        ("binary_crossentropy_from_logits", -np.inf, 1.0, np.inf, -1.0),
        ("binary_crossentropy_from_logits", np.inf, 0.25, np.inf, 0.75),
        ("binary_crossentropy_from_logits", -np.inf, 0.25, np.inf, -0.25),
        ("binary_focal_crossentropy_from_logits", -np.inf, 0.0, 0.0, 0.0),
        ("binary_focal_crossentropy_from_logits", np.inf, 1.0, 0.0, 0.0),
        ("binary_focal_crossentropy_from_logits", np.inf, 0.0, np.inf, 0.75),
        ("binary_focal_crossentropy_from_logits", -np.inf, 1.0, np.inf, -0.25),
        ("poisson", np.inf, 0.0, np.inf, 1.0),
        ("poisson", np.inf, 3.0, np.inf, 1.0),
        *((f"mean_{kind}_error", np.inf, 1.0, np.inf, None) for kind in ("squared", "absolute")),
        ("mean_squared_logarithmic_error", np.inf, 1.0, np.inf, None),
        *((name, np.inf, 1.0, 0.0, 0.0) for name in ("hinge", "squared_hinge")),
        ("hinge", -np.inf, 1.0, np.inf, -1.0),
        ("huber", -np.inf, 1.0, np.inf, -1.0),
        ("log_cosh", np.inf, 1.0, np.inf, 1.0),
    ],
)
def test_infinite_predictions_have_the_losses_limits(
    name: str, prediction: float, target: float, loss: float, slope: float | None, dtype: str
) -> None:
    p, t = np.array([[prediction]], dtype), np.array([[target]], dtype)
    for module in (ops, reference):
        with np.errstate(all="ignore"):
            assert module.pointwise_loss_forward(name, p, t, **PARAMETERS) == [loss]
            found = module.pointwise_loss_backward(name, p, t, **PARAMETERS)
        if slope is not None:
            assert found == [[slope]]


def test_nan_is_not_hidden() -> None:
    p = np.array([[np.nan, 0.5]])
    for name in FORMULAS:
        assert np.isnan(ops.pointwise_loss_forward(name, p, [[1.0, 1.0]])).all(), name
        if name != "hinge":  # its slope is constant on either side
            assert np.isnan(ops.pointwise_loss_backward(name, p, [[1.0, 1.0]])[0, 0]), name


def compiled(loss: Any, outputs: int = 1, dtype: str = "float32", **options: Any) -> Sequential:
    cnet.utils.set_random_seed(3)
    model = Sequential([layers.Dense(8, "relu", dtype=dtype), layers.Dense(outputs, dtype=dtype)])
    model.compile(optimizers.SGD(0.1), loss, **options)
    return model


def test_regression_finds_the_line() -> None:
    x = RNG.normal(size=(200, 3))
    y = x @ [1.0, -2.0, 0.5] + 3
    model = Sequential([layers.Dense(1)])
    model.compile(optimizers.SGD(0.1), "mse")
    model.fit(x, y, 20, 60, verbose=0)
    np.testing.assert_allclose(model.layers[0].kernel[:, 0], [1, -2, 0.5], atol=1e-5)
    assert model.evaluate(x, y, verbose=0) < 1e-9


@pytest.mark.parametrize(
    "loss",
    [
        losses.MeanSquaredError(),
        losses.MeanAbsoluteError(),
        losses.Huber(0.5),
        losses.BinaryCrossentropy(from_logits=True),
        losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
        losses.Hinge(),
        losses.LogCosh(),
        losses.BinaryFocalCrossentropy(from_logits=True),
        losses.BinaryFocalCrossentropy(True, 0.3, 1.5, from_logits=True, label_smoothing=0.2),
        losses.CategoricalFocalCrossentropy(from_logits=True),
        losses.CategoricalFocalCrossentropy(0.5, 3, from_logits=True, label_smoothing=0.2),
    ],
    ids=lambda loss: loss.name,
)
def test_a_step_follows_the_gradient_of_the_loss(loss: losses.PointwiseLoss) -> None:
    x, y = RNG.normal(size=(12, 4)), RNG.integers(2, size=(12, 3)).astype(float)
    model = compiled(loss, 3, "float64")
    model.build((None, 4))
    weights = model.get_weights()
    outputs, inputs = reference.network.forward(x, weights)
    spread = loss.label_smoothing / (3 if loss.categorical else 2)
    targets = y * (1 - loss.label_smoothing) + spread
    options = loss.engine_options()
    grad = reference.pointwise_loss_backward(loss.rule, outputs, targets, **options)
    expected_loss = reference.pointwise_loss_forward(loss.rule, outputs, targets, **options).mean()
    gradients = reference.network.backward(grad, inputs, weights)
    assert loss(y, outputs) == pytest.approx(expected_loss, rel=1e-13)
    assert model.train_on_batch(x, y) == pytest.approx(expected_loss, rel=1e-13)
    for before, gradient, after in zip(weights, gradients, model.get_weights(), strict=True):
        np.testing.assert_allclose(after, before - 0.1 * gradient, rtol=0, atol=1e-14)


def test_accuracy_of_a_single_output_compares_with_one_half() -> None:
    x, y = RNG.normal(size=(50, 4)), RNG.integers(2, size=50)
    model = compiled(losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(x, y, epochs=3, verbose=0).history
    assert set(history) == {"loss", "accuracy"}
    right = (model.predict(x, verbose=0)[:, 0] > 0.5) == y
    assert model.evaluate(x, y, verbose=0)[1] == right.mean()


@pytest.mark.parametrize("outputs", [1, 3, 20])
@pytest.mark.parametrize(
    "loss",
    [
        losses.BinaryCrossentropy(),
        losses.BinaryCrossentropy(label_smoothing=0.3),
        losses.BinaryCrossentropy(from_logits=True),
        losses.BinaryFocalCrossentropy(from_logits=True, label_smoothing=0.1),
    ],
    ids=lambda loss: loss.name,
)
def test_the_engine_counts_binary_accuracy(loss: losses.Loss, outputs: int) -> None:
    x, y = RNG.normal(size=(50, 4)), RNG.integers(2, size=(50, outputs)).astype(float)
    y[0] = 0.25  # no prediction equals a soft label
    model = compiled(loss, outputs, metrics=["binary_accuracy"])
    if not loss.from_logits:
        model.add(layers.Activation("sigmoid"))
        model.compile("sgd", loss, metrics=["binary_accuracy"])
    predictions = model.predict(x, verbose=0)
    counted = model.evaluate(x, y, 7, verbose=0)[1]
    assert model._setup is not None
    assert not model._setup.python_metrics  # so Python computed no metric
    assert counted == pytest.approx(cnet.metrics.BinaryAccuracy()(y, predictions), rel=1e-6)
    assert 0 < counted < 1
    model.compile("sgd", loss, metrics=[cnet.metrics.BinaryAccuracy(threshold=0.9)])
    other = model.evaluate(x, y, verbose=0)[1]
    expected = cnet.metrics.BinaryAccuracy(threshold=0.9)(y, predictions)
    assert other == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("from_logits", [False, True])
def test_label_smoothing_equals_smoothed_labels(from_logits: bool) -> None:
    x, y = RNG.normal(size=(20, 4)), np.eye(3)[RNG.integers(3, size=20)]
    smooth, by_hand = (
        compiled(
            losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=smoothing),
            3,
            "float64",
        )
        for smoothing in (0.25, 0.0)
    )
    smooth.build((None, 4))
    by_hand.build((None, 4))
    by_hand.set_weights(smooth.get_weights())
    if not from_logits:
        smooth.add(layers.Softmax(dtype="float64"))
        by_hand.add(layers.Softmax(dtype="float64"))
        smooth.compile("sgd", losses.CategoricalCrossentropy(label_smoothing=0.25))
        by_hand.compile("sgd", losses.CategoricalCrossentropy())
    one = smooth.fit(x, y, epochs=2, verbose=0, shuffle=False).history["loss"]
    two = by_hand.fit(x, y * 0.75 + 0.25 / 3, epochs=2, verbose=0, shuffle=False).history["loss"]
    np.testing.assert_allclose(one, two, rtol=1e-12)
    loss = losses.CategoricalCrossentropy(label_smoothing=0.25)
    p = [[0.2, 0.3, 0.5]]
    assert loss([[0, 0, 1]], p) == pytest.approx(
        losses.CategoricalCrossentropy()([[0.25 / 3, 0.25 / 3, 0.75 + 0.25 / 3]], p), rel=1e-6
    )


@pytest.mark.parametrize("name", ["mse", "MSE", "mean_squared_error", "MeanSquaredError"])
def test_names(name: str) -> None:
    assert isinstance(losses.get(name), losses.MeanSquaredError)
    assert compiled(name).loss.name == "mean_squared_error"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: losses.Huber(0), ValueError, "Huber: delta: expected a number above 0, got 0"),
        (lambda: losses.Huber("a"), TypeError, "Huber: delta: expected a number"),
        (
            lambda: losses.BinaryCrossentropy(label_smoothing=1.5),
            ValueError,
            "label_smoothing: expected a number in [0, 1], got 1.5",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy(ignore_class=0.5),
            TypeError,
            "SparseCategoricalCrossentropy: ignore_class: expected an integer, got 0.5",
        ),
        (
            lambda: losses.BinaryFocalCrossentropy(gamma=-1),
            ValueError,
            "BinaryFocalCrossentropy: gamma: expected a number of at least 0, got -1",
        ),
        (
            lambda: losses.CategoricalFocalCrossentropy(gamma=np.inf),
            ValueError,
            "CategoricalFocalCrossentropy: gamma: expected a number of at least 0, got inf",
        ),
        (
            lambda: losses.CategoricalFocalCrossentropy([0.25, 0.5]),
            TypeError,
            "CategoricalFocalCrossentropy: alpha: expected a number, got [0.25, 0.5]",
        ),
        (
            lambda: losses.MeanSquaredError()([[1.0, 2.0]], [[1.0]]),
            ValueError,
            "MeanSquaredError: y_true: expected shape (1, 1), got (1, 2)",
        ),
        (
            lambda: losses.MeanSquaredError("max"),
            ValueError,
            "MeanSquaredError: reduction: expected one of 'sum_over_batch_size'",
        ),
        (
            lambda: compiled("mse", 2).fit(np.ones((4, 3)), np.ones((4, 3)), verbose=0),
            ValueError,
            "expected",
        ),
        (
            lambda: ops.pointwise_loss_forward("mse", [[1.0]], [[1.0]]),
            ValueError,
            "unknown loss 'mse'",
        ),
        (
            lambda: ops.pointwise_loss_backward("hinge", [[1.0]], [[1.0, 2.0]]),
            ValueError,
            "pointwise_loss_backward: targets: expected shape (1, 1), got (1, 2)",
        ),
    ],
)
def test_invalid_arguments_are_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
