"""`coefs_` and `intercepts_`, copies and pickles."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from cnet.neural_network import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = X @ [1.0, -2.0, 3.0]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fitted(**parameters: Any) -> MLPRegressor:
    defaults = {"max_iter": 3, "hidden_layer_sizes": 5, "random_state": 0}
    return MLPRegressor(**defaults | parameters).fit(X, Y)


def by_hand(regressor: Any, x: Any) -> Any:
    hidden = np.maximum(x @ regressor.coefs_[0] + regressor.intercepts_[0], 0)
    return (hidden @ regressor.coefs_[1] + regressor.intercepts_[1])[:, 0]


def test_they_are_the_weights() -> None:
    regressor = fitted()
    assert [array.shape for array in regressor.coefs_] == [(3, 5), (5, 1)]
    assert [array.shape for array in regressor.intercepts_] == [(5,), (1,)]
    np.testing.assert_allclose(regressor.predict(X), by_hand(regressor, X))


def test_changes_take_effect() -> None:
    regressor = fitted()
    regressor.predict(X)
    regressor.coefs_[0][:, 2] = 0.25  # in an array
    regressor.intercepts_[1] = np.array([7.0])  # in a list
    np.testing.assert_allclose(regressor.predict(X), by_hand(regressor, X))
    regressor.coefs_ = [np.zeros((3, 5)), np.ones((5, 1))]  # both
    twins = copy.deepcopy(regressor), pickle.loads(pickle.dumps(regressor))
    np.testing.assert_allclose(regressor.predict(X), by_hand(regressor, X))
    for twin in (*twins, copy.deepcopy(regressor), pickle.loads(pickle.dumps(regressor))):
        np.testing.assert_array_equal(twin.predict(X), regressor.predict(X))
    before = regressor.predict(X)
    regressor.partial_fit(X, Y)
    assert (regressor.predict(X) != before).all()
    np.testing.assert_allclose(regressor.predict(X), by_hand(regressor, X))


def test_training_changes_the_arrays_of_before() -> None:
    regressor = fitted(warm_start=True)
    kernel, bias = regressor.coefs_[0], regressor.intercepts_[1]
    kernel_before, bias_before = kernel.copy(), bias.copy()
    regressor.fit(X, Y)
    assert (kernel != kernel_before).any()
    assert (bias != bias_before).all()
    assert regressor.coefs_[0] is kernel
    np.testing.assert_allclose(regressor.predict(X), by_hand(regressor, X))


def test_a_new_fit_has_new_arrays() -> None:
    regressor = fitted()
    kernel = regressor.coefs_[0]
    before = kernel.copy()
    regressor.set_params(random_state=1).fit(X, Y)
    np.testing.assert_array_equal(kernel, before)
    assert regressor.coefs_[0] is not kernel


def test_arrays_of_wrong_shapes_are_an_error() -> None:
    regressor = fitted()
    regressor.coefs_[0] = np.zeros((3, 4))
    with pytest.raises(ValueError, match=r"expected float64 \(3, 5\), got float64 \(3, 4\)"):
        regressor.predict(X)


def test_an_estimator_that_is_not_fitted_has_none() -> None:
    assert not hasattr(MLPRegressor(), "coefs_")
    assert not hasattr(MLPRegressor(), "intercepts_")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pickles_continue(dtype: Any) -> None:
    """With the same bits, the state of the optimizer included."""
    first = MLPRegressor(max_iter=3, random_state=0).fit(X.astype(dtype), Y)
    second = pickle.loads(pickle.dumps(first))
    for regressor in (first, second):
        regressor.partial_fit(X.astype(dtype), Y)
        assert regressor.coefs_[0].dtype == dtype
    np.testing.assert_array_equal(first.coefs_[0], second.coefs_[0])
    np.testing.assert_array_equal(first.predict(X), second.predict(X))


def test_the_first_samples_decide_the_dtype() -> None:
    regressor = MLPRegressor(max_iter=1, random_state=0).fit(X.astype(np.float32), Y)
    regressor.partial_fit(X, Y)
    assert {array.dtype for array in regressor.coefs_ + regressor.intercepts_} == {
        np.dtype("float32")
    }
    assert regressor.predict(X).dtype == np.float32


def test_clones_are_not_fitted() -> None:
    regressor = fitted(alpha=0.5)
    twin = clone(regressor)
    assert not hasattr(twin, "coefs_")
    assert twin.get_params() == regressor.get_params()


def test_changed_parameters_keep_the_coefficients() -> None:
    regressor = fitted(warm_start=True, hidden_layer_sizes=4)
    coefs = [array.copy() for array in regressor.coefs_]
    regressor.set_params(activation="tanh", learning_rate_init=1e-9, max_iter=1).fit(X, Y)
    for array, before in zip(regressor.coefs_, coefs, strict=True):
        np.testing.assert_allclose(array, before, atol=1e-7)
    hidden = np.tanh(X @ regressor.coefs_[0] + regressor.intercepts_[0])
    expected = hidden @ regressor.coefs_[1] + regressor.intercepts_[1]
    np.testing.assert_allclose(regressor.predict(X), expected[:, 0])
    with pytest.raises(ValueError, match=r"expected float64 \(3, 6\), got float64 \(3, 4\)"):
        regressor.set_params(hidden_layer_sizes=6).fit(X, Y)


def test_labels_of_pickles() -> None:
    labels = np.array(["yes", "no"])[(Y > 0).astype(int)]
    classifier = MLPClassifier(max_iter=3, random_state=0).fit(X, labels)
    twin = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(twin.predict(X), classifier.predict(X))
