"""cnet in plain NumPy, to be read in one sitting: ops, random numbers and a training loop."""

from __future__ import annotations

from . import network, random
from .losses import pointwise_loss_backward, pointwise_loss_forward
from .ops import (
    adam_update,
    cross_entropy_backward,
    cross_entropy_forward,
    dense_backward,
    dense_forward,
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
    "adam_update",
    "cross_entropy_backward",
    "cross_entropy_forward",
    "dense_backward",
    "dense_forward",
    "network",
    "pointwise_loss_backward",
    "pointwise_loss_forward",
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
