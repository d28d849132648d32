"""cnet in plain NumPy, to be read in one sitting: ops, random numbers and a training loop."""

from __future__ import annotations

from . import activations, network, random
from .ops import (
    activation_backward,
    activation_forward,
    adam_update,
    cross_entropy_backward,
    cross_entropy_forward,
    dense_backward,
    dense_forward,
    log_softmax,
    log_softmax_backward,
    relu_backward,
    relu_forward,
    rescaling_backward,
    rescaling_forward,
    rmsprop_update,
    sgd_momentum_update,
    sgd_update,
    softmax,
    softmax_backward,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
)

__all__ = [
    "activation_backward",
    "activation_forward",
    "activations",
    "adam_update",
    "cross_entropy_backward",
    "cross_entropy_forward",
    "dense_backward",
    "dense_forward",
    "log_softmax",
    "log_softmax_backward",
    "network",
    "random",
    "relu_backward",
    "relu_forward",
    "rescaling_backward",
    "rescaling_forward",
    "rmsprop_update",
    "sgd_momentum_update",
    "sgd_update",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
]
