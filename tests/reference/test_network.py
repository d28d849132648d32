"""The reference's network and training loop."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import (
    ELEMENTARY_ROUNDINGS,
    central_difference,
    difference_bound,
    relative_bound,
)

from cnet import reference as ops
from cnet.reference import network, random
from cnet.reference._arrays import FloatArray


def draw_weights(*widths: int, seed: int = 0) -> list[FloatArray]:
    rng = np.random.default_rng(seed)
    weights: list[FloatArray] = []
    for inputs, outputs in pairwise(widths):
        weights += [
            rng.normal(size=(inputs, outputs)) / math.sqrt(inputs),
            rng.normal(size=outputs),
        ]
    return weights


def draw_clouds(samples: int) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return two Gaussian clouds, around (2, 2) and (-2, -2), and the cloud of each point."""
    rng = np.random.default_rng(samples)
    labels = np.arange(samples) % 2
    return rng.normal(size=(samples, 2)) + (2 - 4 * labels[:, np.newaxis]), labels


@pytest.mark.parametrize("widths", [(5, 3), (5, 7, 3), (5, 7, 6, 3)])
def test_gradients_of_the_whole_network(widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, labels, weights = rng.normal(size=(11, 5)), rng.integers(3, size=11), draw_weights(*widths)

    def loss() -> float:
        logits, _ = network.forward(x, weights)
        return ops.softmax_cross_entropy_forward(logits, labels)[0]

    # The derivative of the logits with respect to a weight is its input times the paths to the logits,
    # if no unit is at the kink of its relu. The third derivative of log Z is at most the cube of the
    # range of these derivatives over 6 √3.
    _, inputs = network.forward(x, weights)
    paths, derivative = np.eye(3), 0.0
    for a, kernel, bias in zip(inputs[::-1], weights[-2::-2], weights[::-2], strict=True):
        assert np.abs(ops.dense_forward(a, kernel, bias)).min() > 1e-4
        derivative = max(derivative, max(1.0, np.abs(a).max()) * paths.max())
        paths = np.abs(kernel) @ paths
    largest_logits, _ = network.forward(np.abs(x), [np.abs(weight) for weight in weights])
    bound = difference_bound(
        magnitude=2 * largest_logits.max(),
        roundings=sum(widths) + len(x) + 20,
        third_derivative=0.1 * (2 * derivative) ** 3,
    )

    value, gradients = network.loss_and_gradients(x, labels, weights)
    assert value == loss()
    for weight, gradient in zip(weights, gradients, strict=True):
        assert gradient.shape == weight.shape
        assert np.abs(gradient - central_difference(loss, weight)).max() <= bound


def test_the_loop_learns_to_tell_two_clouds_apart() -> None:
    x, labels = draw_clouds(100)
    weights = draw_weights(2, 8, 2)
    losses = network.train(x, labels, weights, learning_rate=0.1, batch_size=16, epochs=20)
    assert len(losses) == 20
    assert losses[-1] < 0.05 < losses[0]
    logits, _ = network.forward(x, weights)
    assert (logits.argmax(axis=1) == labels).mean() >= 0.99


def test_softmax_regression_starts_at_log_of_the_classes() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    weights = [np.zeros((4, 3)), np.zeros(3)]
    labels = np.arange(30) % 3
    (loss,) = network.train(x, labels, weights, learning_rate=0.0, batch_size=30, epochs=1)
    assert loss == pytest.approx(
        math.log(3), rel=relative_bound(ELEMENTARY_ROUNDINGS + 30, np.float64)
    )


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_an_epoch_takes_batches_in_the_order_of_the_permutation(
    momentum: float, nesterov: bool, one_hot: bool
) -> None:
    x, ids = draw_clouds(10)
    labels = np.eye(2)[ids] if one_hot else ids
    weights, expected = draw_weights(2, 3, 2), draw_weights(2, 3, 2)
    trained = list(weights)
    losses = network.train(
        x,
        labels,
        weights,
        learning_rate=0.1,
        batch_size=4,
        epochs=2,
        seed=7,
        momentum=momentum,
        nesterov=nesterov,
    )
    assert all(a is b for a, b in zip(weights, trained, strict=True)), "updated in place"

    velocities = [np.zeros_like(weight) for weight in expected]
    for epoch, loss in enumerate(losses):
        order = random.permutation(7, epoch, 10)
        total = 0.0
        for batch in (order[:4], order[4:8], order[8:]):
            mean, gradients = network.loss_and_gradients(x[batch], labels[batch], expected)
            total += mean * len(batch)
            for weight, grad, velocity in zip(expected, gradients, velocities, strict=True):
                ops.sgd_momentum_update(weight, grad, velocity, 0.1, momentum, nesterov)
        assert loss == total / 10
    for weight, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_the_loss_of_an_epoch_is_the_mean_over_samples() -> None:
    x, labels = draw_clouds(11)
    weights = draw_weights(2, 3, 2)
    mean, _ = network.loss_and_gradients(x, labels, weights)
    for batch_size in (1, 4, 11, 100):
        losses = network.train(
            x, labels, weights, learning_rate=0.0, batch_size=batch_size, epochs=2
        )
        assert losses == pytest.approx([mean, mean], rel=relative_bound(20, np.float64))


def test_seeds_shuffle_differently_and_reproducibly() -> None:
    x, labels = draw_clouds(20)

    def train(seed: int) -> list[float]:
        return network.train(
            x, labels, draw_weights(2, 2), learning_rate=1.0, batch_size=3, epochs=3, seed=seed
        )

    assert train(1) == train(1)
    assert train(1) != train(2)


def test_float32_weights_stay_float32() -> None:
    x, labels = draw_clouds(20)
    weights = [weight.astype(np.float32) for weight in draw_weights(2, 4, 2)]
    network.train(x, labels, weights, learning_rate=0.1, batch_size=5, epochs=1)
    assert all(weight.dtype == np.float32 for weight in weights)
    _, gradients = network.loss_and_gradients(x.astype(np.float32), labels, weights)
    assert all(gradient.dtype == np.float32 for gradient in gradients)
