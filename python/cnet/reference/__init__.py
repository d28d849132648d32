"""cnet in plain NumPy, to be read in one sitting: ops, random numbers and a training loop.

The operations are those that `cnet.ops` computes in C++, by the same names and signatures, and what
it is tested against. These conventions hold for every op, and its docstring doesn't repeat them:

- Results are float64 if an input array is, else float32. Labels have no say in it.
- A backward op is given `grad`, the gradient of a loss L with respect to the forward op's result,
  and returns the gradient of L with respect to the forward op's input.
- `labels` are integer ids (batch,), or the rows of a one-hot or soft distribution (batch, classes).
- `out`, None by default, is written and returned in place of a new array.
"""

from __future__ import annotations

from . import activations, network, random
from .adam import adam_amsgrad_update, adam_update, nadam_update
from .cross_entropy import (
    cross_entropy_backward,
    cross_entropy_forward,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
)
from .dense import dense_backward, dense_forward
from .dropout import dropout_backward, dropout_forward, gaussian_noise
from .elementwise import (
    activation_backward,
    activation_forward,
    relu_backward,
    relu_forward,
    rescaling_backward,
    rescaling_forward,
)
from .losses import pointwise_loss_backward, pointwise_loss_forward
from .normalization import (
    batch_normalization_backward,
    batch_normalization_forward,
    layer_normalization_backward,
    layer_normalization_forward,
    standardize,
)
from .optimizers import (
    adadelta_update,
    adagrad_update,
    lion_update,
    rmsprop_centered_update,
    rmsprop_momentum_update,
    rmsprop_update,
    sgd_momentum_update,
    sgd_update,
)
from .softmaxes import log_softmax, log_softmax_backward, softmax, softmax_backward

__all__ = [
    "activation_backward",
    "activation_forward",
    "activations",
    "adadelta_update",
    "adagrad_update",
    "adam_amsgrad_update",
    "adam_update",
    "batch_normalization_backward",
    "batch_normalization_forward",
    "cross_entropy_backward",
    "cross_entropy_forward",
    "dense_backward",
    "dense_forward",
    "dropout_backward",
    "dropout_forward",
    "gaussian_noise",
    "layer_normalization_backward",
    "layer_normalization_forward",
    "lion_update",
    "log_softmax",
    "log_softmax_backward",
    "nadam_update",
    "network",
    "pointwise_loss_backward",
    "pointwise_loss_forward",
    "random",
    "relu_backward",
    "relu_forward",
    "rescaling_backward",
    "rescaling_forward",
    "rmsprop_centered_update",
    "rmsprop_momentum_update",
    "rmsprop_update",
    "sgd_momentum_update",
    "sgd_update",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "standardize",
]
