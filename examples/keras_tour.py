"""The first chapter of a Keras course: load, build, compile, fit, evaluate, predict, plot.

All of it also runs on Keras 3, except for the imports, `plots`, and the bundled digits.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from shared import Classes, Images, add_data_options, folder, load_data, run

from cnet import Sequential, callbacks, layers, plots, utils


def main(args: argparse.Namespace) -> None:
    """Run the chapter."""
    # The data: images of 28 by 28 bytes, and their class ids.
    (train_images, train_labels), (test_images, test_labels), names = load_data(args)
    print(f"to train on: {train_images.shape}, to test on: {test_images.shape}")

    # The network: layers that the data passes through, each extracting more useful features.
    utils.set_random_seed(args.seed)
    model = Sequential(
        [
            layers.Flatten(input_shape=(28, 28)),
            layers.Dense(512, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )

    # Training minimizes the loss by the optimizer; metrics are for people.
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()

    # Scale bytes to numbers from 0 to 1: networks train best on small inputs of similar size.
    x_train = train_images.astype("float32") / 255
    x_test = test_images.astype("float32") / 255

    # Train. `tensorboard --logdir DIR/logs` shows the progress.
    history = model.fit(
        x_train,
        train_labels,
        epochs=5,
        batch_size=128,
        validation_data=(x_test, test_labels),
        callbacks=[callbacks.TensorBoard(args.plots / "logs", histogram_freq=1)]
        if args.plots
        else None,
    )

    # Accuracy on images that it has not seen is lower: the network overfits.
    test_loss, test_accuracy = model.evaluate(x_test, test_labels, verbose=0)
    print(f"training accuracy {history.history['accuracy'][-1]:.4f}")
    print(f"test loss {test_loss:.4f}, test accuracy {test_accuracy:.4f}")

    # Ten probabilities for each image; the largest is the prediction.
    probabilities = model.predict(x_test, verbose=0)
    first = probabilities[0]
    print(f"the first is {names[first.argmax()]}, at {first.max():.4f}")
    print(f"and in truth {names[test_labels[0]]}")

    if args.plots:
        plot(args.plots, history, test_images, test_labels, probabilities, names)


def plot(
    path: Path,
    history: callbacks.History,
    images: Images,
    labels: Classes,
    probabilities: np.ndarray,
    names: Sequence[str],
) -> None:
    """Draw the training curves, the first ten images, and fifty misclassified ones."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)[:50]
    pictures = {
        "keras_tour_curves.png": plots.history(history),
        "keras_tour_first.png": plots.images(images[:10], labels[:10], class_names=names),
        "keras_tour_mistakes.png": plots.images(
            images[wrong], labels[wrong], predicted[wrong], class_names=names
        ),
        "keras_tour_confusion.png": plots.confusion_matrix(labels, predicted, class_names=names),
    }
    for name, figure in pictures.items():
        figure.savefig(path / name)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--plots", type=folder, metavar="DIR", help="folder for plots and TensorBoard logs"
    )
    add_data_options(parser)
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
