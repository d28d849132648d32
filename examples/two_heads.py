"""One network with two outputs: which digit it is, and how much it leans.

The layers in the middle are shared by a classification and a regression, each with its own loss and metric. The
slant is computed from the image itself: how far a row of ink moves to the right for each row further up.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from shared import Images, add_data_options, folder, load_data, positive, run

from cnet import Input, Model, layers, utils

Floats = npt.NDArray[np.float32]


def main(args: argparse.Namespace) -> None:
    """Train the network, and compare its slants with those of the images."""
    (x, digits), (test_x, test_digits), names = load_data(args)
    slants, test_slants = slant_of(x), slant_of(test_x)

    utils.set_random_seed(args.seed)
    model = make_model()
    model.compile(
        "adam",
        loss={"digit": "sparse_categorical_crossentropy", "slant": "mse"},
        loss_weights={"digit": 1.0, "slant": 5.0},
        metrics={"digit": ["accuracy"], "slant": ["mae"]},
    )
    labels = {"digit": digits, "slant": slants}
    model.fit(x, labels, batch_size=64, epochs=args.epochs, verbose=0)

    test_labels = {"digit": test_digits, "slant": test_slants}
    figures = model.evaluate(test_x, test_labels, verbose=0, return_dict=True)
    for name, value in figures.items():
        print(f"test {name}: {value:.4f}")
    print(f"mean error of always the same slant: {np.abs(test_slants - slants.mean()).mean():.4f}")
    predicted = model.predict(test_x, verbose=0)
    for digit, name in enumerate(names):
        of_class = test_digits == digit
        print(
            f"{name}: mean slant {predicted['slant'][of_class].mean():+.2f}, in the images {test_slants[of_class].mean():+.2f}"
        )
    if args.plots:
        plot(args.plots / "two_heads.png", test_x, test_slants, predicted, names)


def slant_of(images: Images) -> Floats:
    """Return the shear of each image, from its moments: −Σ(x − x̄)(y − ȳ) / Σ(y − ȳ)², weighted by ink."""
    ink = images / images.sum(axis=(1, 2), keepdims=True, dtype=np.float64)
    rows, columns = np.arange(images.shape[1])[:, None], np.arange(images.shape[2])
    y = rows - (ink * rows).sum(axis=(1, 2), keepdims=True)
    x = columns - (ink * columns).sum(axis=(1, 2), keepdims=True)
    slants: Floats = -(ink * x * y).sum(axis=(1, 2)) / (ink * y * y).sum(axis=(1, 2))
    return slants.astype(np.float32)


def make_model() -> Any:
    """Return a network with shared layers and two heads."""
    images = Input((28, 28))
    shared = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    shared = layers.Dense(256, activation="relu")(shared)
    shared = layers.Dense(64, activation="relu")(shared)
    digit = layers.Dense(10, activation="softmax", name="digit")(shared)
    slant = layers.Dense(1, name="slant")(shared)
    return Model(images, {"digit": digit, "slant": slant})


def plot(
    path: Path, images: Images, slants: Floats, predicted: dict[str, Floats], names: Sequence[str]
) -> None:
    """Draw both slants of each image, and images in the order of the predicted slant."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    grid = figure.add_gridspec(1, 2, width_ratios=(2, 3))
    left, right = (figure.add_subfigure(grid[0, column]) for column in range(2))
    axes = left.subplots()
    axes.scatter(slants, predicted["slant"], s=5, color="#0072b2", linewidths=0)
    limits = float(slants.min()), float(slants.max())
    axes.plot(limits, limits, color="0.6", linewidth=1)
    axes.set(xlabel="slant of the image", ylabel="predicted slant", aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("Test images", fontsize=10, fontweight="bold", loc="left")

    right.suptitle("Predicted class, and predicted slant as a line", fontsize=10, fontweight="bold")
    guesses, leaning = predicted["digit"].argmax(axis=1), predicted["slant"][:, 0]
    panels = right.subplots(5, 8)
    for row, guess in zip(panels, (0, 1, 4, 7, 9), strict=True):
        of_class = np.flatnonzero(guesses == guess)
        ordered = of_class[np.argsort(leaning[of_class])]
        shown = ordered[np.linspace(0, len(ordered) - 1, len(row)).astype(int)]
        for panel, index in zip(row, shown, strict=True):
            panel.imshow(images[index], cmap="gray_r")
            panel.axline(
                (13.5, 13.5), (13.5 + leaning[index], 12.5), color="#d55e00", linewidth=1.5
            )
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_color("0.85")
        row[0].set_ylabel(names[guess], rotation=0, labelpad=8, ha="right", va="center")
    figure.savefig(path, dpi=150)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--epochs", type=positive, default=10, help="default: %(default)s")
    parser.add_argument("--plots", type=folder, metavar="DIR", help="draw into this folder")
    add_data_options(parser)
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
