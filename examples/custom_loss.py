"""Custom losses of three lines each: quantiles of a noisy curve, and a loss for rare classes.

`compile` takes a function of labels and predictions. The function uses Python's operators and the
operations of `cnet.autodiff`, which computes the gradients.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from shared import add_data_options, folder, load_data, positive, run

import cnet
from cnet import autodiff, layers, losses

QUANTILES = np.array([0.1, 0.5, 0.9], np.float32)
# The same quantiles of the standard normal distribution.
NORMAL_QUANTILES = np.array([-1.2815516, 0.0, 1.2815516], np.float32)
RARE, BATCH_SIZE = 8, 64

Floats = npt.NDArray[np.float32]


def pinball(y_true: Any, y_pred: Any) -> Any:
    """Weigh errors below by q and above by 1 − q: minimal at the q-quantile (Koenker, 1978)."""
    error = y_true - y_pred  # (batch, 1) and (batch, quantiles)
    return autodiff.maximum(QUANTILES * error, (QUANTILES - 1) * error)


def focal(y_true: Any, y_pred: Any) -> Any:
    """Reduce the weight of samples that are already classified well (Lin et al., 2017)."""
    p_of_truth = y_true * y_pred + (1 - y_true) * (1 - y_pred)
    return -((1 - p_of_truth) ** 2) * autodiff.log(p_of_truth + 1e-7)


def main(args: argparse.Namespace) -> None:
    """Fit the quantiles of a curve, then detect a rare digit."""
    cnet.utils.set_random_seed(args.seed)
    quantiles(args)
    rare_digit(args)


def curve(x: Floats) -> tuple[Floats, Floats]:
    """Return the median of the curve, and the standard deviation of the noise."""
    middle: Floats = np.sin(3 * x)
    spread: Floats = np.float32(0.05) + np.float32(0.25) * np.abs(x)
    return middle, spread


def quantiles(args: argparse.Namespace) -> None:
    """Learn three quantiles at once, and count the points below each."""
    rng = np.random.default_rng(args.seed)
    x = rng.uniform(-1.5, 1.5, (4000, 1)).astype(np.float32)
    middle, spread = curve(x)
    y = middle + spread * rng.normal(size=x.shape).astype(np.float32)
    model = cnet.Sequential(
        [layers.Dense(64, "tanh"), layers.Dense(64, "tanh"), layers.Dense(len(QUANTILES))]
    )
    steps = args.epochs * math.ceil(len(x) / BATCH_SIZE)
    rate = cnet.optimizers.schedules.CosineDecay(5e-3, steps)
    model.compile(cnet.optimizers.Adam(rate), pinball)
    history = model.fit(x, y, BATCH_SIZE, args.epochs, verbose=0)
    print(f"pinball loss {history.history['loss'][0]:.4f} → {history.history['loss'][-1]:.4f}")
    fitted = model.predict(x)
    for quantile, below in zip(QUANTILES, (y < fitted).mean(axis=0), strict=True):
        print(f"below the {quantile:.0%} quantile: {below:.1%} of the points")
    off = np.abs(fitted - (middle + spread * NORMAL_QUANTILES)).mean(axis=0)
    print("mean distance from the true quantiles:", ", ".join(f"{each:.3f}" for each in off))
    if args.plots:
        plot(args.plots / "custom_loss.png", model, x, y)


def rare_digit(args: argparse.Namespace) -> None:
    """Detect one digit, with cross-entropy, with `focal`, and with the engine's focal loss."""
    (images, labels), (test_images, test_labels), _ = load_data(args)
    x, y = images / np.float32(255), (labels == RARE)[:, None]
    test_x, test_y = test_images / np.float32(255), (test_labels == RARE)[:, None]
    for name, loss in {
        "binary_crossentropy": losses.BinaryCrossentropy(),
        "focal": focal,
        "BinaryFocalCrossentropy": losses.BinaryFocalCrossentropy(),
    }.items():
        cnet.utils.set_random_seed(args.seed)
        model = cnet.Sequential(
            [layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(1, "sigmoid")]
        )
        model.compile("adam", loss, metrics=["precision", "recall"])
        model.fit(x, y, BATCH_SIZE, 10, verbose=0)
        figures = model.evaluate(test_x, test_y, verbose=0, return_dict=True)
        results = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
        print(f"{name}: {results}")


def plot(path: Path, model: cnet.Sequential, x: Floats, y: Floats) -> None:
    """Draw the points, the fitted quantiles and the true ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.scatter(x[:1500], y[:1500], s=5, color="0.75", linewidths=0)
    along = np.linspace(-1.5, 1.5, 300, dtype=np.float32)[:, None]
    middle, spread = curve(along)
    fitted, true = model.predict(along), middle + spread * NORMAL_QUANTILES
    colors = ["#0072b2", "#000000", "#d55e00"]
    for n, (quantile, color) in enumerate(zip(QUANTILES, colors, strict=True)):
        axes.plot(along, fitted[:, n], color=color, label=f"{quantile:.0%}")
        axes.plot(along, true[:, n], color=color, linestyle=":", linewidth=1)
    axes.set(xlabel="x", ylabel="y")
    axes.set_title(
        "Fitted quantiles, and the true ones (dotted)", fontsize=10, fontweight="bold", loc="left"
    )
    axes.legend(title="quantile", frameon=False, reverse=True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--epochs", type=positive, default=100, help="default: %(default)s")
    parser.add_argument("--plots", type=folder, metavar="DIR", help="draw into this folder")
    add_data_options(parser)
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
