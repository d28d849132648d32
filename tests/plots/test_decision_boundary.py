"""plots.decision_boundary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import cnet
from cnet import plots

X = np.array([[0, 0], [10, 0], [0, 5], [10, 5]])
Y = np.array([0, 1, 0, 2])


def quadrants(points: np.ndarray) -> np.ndarray:
    """Return 0 on the left, 1 at the lower right and 2 at the upper right."""
    right = points[:, 0] > 4
    return np.eye(3)[right * (1 + (points[:, 1] > 2))]


def region(axes: Any, x: float, y: float) -> tuple[float, ...]:
    """Return the colour of the plane at a point."""
    (image,) = axes.images
    assert image.origin == "lower"
    left, right, bottom, top = image.get_extent()
    pixels = image.get_array()
    column = int((x - left) / (right - left) * pixels.shape[1])
    row = int((y - bottom) / (top - bottom) * pixels.shape[0])
    return tuple(pixels[row, column])


def tint(axes: Any, n: int) -> tuple[float, ...]:
    color = axes.collections[-3 + n].get_facecolor()[0, :3]
    return tuple(1 - 0.3 * (1 - color))


def test_the_plane_has_a_tint_of_the_colour_of_the_class() -> None:
    (axes,) = plots.decision_boundary(quadrants, X, Y).axes
    for x, y, n in ((3.9, 0, 0), (3.9, 5, 0), (4.1, 1.9, 1), (4.1, 2.1, 2), (10, 5, 2), (10, 0, 1)):
        assert region(axes, x, y) == pytest.approx(tint(axes, n))
    assert len({tint(axes, n) for n in range(3)}) == 3


def test_points_have_their_positions_and_a_marker_per_class() -> None:
    (axes,) = plots.decision_boundary(quadrants, X, Y, class_names=["a", "b", "c"]).axes
    points = axes.collections[-3:]
    assert [each.get_offsets().tolist() for each in points] == [
        X[n == Y].tolist() for n in range(3)
    ]
    assert len({each.get_paths()[0].vertices.tobytes() for each in points}) == 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b", "c"]


def test_the_plane_contains_all_points_and_a_margin() -> None:
    (axes,) = plots.decision_boundary(quadrants, X, Y, margin=0.5, grid_resolution=101).axes
    (image,) = axes.images
    # The plane is 20 by 10 with 100 steps a side, and half a step around it.
    assert image.get_extent() == pytest.approx((-5.1, 15.1, -2.55, 7.55))


@pytest.mark.parametrize(("threshold", "left"), [(0.5, 4), (0.25, 1.5)])
def test_a_single_output(threshold: float, left: float) -> None:
    def step(points: np.ndarray) -> np.ndarray:
        return (points[:, :1] + 1) / 10

    (axes,) = plots.decision_boundary(step, X, Y > 0, threshold=threshold).axes
    assert region(axes, left - 0.1, 1) != region(axes, left + 0.1, 1)


def test_a_model() -> None:
    model = cnet.Sequential([cnet.layers.Dense(2)])
    model.build((None, 2))
    model.set_weights([[[0, 1], [0, 0]], [5, 0]])  # class 1 where x > 5
    (axes,) = plots.decision_boundary(model, X, Y > 0, title="Half").axes
    assert region(axes, 4.9, 0) != region(axes, 5.1, 0)
    assert axes.get_title(loc="left") == "Half"


def test_points_on_a_line() -> None:
    plots.decision_boundary(quadrants, [[1, 2], [1, 3]], [0, 1]).draw_without_rendering()


def test_more_classes_than_colours() -> None:
    classes = 11
    x = np.random.default_rng(0).normal(size=(classes, 2))
    figure = plots.decision_boundary(
        lambda points: np.eye(classes)[np.arange(len(points)) % classes], x, np.arange(classes)
    )
    figure.draw_without_rendering()
    looks = {
        (to_rgb(each.get_facecolor()[0]), each.get_paths()[0].vertices.tobytes())
        for each in figure.axes[0].collections[-classes:]
    }
    assert len(looks) == classes


def test_given_axes() -> None:
    figure = Figure()
    first, second = figure.subfigures(1, 1).subplots(1, 2)
    assert plots.decision_boundary(quadrants, X, Y, ax=second) is figure
    assert (first.has_data(), second.has_data()) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": np.zeros((4, 3))}, ValueError, r"x: expected shape \(points, 2\), got \(4, 3\)"),
        ({"x": np.zeros((0, 2)), "y": []}, ValueError, "x: expected shape"),
        ({"y": [0, 1]}, ValueError, "y: expected 4, got 2"),
        ({"model": len}, ValueError, r"model: expected an output of shape \(90000, classes\)"),
        ({"grid_resolution": 1}, ValueError, "grid_resolution: expected an integer"),
        ({"margin": "wide"}, TypeError, "margin: expected a number"),
        ({"threshold": "half"}, TypeError, "threshold: expected a number"),
        ({"class_names": ["a"]}, ValueError, "class_names: expected 3, got 1"),
    ],
)
def test_invalid_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"decision_boundary: {message}"):
        plots.decision_boundary(**({"model": quadrants, "x": X, "y": Y} | arguments))
