"""A perceptron as a graph of placeholders and operations, run in a session, with learned weights.

A line separates two clouds of points, blue around (2, 2) and red around (-2, -2). It is first guessed by
hand, then found by gradient descent on the cross-entropy. The graph consists of operations only, and
adds nodes for their gradients itself.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from shared import Classes, folder, run

from cnet import graph, plots

POINTS_PER_CLASS, STEPS, LEARNING_RATE = 100, 1000, 0.01
NAMES = ["blue", "red"]

Floats = npt.NDArray[np.float64]


def main(args: argparse.Namespace) -> None:
    """Classify by hand, score by maximum likelihood, learn, and draw the lines."""
    rng = np.random.default_rng(args.seed)
    x, y = two_clouds(rng)
    session = graph.Session()

    points = graph.placeholder(shape=(None, 2), name="points")
    classes = graph.placeholder(shape=(None, 2), name="classes")  # one-hot: (1, 0) is blue
    feeds: dict[graph.Node, npt.ArrayLike] = {points: x, classes: np.eye(2)[y]}

    # By hand: a point is blue if x₀ + x₁ > 0.
    by_hand = probabilities(
        points, graph.Variable([[1.0, -1.0], [1.0, -1.0]]), graph.Variable([0.0, 0.0])
    )
    describe("by hand", session, by_hand, cross_entropy(by_hand, classes), feeds, y)

    # Learned: from random weights, by gradient descent on the cross-entropy.
    weights = graph.Variable(rng.normal(size=(2, 2)), name="weights")
    bias = graph.Variable(rng.normal(size=2), name="bias")
    learned = probabilities(points, weights, bias)
    loss = cross_entropy(learned, classes)
    step = graph.GradientDescentOptimizer(LEARNING_RATE).minimize(loss)
    describe("random", session, learned, loss, feeds, y)
    for number in range(1, STEPS + 1):
        value, _ = session.run([loss, step], feeds)
        if number in (1, 10, 100, STEPS):
            print(f"step {number:,}: J = {value:.4f}")
    describe("learned", session, learned, loss, feeds, y)
    slope, offset = line(weights.value, bias.value)
    print(f"the line: y = {slope:.3f} x + {offset:.3f}")

    if args.plots:
        (args.plots / "perceptron_graph.dot").write_text(graph.to_dot(loss), encoding="utf-8")
        models = {"by hand": by_hand, "learned": learned}
        plot(args.plots, models, lambda node, x: session.run(node, {points: x}), x, y)


def two_clouds(rng: np.random.Generator) -> tuple[Floats, Classes]:
    """Return the points and their classes: half blue (class 0), half red (class 1)."""
    y = np.repeat([0, 1], POINTS_PER_CLASS)
    centres = np.array([[2.0, 2.0], [-2.0, -2.0]])
    return centres[y] + rng.normal(size=(len(y), 2)), y


def probabilities(points: graph.Node, weights: graph.Node, bias: graph.Node) -> Any:
    """Return a node: the probabilities of each point to be blue and to be red."""
    return graph.softmax(points @ weights + bias)


def cross_entropy(p: graph.Node, c: graph.Node) -> Any:
    """Return a node: J = −Σᵢ Σⱼ cᵢⱼ log pᵢⱼ.

    The likelihood is the product of the probabilities of all points' true classes. Its logarithm is a
    sum, and maximizing the likelihood minimizes J.
    """
    return graph.negative(
        graph.reduce_sum(graph.reduce_sum(graph.multiply(c, graph.log(p)), axis=1))
    )


def describe(
    name: str,
    session: graph.Session,
    p: graph.Node,
    loss: graph.Node,
    feeds: dict[graph.Node, npt.ArrayLike],
    y: Classes,
) -> None:
    """Print the share of misclassified points, and the cross-entropy."""
    predicted, value = session.run([graph.argmax(p, axis=1), loss], feeds)
    print(f"{name}: misclassified {np.mean(predicted != y):.1%}, J = {value:.4f}")


def line(weights: Floats, bias: Floats) -> tuple[float, float]:
    """Return slope and offset of the line where both logits are equal."""
    a, b = weights[:, 1] - weights[:, 0]
    return -a / b, -(bias[1] - bias[0]) / b


def plot(path: Path, models: dict[str, graph.Node], predict: Any, x: Floats, y: Classes) -> None:
    """Draw the decision boundaries of the weights by hand and of the learned ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.4), layout="constrained")
    panels = figure.subplots(1, len(models), sharey=True)
    for axes, (name, node) in zip(panels, models.items(), strict=True):
        plots.decision_boundary(
            lambda plane, node=node: predict(node, plane),
            x,
            y,
            class_names=NAMES,
            title=name,
            ax=axes,
        )
    figure.savefig(path / "perceptron_graph.png", dpi=150)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--plots", type=folder, metavar="DIR", help="draw into this folder")
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
