"""Training by adam and sgd: what scikit-learn's estimators lack, and what interrupts training."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import cnet
from cnet._objects import ACCESSORS
from cnet.neural_network import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(330, 4))
SCORES = X @ RNG.normal(size=(4, 3)) + 0.1 * RNG.normal(size=(330, 3))
LABELS = SCORES.argmax(axis=1)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def same(first: Any, second: Any) -> bool:
    return all(map(np.array_equal, first.coefs_, second.coefs_))


def test_a_seed_decides_everything() -> None:
    options: dict[str, Any] = {"max_iter": 3, "dropout": 0.2, "early_stopping": True}
    first, second, other = (
        MLPClassifier(random_state=seed, **options).fit(X, LABELS) for seed in (1, 1, 2)
    )
    assert same(first, second)
    assert first.validation_scores_ == second.validation_scores_
    assert not same(first, other)
    state = np.random.RandomState(1)
    twice = [MLPClassifier(random_state=state, **options).fit(X, LABELS) for _ in range(2)]
    assert same(first, twice[0])
    assert not same(first, twice[1])


def test_the_number_of_threads_changes_no_bit() -> None:
    before = cnet.get_num_threads()
    try:
        fitted = []
        for threads in (1, 2):
            cnet.set_num_threads(threads)
            fitted.append(MLPClassifier(max_iter=3, random_state=0).fit(X, LABELS))
    finally:
        cnet.set_num_threads(before)
    assert same(*fitted)


def test_batches_are_in_a_new_order_in_each_epoch() -> None:
    orders: list[list[float]] = []

    class Losses(cnet.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 # a hook
            orders.append([])

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            orders[-1].append(logs["loss"] * (batch + 1))  # the sum, as batches have one sample

    # A learning rate that changes nothing: the losses of the samples are the same in each epoch.
    MLPRegressor(
        max_iter=2,
        batch_size=1,
        alpha=0,
        solver="sgd",
        learning_rate_init=1e-300,
        random_state=0,
        callbacks=Losses(),
    ).fit(X[:40], SCORES[:40, 0])
    first, second = (np.diff(order, prepend=0) for order in orders)
    assert not np.allclose(first, second)
    np.testing.assert_allclose(np.sort(first), np.sort(second), atol=1e-12)


@pytest.mark.parametrize("activation", sorted(set(cnet.activations.__all__) - ACCESSORS))
def test_activations(activation: str) -> None:
    regressor = MLPRegressor(
        activation=activation, hidden_layer_sizes=6, max_iter=3, random_state=0
    ).fit(X, SCORES)
    hidden = getattr(cnet.activations, activation)(
        X @ regressor.coefs_[0] + regressor.intercepts_[0]
    )
    expected = np.asarray(hidden) @ regressor.coefs_[1] + regressor.intercepts_[1]
    np.testing.assert_allclose(regressor.predict(X), expected, rtol=1e-9, atol=1e-9)


def test_dropout_and_batch_normalization_are_layers() -> None:
    seen: list[list[str]] = []
    look = cnet.callbacks.LambdaCallback(
        on_train_begin=lambda _: seen.append([type(each).__name__ for each in look.model.layers])
    )
    options: dict[str, Any] = {
        "hidden_layer_sizes": (20, 10), "learning_rate_init": 0.01, "max_iter": 60, "random_state": 0
    }  # fmt: skip
    classifier = MLPClassifier(dropout=0.25, batch_norm=True, callbacks=look, **options)
    classifier.fit(X, LABELS)
    block = ["Dense", "BatchNormalization", "Activation", "Dropout"]
    assert seen == [[*block, *block, "Dense"]]
    assert [layer.rate for layer in look.model.layers if hasattr(layer, "rate")] == [0.25, 0.25]
    np.testing.assert_array_equal(classifier.predict_proba(X), classifier.predict_proba(X))
    assert classifier.score(X, LABELS) > 0.9
    assert classifier.loss_ > MLPClassifier(**options).fit(X, LABELS).loss_


NOISE = RNG.exponential(size=(2000, 1))
MINIMA = {
    "squared_error": (NOISE.mean(), {}),
    "absolute_error": (np.median(NOISE), {}),
    "quantile": (np.quantile(NOISE, 0.9), {"quantile": 0.9}),
    "poisson": (np.log(NOISE.mean()), {}),
    # Above delta the derivative is ± delta: nearly the median.
    "huber": (np.median(NOISE), {"delta": 1e-3}),
}


@pytest.mark.parametrize("loss", MINIMA)
def test_the_losses_have_their_minima(loss: str) -> None:
    minimum, options = MINIMA[loss]
    regressor = MLPRegressor(
        loss=loss, hidden_layer_sizes=(), learning_rate_init=0.02, max_iter=300, batch_size=500,
        alpha=0, tol=0, n_iter_no_change=np.inf, random_state=0, **options,
    ).fit(np.zeros((2000, 1)), NOISE[:, 0])  # fmt: skip
    assert regressor.intercepts_[0][0] == pytest.approx(minimum, abs=0.03)


def test_poisson_needs_counts() -> None:
    with pytest.raises(ValueError, match="at least 0 for loss='poisson', got -1"):
        MLPRegressor(loss="poisson").fit([[0.0], [1.0]], [1.0, -1.0])


def test_class_weights_are_sample_weights() -> None:
    sample_weight = RNG.uniform(0.5, 2, size=len(X))
    options: dict[str, Any] = {"max_iter": 3, "random_state": 0}
    weighted = MLPClassifier(class_weight={0: 2.0, 1: 0.5}, **options).fit(X, LABELS, sample_weight)
    factors = np.array([2.0, 0.5, 1.0])[LABELS]
    expected = MLPClassifier(**options).fit(X, LABELS, sample_weight * factors)
    assert same(weighted, expected)
    counts = np.bincount(LABELS)
    balanced = MLPClassifier(class_weight="balanced", **options).fit(X, LABELS)
    assert same(balanced, MLPClassifier(**options).fit(X, LABELS, (len(X) / 3 / counts)[LABELS]))


def test_balanced_weights_need_all_samples() -> None:
    classifier = MLPClassifier(class_weight="balanced")
    with pytest.raises(
        ValueError, match="class_weight='balanced' is not supported for partial_fit"
    ):
        classifier.partial_fit(X, LABELS, classes=[0, 1, 2])


@pytest.mark.parametrize("first", [True, False])
def test_samples_without_weight_change_nothing(first: bool) -> None:
    """Even where a batch has no other samples."""
    used = slice(200, 330) if first else slice(0, 200)
    weights = np.zeros(330)
    weights[used] = 1
    options: dict[str, Any] = {"shuffle": False, "random_state": 0, "solver": "sgd", "momentum": 0}
    options |= {"max_iter": 3, "batch_size": 100, "alpha": 1.0}
    with_zeros = MLPClassifier(**options).fit(X, LABELS, weights)
    without = MLPClassifier(**options).fit(X[used], LABELS[used])
    for found, expected in zip(with_zeros.coefs_, without.coefs_, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    # Batches without weight have no loss.
    sums = np.multiply(with_zeros.loss_curve_, 330)
    np.testing.assert_allclose(sums, np.multiply(without.loss_curve_, len(X[used])))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_penalty_of_shuffled_batches(weighted: bool) -> None:
    weights = RNG.uniform(0.01, 2, size=330) if weighted else np.ones(330)
    # A learning rate that changes nothing.
    regressor = MLPRegressor(
        hidden_layer_sizes=(), solver="sgd", learning_rate_init=1e-300, alpha=50.0, batch_size=7,
        max_iter=3, random_state=0,
    ).fit(X, SCORES[:, 0], weights if weighted else None)  # fmt: skip
    errors = (regressor.predict(X) - SCORES[:, 0]) ** 2 / 2
    penalty = 25.0 * np.sum(regressor.coefs_[0] ** 2)
    shuffles = regressor._network.setup.shuffles
    for epoch, loss in enumerate(regressor.loss_curve_):
        order = shuffles.order(epoch, 330)
        expected = 0.0
        for rows in (order[first : first + 7] for first in range(0, 330, 7)):
            divisor = weights[rows].sum()
            expected += len(rows) * ((weights[rows] * errors[rows]).sum() + penalty) / divisor
        assert loss == pytest.approx(expected / 330, rel=1e-12)


def test_validation_data_is_scored() -> None:
    classifier = MLPClassifier(max_iter=5, random_state=0, early_stopping=True)
    classifier.fit(X[:200], LABELS[:200], validation_data=(X[200:], LABELS[200:]))
    scores = classifier.validation_scores_
    assert len(scores) == classifier.n_iter_
    assert (
        classifier.score(X[200:], LABELS[200:]) == max(scores) == classifier.best_validation_score_
    )
    # No samples are held out.
    assert classifier.t_ == 200 * classifier.n_iter_


def test_early_stopping_keeps_the_best_weights() -> None:
    regressor = MLPRegressor(
        solver="sgd",
        learning_rate_init=0.1,
        batch_size=10,
        max_iter=12,
        early_stopping=True,
        random_state=0,
    ).fit(X[:200], SCORES[:200], validation_data=(X[200:], SCORES[200:]))
    assert regressor.validation_scores_[-1] < regressor.best_validation_score_
    score = regressor.score(X[200:], SCORES[200:])
    assert score == pytest.approx(regressor.best_validation_score_, rel=1e-12)


def test_validation_data_without_early_stopping() -> None:
    regressor = MLPRegressor(max_iter=4, random_state=0)
    weights = RNG.uniform(size=130)
    regressor.fit(X[:200], SCORES[:200], validation_data=(X[200:], SCORES[200:], weights))
    assert len(regressor.validation_scores_) == len(regressor.loss_curve_) == 4
    score = regressor.score(X[200:], SCORES[200:], weights)
    assert regressor.validation_scores_[-1] == pytest.approx(score)
    assert regressor.best_validation_score_ == max(regressor.validation_scores_)
    assert regressor.best_loss_ == min(regressor.loss_curve_)
    twin = MLPRegressor(max_iter=4, random_state=0).fit(X[:200], SCORES[:200])
    assert same(regressor, twin)


def test_validation_data_needs_epochs() -> None:
    with pytest.raises(ValueError, match="validation_data needs a stochastic solver"):
        MLPRegressor(solver="lbfgs").fit(X, SCORES, validation_data=(X, SCORES))


def test_warm_starts_with_other_options() -> None:
    """Early stopping begins and ends, and a stochastic solver follows lbfgs."""
    regressor = MLPRegressor(solver="lbfgs", max_iter=2, warm_start=True, random_state=0)
    regressor.fit(X, SCORES).set_params(solver="adam").fit(X, SCORES)
    assert len(regressor.loss_curve_) == 2
    assert regressor.best_loss_ == min(regressor.loss_curve_)
    regressor.set_params(early_stopping=True).fit(X, SCORES)
    assert len(regressor.validation_scores_) == 2
    assert regressor.best_validation_score_ == max(regressor.validation_scores_)
    regressor.set_params(early_stopping=False).fit(X, SCORES)
    assert len(regressor.validation_scores_) == 2
    assert len(regressor.loss_curve_) == 6


@pytest.mark.parametrize("data", [X, (X,), (X, LABELS, None, None)])
def test_malformed_validation_data(data: Any) -> None:
    with pytest.raises(ValueError, match=r"validation_data: expected \(X, y\) or"):
        MLPClassifier(max_iter=1).fit(X, LABELS, validation_data=data)
    with pytest.raises(ValueError, match="X has 2 features"):
        MLPClassifier(max_iter=1).fit(X, LABELS, validation_data=(X[:, :2], LABELS))


def test_callbacks_see_the_figures_and_stop() -> None:
    class Stop(cnet.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append(logs)
            self.model.stop_training = epoch == 2

    seen: list[dict[str, float]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        regressor = MLPRegressor(
            max_iter=3, random_state=0, callbacks=[Stop()], early_stopping=True
        ).fit(X, SCORES)
    assert [logs["loss"] for logs in seen] == regressor.loss_curve_
    assert [logs["val_score"] for logs in seen] == regressor.validation_scores_
    assert regressor.n_iter_ == 3


def test_a_callback_of_cnet_stops_by_the_score() -> None:
    stop = cnet.callbacks.EarlyStopping(monitor="val_score", mode="max", patience=2)
    classifier = MLPClassifier(max_iter=300, random_state=0, callbacks=stop)
    classifier.fit(X[:200], LABELS[:200], validation_data=(X[200:], LABELS[200:]))
    best = int(np.argmax(classifier.validation_scores_))
    assert classifier.n_iter_ == best + 3 < 300


@pytest.mark.parametrize("callbacks", ["loss", 3, [lambda: None]])
def test_what_is_no_callback(callbacks: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="callbacks"):
        MLPClassifier(callbacks=callbacks).fit(X, LABELS)


def test_an_interrupt_keeps_what_was_learned() -> None:
    def interrupt(epoch: int, _: Any) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    callback = cnet.callbacks.LambdaCallback(on_epoch_end=interrupt)
    classifier = MLPClassifier(random_state=0, callbacks=callback)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        classifier.fit(X, LABELS)
    assert classifier.n_iter_ == len(classifier.loss_curve_) == 3
    assert same(classifier, MLPClassifier(max_iter=3, random_state=0).fit(X, LABELS))


def test_divergence_is_an_error() -> None:
    regressor = MLPRegressor(activation="identity", solver="sgd", learning_rate_init=10)
    with pytest.raises(
        ValueError, match=r"non-finite parameter weights.*the loss is not finite at batch"
    ):
        regressor.fit(X, SCORES)


def test_divergence_with_early_stopping_keeps_the_best_weights() -> None:
    regressor = MLPRegressor(
        activation="identity",
        solver="sgd",
        learning_rate_init=10,
        early_stopping=True,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match="the weights are those of the best epoch"):
        regressor.fit(X, SCORES)
    assert np.isnan(regressor.loss_curve_[-1])
    assert np.isnan(regressor.validation_scores_[-1])
    assert len(regressor.loss_curve_) == len(regressor.validation_scores_) == regressor.n_iter_
    assert np.isfinite(regressor.predict(X)).all()


def test_divergence_in_the_first_epoch_keeps_the_initial_weights() -> None:
    options: dict[str, Any] = {"solver": "sgd", "early_stopping": True, "random_state": 0}
    diverged = MLPRegressor(learning_rate_init=1e300, batch_size=50, **options).fit(X, SCORES)
    assert diverged.n_iter_ == 1
    initial = MLPRegressor(learning_rate_init=1e-300, max_iter=1, **options).fit(X, SCORES)
    assert same(diverged, initial)


def test_classes_are_split_in_proportion() -> None:
    """As scikit-learn documents it; its estimators do so for two classes only."""
    labels = np.repeat([0, 1, 2], [280, 30, 20])
    held_out = []

    class Look(MLPClassifier):
        def _scorer(self, x: Any, y: Any, *others: Any) -> Any:
            held_out.append(y.sum(axis=0).tolist())
            return super()._scorer(x, y, *others)

    for seed in range(3):
        Look(max_iter=1, early_stopping=True, random_state=seed).fit(X, labels)
    assert held_out == [[28, 3, 2]] * 3
    labels[0] = 3  # a class of one sample can't be split
    MLPClassifier(max_iter=1, early_stopping=True).fit(X, labels)
    # Nor can two held-out samples be of three classes.
    MLPClassifier(max_iter=1, early_stopping=True).fit(X[:20], np.arange(20) % 3)


def test_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    classifier = MLPClassifier(max_iter=2, verbose=True, early_stopping=True, random_state=0)
    classifier.fit(X, LABELS)
    (first, second), (score, best) = classifier.loss_curve_, classifier.validation_scores_
    assert capsys.readouterr().out.splitlines() == [
        f"Iteration 1, loss = {first:.8f}",
        f"Validation score: {score:f}",
        f"Iteration 2, loss = {second:.8f}",
        f"Validation score: {best:f}",
    ]


def test_threads_predict_with_one_estimator() -> None:
    classifier = MLPClassifier(max_iter=5, random_state=0).fit(X, LABELS)
    expected, results = classifier.predict_proba(X), []
    threads = [
        threading.Thread(
            target=lambda: results.extend(classifier.predict_proba(X) for _ in range(20))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 80
    assert all(np.array_equal(result, expected) for result in results)
