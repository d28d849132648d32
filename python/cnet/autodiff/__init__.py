"""Automatic differentiation: operations that a tape records, and gradients by the chain rule.

>>> from cnet import autodiff
>>> w = autodiff.Variable([1.0, -2.0])
>>> with autodiff.GradientTape() as tape:
...     loss = autodiff.reduce_sum(autodiff.square(w))
>>> tape.gradient(loss, w)
Tensor([ 2., -4.], dtype=float32)

The names and what they do are TensorFlow's, the arrays NumPy's:

- An operation takes array-likes, tensors and variables in any mix, broadcast and promoted as NumPy
  does. Of arrays alone it makes an array. With a `Tensor` or a `Variable` among its inputs it makes a
  `Tensor`, whether or not a tape is running; comparisons and `argmax` always make arrays.
- Tensors and variables have Python's operators. NumPy's own functions see their numbers but not the
  tape, so that a gradient by what they make is a `TypeError`.
- Gradients have the shape and the dtype of what they are by. Integers have none. At kinks a
  subgradient stands for them: 0 at 0 for `abs` and `relu`, equal parts for the equals of `maximum`,
  `minimum` and `reduce_max`, 1 at the limits of `clip`.
- Products of matrices, activations, softmaxes and the cross-entropy are the engine's, with its bits.
- Second and further derivatives are those of nested tapes.

`cnet.graph` has the same operations in a graph that is built first and run later.
"""

from __future__ import annotations

from . import operations
from .operations import *
from .tape import GradientTape, custom_gradient
from .tensor import Tensor, Variable, constant

__all__ = ["GradientTape", "Tensor", "Variable", "constant", "custom_gradient"]
__all__ += operations.__all__
