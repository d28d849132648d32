"""Train a network on images of digits, or of clothes, and test it on images it has not seen."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cnet import Input, Sequential, layers, optimizers, utils
from cnet.datasets import fashion_mnist, mnist

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

BUNDLED = Path(__file__).parent / "data" / "mnist_5k.npz"
OPTIMIZERS = sorted(kind.__name__.lower() for kind in optimizers.Optimizer.__subclasses__())

Images = npt.NDArray[np.uint8]
Classes = npt.NDArray[np.integer[Any]]


def main() -> None:
    """Train, test and plot as the command line says."""
    parser = make_parser()
    args = parser.parse_args()
    try:
        train(args)
    except KeyboardInterrupt:
        parser.exit(130, "\nstopped\n")
    except (ImportError, OSError, ValueError, ArithmeticError, MemoryError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


def train(args: argparse.Namespace) -> None:
    """Load the data, train, print the figures of merit, and plot if asked to."""
    dataset = fashion_mnist if args.fashion else mnist
    published = args.full or args.fashion
    (x_train, y_train), (x_test, y_test) = dataset.load_data(
        args.data or (None if published else BUNDLED)
    )

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
        names = fashion_mnist.CLASS_NAMES if args.fashion else "0123456789"
        predicted = model.predict(x_test).argmax(axis=1)
        plot(args.plot, history.history, x_test, y_test, predicted, names)


def make_model(hidden: Sequence[int]) -> Sequential:
    """Return a network from bytes of 28 by 28 pixels to probabilities of ten classes."""
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
    history: dict[str, list[float]],
    images: Images,
    labels: Classes,
    predicted: Classes,
    names: Sequence[str],
) -> None:
    """Draw the training curves, the first test images, and the first that the model got wrong."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {
        "font.size": 8,
        "figure.titlesize": 9,
        "figure.titleweight": "bold",
        "axes.titlesize": 7.5,
        "axes.titlepad": 2,
        "axes.edgecolor": "0.6",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "0.92",
        "lines.linewidth": 1.2,
        "lines.markersize": 5,
        "xtick.color": "0.3",
        "ytick.color": "0.3",
    }
    wrong = np.flatnonzero(predicted != labels)
    wrong_title = f"Wrong, {len(wrong):,} of {len(labels):,}: predicted (true)"
    with mpl.rc_context(style):
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        grid = figure.add_gridspec(2, 2, width_ratios=(3, 8), wspace=0.04, hspace=0.04)
        curves, first, mistakes = (
            figure.add_subfigure(cell) for cell in (grid[:, 0], grid[0, 1], grid[1, 1])
        )
        plot_curves(curves, history)
        plot_images(first, "First test images: predicted", images, labels, predicted, names)
        plot_images(mistakes, wrong_title, images[wrong], labels[wrong], predicted[wrong], names)
        figure.savefig(path, dpi=200)


def plot_curves(figure: SubFigure, history: dict[str, list[float]]) -> None:
    """Draw loss and accuracy by epoch, for training and for test images."""
    from matplotlib.ticker import MaxNLocator

    figure.suptitle("Training", x=0.02, ha="left")
    loss, accuracy = figure.subplots(2, 1, sharex=True)
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        epochs = range(1, len(history[name]) + 1)
        axes.plot(epochs, history[name], ".-", color="0.6", label="training")
        axes.plot(epochs, history[f"val_{name}"], ".-", color="tab:blue", label="test")
        axes.set_ylabel(name)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    loss.legend(frameon=False)
    accuracy.set_xlabel("epoch")
    accuracy.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.align_ylabels()


def plot_images(
    figure: SubFigure,
    title: str,
    images: Images,
    labels: Classes,
    predicted: Classes,
    names: Sequence[str],
) -> None:
    """Draw three rows of images, each under the class that the model gives it."""
    figure.suptitle(title, x=0.01, ha="left")
    space = " " if max(map(len, names)) == 1 else "\n"
    grid = figure.subplots(3, 10)
    for axes in grid.flat:
        axes.axis("off")
    for axes, image, label, guess in zip(grid.flat, images, labels, predicted, strict=False):
        axes.imshow(image, cmap="gray_r")
        if guess == label:
            axes.set_title(names[guess], color="0.3")
        else:
            axes.set_title(f"{names[guess]}{space}({names[label]})", color="tab:red")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--plot",
        type=plot_path,
        metavar="FILE",
        help="draw what happened into a .png, .pdf or .svg",
    )

    data = parser.add_argument_group(
        "data", "without any of these: the 5,000 digits beside the script"
    )
    data.add_argument(
        "--fashion",
        action="store_true",
        help="Fashion-MNIST: 70,000 images of clothes, downloaded once",
    )
    source = data.add_mutually_exclusive_group()
    source.add_argument(
        "--full", action="store_true", help="MNIST: 70,000 images of digits, downloaded once"
    )
    source.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="read them from a folder of IDX files, or an .npz file",
    )

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


def positive(text: str) -> int:
    """Return an integer of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, got {text}")
    return int(text)


def plot_path(text: str) -> Path:
    """Return the path of a figure; refuse now what would fail after the training."""
    path = Path(text)
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise argparse.ArgumentTypeError(f"expected a .png, .pdf or .svg file, got {text}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"no such folder: {path.parent}")
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("plots need matplotlib: pip install matplotlib")
    return path


if __name__ == "__main__":
    main()
