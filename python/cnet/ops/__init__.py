"""Keras's operations on arrays and tensors, and the engine's operations on arrays.

The operations of `keras.ops` have Keras's names, arguments, defaults and results. They compute with
arrays, and with the tensors, variables, weights and nodes of `cnet.autodiff` and `cnet.graph`:

>>> from cnet import autodiff, ops
>>> x = autodiff.Variable([3.0, 4.0])
>>> with autodiff.GradientTape() as tape:
...     length = ops.norm(x)
>>> tape.gradient(length, x)
Tensor([0.6, 0.8], dtype=float32)

- The result is an array for arrays. For tensors it is a tensor, except for comparisons and indices.
- Floats are promoted as in NumPy. Integers take the type of floats that they meet, and become
  `cnet.config.floatx()` where a result is a float. Integer results have NumPy's types (Keras: int32).
- Matrix products, activations, softmaxes and cross-entropies of logits are computed by the engine, with
  the same bits on every CPU; other operations by NumPy.

The engine's operations are those of a multi-layer perceptron, in C++. `cnet.reference` has the same
functions in plain NumPy, with the formulas and their sources. These conventions hold for each:

- Inputs are array-like. Arrays of float32 and float64 determine the dtype of the computation; the
  wider one wins. Everything else (lists, integers, half precision) becomes `cnet.config.floatx()`.
- A backward op takes `grad`, the gradient of a loss with respect to the forward op's result, and
  returns the gradient with respect to the forward op's input.
- `out` receives the result instead of a new array, and is returned. It is never converted: it must
  have the result's dtype (else `TypeError`) and shape, be C-contiguous, aligned and writable, and
  share no memory with the inputs (else `ValueError`, and nothing is written). For the elementwise
  ops (activations, rescaling) it may be one of their inputs.
- An update op changes `param` and its state arrays in place. They have one shape and one dtype,
  float32 or float64, and meet the requirements of `out`. `grad` is converted to that dtype.
- `labels` are integer ids (batch,) or one-hot or soft rows (batch, classes). An id outside
  [0, classes) raises `ValueError`.
- A value of the wrong type raises `TypeError`. An unknown name, a number outside its documented
  range and shapes that don't match raise `ValueError`; for shapes the error names both.
- The GIL is released during the computation. Results have the same bits on every CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._absent import absent
from . import (
    activations,
    adam,
    arithmetic,
    arrays,
    comparisons,
    cross_entropy,
    dense,
    dropout,
    elementwise,
    labels,
    losses,
    normalization,
    optimizers,
    products,
    reductions,
    shapes,
    softmaxes,
)
from .activations import *
from .adam import *
from .arithmetic import *
from .arrays import *
from .comparisons import *
from .cross_entropy import *
from .dense import *
from .dropout import *
from .elementwise import *
from .labels import *
from .losses import *
from .normalization import *
from .optimizers import *
from .products import *
from .reductions import *
from .shapes import *
from .softmaxes import *

__all__: list[str] = []
__all__ += activations.__all__
__all__ += adam.__all__
__all__ += arithmetic.__all__
__all__ += arrays.__all__
__all__ += comparisons.__all__
__all__ += cross_entropy.__all__
__all__ += dense.__all__
__all__ += dropout.__all__
__all__ += elementwise.__all__
__all__ += labels.__all__
__all__ += losses.__all__
__all__ += normalization.__all__
__all__ += optimizers.__all__
__all__ += products.__all__
__all__ += reductions.__all__
__all__ += shapes.__all__
__all__ += softmaxes.__all__


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # which would take every name for one of cnet's
    __getattr__ = absent(__name__)
