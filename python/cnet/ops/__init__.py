"""The operations of a multi-layer perceptron, in C++ over NumPy arrays.

`cnet.reference` has the same functions in plain NumPy, with the formulas and their sources. These
conventions hold for every op:

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

from . import (
    adam,
    cross_entropy,
    dense,
    dropout,
    elementwise,
    losses,
    normalization,
    optimizers,
    softmaxes,
)
from .adam import *
from .cross_entropy import *
from .dense import *
from .dropout import *
from .elementwise import *
from .losses import *
from .normalization import *
from .optimizers import *
from .softmaxes import *

__all__: list[str] = []
__all__ += adam.__all__
__all__ += cross_entropy.__all__
__all__ += dense.__all__
__all__ += dropout.__all__
__all__ += elementwise.__all__
__all__ += losses.__all__
__all__ += normalization.__all__
__all__ += optimizers.__all__
__all__ += softmaxes.__all__


def __dir__() -> list[str]:
    return __all__
