"""Forty layers, with and without shortcuts around them: without shortcuts they learn far more slowly.

A block computes ``x + f(x)``, so that the gradient reaches the first layers unchanged (He et al., 2016,
https://arxiv.org/abs/1512.03385). The plain network has the same layers, but its blocks compute ``f(x)``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from shared import add_data_options, folder, load_data, positive, run

from cnet import Input, Model, callbacks, layers, utils

WIDTH = 64


def main(args: argparse.Namespace) -> None:
    """Train both networks, print their accuracy, and draw their losses."""
    (x, y), (test_x, test_y), _ = load_data(args)
    histories = {}
    for name, has_shortcuts in {"residual": True, "plain": False}.items():
        utils.set_random_seed(args.seed)
        model = make_model(args.blocks, has_shortcuts=has_shortcuts)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        histories[name] = model.fit(
            x, y, batch_size=64, epochs=args.epochs, validation_data=(test_x, test_y), verbose=0
        )
        print(f"{name}: {model.count_params():,} weights in {args.blocks} blocks")
        for epoch in sorted({1, 2, args.epochs}):
            print(f"{name}: epoch {epoch}: loss {histories[name].history['loss'][epoch - 1]:.4f}")
        print(f"{name}: test accuracy {histories[name].history['val_accuracy'][-1]:.4f}")
    if args.plots:
        plot(args.plots / "residual.png", histories, args.blocks)


def make_model(blocks: int, *, has_shortcuts: bool) -> Any:
    """Return a network of blocks for images of 28 by 28 bytes."""
    images = Input((28, 28))
    x = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    x = layers.Dense(WIDTH)(x)
    for _ in range(blocks):
        change = layers.Dense(WIDTH, activation="relu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, change]) if has_shortcuts else change
    x = layers.LayerNormalization()(x)
    return Model(images, layers.Dense(10, activation="softmax")(x))


def plot(path: Path, histories: dict[str, callbacks.History], blocks: int) -> None:
    """Draw the training and the validation losses of both networks."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for (name, history), color in zip(histories.items(), ("#0072b2", "#d55e00"), strict=True):
        epochs = np.arange(1, len(history.epoch) + 1)
        losses, test_losses = history.history["loss"], history.history["val_loss"]
        axes.plot(epochs, losses, color=color, linewidth=2, label=f"{name}: training")
        axes.plot(epochs, test_losses, color=color, linestyle=":", label=f"{name}: test")
    axes.axhline(np.log(10), color="0.6", linewidth=1)
    axes.annotate(
        "guessing: ln 10",
        (epochs[-1], np.log(10)),
        (0, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color="0.4",
        fontsize=9,
    )
    axes.set(xlabel="epoch", ylabel="cross-entropy", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(
        f"{blocks} dense layers, with and without shortcuts",
        fontsize=10,
        fontweight="bold",
        loc="left",
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--blocks", type=positive, default=40, help="default: %(default)s")
    parser.add_argument("--epochs", type=positive, default=12, help="default: %(default)s")
    parser.add_argument("--plots", type=folder, metavar="DIR", help="draw into this folder")
    add_data_options(parser)
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
