"""The estimators in scikit-learn's tools, and their data."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from sklearn.base import is_classifier, is_regressor
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from support.subprocesses import run_program

from cnet.neural_network import MLPClassifier, MLPRegressor

X, Y = load_iris(return_X_y=True)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WITHOUT_SCIKIT_LEARN = """
import json, sys
sys.modules["sklearn"] = None
import cnet
try:
    cnet.neural_network
except ImportError as error:
    print(json.dumps([str(error), error.name]))
"""


def test_the_import_says_what_is_missing() -> None:
    message, name = run_program(WITHOUT_SCIKIT_LEARN, timeout=60)
    assert message.startswith("cnet.neural_network: ")
    assert message.endswith('pip install "cnet[sklearn]"')
    assert name == "sklearn"


def test_kinds_and_tags() -> None:
    assert is_classifier(MLPClassifier())
    assert is_regressor(MLPRegressor())
    for estimator in (MLPClassifier(), MLPRegressor()):
        assert get_tags(estimator).input_tags.sparse
    assert get_tags(MLPClassifier()).classifier_tags.multi_label


def test_representations() -> None:
    assert repr(MLPClassifier(alpha=0.5, dropout=0.1)) == "MLPClassifier(alpha=0.5, dropout=0.1)"
    assert "MLPRegressor" in MLPRegressor(alpha=0.5)._repr_html_()


@pytest.mark.parametrize("form", ["csr_matrix", "csr_array", "csc_array", "coo_array"])
def test_sparse_matrices_have_the_bits_of_arrays(form: str) -> None:
    sparse = getattr(scipy.sparse, form)(X)
    dense, found = (MLPClassifier(max_iter=3, random_state=0).fit(x, Y) for x in (X, sparse))
    np.testing.assert_array_equal(found.coefs_[0], dense.coefs_[0])
    np.testing.assert_array_equal(found.predict_proba(sparse), dense.predict_proba(X))
    found.partial_fit(sparse, Y)


def test_feature_names() -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    classifier = MLPClassifier(max_iter=3, random_state=0).fit(frame, Y)
    assert classifier.feature_names_in_.tolist() == list("abcd")
    assert classifier.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame[list("dcba")])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        classifier.predict(X)
    np.testing.assert_array_equal(
        classifier.predict_proba(frame),
        MLPClassifier(max_iter=3, random_state=0).fit(X, Y).predict_proba(X),
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_must_be_finite(value: float) -> None:
    classifier = MLPClassifier(max_iter=3).fit(X, Y)
    bad = X[:2].copy()
    bad[1, 1] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        classifier.predict(bad)
    with pytest.raises(ValueError, match="X has 3 features"):
        classifier.predict(X[:, :3])
    with pytest.raises(ValueError, match="Found array with 0 sample"):
        classifier.predict(X[:0])


def test_predictions_do_not_depend_on_the_batch_or_the_form() -> None:
    classifier = MLPClassifier(max_iter=3, random_state=0).fit(X, Y)
    expected = classifier.predict_proba(X)
    np.testing.assert_array_equal(classifier.predict_proba(X[7:8]), expected[7:8])
    np.testing.assert_array_equal(classifier.predict_proba(X.tolist()), expected)
    np.testing.assert_array_equal(classifier.predict_proba(np.asfortranarray(X)), expected)
    np.testing.assert_allclose(classifier.predict_log_proba(X), np.log(expected))


PARAMETERS = {
    "activation": "softmaxx", "solver": "rmsprop", "alpha": -1, "batch_size": 0,
    "learning_rate": "fast", "learning_rate_init": 0, "power_t": -1, "max_iter": 0, "shuffle": "yes",
    "tol": -1, "warm_start": 2, "momentum": 1.5, "nesterovs_momentum": 2, "early_stopping": 2,
    "validation_fraction": 1, "beta_1": 1, "beta_2": 1, "epsilon": 0, "n_iter_no_change": 0,
    "max_fun": 0, "hidden_layer_sizes": 0, "dropout": 1, "batch_norm": 2, "callbacks": 7,
}  # fmt: skip


@pytest.mark.parametrize("name", [*PARAMETERS, "class_weight", "loss", "delta", "quantile"])
def test_parameters_out_of_range(name: str) -> None:
    own = {"class_weight": (MLPClassifier, "even"), "loss": (MLPRegressor, "log"),
           "delta": (MLPRegressor, 0), "quantile": (MLPRegressor, 1.5)}  # fmt: skip
    cls, value = own.get(name) or (MLPClassifier, PARAMETERS[name])
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {cls.__name__} must be"):
        cls(**{name: value}).fit(X, Y)


def test_every_parameter_has_a_range() -> None:
    for cls in (MLPClassifier, MLPRegressor):
        assert set(cls().get_params()) == set(cls._parameter_constraints)


def test_a_layer_needs_units() -> None:
    with pytest.raises(ValueError, match=r"hidden_layer_sizes must be > 0, got \[5, 0\]"):
        MLPClassifier((5, 0)).fit(X, Y)


def test_pipelines_and_searches() -> None:
    pipeline = make_pipeline(
        StandardScaler(), MLPClassifier(learning_rate_init=0.01, random_state=0)
    )
    pipeline.set_output(transform="pandas")
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-4, 100.0]}, cv=3)
    search.fit(pd.DataFrame(X, columns=list("abcd")), Y)
    assert search.best_params_ == {"mlpclassifier__alpha": 1e-4}
    assert search.best_score_ > 0.9
    scores = cross_val_score(pipeline, X, Y, scoring="roc_auc_ovr", cv=3)
    assert scores.min() > 0.9


def test_processes_search() -> None:
    search = GridSearchCV(
        MLPClassifier(max_iter=30, random_state=0), {"alpha": [1e-4, 1e-3]}, cv=2, n_jobs=2
    ).fit(X, Y)
    alone = GridSearchCV(
        MLPClassifier(max_iter=30, random_state=0), {"alpha": [1e-4, 1e-3]}, cv=2
    ).fit(X, Y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


def test_several_outputs_by_one_estimator_each() -> None:
    labels = np.column_stack([Y, Y == 1])
    found = MultiOutputClassifier(MLPClassifier(max_iter=20, random_state=0)).fit(X, labels)
    assert found.predict(X).shape == (150, 2)


def test_metadata_is_routed() -> None:
    weights = np.where(Y == 2, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = MLPClassifier(max_iter=30, random_state=0)
        classifier.set_fit_request(sample_weight=True, validation_data=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), classifier)
        scaled = StandardScaler().fit_transform(X)
        pipeline.fit(X, Y, sample_weight=weights, validation_data=(scaled, Y))
    assert len(classifier.validation_scores_) == 30
    assert 2 not in pipeline.predict(X)


def test_what_check_estimator_can_not_know() -> None:
    """`partial_fit` is hidden for lbfgs, and the classes can't change."""
    assert not hasattr(MLPRegressor(solver="lbfgs"), "partial_fit")
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        MLPRegressor(early_stopping=True).partial_fit(X, Y)
    classifier = MLPClassifier().partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(
        ValueError, match=r"`y` has classes not in .*expected some of \[0 1 2\], got \[5\]"
    ):
        classifier.partial_fit(X, np.full(150, 5))
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        MLPClassifier().partial_fit(X, Y)


def test_the_largest_batch_is_the_whole_set() -> None:
    with pytest.warns(UserWarning, match="`batch_size` 500, larger than the sample size 150"):
        clipped = MLPRegressor(max_iter=2, batch_size=500, random_state=0).fit(X, Y)
    whole = MLPRegressor(max_iter=2, batch_size=150, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(clipped.coefs_[0], whole.coefs_[0])


def test_nothing_else_imports_scikit_learn() -> None:
    modules: Any = run_program(
        "import json, sys, cnet\nfor name in cnet.__all__:\n    name in ('neural_network', 'wrappers') or getattr(cnet, name)\n"
        "print(json.dumps([name for name in ('sklearn', 'scipy') if name in sys.modules]))",
        timeout=60,
    )
    assert modules == []
    assert "sklearn" in sys.modules
