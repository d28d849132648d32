"""plots.images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cnet import plots

X = np.arange(12 * 4 * 5, dtype=np.uint8).reshape(12, 4, 5)
LABELS = np.arange(12) % 3


def titles(figure: Any) -> list[str]:
    return [axes.get_title() for axes in figure.axes]


def test_positions_and_common_grey_range_of_images() -> None:
    figure = plots.images(X, columns=5)
    assert len(figure.axes) == 12
    for axes, pixels in zip(figure.axes, X, strict=True):
        (image,) = axes.images
        assert np.array_equal(image.get_array(), pixels)
        assert image.get_clim() == (0, 239)
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (3, 5)
    assert titles(figure) == [""] * 12


def test_labels_without_predictions() -> None:
    assert titles(plots.images(X[:4], LABELS[:4])) == ["0", "1", "2", "0"]


def test_mistakes_are_marked_by_title_frame_and_colour() -> None:
    predictions = np.eye(3)[[0, 2, 2, 0]] * 0.5
    figure = plots.images(X[:4], LABELS[:4], predictions)
    assert titles(figure) == ["0", "2 (1)", "2", "0"]
    assert [axes.spines["left"].get_visible() for axes in figure.axes] == [
        False,
        True,
        False,
        False,
    ]
    colors = [to_hex(axes.title.get_color()) for axes in figure.axes]
    assert colors[0] == colors[2] == colors[3] != colors[1]


def test_class_names() -> None:
    figure = plots.images(X[:2], [0, 1], [0, 0], class_names=["cat", "dog"], title="Pets")
    assert titles(figure) == ["cat", "cat\n(dog)"]
    assert figure.get_suptitle() == "Pets"


def test_titles_do_not_overlap() -> None:
    names = ["T-shirt/top", "Ankle boot"]
    x = np.zeros((12, 28, 28))
    figure = plots.images(x, LABELS % 2, 1 - LABELS % 2, class_names=names, title="Clothes")
    figure.draw_without_rendering()
    assert min(axes.get_window_extent().width for axes in figure.axes) > 0.65 * figure.dpi
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for n, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[n + 1 :])
        assert not box.overlaps(figure._suptitle.get_tightbbox())


def test_the_title_of_a_single_image_fits() -> None:
    figure = plots.images(X[:1], title="A title that is wider than the picture")
    figure.draw_without_rendering()
    assert figure._suptitle.get_window_extent().x1 < figure.bbox.x1


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_with_channels(channels: int) -> None:
    pixels = np.zeros((2, 4, 4, channels), np.float32)
    plots.images(pixels).draw_without_rendering()


def test_a_given_figure() -> None:
    figure = Figure()
    top, bottom = figure.subfigures(2, 1)
    assert plots.images(X, figure=bottom) is figure
    assert (len(top.axes), len(bottom.axes)) == (0, 12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": np.zeros((3, 784))}, ValueError, r"x: expected shape .*, got \(3, 784\)"),
        ({"x": np.zeros((3, 4, 4, 2))}, ValueError, r"x: expected shape .*, got \(3, 4, 4, 2\)"),
        ({"x": X[:0]}, ValueError, "x: expected at least one image"),
        ({"x": "cat"}, TypeError, "x: expected numbers"),
        ({"labels": [1, 2]}, ValueError, "labels: expected 12, got 2"),
        ({"predictions": LABELS + 0.5}, ValueError, "predictions: expected class ids"),
        ({"labels": LABELS - 1}, ValueError, "labels: expected class ids"),
        ({"labels": np.zeros((12, 2, 2))}, ValueError, "labels: expected shape"),
        ({"labels": LABELS, "class_names": ["a"]}, ValueError, "class_names: expected 3, got 1"),
        ({"columns": 0}, ValueError, "columns: expected an integer"),
    ],
)
def test_invalid_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"images: {message}"):
        plots.images(**({"x": X} | arguments))
