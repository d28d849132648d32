"""Penalties on weights, with Keras's names and formulas."""

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


def __dir__() -> list[str]:
    return __all__


class Regularizer(Configurable):
    """Penalty ``l1 * sum(abs(w)) + l2 * sum(w ** 2)``, which the engine adds to the loss of each batch.

    Attributes
    ----------
    l1, l2 : float
    """

    _not_overridable: ClassVar[dict[str, str]] = {
        "__call__": "the engine supports only L1 and L2; a custom loss can have further terms instead"
    }

    l1: float = 0.0
    l2: float = 0.0

    def __call__(self, x: npt.ArrayLike) -> Any:
        """Return the penalty: a float, or a tensor for a weight or tensor on a tape."""
        if running.tapes and hasattr(type(x), "__tensor__"):
            from . import autodiff

            tensor: Any = x.__tensor__()  # type: ignore[union-attr] # checked above
            squares = autodiff.reduce_sum(tensor * tensor)
            return self.l1 * autodiff.reduce_sum(abs(tensor)) + self.l2 * squares
        w = np.asarray(as_array(x, type(self).__name__), np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self.l1 * np.abs(w).sum() + self.l2 * np.square(w).sum())


class L1(Regularizer):
    """``l1 * sum(abs(w))``, which drives weights to zero (Tibshirani, 1996).

    Parameters
    ----------
    l1 : float, default 0.01

    Raises
    ------
    TypeError, ValueError
        If `l1` is not a number, or negative.

    Examples
    --------
    >>> from cnet import regularizers
    >>> regularizers.L1(0.5)([-1.0, 3.0])
    2.0
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = as_number("L1: l1", l1, least=0)


class L2(Regularizer):
    """``l2 * sum(w ** 2)``, without the factor ½ of some definitions.

    Parameters
    ----------
    l2 : float, default 0.01

    Raises
    ------
    TypeError, ValueError
        If `l2` is not a number, or negative.

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
        If `l1` or `l2` is not a number, or negative.

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
    """Return a regularizer by its name, class or configuration, or the object itself; None stays None.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` has another type. Custom functions and formulas are not accepted: the engine
        computes the penalties.
    """
    if identifier is None:
        return None
    regularizer: Regularizer = get_by_name("regularizer", Regularizer, _CLASSES, identifier)
    if type(regularizer).__call__ is not Regularizer.__call__:
        raise TypeError(
            f"regularizer: {type(regularizer).__name__} has a custom formula, which the engine does "
            "not support"
        )
    return regularizer


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
