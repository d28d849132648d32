"""Custom losses: functions, classes with a `call`, reductions and weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import autodiff, layers, losses
from cnet.autodiff import GradientTape

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 5)).astype(np.float32)
Y = RNG.normal(size=(50, 3)).astype(np.float32)
WEIGHTS = RNG.uniform(0, 2, 50).astype(np.float32)


def squared(y_true: Any, y_pred: Any) -> Any:
    """Return the mean squared error, as the engine does."""
    return autodiff.reduce_mean(autodiff.square(y_true - y_pred), axis=-1)


def squares(y_true: Any, y_pred: Any) -> Any:
    return autodiff.square(y_true - y_pred)


def one_number(y_true: Any, y_pred: Any) -> Any:
    return autodiff.reduce_mean(squares(y_true, y_pred))


class Squared(losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return squared(y_true, y_pred)


def fitted(loss: Any, **options: Any) -> tuple[cnet.Sequential, dict[str, list[float]]]:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential([cnet.Input((5,)), layers.Dense(8, "tanh"), layers.Dense(3)])
    model.compile(cnet.optimizers.Adam(0.01), loss, metrics=["mae"])
    history = model.fit(X, Y, 16, 3, verbose=0, validation_data=(X, Y), **options)
    return model, history.history


@pytest.mark.parametrize("loss", [squared, squares, one_number, Squared, Squared()])
def test_training_matches_the_engine(loss: Any) -> None:
    (model, history), (expected, expected_history) = fitted(loss), fitted("mse")
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    assert history.keys() == expected_history.keys()
    for key, values in history.items():
        np.testing.assert_allclose(values, expected_history[key], rtol=1e-5)


def test_the_gradient_has_the_bits_of_the_engine() -> None:
    """With 16 samples and 4 outputs: divisions by powers of two are exact."""
    y, found = np.concatenate([Y, Y[:, :1]], axis=1), []
    for loss in (squared, "mse"):
        cnet.utils.set_random_seed(0)
        model = cnet.Sequential([cnet.Input((5,)), layers.Dense(8, "tanh"), layers.Dense(4)])
        model.compile(cnet.optimizers.Adam(0.01), loss)
        model.fit(X[:48], y[:48], 16, 3, verbose=0)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        assert (one == other).all()


@pytest.mark.parametrize("reduction", ["mean", "sum", "mean_with_sample_weight", "none"])
def test_reductions_and_weights_match_other_losses(reduction: Any) -> None:
    for sample_weight in (None, WEIGHTS, WEIGHTS[:, None], 0.5):
        for function in (squared,) if reduction == "sum" else (squared, squares):
            loss = losses.LossFunctionWrapper(function, reduction=reduction)
            expected = losses.MeanSquaredError(reduction=reduction)(Y, X[:, :3], sample_weight)
            found = np.asarray(loss(Y, X[:, :3], sample_weight))
            if found.ndim == 2:
                found = found.mean(axis=1)
            np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum", "mean_with_sample_weight"])
def test_weights_in_training(reduction: Any) -> None:
    loss = losses.LossFunctionWrapper(squared, reduction=reduction)
    model, history = fitted(loss, sample_weight=WEIGHTS)
    expected, expected_history = fitted(
        losses.MeanSquaredError(reduction=reduction), sample_weight=WEIGHTS
    )
    np.testing.assert_allclose(history["loss"], expected_history["loss"], rtol=1e-5)
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_samples_of_weight_zero_may_be_nan() -> None:
    predictions = autodiff.Variable([[1.0], [np.nan]])
    with GradientTape() as tape:
        loss = losses.LossFunctionWrapper(squared)([[0.0], [0.0]], predictions, [1.0, 0.0])
    assert float(loss) == 0.5
    assert tape.gradient(loss, predictions).numpy().tolist() == [[1.0], [0.0]]


@pytest.mark.parametrize("loss", [squared, squares, "mse"])
def test_training_skips_samples_of_weight_zero(loss: Any) -> None:
    x, y, weights = X.copy(), Y.copy(), np.ones(50)
    x[3], y[5, 1], weights[3:6] = np.inf, np.nan, 0
    found = []
    for samples, labels in ((x, y), (np.where(np.isfinite(x), x, 0), np.nan_to_num(y))):
        cnet.utils.set_random_seed(0)
        model = cnet.Sequential([cnet.Input((5,)), layers.Dense(3)])
        model.compile("sgd", loss)
        model.fit(samples, labels, 16, 2, sample_weight=weights, verbose=0)
        found.append(model.get_weights())
    assert np.isfinite(found[0][0]).all()
    for one, other in zip(*found, strict=True):
        assert (one == other).all()


def test_tensors_as_labels() -> None:
    """A function is differentiated by its labels; engine losses and sample weights refuse tensors."""
    labels, predictions = autodiff.Variable(Y), autodiff.Variable(X[:, :3])
    with GradientTape() as tape:
        loss = losses.LossFunctionWrapper(squared)(labels, predictions)
    one, other = tape.gradient(loss, [labels, predictions])
    assert (one.numpy() == -other.numpy()).all()
    weights = np.where(np.arange(50) % 2, WEIGHTS, 0)
    with GradientTape() as tape:
        loss = losses.LossFunctionWrapper(squared)(labels, predictions, weights)
    one, other = tape.gradient(loss, [labels, predictions])
    assert (one.numpy() == -other.numpy()).all()
    assert (one.numpy()[::2] == 0).all()
    with GradientTape():
        for given in (losses.MeanSquaredError(), losses.mean_squared_error):
            with pytest.raises(NotImplementedError, match="y_true: has no gradient"):
                given(labels, predictions)
        with pytest.raises(NotImplementedError, match="sample_weight: has no gradient"):
            losses.MeanSquaredError()(Y, predictions, autodiff.Variable(WEIGHTS))
    assert isinstance(losses.MeanSquaredError()(labels, predictions), autodiff.Tensor)


def test_a_subclass_that_extends_an_engine_loss() -> None:
    class Twice(losses.MeanSquaredError):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return 2 * super().call(y_true, y_pred)

    model, _ = fitted(Twice())
    expected, _ = fitted(lambda y, p: 2 * squared(y, p))
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_sparse_metrics_with_a_loss_function() -> None:
    model = cnet.Sequential([cnet.Input((5,)), layers.Dense(3, "softmax")])
    model.compile(
        "sgd",
        lambda y, p: losses.sparse_categorical_crossentropy(y.astype(int), p),
        metrics=["sparse_categorical_accuracy", "accuracy"],
    )
    ids = np.arange(50) % 3
    model.fit(X, ids, verbose=0)
    figures = model.evaluate(X, ids, verbose=0, return_dict=True)
    assert figures["sparse_categorical_accuracy"] == figures["accuracy"]
    assert figures["accuracy"] == np.mean(model.predict(X, verbose=0).argmax(axis=1) == ids)


def test_class_weights_of_ids() -> None:
    def likelihood(y_true: Any, y_pred: Any) -> Any:
        return -autodiff.log(autodiff.reduce_sum(y_pred * np.eye(3)[y_true.astype(int)], axis=-1))

    ids = np.arange(50) % 3
    found = []
    for loss in (likelihood, "sparse_categorical_crossentropy"):
        cnet.utils.set_random_seed(0)
        model = cnet.Sequential([cnet.Input((5,)), layers.Dense(3, "softmax")])
        model.compile("sgd", loss)
        model.fit(X, ids, class_weight={0: 3.0, 2: 0.0}, verbose=0)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("labels", "outputs"), [((50,), 1), ((50, 1), 1), ((50, 1), 3)])
def test_shapes_of_labels(labels: tuple[int, ...], outputs: int) -> None:
    seen = []

    def loss(y_true: Any, y_pred: Any) -> Any:
        seen.append((y_true.shape, y_true.dtype, y_pred.shape))
        return squares(y_true, y_pred)

    model = cnet.Sequential([cnet.Input((5,)), layers.Dense(outputs)])
    model.compile("sgd", loss)
    model.fit(X, np.arange(50).reshape(labels), batch_size=50, verbose=0)
    assert seen == [((50, 1), np.float32, (50, outputs))]


def test_saving_and_loading_with_custom_objects(tmp_path: Path) -> None:
    loss = losses.LossFunctionWrapper(weighted, reduction="sum", factor=2.0)
    model, _ = fitted(loss)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="weighted"):
        cnet.models.load_model(tmp_path / "model.safetensors")
    loaded = cnet.models.load_model(
        tmp_path / "model.safetensors", custom_objects={"weighted": weighted}
    )
    assert loaded.loss.reduction == "sum"
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    for each in (model, loaded):
        each.fit(X, Y, 16, verbose=0)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert (one == other).all()


def weighted(y_true: Any, y_pred: Any, factor: float) -> Any:
    return factor * squared(y_true, y_pred)


def test_invalid_functions_are_refused() -> None:
    with pytest.raises(TypeError, match="fn: expected a function"):
        losses.LossFunctionWrapper(3)
    model = cnet.Sequential([cnet.Input((5,)), layers.Dense(3)])
    before = model.get_weights()
    cases: list[tuple[Any, type[Exception], str]] = [
        (lambda y, p: np.square(y - np.asarray(p)), TypeError, "not NumPy's functions"),
        (lambda _, __: None, TypeError, "expected a tensor"),
        (lambda _, p: p[:3], ValueError, "a number for each of 32 samples"),
        (
            lambda _, p: autodiff.reduce_mean(p) / 0.0,
            FloatingPointError,
            "fit: epoch 1: the loss is not finite at batch 1",
        ),
        (lambda _, __: 1 / 0, ZeroDivisionError, "division"),
        (
            lambda _, p: autodiff.sqrt((p - p) ** 2),
            FloatingPointError,
            r"the gradient is not finite at batch 1: that of '<lambda>' by .*/kernel",
        ),
        (
            lambda y, p: autodiff.square(autodiff.stop_gradient(p) - y),
            ValueError,
            "does not depend",
        ),
    ]
    for function, error, message in cases:
        model.compile("sgd", function)
        with np.errstate(all="ignore"), pytest.raises(error, match=message):
            model.fit(X, Y, verbose=0)
    for one, other in zip(model.get_weights(), before, strict=True):
        assert (one == other).all()
    model.compile("sgd", one_number)
    with pytest.raises(ValueError, match="need a loss for each sample"):
        model.fit(X, Y, sample_weight=WEIGHTS, verbose=0)
    with pytest.raises(TypeError, match="Loss doesn't define"):
        model.compile("sgd", losses.Loss())
    model.compile("sgd", losses.LossFunctionWrapper(squares, reduction="none"))
    with pytest.raises(ValueError, match=r"reduction: .* need a single number"):
        model.fit(X, Y, verbose=0)


def test_gradients_are_taken_at_the_logits_of_a_softmax() -> None:
    """Wrong predictions of probability 1 have a gradient only through the logits."""
    model = cnet.Sequential([cnet.Input((1,)), layers.Dense(2, "softmax", use_bias=False)])
    model.set_weights([np.array([[200.0, -200.0]])])
    with GradientTape() as tape:
        loss = losses.SparseCategoricalCrossentropy()([1], model(np.ones((1, 1), np.float32)))
    assert float(loss) == 400
    assert tape.gradient(loss, model.trainable_weights)[0].numpy().tolist() == [[1.0, -1.0]]
