"""Models as scikit-learn's estimators."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.estimator_checks import checks_of
from support.subprocesses import run_program

import cnet
from cnet.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
FIT = {"epochs": 30, "verbose": 0}


def make(
    X: Any, y: Any, units: int = 16, activation: str | None = None, loss: str = "mse"
) -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential(
        [
            cnet.Input(X.shape[1:]),
            cnet.layers.Dense(units, activation="relu"),
            cnet.layers.Dense(y.shape[1], activation=activation),
        ]
    )
    model.compile(cnet.optimizers.Adam(0.01), loss)
    return model


def classifier(**options: Any) -> SKLearnClassifier:
    kwargs = {"activation": "softmax", "loss": "categorical_crossentropy"}
    return SKLearnClassifier(make, model_kwargs=kwargs, fit_kwargs=FIT, **options)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(
    ("estimator", "check"),
    checks_of(
        classifier(),
        SKLearnRegressor(make, fit_kwargs=FIT),
        SKLearnTransformer(make, fit_kwargs=FIT),
    ),
)
def test_checks_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(clone(estimator))


def test_the_import_says_what_is_missing() -> None:
    program = (
        "import json, sys\nsys.modules['sklearn'] = None\nimport cnet\n"
        "try:\n    cnet.wrappers\nexcept ImportError as error:\n    print(json.dumps([str(error), error.name]))"
    )
    message, name = run_program(program, timeout=60)
    assert message.startswith("cnet.wrappers: ")
    assert message.endswith('pip install "cnet[sklearn]"')
    assert name == "sklearn"


def test_labels_of_any_kind_become_one_hot() -> None:
    seen: list[Any] = []

    def look(X: Any, y: Any) -> cnet.Sequential:
        seen.append(y)
        return make(X, y, 16, "softmax", "categorical_crossentropy")

    found = SKLearnClassifier(look).fit(X, NAMES, **FIT)
    np.testing.assert_array_equal(seen[0], np.eye(3)[Y])
    assert found.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert found.score(X, NAMES) > 0.9
    outputs = found.model_.predict(X, verbose=0)
    np.testing.assert_array_equal(found.predict_proba(X), outputs)
    np.testing.assert_array_equal(found.decision_function(X), outputs)
    np.testing.assert_array_equal(found.predict(X), found.classes_[outputs.argmax(axis=1)])


def test_two_classes_have_one_decision() -> None:
    found = classifier().fit(X, Y == 1)
    outputs = found.predict_proba(X)
    decisions = found.decision_function(X)
    np.testing.assert_array_equal(decisions, outputs[:, 1] - outputs[:, 0])
    np.testing.assert_array_equal(found.predict(X), decisions > 0)
    assert cross_val_score(classifier(), X, Y == 1, scoring="roc_auc", cv=3).min() > 0.5


def test_labels_that_are_no_classes() -> None:
    with pytest.raises(ValueError, match="expected several classes, got only one class, 1"):
        classifier().fit(X, np.ones(150, int))
    with pytest.raises(ValueError, match="expected binary or multiclass labels, got multilabel"):
        classifier().fit(X, np.eye(3, dtype=int)[Y])


def test_a_model_is_trained_anew_by_each_fit() -> None:
    model = make(X, np.zeros((150, 1)))
    regressor = SKLearnRegressor(model, fit_kwargs=FIT)
    before = model.get_weights()
    first = regressor.fit(X, Y.astype(float)).model_
    first_weights = first.get_weights()
    second = regressor.fit(X, Y.astype(float)).model_
    assert first is not second is not model
    assert first.optimizer is not model.optimizer
    for array, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(array, other)
    assert float(second.optimizer.learning_rate) == 0.01
    assert second.optimizer.iterations == 30 * 5  # batches of 32
    assert (first_weights[0] != second.get_weights()[0]).any()  # other initial weights


def test_losses_and_metrics_are_functions_too() -> None:
    def loss(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred) ** 2

    model = cnet.Sequential([cnet.layers.Dense(1)])
    model.compile("sgd", loss, metrics=[cnet.metrics.MeanAbsoluteError(name="distance")])
    regressor = SKLearnRegressor(model).fit(X, Y.astype(float), epochs=2, verbose=0)
    assert set(regressor.history_.history) == {"loss", "distance"}


def test_warm_start_continues() -> None:
    model = make(X, np.zeros((150, 1)))
    regressor = SKLearnRegressor(model, warm_start=True, fit_kwargs=FIT)
    assert regressor.fit(X, Y.astype(float)).model_ is model
    assert regressor.fit(X, Y.astype(float)).model_ is model
    assert model.optimizer.iterations == 2 * 30 * 5
    made = SKLearnRegressor(make, warm_start=True, fit_kwargs=FIT).fit(X, Y.astype(float))
    first = made.model_
    assert made.fit(X, Y.astype(float)).model_ is first


def test_arguments_of_fit_precede_those_of_the_constructor() -> None:
    options = {"epochs": 3, "verbose": 0}
    regressor = SKLearnRegressor(make, fit_kwargs=options)
    assert regressor.epoch_ == 0
    assert regressor.fit(X, Y.astype(float)).epoch_ == 3
    assert regressor.fit(X, Y.astype(float), epochs=2).epoch_ == 2
    assert options == {"epochs": 3, "verbose": 0}
    assert clone(regressor).fit_kwargs == options


def test_outputs_have_the_shape_of_y() -> None:
    one = SKLearnRegressor(make, fit_kwargs=FIT).fit(X[:, :3], X[:, 3])
    assert one.predict(X[:, :3]).shape == (150,)
    two = SKLearnRegressor(make).fit(X[:, :2], X[:, 2:], epochs=100, verbose=0)
    assert two.predict(X[:, :2]).shape == (150, 2)
    assert two.score(X[:, :2], X[:, 2:]) > 0.5


def test_what_can_not_be_trained() -> None:
    bare = cnet.Sequential([cnet.layers.Dense(1)])
    assert not bare.compiled
    with pytest.raises(RuntimeError, match="needs to be compiled with a loss and an optimizer"):
        SKLearnRegressor(bare).fit(X, Y)
    bare.compile("sgd")
    assert bare.compiled
    with pytest.raises(RuntimeError, match="needs to be compiled with a loss and an optimizer"):
        SKLearnRegressor(bare).fit(X, Y)
    with pytest.raises(TypeError, match="expected a function that returns a model, got None"):
        SKLearnRegressor(lambda X, y: None).fit(X, Y)  # noqa: ARG005 # as it is called
    with pytest.raises(NotFittedError):
        SKLearnRegressor(bare).predict(X)


def test_pickles_clones_and_searches() -> None:
    fitted = classifier().fit(X, NAMES)
    twin = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(twin.predict_proba(X), fitted.predict_proba(X))
    search = GridSearchCV(
        make_pipeline(StandardScaler(), classifier()),
        {
            "sklearnclassifier__model_kwargs": [
                {"units": units, "activation": "softmax", "loss": "categorical_crossentropy"}
                for units in (1, 16)
            ]
        },
        cv=3,
    ).fit(X, NAMES)
    assert search.best_params_["sklearnclassifier__model_kwargs"]["units"] == 16
    model = make(X, np.zeros((150, 1)))
    assert clone(SKLearnRegressor(model, fit_kwargs=FIT)).model is not model


def test_a_transformer_names_its_features() -> None:
    transformer = SKLearnTransformer(make, model_kwargs={"units": 8}, fit_kwargs=FIT)
    frame = pd.DataFrame(X, columns=list("abcd"))
    transformer.set_output(transform="pandas")
    found = transformer.fit(frame, np.eye(3)[Y]).transform(frame)
    assert list(found.columns) == [f"sklearntransformer{number}" for number in range(3)]
    np.testing.assert_array_equal(found, transformer.model_.predict(X, verbose=0))
    pipeline = make_pipeline(clone(transformer), LogisticRegression())
    assert pipeline.fit(frame, Y).score(frame, Y) > 0.8


def test_sample_weights_are_routed() -> None:
    weights = np.where(Y == 2, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = classifier().set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, estimator)
        pipeline.fit(X, Y, sample_weight=weights)
    assert 2 not in pipeline.predict(X)
