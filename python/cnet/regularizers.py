"""What weights add to the loss, so that they stay small, by Keras's names and formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from ._absent import absent
from ._data import as_array, as_number
from ._serialization import Configurable, get_by_name
from ._tapes import running

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "Regularizer",
    "get",
    "l1",
    "l1_l2",
    "l2",
]


class Regularizer(Configurable):
    """A penalty ``l1 * sum(abs(w)) + l2 * sum(w ** 2)``, which the engine adds to every batch's loss.

    Attributes
    ----------
    l1, l2 : float
    """

    _not_overridable: ClassVar[dict[str, str]] = {
        "__call__": "the engine knows L1 and L2 only; a loss of one's own may have further terms instead"
    }

    l1: float = 0.0
    l2: float = 0.0

    def __call__(self, x: npt.ArrayLike) -> Any:
        """Return the penalty of an array, a float; of a weight or a tensor on a tape, a tensor."""
        if running.tapes and hasattr(type(x), "__tensor__"):
            from . import autodiff

            tensor: Any = x.__tensor__()  # type: ignore[union-attr] # it has
            squares = autodiff.reduce_sum(tensor * tensor)
            return self.l1 * autodiff.reduce_sum(abs(tensor)) + self.l2 * squares
        w = np.asarray(as_array(x, type(self).__name__), np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self.l1 * np.abs(w).sum() + self.l2 * np.square(w).sum())


class L1(Regularizer):
    """``l1 * sum(abs(w))``, which takes weights to zero (Tibshirani, 1996).

    Parameters
    ----------
    l1 : float, default 0.01

    Raises
    ------
    TypeError, ValueError
        If it is no number, or negative.

    Examples
    --------
    >>> from cnet import regularizers
    >>> regularizers.L1(0.5)([-1.0, 3.0])
    2.0
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = as_number("L1: l1", l1, least=0)


class L2(Regularizer):
    """``l2 * sum(w ** 2)``, without the factor ½ that some put before it.

    Parameters
    ----------
    l2 : float, default 0.01

    Raises
    ------
    TypeError, ValueError
        If it is no number, or negative.

    Examples
    --------
    >>> from cnet import regularizers
    >>> regularizers.L2(0.5)([-1.0, 3.0])
    5.0
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = as_number("L2: l2", l2, least=0)


class L1L2(Regularizer):
    """``l1 * sum(abs(w)) + l2 * sum(w ** 2)`` (Zou and Hastie, 2005).

    Parameters
    ----------
    l1, l2 : float, default 0

    Raises
    ------
    TypeError, ValueError
        If one is no number, or negative.

    Examples
    --------
    >>> from cnet import regularizers
    >>> regularizers.L1L2(l1=0.5, l2=1.0)([-1.0, 3.0])
    12.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = as_number("L1L2: l1", l1, least=0)
        self.l2 = as_number("L1L2: l2", l2, least=0)


# Keras's other names.
l1 = L1
l1_l2 = L1L2
l2 = L2

_CLASSES: dict[str, type[Regularizer]] = {
    "L1": L1,
    "L1L2": L1L2,
    "L2": L2,
    "l1": L1,
    "l1_l2": L1L2,
    "l1l2": L1L2,
    "l2": L2,
}


def get(identifier: Any) -> Regularizer | None:
    """Return a regularizer from its name, its class, its configuration, or itself; None stays None.

    Raises
    ------
    ValueError
        If there is no such regularizer.
    TypeError
        For anything else. Functions and formulas of your own are not taken: a penalty has to be one
        that the engine knows.
    """
    if identifier is None:
        return None
    regularizer: Regularizer = get_by_name("regularizer", Regularizer, _CLASSES, identifier)
    if type(regularizer).__call__ is not Regularizer.__call__:
        raise TypeError(
            f"regularizer: {type(regularizer).__name__} has a formula of its own, which the engine "
            "does not know"
        )
    return regularizer


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
