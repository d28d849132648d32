"""plots.history."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import cnet
from cnet import plots

RECORD = {
    "loss": [0.9, 0.5],
    "accuracy": [0.5, 0.75],
    "val_loss": [1, 0.75],
    "val_accuracy": [0, 1],
}


def curves(axes: Any) -> dict[str, list[tuple[float, float]]]:
    return {line.get_label(): [tuple(point) for point in line.get_xydata()] for line in axes.lines}


def test_a_panel_for_each_metric_with_its_validation() -> None:
    figure = plots.history(RECORD)
    loss, accuracy = figure.axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    assert curves(loss) == {"training": [(1, 0.9), (2, 0.5)], "validation": [(1, 1), (2, 0.75)]}
    assert curves(accuracy) == {"training": [(1, 0.5), (2, 0.75)], "validation": [(1, 0), (2, 1)]}
    assert [axes.get_legend() is not None for axes in figure.axes] == [True, False]


def test_the_history_of_a_fit_starts_at_its_first_epoch() -> None:
    model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.eye(2), [0, 1]
    history = model.fit(
        x, y, initial_epoch=3, epochs=8, verbose=0, validation_data=(x, y), validation_freq=2
    )
    figure = plots.history(history, validation_freq=2)
    found = curves(figure.axes[0])
    assert found["training"] == list(zip([4, 5, 6, 7, 8], history.history["loss"], strict=True))
    assert found["validation"] == list(zip([4, 6, 8], history.history["val_loss"], strict=True))


def test_names_and_columns() -> None:
    figure = plots.history(RECORD | {"mean_squared_error": [3, 4]}, ["accuracy", "loss"], columns=1)
    assert [axes.get_ylabel() for axes in figure.axes] == ["accuracy", "loss"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "epoch"]
    assert figure.axes[0].get_position().y0 > figure.axes[1].get_position().y1


def test_metrics_of_several_values_have_several_lines() -> None:
    (axes,) = plots.history({"f1_score": [np.array([0.1, 0.2]), np.array([0.3, 0.4])]}).axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.1, 0.3], [0.2, 0.4]]
    assert axes.get_ylabel() == "f1 score"


def test_a_given_figure() -> None:
    figure = Figure()
    left, right = figure.subfigures(1, 2)
    assert plots.history(RECORD, figure=right) is figure
    assert (len(left.axes), len(right.axes)) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"history": [1, 2]}, TypeError, "expected a History or a dict, got list"),
        ({"history": {}}, ValueError, "expected at least one epoch"),
        ({"names": ["auc"]}, ValueError, "expected names among loss, accuracy, .*, got 'auc'"),
        ({"validation_freq": 2}, ValueError, r"val_loss: expected 1 values .*, got 2"),
        ({"validation_freq": 0}, ValueError, "validation_freq: expected an integer"),
        ({"columns": 0}, ValueError, "columns: expected an integer"),
    ],
)
def test_invalid_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"history: {message}"):
        plots.history(**({"history": RECORD} | arguments))
