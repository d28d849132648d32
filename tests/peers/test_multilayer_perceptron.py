"""`cnet.neural_network` compared with scikit-learn: its own tests, and losses and weights from the same start."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network as theirs
from sklearn.neural_network.tests import test_mlp
from support.tolerances import unit_roundoff

from cnet import neural_network as ours

pytestmark = [
    pytest.mark.filterwarnings("default"),  # scikit-learn's tests expect warnings
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
# The tests of scikit-learn that don't run, and why.
PRIVATE = {
    "test_gradient": "calls _loss_grad_lbfgs with the buffers of scikit-learn's private backward pass; "
    "tests/neural_network/test_lbfgs.py checks the same gradients",
}


def scikit_learn_tests() -> dict[str, Any]:
    """Return the names of scikit-learn's test module, with cnet's estimators in place of its own."""
    path = Path(inspect.getfile(test_mlp))
    source = path.read_text(encoding="utf-8")
    assert source.count(IMPORT) == 1
    code = source.replace(IMPORT, IMPORT.replace("sklearn", "cnet"))
    names: dict[str, Any] = {"__name__": test_mlp.__name__}
    exec(compile(code, path, "exec"), names)  # noqa: S102 # its tests, with one line changed
    return names


NAMES = scikit_learn_tests()
globals().update(
    {
        name: value
        for name, value in NAMES.items()
        if name.startswith("test_") and name not in PRIVATE
    }
)


@pytest.fixture(params=[0, 42])
def global_random_seed(request: pytest.FixtureRequest) -> Any:
    """Stand for the fixture of scikit-learn's conftest."""
    return request.param


def test_the_tests_are_of_cnet() -> None:
    assert NAMES["MLPClassifier"] is ours.MLPClassifier
    assert NAMES["MLPRegressor"] is ours.MLPRegressor
    assert NAMES.keys() >= PRIVATE.keys()


@pytest.mark.parametrize("name", theirs.__all__)
def test_signatures(name: str) -> None:
    if name == "BernoulliRBM":  # not a network that predicts
        assert not hasattr(ours, name)
        return
    for method in ("__init__", "fit", "partial_fit", "predict", "score"):
        expected = inspect.signature(getattr(getattr(theirs, name), method)).parameters
        found = inspect.signature(getattr(getattr(ours, name), method)).parameters
        assert list(found)[: len(expected)] == list(expected)
        for parameter in expected.values():
            assert found[parameter.name].default == parameter.default, parameter
            assert found[parameter.name].kind == parameter.kind, parameter


RNG = np.random.default_rng(0)
X = RNG.normal(size=(430, 12))
SCORES = X @ RNG.normal(size=(12, 3)) + 0.3 * RNG.normal(size=(430, 3))
WEIGHTS = RNG.uniform(0, 2, size=430)
WEIGHTS[::7] = 0

# By name: the estimator, y and the parameters. 430 samples make batches of 200, 200 and 30.
CASES: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "two classes": ("MLPClassifier", SCORES[:, 0] > 0, {}),
    "classes": ("MLPClassifier", SCORES.argmax(axis=1), {}),
    "words": ("MLPClassifier", np.array(["a", "bc", "d"])[SCORES.argmax(axis=1)], {}),
    "labels": ("MLPClassifier", (SCORES > 0).astype(int), {}),
    "one batch": ("MLPClassifier", SCORES.argmax(axis=1), {"batch_size": 430}),
    "identity": ("MLPClassifier", SCORES.argmax(axis=1), {"activation": "identity"}),
    "logistic": ("MLPClassifier", SCORES.argmax(axis=1), {"activation": "logistic"}),
    "tanh": ("MLPRegressor", SCORES[:, 0], {"activation": "tanh"}),
    "regression": ("MLPRegressor", SCORES[:, 0], {}),
    "outputs": ("MLPRegressor", SCORES, {"hidden_layer_sizes": (20, 10)}),
    "no hidden layer": ("MLPRegressor", SCORES, {"hidden_layer_sizes": ()}),
    "poisson": ("MLPRegressor", np.floor(np.exp(SCORES / 3)), {"loss": "poisson"}),
    "sgd": ("MLPRegressor", SCORES[:, 0], {"solver": "sgd"}),
    "no momentum": ("MLPClassifier", SCORES[:, 0] > 0, {"solver": "sgd", "momentum": 0}),
    "plain momentum": (
        "MLPClassifier",
        SCORES[:, 0] > 0,
        {"solver": "sgd", "nesterovs_momentum": False},
    ),
    "invscaling": (
        "MLPRegressor",
        SCORES[:, 0],
        {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.25},
    ),
    "adaptive": (
        "MLPRegressor",
        SCORES[:, 0],
        {
            "solver": "sgd",
            "learning_rate": "adaptive",
            "n_iter_no_change": 2,
            "tol": 0.5,
            "max_iter": 30,
        },
    ),
    "early stopping": ("MLPClassifier", SCORES[:, 0] > 0, {"early_stopping": True}),
    "early stopping of regression": ("MLPRegressor", SCORES, {"early_stopping": True}),
}


