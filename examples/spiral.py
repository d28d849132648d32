"""Points on the arms of a spiral: no straight line separates them, but a hidden layer does.

The case study of Stanford's course CS231n (https://cs231n.github.io/neural-networks-case-study/):
softmax regression and a network with one hidden layer, trained on all points at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from shared import folder, run

from cnet import (
    Input,
    Sequential,
    callbacks,
    initializers,
    layers,
    optimizers,
    plots,
    regularizers,
    utils,
)
from cnet.datasets import spiral

# The course's penalty is ½ λ Σ W² with λ = 1e-3. Keras's L2 has no ½.
PENALTY = 1e-3 / 2
STEPS = {"softmax regression": 200, "one hidden layer": 10_000}


def main(args: argparse.Namespace) -> None:
    """Train both, and draw their decision boundaries."""
    x, y = spiral(samples_per_class=100, classes=3, seed=args.seed)
    utils.set_random_seed(args.seed)
    models = {
        "softmax regression": Sequential([Input((2,)), dense(3, "softmax")]),
        "one hidden layer": Sequential([Input((2,)), dense(100, "relu"), dense(3, "softmax")]),
    }
    for name, model in models.items():
        history = train(model, x, y, STEPS[name])
        # ln 3 = 1.0986 before the first step: all classes are equally likely.
        for step in (1, 200, 1000, 2000, 3000, 5000, 9000):
            if step <= STEPS[name]:
                print(f"{name}: step {step:,}: loss {history.history['loss'][step - 1]:.4f}")
        print(f"{name}: training accuracy {history.history['accuracy'][-1]:.4f}")
    if args.plots:
        plot(args.plots, models, x, y)


def dense(units: int, activation: str) -> layers.Dense:
    """Return a layer with the initial weights and the penalty of the course."""
    return layers.Dense(
        units,
        activation=activation,
        kernel_initializer=initializers.RandomNormal(stddev=0.01),
        kernel_regularizer=regularizers.L2(l2=PENALTY),
    )


def train(
    model: Sequential, x: npt.NDArray[np.float32], y: npt.NDArray[np.int64], steps: int
) -> callbacks.History:
    """Train on all points at once: an epoch is one step."""
    model.compile(
        optimizers.SGD(learning_rate=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model.fit(x, y, batch_size=len(x), epochs=steps, verbose=0)


def plot(
    path: Path,
    models: dict[str, Sequential],
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.int64],
) -> None:
    """Draw the decision boundaries side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.4), layout="constrained")
    panels = figure.subplots(1, len(models), sharey=True)
    for axes, (name, model) in zip(panels, models.items(), strict=True):
        accuracy = model.evaluate(x, y, verbose=0)[1]
        plots.decision_boundary(model, x, y, title=f"{name}: {accuracy:.0%}", ax=axes)
    figure.savefig(path / "spiral.png", dpi=150)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--plots", type=folder, metavar="DIR", help="draw into this folder")
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
