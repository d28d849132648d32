"""cnet in plain NumPy, to be read in one sitting: ops, random numbers and a training loop.

The operations have the names and signatures of those in `cnet.ops`, which are tested against them.
The docstrings here give formulas, shapes and sources; those of `cnet.ops` describe each parameter.

- Results are float64 if an input array is, else float32. Labels do not count.
- A backward op takes `grad`, the gradient of a loss L with respect to the forward op's result, and
  returns the gradient of L with respect to the forward op's input.
- `labels` are integer ids (batch,), or the rows of a one-hot or soft distribution (batch, classes).
- `out`, None by default, receives the result instead of a new array, and is returned.
"""

from __future__ import annotations

from . import (
    activations,
    adam,
    cross_entropy,
    dense,
    dropout,
    elementwise,
    losses,
    network,
    normalization,
    optimizers,
    random,
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

__all__ = ["activations", "network", "random"]
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