def close(found: Any, expected: Any, steps: int) -> None:
    """Compare sums over the samples of float64 numbers after a number of steps."""
    bound = 64 * steps * unit_roundoff(np.float64)
    np.testing.assert_allclose(found, expected, rtol=bound, atol=bound)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("case", CASES)
def test_training_without_shuffling(case: str, weighted: bool) -> None:
    name, y, parameters = CASES[case]
    # A penalty as large as the loss, so that its divisor matters.
    options = {"shuffle": False, "alpha": 1.0, "max_iter": 12, "random_state": 3} | parameters
    found, expected = (
        getattr(module, name)(**options).fit(X, y, sample_weight=WEIGHTS if weighted else None)
        for module in (ours, theirs)
    )
    assert found.n_iter_ == expected.n_iter_
    assert (found.t_, found.n_layers_, found.n_outputs_, found.out_activation_) == (
        *(expected.t_, expected.n_layers_, expected.n_outputs_),
        expected.out_activation_,
    )
    steps = 3 * found.n_iter_
    close(found.loss_curve_, expected.loss_curve_, steps)
    close(found.loss_, expected.loss_, steps)
    for ours_, theirs_ in zip(
        found.coefs_ + found.intercepts_, expected.coefs_ + expected.intercepts_, strict=True
    ):
        close(ours_, theirs_, steps)
    if found.early_stopping:
        assert found.best_loss_ is expected.best_loss_ is None
        close(found.validation_scores_, expected.validation_scores_, steps)
        close(found.best_validation_score_, expected.best_validation_score_, steps)
    else:
        close(found.best_loss_, expected.best_loss_, steps)
        assert found.validation_scores_ is found.best_validation_score_ is None
    if name == "MLPClassifier":
        np.testing.assert_array_equal(found.predict(X), expected.predict(X))
        close(found.predict_proba(X), expected.predict_proba(X), steps)
        assert found.classes_.tolist() == expected.classes_.tolist()
    else:
        close(found.predict(X), expected.predict(X), steps)


@pytest.mark.parametrize("case", ["classes", "labels", "regression", "poisson"])
def test_partial_fit_and_warm_start(case: str) -> None:
    name, y, parameters = CASES[case]
    options = {"shuffle": False, "random_state": 3, "max_iter": 2, "warm_start": True} | parameters
    found, expected = (getattr(module, name)(**options) for module in (ours, theirs))
    for estimator in (found, expected):
        estimator.fit(X, y).partial_fit(X[:50], y[:50]).partial_fit(X, y).fit(X, y)
    assert (found.n_iter_, found.t_) == (expected.n_iter_, expected.t_)
    close(found.loss_curve_, expected.loss_curve_, 20)
    for ours_, theirs_ in zip(found.coefs_, expected.coefs_, strict=True):
        close(ours_, theirs_, 20)


@pytest.mark.parametrize("case", ["two classes", "classes", "labels", "regression", "poisson"])
def test_lbfgs(case: str) -> None:
    """The first steps, before the line searches amplify rounding errors."""
    name, y, parameters = CASES[case]
    options = {"solver": "lbfgs", "random_state": 3, "max_iter": 3, "alpha": 1.0} | parameters
    y = y[:, 0] if case == "poisson" else y
    found, expected = (
        getattr(module, name)(**options).fit(X, y, sample_weight=WEIGHTS)
        for module in (ours, theirs)
    )
    assert found.n_iter_ == expected.n_iter_
    close(found.loss_, expected.loss_, 100)
    for ours_, theirs_ in zip(found.coefs_, expected.coefs_, strict=True):
        close(ours_, theirs_, 10_000)
