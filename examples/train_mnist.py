"""Train a network on images of digits, or of clothes, and test it on unseen images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from shared import Classes, Images, add_data_options, load_data, picture, positive, run

from cnet import Input, Sequential, callbacks, layers, optimizers, plots, utils

OPTIMIZERS = ["adadelta", "adagrad", "adam", "adamw", "lion", "nadam", "rmsprop", "sgd"]


def train(args: argparse.Namespace) -> None:
    """Load the data, train, print loss and accuracy, and plot if requested."""
    (x_train, y_train), (x_test, y_test), names = load_data(args)

    utils.set_random_seed(args.seed)
    optimizer = optimizers.get(args.optimizer)
    if args.learning_rate is not None:
        optimizer.learning_rate = args.learning_rate

    model = make_model(args.hidden)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        x_train,
        y_train,
        batch_size=args.batch_size,
        epochs=args.epochs,
        validation_data=(x_test, y_test),
    )
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"test loss {loss:.4f}, test accuracy {accuracy:.4f}")

    if args.plot:
        predicted = model.predict(x_test).argmax(axis=1)
        plot(args.plot, history, x_test, y_test, predicted, names)


def make_model(hidden: Sequence[int]) -> Sequential:
    """Return a network that maps images of 28 by 28 bytes to probabilities of ten classes."""
    return Sequential(
        [
            Input((28, 28)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            *[layers.Dense(width, activation="relu") for width in hidden],
            layers.Dense(10, activation="softmax"),
        ]
    )


def plot(
    path: Path,
    history: callbacks.History,
    images: Images,
    labels: Classes,
    predicted: Classes,
    names: Sequence[str],
) -> None:
    """Draw the training curves, the first test images, and the first misclassified ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.8, 5.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 8))
    curves, first, mistakes = (
        figure.add_subfigure(cell) for cell in (grid[:, 0], grid[0, 1], grid[1, 1])
    )
    plots.history(history, columns=1, figure=curves)
    wrong = np.flatnonzero(predicted != labels)
    for rows, subfigure, title in (
        (np.arange(len(labels)), first, "First test images: predicted"),
        (wrong, mistakes, f"Wrong, {len(wrong):,} of {len(labels):,}: predicted (true)"),
    ):
        if len(rows) > 0:
            shown = rows[:30]
            plots.images(
                images[shown],
                labels[shown],
                predicted[shown],
                class_names=names,
                title=title,
                figure=subfigure,
            )
    figure.savefig(path, dpi=200)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--plot",
        type=picture,
        metavar="FILE",
        help="draw curves and images into a .png, .pdf or .svg file",
    )

    add_data_options(parser)

    model = parser.add_argument_group("model and training")
    model.add_argument(
        "--hidden",
        type=positive,
        nargs="+",
        default=[512],
        metavar="WIDTH",
        help="widths of the hidden layers, one or more (default: 512)",
    )
    model.add_argument("--epochs", type=positive, default=10, help="default: %(default)s")
    model.add_argument("--batch-size", type=positive, default=32, help="default: %(default)s")
    model.add_argument(
        "--optimizer",
        choices=OPTIMIZERS,
        default="adam",
        help="default: %(default)s",
    )
    model.add_argument("--learning-rate", type=float, help="default: the optimizer's own")
    return parser


if __name__ == "__main__":
    run(make_parser(), train)
