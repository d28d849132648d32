"""Keras's wrappers around cnet's models, and cnet's beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

import cnet
from cnet import wrappers as ours

keras = pytest.importorskip("keras", reason="Keras is not installed")

# warnings of Keras and its backends about NumPy
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


def make(X: Any, y: Any, loss: str, activation: str | None = None) -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential(
        [
            cnet.Input(X.shape[1:]),
            cnet.layers.Dense(8, activation="relu"),
            cnet.layers.Dense(y.shape[1], activation=activation),
        ]
    )
    model.compile("adam", loss)
    return model


CLASSIFIER = {"loss": "categorical_crossentropy", "activation": "softmax"}
CASES = {
    "SKLearnClassifier": (CLASSIFIER, NAMES),
    "SKLearnRegressor": ({"loss": "mse"}, X[:, 0]),
    "SKLearnTransformer": ({"loss": "mse"}, X[:, 0]),
}


@pytest.mark.parametrize("name", ours.__all__)
def test_both_wrappers_train_the_same_model(name: str) -> None:
    kwargs, y = CASES[name]
    # Two ways to pass the arguments of fit.
    found = getattr(ours, name)(make, model_kwargs=kwargs, fit_kwargs={"epochs": 3, "verbose": 0})
    expected = getattr(keras.wrappers, name)(make, model_kwargs=kwargs)
    found.fit(X, y)
    expected.fit(X, y, epochs=3, verbose=0)
    for array, other in zip(found.model_.get_weights(), expected.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(array, other)
    assert found.history_.history == expected.history_.history
    method = "transform" if name == "SKLearnTransformer" else "predict"
    results = [np.squeeze(getattr(each, method)(X)) for each in (found, expected)]
    np.testing.assert_array_equal(*results)
    if name == "SKLearnClassifier":
        np.testing.assert_array_equal(found.classes_, expected.classes_)
        np.testing.assert_array_equal(found.decision_function(X), expected.decision_function(X))


def test_scikeras_takes_functions_that_return_models() -> None:
    scikeras = pytest.importorskip("scikeras.wrappers")

    def of_meta(meta: dict[str, Any]) -> cnet.Sequential:
        samples = np.empty((0, meta["n_features_in_"]))
        return make(
            samples, np.empty((0, meta["n_classes_"])), "sparse_categorical_crossentropy", "softmax"
        )

    found = scikeras.KerasClassifier(of_meta, epochs=40, verbose=0).fit(X, Y)
    expected = make(X, np.empty((0, 3)), "sparse_categorical_crossentropy", "softmax")
    expected.fit(X, Y, epochs=40, verbose=0, shuffle=True)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict(X, verbose=0))
