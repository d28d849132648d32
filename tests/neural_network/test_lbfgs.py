"""L-BFGS, and the gradients of the losses."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from cnet.neural_network import MLPClassifier, MLPRegressor
from cnet.neural_network._lbfgs import loss_and_gradients

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
SCORES = X @ RNG.normal(size=(3, 3))
WEIGHTS = RNG.uniform(0.5, 2, size=40)

CASES: dict[str, tuple[Any, Any]] = {
    "two classes": (MLPClassifier(), SCORES[:, 0] > 0),
    "classes": (MLPClassifier(), SCORES.argmax(axis=1)),
    "labels": (MLPClassifier(), SCORES > 0),
    "squared_error": (MLPRegressor(), SCORES),
    "poisson": (MLPRegressor(loss="poisson"), np.floor(np.exp(SCORES))),
    "absolute_error": (MLPRegressor(loss="absolute_error"), SCORES),
    "huber": (MLPRegressor(loss="huber", delta=0.5), SCORES),
    "quantile": (MLPRegressor(loss="quantile", quantile=0.8), SCORES),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_the_loss(case: str, weights: Any) -> None:
    estimator, y = CASES[case]
    estimator.set_params(
        activation="tanh", hidden_layer_sizes=4, random_state=0, solver="lbfgs", max_iter=1
    )
    estimator.fit(X, y)
    _, targets = estimator._validate_input(X, y, incremental=False, reset=False)
    targets = estimator._engine_targets(targets.reshape(len(X), -1))
    network = estimator._network

    def evaluate() -> tuple[float, list[Any]]:
        loss, _, gradients = loss_and_gradients(
            network, estimator._objective(), 2.0, X, targets, weights
        )
        return loss, gradients

    arrays, gradients, step = network.model.get_weights(), evaluate()[1], 1e-5
    for array, gradient in zip(arrays, gradients, strict=True):
        for index in np.ndindex(array.shape):
            value, losses = array[index], []
            for side in (step, -step):
                array[index] = value + side
                network.model.set_weights(arrays)
                losses.append(evaluate()[0])
            array[index] = value
            central = (losses[0] - losses[1]) / (2 * step)
            assert gradient[index] == pytest.approx(central, rel=1e-6, abs=1e-8)


def test_it_fits_in_float64() -> None:
    regressor = MLPRegressor(solver="lbfgs", random_state=0).fit(X.astype(np.float32), SCORES)
    assert regressor.coefs_[0].dtype == np.float64
    assert regressor.score(X, SCORES) > 0.999


def test_several_outputs_are_minimized_together() -> None:
    """scikit-learn's loss is the mean of the outputs here, and its gradient the one of the sum."""
    regressor = MLPRegressor(
        hidden_layer_sizes=(), solver="lbfgs", alpha=0, tol=1e-10, random_state=0
    ).fit(X, SCORES + 1)
    np.testing.assert_allclose(regressor.intercepts_[0], 1, atol=1e-6)
    assert regressor.loss_ < 1e-12


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_weights_are_those_of_the_loss() -> None:
    """Even if `max_fun` ends a line search."""
    for max_fun in range(1, 15):
        regressor = MLPRegressor(solver="lbfgs", max_fun=max_fun, random_state=0, alpha=0)
        regressor.fit(X, 100 * SCORES[:, 0])
        errors = regressor.predict(X) - 100 * SCORES[:, 0]
        assert regressor.loss_ == pytest.approx(np.mean(errors**2) / 2, rel=1e-9)


@pytest.mark.parametrize("option", [{"dropout": 0.5}, {"batch_norm": True}])
def test_layers_without_a_loss_of_the_whole_set(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="dropout and batch_norm need a stochastic solver"):
        MLPRegressor(solver="lbfgs", **option).fit(X, SCORES)


def test_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    regressor = MLPRegressor(
        hidden_layer_sizes=(), solver="lbfgs", alpha=0, verbose=True, random_state=0
    ).fit(X, SCORES)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == regressor.n_iter_
    losses = [float(line.rpartition("= ")[2]) for line in lines]
    assert all(later <= earlier for earlier, later in pairwise(losses))
