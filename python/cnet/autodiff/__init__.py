"""Automatic differentiation: recorded operations, and gradients by the chain rule.

>>> from cnet import autodiff
>>> w = autodiff.Variable([1.0, -2.0])
>>> with autodiff.GradientTape() as tape:
...     loss = autodiff.reduce_sum(autodiff.square(w))
>>> tape.gradient(loss, w)
Tensor([ 2., -4.], dtype=float32)

Names and semantics follow TensorFlow, arrays are NumPy's:

- Operations accept any mix of array-likes, tensors and variables, with NumPy's broadcasting. Floats are
  promoted as in NumPy; integers take the type of floats that they meet, or become `cnet.config.floatx()`.
  The result is an array for arrays, and a `Tensor` if an input is a `Tensor` or `Variable`, whether or
  not a tape is running. Comparisons, `argmax`, `argsort` and `one_hot` always return arrays.
- Tensors and variables support Python's operators. NumPy's functions accept them but aren't recorded;
  requesting a gradient by their results raises `TypeError`.
- A gradient has the shape and dtype of its source. Integers have none. At kinks it is a subgradient:
  0 at 0 for `abs` and `relu`, equal parts for ties of `maximum`, `minimum`, `reduce_max` and
  `reduce_min`, 1 at the limits of `clip`.
- Matrix products, activations, softmaxes and the cross-entropy are computed by the engine, with the
  same bits as in layers.
- Nested tapes compute second and higher derivatives.

`cnet.ops` has these operations with Keras's names, and `cnet.graph` has them for graphs that are built first
and run later.
"""

from __future__ import annotations

from . import operations
from .operations import *
from .tape import GradientTape, custom_gradient
from .tensor import Tensor, Variable, constant

__all__ = ["GradientTape", "Tensor", "Variable", "constant", "custom_gradient"]


def __dir__() -> list[str]:
    return __all__


__all__ += operations.__all__
