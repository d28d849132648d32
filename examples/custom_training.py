"""Layers, a model and its training, from variables and a gradient tape; then layers of one's own for `fit`.

This is what `Sequential` and `fit` do, written out as in a Keras course: a dense layer is a product and
a sum, a model is a list of layers, and a training step subtracts the gradient times a learning rate.
A subclass of `Layer` needs only its own computation, and `Sequential` and `fit` do the rest.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from shared import Classes, add_data_options, load_data, positive, run

from cnet import Sequential, activations, autodiff, layers, losses, ops, optimizers, utils
from cnet.autodiff import GradientTape, Tensor, Variable

EPOCHS, LEARNING_RATE = 10, 1e-3
ANSWERS = 20  # of a network with dropout, for each image

Floats = npt.NDArray[np.float32]
Update = Callable[[Sequence[Tensor], Sequence[Variable]], Any]


class NaiveDense:
    """activation(inputs @ w + b)."""

    def __init__(
        self, input_size: int, output_size: int, activation: Callable[..., Any], seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        self.activation = activation
        self.w = Variable(rng.uniform(0, 0.1, (input_size, output_size)), dtype="float32")
        self.b = Variable(np.zeros(output_size), dtype="float32")

    def __call__(self, inputs: Any) -> Any:
        return self.activation(autodiff.matmul(inputs, self.w) + self.b)

    @property
    def weights(self) -> list[Variable]:
        """The trainable variables."""
        return [self.w, self.b]


class NaiveSequential:
    """Layers that are applied one after the other."""

    def __init__(self, parts: Sequence[NaiveDense]) -> None:
        self.layers = parts

    def __call__(self, inputs: Any) -> Any:
        x = inputs
        for layer in self.layers:
            x = layer(x)
        return x

    @property
    def weights(self) -> list[Variable]:
        """The weights of all layers."""
        return [weight for layer in self.layers for weight in layer.weights]


class BatchGenerator:
    """Images and labels in batches."""

    def __init__(self, images: Floats, labels: Classes, batch_size: int) -> None:
        assert len(images) == len(labels)
        self.index = 0
        self.images, self.labels, self.batch_size = images, labels, batch_size
        self.num_batches = math.ceil(len(images) / batch_size)

    def next(self) -> tuple[Floats, Classes]:
        """Return the next batch."""
        batch = slice(self.index, self.index + self.batch_size)
        self.index += self.batch_size
        return self.images[batch], self.labels[batch]


def one_training_step(
    model: NaiveSequential, images: Floats, labels: Classes, update: Update
) -> Tensor:
    """Compute the loss on a tape, take a step along its gradients, and return the loss."""
    with GradientTape() as tape:
        predictions = model(images)
        per_sample = losses.sparse_categorical_crossentropy(labels, predictions)
        average_loss: Tensor = autodiff.reduce_mean(per_sample)
    gradients = tape.gradient(average_loss, model.weights)
    update(gradients, model.weights)
    return average_loss


def update_weights(gradients: Sequence[Tensor], weights: Sequence[Variable]) -> None:
    """Take a step of plain gradient descent."""
    for gradient, weight in zip(gradients, weights, strict=True):
        weight.assign_sub(gradient * LEARNING_RATE)


def update_by(optimizer: optimizers.Optimizer) -> Update:
    """Return an update function that applies an optimizer."""
    return lambda gradients, weights: optimizer.apply_gradients(
        zip(gradients, weights, strict=True)
    )


def fit(
    model: NaiveSequential,
    images: Floats,
    labels: Classes,
    epochs: int,
    batch_size: int,
    update: Update,
) -> None:
    """Train for a number of epochs."""
    for epoch in range(1, epochs + 1):
        batches = BatchGenerator(images, labels, batch_size)
        total = 0.0
        for _ in range(batches.num_batches):
            total += float(one_training_step(model, *batches.next(), update))
        print(f"epoch {epoch}: loss {total / batches.num_batches:.4f}")


class OwnDense(layers.Layer):
    """activation(inputs @ w + b) with a penalty on large outputs: a layer for any model."""

    def __init__(
        self, units: int, activation: Callable[..., Any], penalty: float = 1e-3, **options: Any
    ) -> None:
        super().__init__(**options)
        self.units, self.activation, self.penalty = units, activation, penalty

    def build(self, input_shape: Any = None) -> None:
        """Add the weights, as soon as the size of the inputs is known."""
        shape = (input_shape[-1], self.units)
        self.w = self.add_weight(shape=shape, initializer="glorot_uniform", name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Compute the outputs; in training, add the penalty to the loss."""
        outputs = self.activation(ops.matmul(x, self.w) + self.b)
        if training:
            self.add_loss(self.penalty * ops.mean(ops.square(outputs)))
        return outputs


class MonteCarloDropout(layers.Dropout):
    """Dropout in predictions, too: where their answers differ, the network is not sure."""

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Drop as in training."""
        del training
        return super().call(x, training=True)


def train_own_layers(images: Floats, labels: Classes, seed: int) -> Sequential:
    """Return a network with layers of one's own, trained by `fit`."""
    utils.set_random_seed(seed)
    model = Sequential(
        [
            OwnDense(512, activations.relu),
            MonteCarloDropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
    history = model.fit(images, labels, epochs=EPOCHS, verbose=0)
    for epoch, loss in enumerate(history.history["loss"], 1):
        print(f"epoch {epoch}: loss {loss:.4f}")
    return model


def compare_answers(model: Sequential, images: Floats, labels: Classes) -> None:
    """Compare the answers of a network that drops other outputs each time."""
    answers = np.stack([model.predict(images, verbose=0) for _ in range(ANSWERS)])
    is_right = answers.mean(axis=0).argmax(axis=1) == labels
    classes = answers.argmax(axis=2)
    agree = (classes == classes[0]).all(axis=0)
    print(f"{ANSWERS} answers agree on {agree.mean():.1%} of the digits")
    print(f"accuracy on these {is_right[agree].mean():.4f}, on all {is_right.mean():.4f}")


def main(args: argparse.Namespace) -> None:
    """Train a network of two layers on digits: by hand, with an optimizer, and with layers of one's own; test it."""
    (train_images, train_labels), (test_images, test_labels), _ = load_data(args)
    train_pixels, test_pixels = pixels(train_images), pixels(test_images)
    for name, update in {
        "by hand": update_weights,
        "with Adam": update_by(optimizers.Adam(LEARNING_RATE)),
    }.items():
        model = NaiveSequential(
            [
                NaiveDense(28 * 28, 512, activations.relu, seed=args.seed),
                NaiveDense(512, 10, activations.softmax, seed=args.seed + 1),
            ]
        )
        print(f"{name}:")
        fit(model, train_pixels, train_labels, EPOCHS, args.batch_size, update)
        predicted = np.argmax(model(test_pixels), axis=1)
        print(f"test accuracy {np.mean(predicted == test_labels):.4f}")
    print("with layers of one's own:")
    own = train_own_layers(train_pixels, train_labels, args.seed)
    compare_answers(own, test_pixels, test_labels)


def pixels(images: npt.NDArray[np.uint8]) -> Floats:
    """Return each image as a row of numbers from 0 to 1."""
    rows: Floats = images.reshape(len(images), 28 * 28) / np.float32(255)
    return rows


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    # As many steps as in the course: 4,000 digits in batches of 8, not 60,000 in batches of 128.
    parser.add_argument("--batch-size", type=positive, default=8, help="default: %(default)s")
    add_data_options(parser)
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
