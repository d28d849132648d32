"""Metrics compared with Keras, and with scikit-learn where it has the same definition.

Keras sums in float32: the relative error of n terms of one sign is up to n u, in practice far less.
The batches here are small enough for 1e-6, for any order of the sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnet import metrics

keras = pytest.importorskip("keras", reason="Keras is not installed")

RNG = np.random.default_rng(0)
BATCHES, BATCH, CLASSES = 3, 40, 6
SCORES = RNG.dirichlet(np.ones(CLASSES), (BATCHES, BATCH)).astype(np.float32)
IDS = np.array(
    [[RNG.choice(CLASSES, p=row / row.sum()) for row in b] for b in SCORES.astype(float)]
)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[IDS]
# Probabilities of independent labels; some equal thresholds, some equal each other.
CHANCES = (RNG.integers(0, 41, (BATCHES, BATCH, CLASSES)) / 40).astype(np.float32)
LABELS = (RNG.random(CHANCES.shape) < 0.2 + 0.6 * CHANCES).astype(np.float32)
NUMBERS = RNG.normal(size=CHANCES.shape).astype(np.float32)
# Near the labels, so that R² is near 1: near 0, 1 - … would lose digits.
ESTIMATES = (NUMBERS + 0.3 * RNG.normal(size=CHANCES.shape)).astype(np.float32)
# Powers of two, so that products are exact.
WEIGHTS = (2.0 ** RNG.integers(-2, 2, (BATCHES, BATCH))).astype(np.float32)
WEIGHTS_OF: dict[str, Any] = {
    "unweighted": [None] * BATCHES,
    "of samples": WEIGHTS,
    "as a column": WEIGHTS[..., np.newaxis],
    "some zero": WEIGHTS * (RNG.random(WEIGHTS.shape) < 0.5),
    "all zero": 0 * WEIGHTS,
    "whole numbers": RNG.integers(0, 3, WEIGHTS.shape),
    "of predictions": (2.0 ** RNG.integers(-2, 2, CHANCES.shape)).astype(np.float32),
}

ONE_OF, IDS_OF, ANY_OF, REAL = (
    (ONE_HOT, SCORES),
    (IDS, SCORES),
    (LABELS, CHANCES),
    (NUMBERS, ESTIMATES),
)
CASES: list[tuple[str, dict[str, Any], Any]] = [
    *(
        (name, {"thresholds": thresholds}, ANY_OF)
        for name in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives")
        for thresholds in (None, 0.25, [0.75, 0.0, 0.5])
    ),
    ("Accuracy", {}, (np.round(NUMBERS), np.round(ESTIMATES))),
    ("BinaryAccuracy", {}, ANY_OF),
    ("BinaryAccuracy", {"threshold": 0.25}, ANY_OF),
    ("CategoricalAccuracy", {}, ONE_OF),
    ("SparseCategoricalAccuracy", {}, IDS_OF),
    *[("TopKCategoricalAccuracy", {"k": k}, ONE_OF) for k in (1, 2, 5)],
    *[("SparseTopKCategoricalAccuracy", {"k": k}, IDS_OF) for k in (1, 2, 5)],
    (
        "SparseTopKCategoricalAccuracy",
        {"k": 2, "from_sorted_ids": True},
        (IDS, np.argsort(-SCORES, axis=-1).astype(np.float32)),
    ),
    *[
        (name, options, data)
        for name in ("Precision", "Recall")
        for options in (
            {},
            {"thresholds": 0.25},
            {"thresholds": [0.7, 0.2]},
            {"thresholds": [0.0, 0.5, 1.0]},
            {"top_k": 2},
            {"top_k": 3, "thresholds": 0.1},
            {"class_id": 2},
            {"class_id": 2, "top_k": 2},
        )
        for data in (ANY_OF, ONE_OF)
    ],
    *[
        ("F1Score", {"average": average, "threshold": threshold}, data)
        for average in (None, "micro", "macro", "weighted")
        for threshold in (None, 0.5)
        for data in (ANY_OF, ONE_OF)
    ],
    *[
        ("AUC", {"curve": curve, "summation_method": method} | options, ANY_OF)
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
        for options in ({}, {"num_thresholds": 5}, {"thresholds": [0.8, 0.33]})
    ],
    ("AUC", {"multi_label": True}, ANY_OF),
    ("AUC", {"multi_label": True, "label_weights": [1.0, 2.0, 0.0, 1.0, 4.0, 1.0]}, ANY_OF),
    ("AUC", {"label_weights": [1.0, 2.0, 0.0, 1.0, 4.0, 1.0]}, ANY_OF),
    ("AUC", {"from_logits": True}, (LABELS, ESTIMATES)),
    ("AUC", {}, ONE_OF),
    ("MeanSquaredError", {}, REAL),
    ("MeanAbsoluteError", {}, REAL),
    ("RootMeanSquaredError", {}, REAL),
    *[
        ("R2Score", {"class_aggregation": how}, REAL)
        for how in (None, "uniform_average", "variance_weighted_average")
    ],
    ("R2Score", {"num_regressors": 3}, REAL),
    *[
        (name, {}, REAL)
        for name in ("MeanAbsolutePercentageError", "LogCoshError", "Hinge", "SquaredHinge")
    ],
    *[
        (name, {}, (CHANCES, SCORES))
        for name in ("MeanSquaredLogarithmicError", "KLDivergence", "Poisson")
    ],
    ("BinaryCrossentropy", {}, (LABELS, SCORES)),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, (LABELS, ESTIMATES)),
    ("CategoricalCrossentropy", {}, ONE_OF),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, (ONE_HOT, NUMBERS)),
    ("SparseCategoricalCrossentropy", {}, IDS_OF),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}, IDS_OF),
]


def test_each_metric_that_keras_has_is_a_case() -> None:
    classes = {cls.__name__ for cls in metrics._CLASSES.values()} - {"Mean"}  # it has no labels
    assert {name for name, *_ in CASES} == {n for n in classes if hasattr(keras.metrics, n)}


def keras_supports(weights: str, name: str, options: dict[str, Any]) -> bool:
    """Return True if Keras supports such weights: for others it fails or gives a wrong result."""
    if name == "F1Score":  # (samples, 1) is broadcast along the wrong axis
        return weights not in ("as a column", "of predictions")
    if "ignore_class" in options:  # without weights, Keras counts ignored samples as losses of 0
        return weights not in ("unweighted", "of predictions")
    by_element = ("Accuracy", "BinaryAccuracy", "Precision", "Recall", "AUC", "R2Score")
    return weights != "of predictions" or (
        name in (*by_element, "RootMeanSquaredError") and "class_id" not in options
    )


KERAS_CASES = [
    (*case, weights)
    for case in CASES
    for weights in WEIGHTS_OF
    if keras_supports(weights, case[0], case[1])
]


@pytest.mark.parametrize(
    ("name", "options", "data", "kind"),
    KERAS_CASES,
    ids=[f"{name} {options} {kind}" for name, options, _, kind in KERAS_CASES],
)
def test_against_keras(name: str, options: dict[str, Any], data: Any, kind: str) -> None:
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    for batch, (y_true, y_pred) in enumerate(zip(*data, strict=True)):
        weights = WEIGHTS_OF[kind][batch]
        ours.update_state(y_true, y_pred, sample_weight=weights)
        theirs.update_state(y_true, y_pred, sample_weight=weights)
    result = theirs.result() + 0.0  # for counts it is a variable, for which NumPy warns
    expected = np.asarray(keras.ops.convert_to_numpy(result))
    assert np.shape(ours.result()) == expected.shape
    np.testing.assert_allclose(ours.result(), expected, rtol=1e-6)


def test_mean_against_keras() -> None:
    ours, theirs = metrics.Mean(), keras.metrics.Mean()
    for values, weights in zip(NUMBERS, WEIGHTS, strict=True):
        ours.update_state(1 + values**2, sample_weight=weights)
        theirs.update_state(1 + values**2, sample_weight=weights)
    assert ours.result() == pytest.approx(float(theirs.result()), rel=1e-6)


def test_names_match_keras() -> None:
    from keras.src.metrics import ALL_OBJECTS_DICT

    for name, theirs in ALL_OBJECTS_DICT.items():
        if ours := metrics._CLASSES.get(name):
            assert ours.__name__ == theirs.__name__
        elif not hasattr(metrics, theirs.__name__):
            with pytest.raises(ValueError, match=f"got '{name}'"):
                metrics.get(name)


@pytest.mark.parametrize("shape", [(1,), (4,)])
@pytest.mark.parametrize("sparse", [True, False])
def test_accuracy_is_resolved_as_keras_does(shape: tuple[int, ...], sparse: bool) -> None:
    from keras.src.trainers.compile_utils import get_metric

    outputs = np.zeros((8, *shape), np.float32)
    labels = np.zeros((8, 1 if sparse else shape[0]), np.float32)
    theirs = get_metric("accuracy", labels, outputs)
    ours = metrics.accuracy.AccuracyByShape(name="accuracy").resolve(labels.shape, outputs.shape)
    assert type(ours).__name__ == type(theirs).__name__


# -- scikit-learn ----------------------------------------------------------------------------------

Y, P = LABELS.reshape(-1, CLASSES), CHANCES.reshape(-1, CLASSES)
W = WEIGHTS.ravel()


def sklearn() -> Any:
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")


@pytest.mark.parametrize("weights", [None, W], ids=["", "weighted"])
def test_against_scikit_learn(weights: Any) -> None:
    peer, how = sklearn(), {"sample_weight": weights}
    y, p = Y[:, 0], P[:, 0]
    said = p > 0.5
    pairs = [
        (metrics.BinaryAccuracy(), (y, p), peer.accuracy_score(y, said, **how)),
        (metrics.Precision(), (y, p), peer.precision_score(y, said, **how)),
        (metrics.Recall(), (y, p), peer.recall_score(y, said, **how)),
    ]
    y, p = NUMBERS.reshape(-1, CLASSES).astype(float), ESTIMATES.reshape(-1, CLASSES).astype(float)
    error = peer.mean_squared_error(y, p, **how)
    pairs += [
        (metrics.MeanSquaredError(), (y, p), error),
        (metrics.MeanAbsoluteError(), (y, p), peer.mean_absolute_error(y, p, **how)),
        (metrics.RootMeanSquaredError(), (y, p), np.sqrt(error)),
        (metrics.R2Score(), (y, p), peer.r2_score(y, p, **how)),
        (
            metrics.R2Score("variance_weighted_average"),
            (y, p),
            peer.r2_score(y, p, **how, multioutput="variance_weighted"),
        ),
    ]
    y, p = IDS.ravel(), SCORES.reshape(-1, CLASSES)
    for k in (1, 3):
        expected = peer.top_k_accuracy_score(y, p, k=k, **how)
        pairs.append((metrics.SparseTopKCategoricalAccuracy(k), (y, p), expected))
    for metric, data, expected in pairs:
        assert metric(*data, sample_weight=weights) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
def test_f1_against_scikit_learn(average: str | None) -> None:
    expected = sklearn().f1_score(Y, P > 0.5, average=average, sample_weight=W)
    # Keras adds 1e-7 to each of four denominators; none here is below 1/4.
    ours = metrics.F1Score(average, threshold=0.5)(Y, P, W)
    np.testing.assert_allclose(ours, expected, rtol=4 * 1e-7 / 0.25)


def test_auc_matches_scikit_learn_with_thresholds_between_all_predictions() -> None:
    y, p = Y.ravel(), P.ravel()
    between = (np.arange(40) + 0.5) / 40  # predictions are multiples of 1/40
    ours = metrics.AUC(thresholds=between.tolist())(y, p)
    assert ours == pytest.approx(sklearn().roc_auc_score(y, p), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "options", "data"),
    [
        ("binary_accuracy", {}, ANY_OF),
        ("binary_accuracy", {"threshold": 0.25}, ANY_OF),
        ("categorical_accuracy", {}, ONE_OF),
        ("sparse_categorical_accuracy", {}, IDS_OF),
        ("sparse_categorical_accuracy", {}, (IDS[..., None], SCORES)),
        ("top_k_categorical_accuracy", {"k": 2}, ONE_OF),
        ("sparse_top_k_categorical_accuracy", {"k": 2}, IDS_OF),
        ("sparse_top_k_categorical_accuracy", {"k": 2}, (IDS[..., None], SCORES)),
    ],
)
def test_functions_of_samples(name: str, options: Any, data: Any) -> None:
    labels, predictions = data[0][0], data[1][0]
    ours = getattr(metrics, name)(labels, predictions, **options)
    theirs = keras.ops.convert_to_numpy(
        getattr(keras.metrics, name)(labels, predictions, **options)
    )
    np.testing.assert_array_equal(ours, theirs, strict=True)
