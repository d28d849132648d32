"""plots.confusion_matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from cnet import plots

TRUE = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 2])
COUNTS = np.array([[2, 1, 0], [0, 1, 1], [0, 0, 1]])


def shown(figure: Any) -> np.ndarray:
    return figure.axes[0].images[0].get_array()


def test_rows_are_true_and_columns_predicted() -> None:
    figure = plots.confusion_matrix(TRUE, PREDICTED)
    assert np.array_equal(shown(figure), COUNTS)
    (axes,) = figure.axes
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true", "predicted")
    assert [text.get_text() for text in axes.texts] == [str(n) for n in COUNTS.ravel()]
    assert [text.get_position() for text in axes.texts[:2]] == [(0, 0), (1, 0)]


def test_rows_of_probabilities_and_names() -> None:
    figure = plots.confusion_matrix(
        np.eye(3)[TRUE], np.eye(3)[PREDICTED] * 0.4, class_names=["ant", "bee", "cow", "dog"]
    )
    assert np.array_equal(shown(figure)[:3, :3], COUNTS)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == [
        *("ant", "bee", "cow", "dog")
    ]


@pytest.mark.parametrize(
    ("normalize", "totals"), [("true", [[3], [2], [1]]), ("pred", [[2, 2, 2]]), ("all", 6)]
)
def test_normalize(normalize: str, totals: Any) -> None:
    figure = plots.confusion_matrix(TRUE, PREDICTED, normalize=normalize)
    assert np.array_equal(shown(figure), COUNTS / np.array(totals))
    assert figure.axes[0].texts[0].get_text() == f"{(COUNTS / np.array(totals))[0, 0]:.2f}"


def test_a_class_that_never_occurs_has_fractions_of_zero() -> None:
    assert shown(plots.confusion_matrix([0, 2], [0, 2], normalize="true"))[1].tolist() == [0, 0, 0]


def test_given_axes_and_title() -> None:
    figure = Figure()
    first, second = figure.subfigures(1, 1).subplots(1, 2)
    assert plots.confusion_matrix(TRUE, PREDICTED, ax=second, title="Ours") is figure
    assert (first.has_data(), second.get_title(loc="left")) == (False, "Ours")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"predictions": [0]}, "predictions: expected 6, got 1"),
        ({"labels": [], "predictions": []}, "labels: expected shape"),
        ({"normalize": "rows"}, "normalize: expected 'true', 'pred', 'all' or None, got 'rows'"),
        ({"class_names": ["a", "b"]}, "class_names: expected 3, got 2"),
    ],
)
def test_invalid_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"confusion_matrix: {message}"):
        plots.confusion_matrix(**({"labels": TRUE, "predictions": PREDICTED} | arguments))
