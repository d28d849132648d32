"""Measure the rounding errors of training in float32, cnet's and NumPy's."""

from __future__ import annotations

import numpy as np
from measuring import LEARNING_RATE, Array, Figure, classifier, samples


def numpy_train(x: Array, y: Array, weights: list[Array], batch: int) -> list[Array]:
    """Return the weights after an epoch of plain SGD in the dtype of `x`, computed by NumPy."""
    weights = [weight.astype(x.dtype) for weight in weights]
    kernels, biases = weights[::2], weights[1::2]
    rate = x.dtype.type(LEARNING_RATE)
    for start in range(0, len(x), batch):
        inputs = [x[start : start + batch]]
        for kernel, bias in zip(kernels, biases, strict=True):
            z = inputs[-1] @ kernel + bias
            inputs.append(np.maximum(z, 0))
        grad = np.exp(z - z.max(axis=1, keepdims=True))
        grad /= grad.sum(axis=1, keepdims=True)
        grad[np.arange(batch), y[start : start + batch]] -= 1
        grad /= batch
        for n in reversed(range(len(kernels))):
            below = (grad @ kernels[n].T) * (inputs[n] > 0)
            kernels[n] -= rate * (inputs[n].T @ grad)
            biases[n] -= rate * grad.sum(axis=0)
            grad = below
    return weights


def change_error(weights: list[Array], truth: list[Array], initial: list[Array]) -> float:
    """Return the relative error of the change of the weights, as root mean squares."""
    error = sum(((w - t) ** 2).sum() for w, t in zip(weights, truth, strict=True))
    change = sum(((t - w) ** 2).sum() for t, w in zip(truth, initial, strict=True))
    return float(np.sqrt(error / change))


def training_errors(widths: tuple[int, ...], batch: int, steps: int) -> tuple[float, float]:
    """Return the errors of cnet and of NumPy in float32, each the median over several seeds.

    Most of the error is the rounding of the weights themselves, once a step, so the two are similar.
    In some runs a ReLU is active for one and not for the other: hence the median.
    """
    import cnet

    x, y = samples(steps * batch, widths)
    errors = []
    for seed in range(5):
        cnet.utils.set_random_seed(seed)
        model = classifier(*widths)
        initial = model.get_weights()
        model.fit(x, y, batch_size=batch, shuffle=False, verbose=0)
        truth = numpy_train(x.astype(np.float64), y, initial, batch)
        results = model.get_weights(), numpy_train(x, y, initial, batch)
        errors.append([change_error(weights, truth, initial) for weights in results])
    ours, numpys = np.median(errors, axis=0)
    return float(ours), float(numpys)


def accuracy() -> list[Figure]:
    """Train in float32 with cnet and with NumPy, and compare both with NumPy in float64."""
    figures = []
    for widths, batch, steps in (
        ((784, 512, 10), 128, 20),
        ((256, 256, 256, 256, 10), 256, 20),
        ((8, 64, 64, 4), 32, 20),
        ((1024, 2048, 2048, 10), 256, 3),
    ):
        ours, numpys = training_errors(widths, batch, steps)
        name = f"{'-'.join(map(str, widths))}, batch {batch}: error of {steps} steps (NumPy's)"
        figures.append(Figure(name, 1e6 * ours, "10⁻⁶", 1e6 * numpys))
    return figures
