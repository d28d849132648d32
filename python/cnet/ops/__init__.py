"""The operations of a multi-layer perceptron, in C++ over NumPy arrays.

`cnet.reference` has the same functions in plain NumPy; what they compute, and from which formulas,
is told there. What is said here holds for each:

- Inputs are array-like. Arrays of float32 and float64 decide the type of the computation, the wider
  winning; everything else (lists, integers, half precision) becomes `cnet.config.floatx()`.
- `out` receives the result in place of a new array, and is returned. It is never converted: it
  must have the result's dtype (else `TypeError`) and shape, be C-contiguous, aligned and writable,
  and share no memory with the inputs (else `ValueError`, and nothing is written). The elementwise
  ops (activations, rescaling) may be given one of their own inputs.
- `labels` are integer ids (batch,) or one-hot or soft rows (batch, classes). An id outside
  [0, classes) is a `ValueError`.
- What isn't numbers is a `TypeError`; shapes that don't fit are a `ValueError` that names both.
- The GIL is released while computing. Results have the same bits on every CPU.
"""

from __future__ import annotations

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
    "pointwise_loss_backward",
    "pointwise_loss_forward",
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
