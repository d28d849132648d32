"""Error bounds of all operations, relative to the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cnet import ops, reference
from support.op_arguments import Arguments, assert_same_kind, call
from support.tolerances import (
    ELEMENTARY_ROUNDINGS,
    activation_bound,
    activation_gradient_bound,
    dot_bound,
    log_bound,
    log_softmax_bound,
    mean_loss_bound,
    normal_bound,
    relative_bound,
    rounding_bound,
    softmax_bound,
)


def bounds(name: str, arguments: Arguments, dtype: npt.DTypeLike) -> tuple[Any, ...]:
    """Bound the differences of all results of an op between cnet.ops and the reference."""
    a = {
        key: np.abs(np.asarray(value, np.float64))
        for key, value in arguments.items()
        if not isinstance(value, str)
    }
    if "labels" in a:
        rows = a["logits"] if "logits" in a else a["probabilities"]
        y = np.eye(rows.shape[1])[arguments["labels"]] if a["labels"].ndim == 1 else a["labels"]
        batch, classes = rows.shape
    match name:
        case "dense_forward":
            magnitude = a["x"] @ a["kernel"] + a["bias"]
            return (dot_bound(magnitude, len(a["kernel"]) + 1, dtype),)
        case "dense_backward":
            grad, x, kernel = a.values()
            return (
                dot_bound(grad @ kernel.T, grad.shape[1], dtype),
                dot_bound(x.T @ grad, len(x), dtype),
                dot_bound(grad.sum(axis=0), len(x), dtype),
            )
        case "activation_forward":
            y = reference.activation_forward(arguments["x"], arguments["activation"])
            return (activation_bound(y, dtype),)
        case "activation_backward":
            return (activation_gradient_bound(a["grad"], 1.0, dtype),)
        case "relu_forward" | "relu_backward":
            return (0.0,)
        case "rescaling_forward":
            # The product, the sum, and the rounding of each constant to the dtype.
            return (rounding_bound(a["x"] * a["scale"] + a["offset"], 4, dtype),)
        case "rescaling_backward":
            return (rounding_bound(a["grad"] * a["scale"], 2, dtype),)
        case "softmax":
            return (softmax_bound(arguments["x"], dtype),)
        case "softmax_backward":
            grad, p = a.values()
            total = (grad * p).sum(axis=1, keepdims=True)
            return (rounding_bound(p * (grad + total), p.shape[1] + 2, dtype),)
        case "log_softmax":
            return (log_softmax_bound(arguments["x"], dtype),)
        case "log_softmax_backward":
            grad, log_p = a.values()
            total = grad.sum(axis=1, keepdims=True)
            roundings = log_p.shape[1] + ELEMENTARY_ROUNDINGS + 2
            return (rounding_bound(grad + np.exp(-log_p) * total, roundings, dtype),)
        case "softmax_cross_entropy_forward":
            losses = -np.log(reference.softmax(arguments["logits"].astype(np.float64)))
            loss_bound = log_softmax_bound(arguments["logits"], dtype)
            return (
                mean_loss_bound(y, losses, loss_bound, dtype),
                softmax_bound(arguments["logits"], dtype),
            )
        case "softmax_cross_entropy_backward":
            return (rounding_bound((rows + y) / arguments.get("divisor", batch), 3, dtype),)
        case "cross_entropy_forward":
            log_q = np.log(rows / rows.sum(axis=1, keepdims=True))
            return (mean_loss_bound(y, log_q, log_bound(log_q, classes + 2, dtype), dtype),)
        case "cross_entropy_backward":
            total = rows.sum(axis=1, keepdims=True)
            magnitude = (y / rows + y.sum(axis=1, keepdims=True) / total) / arguments.get(
                "divisor", batch
            )
            return (rounding_bound(magnitude, 2 * classes + 8, dtype),)
        case "sgd_update":
            return (rounding_bound(a["param"] + a["learning_rate"] * a["grad"], 3, dtype),)
        case "sgd_momentum_update":
            step = a["learning_rate"] * a["grad"]
            velocity = a["momentum"] * a["velocity"] + step
            change = a["momentum"] * velocity + step if arguments["nesterov"] else velocity
            return (
                rounding_bound(a["param"] + change, 8, dtype),
                rounding_bound(velocity, 4, dtype),
            )
        case "rmsprop_update":
            mean_square = a["rho"] * a["mean_square"] + (1 - a["rho"]) * a["grad"] ** 2
            change = a["learning_rate"] * a["grad"] / np.sqrt(mean_square + a["epsilon"])
            return (
                rounding_bound(a["param"] + change, 12, dtype),
                rounding_bound(mean_square, 6, dtype),
            )
        case "adam_update":
            first = a["first_moment"] + (1 - a["beta_1"]) * (a["grad"] + a["first_moment"])
            square = a["grad"] ** 2
            second = a["second_moment"] + (1 - a["beta_2"]) * (square + a["second_moment"])
            # √v is at least the root of the decayed part of v, even if g² - v cancels.
            root = np.sqrt(a["beta_2"] * a["second_moment"])
            rate = a["learning_rate"] * np.sqrt(1 - 0.999**3) / (1 - 0.9**3)
            return (
                rounding_bound(a["param"] + rate * first / root, 16, dtype),
                rounding_bound(first, 6, dtype),
                rounding_bound(second, 6, dtype),
            )
        case "rmsprop_momentum_update":
            mean_square = a["rho"] * a["mean_square"] + (1 - a["rho"]) * a["grad"] ** 2
            change = a["learning_rate"] * a["grad"] / np.sqrt(mean_square + a["epsilon"])
            velocity = a["momentum"] * a["velocity"] + change
            return (
                rounding_bound(a["param"] + velocity, 14, dtype),
                rounding_bound(velocity, 12, dtype),
                rounding_bound(mean_square, 6, dtype),
            )
        case "rmsprop_centered_update":
            mean_square = a["rho"] * a["mean_square"] + (1 - a["rho"]) * a["grad"] ** 2
            mean = a["rho"] * a["mean"] + (1 - a["rho"]) * a["grad"]
            # As they are drawn no mean's square comes near that of the squares; their difference
            # errs by what both do.
            least = mean_square - mean**2
            change = a["learning_rate"] * a["grad"] / np.sqrt(least)
            velocity = a["momentum"] * a["velocity"] + change
            amplified = 8 * (mean_square + mean**2) / least / 2 + 6
            return (
                rounding_bound(a["param"] + velocity * amplified, 3, dtype),
                rounding_bound(velocity * amplified, 2, dtype),
                rounding_bound(mean_square, 6, dtype),
                rounding_bound(mean, 6, dtype),
            )
        case "adagrad_update":
            total = a["sum_of_squares"] + a["grad"] ** 2
            change = a["learning_rate"] * a["grad"] / np.sqrt(total + a["epsilon"])
            return (rounding_bound(a["param"] + change, 12, dtype), rounding_bound(total, 2, dtype))
        case "adadelta_update":
            mean_square = a["rho"] * a["mean_square"] + (1 - a["rho"]) * a["grad"] ** 2
            root = np.sqrt(a["mean_square_change"] + a["epsilon"])
            change = root * a["grad"] / np.sqrt(mean_square + a["epsilon"])
            square_change = a["rho"] * a["mean_square_change"] + (1 - a["rho"]) * change**2
            return (
                rounding_bound(a["param"] + a["learning_rate"] * change, 14, dtype),
                rounding_bound(mean_square, 6, dtype),
                rounding_bound(square_change, 26, dtype),
            )
        case "adam_amsgrad_update" | "nadam_update":
            first = a["first_moment"] + (1 - a["beta_1"]) * (a["grad"] + a["first_moment"])
            square = a["grad"] ** 2
            second = a["second_moment"] + (1 - a["beta_2"]) * (square + a["second_moment"])
            root = np.sqrt(a["beta_2"] * a["second_moment"])  # at least: as for Adam
            rate = a["learning_rate"] * np.sqrt(1 - 0.999**3) / (1 - 0.9**3)
            moments = [rounding_bound(first, 6, dtype), rounding_bound(second, 6, dtype)]
            if name == "adam_amsgrad_update":
                greatest = np.maximum(a["greatest_second_moment"], second)
                moments.append(rounding_bound(greatest, 6, dtype))
                return (rounding_bound(a["param"] + rate * first / root, 16, dtype), *moments)
            # The factors of the mean and of the gradient are less than 1 / (1 - 0.9⁴) and 1.
            change = a["learning_rate"] * (first / (1 - 0.9**4) + a["grad"])
            change *= np.sqrt(1 - 0.999**3) / root
            return (rounding_bound(a["param"] + change, 20, dtype), *moments)
        case "lion_update":
            first = a["beta_2"] * a["first_moment"] + (1 - a["beta_2"]) * a["grad"]
            return (
                rounding_bound(a["param"] + a["learning_rate"], 3, dtype),
                rounding_bound(first, 6, dtype),
            )
        case "dropout_forward":
            return (0.0, 0.0)
        case "dropout_backward":
            return (0.0,)
        case "gaussian_noise":
            z = reference.random.batch_normal(
                arguments["seed"], arguments["step"], *arguments["x"].shape
            )
            noise = a["stddev"] * np.abs(z)
            return (a["stddev"] * normal_bound(z) + rounding_bound(a["x"] + noise, 3, dtype),)
    return normalization_bounds(name, arguments, dtype)


def normalization_bounds(name: str, arguments: Arguments, dtype: npt.DTypeLike) -> tuple[Any, ...]:
    """Follow the errors of the moments through what is standardized by them, and its gradients."""
    x, scale = arguments["x"].astype(np.float64), np.abs(arguments["gamma"].astype(np.float64))
    epsilon, axis = arguments["epsilon"], 1 if name.startswith("layer") else 0
    terms = x.shape[axis]
    if "mean" in arguments:
        mean, variance = (arguments[key].astype(np.float64) for key in ("mean", "variance"))
        mean_error = variance_error = np.float64(0.0)
    else:
        mean, variance = x.mean(axis=axis, keepdims=True), x.var(axis=axis, keepdims=True)
        mean_error = rounding_bound(np.abs(x).mean(axis=axis, keepdims=True), terms + 1, dtype)
        # About another mean m, the mean square is greater by (mean - m)².
        variance_error = mean_error**2 + rounding_bound(variance + mean_error**2, terms + 4, dtype)
    inverse = 1 / np.sqrt(variance + epsilon)
    # (1 - t)^-½ ≤ 1 + t for t up to 0.6.
    t = variance_error * inverse**2
    assert np.max(t) < 0.6
    t = t + relative_bound(4, dtype)
    z = np.abs(x - mean) * inverse
    z_error = (
        (1 + t) * inverse * (mean_error + rounding_bound(np.abs(x - mean) + mean_error, 1, dtype))
    )
    z_error = z_error + t * z + rounding_bound(z, 2, dtype)
    if "grad" not in arguments:
        offset = np.abs(arguments["beta"].astype(np.float64))
        y_error = scale * z_error + rounding_bound(scale * (z + z_error) + offset, 2, dtype)
        moments = (mean_error[0], variance_error[0]) if name.startswith("batch") else ()
        return (y_error, *moments)

    grad = np.abs(arguments["grad"].astype(np.float64))
    d = scale * grad
    mean_d = d.mean(axis=axis, keepdims=True)
    mean_dz = (d * (z + z_error)).mean(axis=axis, keepdims=True)
    mean_dz_error = (d * z_error).mean(axis=axis, keepdims=True)
    mean_dz_error += rounding_bound(mean_dz, terms + 3, dtype)
    magnitude = d + mean_d + (z + z_error) * mean_dz
    error = rounding_bound(mean_d, terms + 2, dtype) + z_error * mean_dz + z * mean_dz_error
    error += rounding_bound(magnitude, 4, dtype)
    return (
        (1 + t) * inverse * error + (t + relative_bound(3, dtype)) * inverse * magnitude,
        (grad * z_error).sum(axis=0) + dot_bound((grad * (z + z_error)).sum(axis=0), len(x), dtype),
        dot_bound(grad.sum(axis=0), len(x), dtype),
    )


def assert_parity(name: str, arguments: Arguments, dtype: npt.DTypeLike) -> None:
    results = call(ops, name, arguments), call(reference, name, arguments)
    for actual, expected, bound in zip(*results, bounds(name, arguments, dtype), strict=True):
        assert_same_kind(actual, expected)
        error = np.abs(np.asarray(actual, np.float64) - expected)
        shapes = {key: np.shape(value) for key, value in arguments.items()}
        assert (error <= bound).all(), f"{name} of {shapes}: error {error.max()}"
