"""Three layers by hand, forward and backward over `cnet.ops`, and the same net as a Sequential.

Both start from the same weights, see the same batches and take 1,000 steps. The Sequential runs
whole epochs in one native call, and its weights end with the same bits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from shared import BUNDLED, Classes, folder, run

from cnet import Input, Sequential, layers, ops, optimizers, plots, utils
from cnet.datasets import mnist

WIDTHS = [784, 64, 32, 10]
BATCH_SIZE, LEARNING_RATE, EPOCHS = 32, 0.1, 8  # 125 batches an epoch: 1,000 steps

Floats = npt.NDArray[np.float32]


def main(args: argparse.Namespace) -> None:
    """Train both, compare them, and plot the one by hand."""
    (x_train, y_train), (x_test, y_test) = mnist.load_data(BUNDLED)
    x, x_test_rows = pixels(x_train), pixels(x_test)

    utils.set_random_seed(args.seed)
    model = make_model()
    weights = model.get_weights()  # [kernel, bias, kernel, bias, kernel, bias]
    first_kernel = weights[0].copy()

    losses = train(x, y_train, weights)
    for epoch, loss in enumerate(losses):
        print(f"epoch {epoch + 1}: loss {loss:.4f}")
    predicted = forward(x_test_rows, weights)[-1].argmax(axis=1)
    print(f"by hand:    test accuracy {np.mean(predicted == y_test):.4f}")

    # shuffle=False: batches in the order of the data, as in the loop by hand.
    model.fit(x, y_train, batch_size=BATCH_SIZE, epochs=EPOCHS, shuffle=False, verbose=0)
    _, accuracy = model.evaluate(x_test_rows, y_test, verbose=0)
    print(f"Sequential: test accuracy {accuracy:.4f}")

    pairs = zip(weights, model.get_weights(), strict=True)
    same = all(mine.tobytes() == others.tobytes() for mine, others in pairs)
    verdict = "the same bits" if same else "they differ"
    steps = EPOCHS * len(x) // BATCH_SIZE
    print(f"weights after {steps:,} steps: {verdict}")

    if args.plots:
        plot(args.plots, losses, weights[0] - first_kernel)


def pixels(images: npt.NDArray[np.uint8]) -> Floats:
    """Return each image as a row of numbers from 0 to 1."""
    rows: Floats = images.reshape(len(images), -1) / np.float32(255)
    return rows


def make_model() -> Sequential:
    """Return the same net as a Sequential, compiled."""
    hidden = [layers.Dense(width, activation="relu") for width in WIDTHS[1:-1]]
    output = layers.Dense(WIDTHS[-1], activation="softmax")
    model = Sequential([Input((WIDTHS[0],)), *hidden, output])
    model.compile(
        optimizers.SGD(LEARNING_RATE), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def forward(x: Floats, weights: list[Floats]) -> list[Floats]:
    """Return the outputs of all layers for a batch: a₀ = x, a₁, a₂ and the logits z₃.

    zₗ = aₗ₋₁ Wₗ + bₗ and aₗ = max(zₗ, 0). Samples are rows, so W is on the right.
    """
    w1, b1, w2, b2, w3, b3 = weights
    a1 = ops.relu_forward(ops.dense_forward(x, w1, b1))
    a2 = ops.relu_forward(ops.dense_forward(a1, w2, b2))
    z3 = ops.dense_forward(a2, w3, b3)
    return [x, a1, a2, z3]


def backward(
    activations: list[Floats], probabilities: Floats, labels: Classes, weights: list[Floats]
) -> list[Floats]:
    """Return the gradients of the mean loss for all weights, computed from the last layer to the first.

    With the softmax s and one-hot labels y, ∂L/∂z₃ = (s - y) / batch: the derivatives of softmax and
    logarithm simplify to that. Then, layer by layer,

        ∂L/∂Wₗ = aₗ₋₁ᵀ ∂L/∂zₗ        ∂L/∂bₗ = the sum of ∂L/∂zₗ over the batch
        ∂L/∂aₗ₋₁ = ∂L/∂zₗ Wₗᵀ        ∂L/∂zₗ₋₁ = ∂L/∂aₗ₋₁ where the ReLU is active

    so each gradient needs that of the next layer: hence "back"propagation.
    """
    x, a1, a2, _ = activations
    w1, _, w2, _, w3, _ = weights
    grad_z3 = ops.softmax_cross_entropy_backward(probabilities, labels)
    grad_a2, grad_w3, grad_b3 = ops.dense_backward(grad_z3, a2, w3)
    grad_z2 = ops.relu_backward(grad_a2, a2)  # a₂ > 0 where z₂ > 0
    grad_a1, grad_w2, grad_b2 = ops.dense_backward(grad_z2, a1, w2)
    grad_z1 = ops.relu_backward(grad_a1, a1)
    _, grad_w1, grad_b1 = ops.dense_backward(grad_z1, x, w1)
    return [grad_w1, grad_b1, grad_w2, grad_b2, grad_w3, grad_b3]


def train(x: Floats, labels: Classes, weights: list[Floats]) -> list[float]:
    """Update the weights by gradient descent in batches; return the mean loss of each epoch."""
    losses = []
    for _ in range(EPOCHS):
        total = 0.0
        for first in range(0, len(x), BATCH_SIZE):
            batch = slice(first, first + BATCH_SIZE)
            activations = forward(x[batch], weights)
            loss, probabilities = ops.softmax_cross_entropy_forward(activations[-1], labels[batch])
            gradients = backward(activations, probabilities, labels[batch], weights)
            for weight, gradient in zip(weights, gradients, strict=True):
                ops.sgd_update(weight, gradient, LEARNING_RATE)  # W ← W - η ∂L/∂W
            total += loss
        losses.append(total * BATCH_SIZE / len(x))
    return losses


def plot(path: Path, losses: list[float], learned: Floats) -> None:
    """Draw the loss, and what training added to the kernel of each unit in the first layer."""
    plots.history({"loss": losses}).savefig(path / "three_layer_loss.png")
    units = learned.T.reshape(-1, 28, 28)
    title = "Change of each first-layer unit's kernel by training"
    figure = plots.images(units, columns=16, cmap="gray", title=title)
    figure.savefig(path / "three_layer_kernels.png")


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--plots", type=folder, metavar="DIR", help="draw into this folder")
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
