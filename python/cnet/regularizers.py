"""Penalties on weights, with Keras's names and formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._absent import absent
from ._data import as_array, as_number
from ._errors import missing
from ._objects import deserializer, serialize
from ._serialization import Configurable, get_by_name, named_object
from ._tapes import running

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "serialize",
]


def __dir__() -> list[str]:
    return __all__


class Regularizer(Configurable):
    """Base of all regularizers: penalties of weights, which are added to the loss of each batch.

    A regularizer of one's own overrides ``__call__(x)``, which computes one number from a weight by operations of
    `cnet.ops` and Python's operators, and `get_config` if its constructor takes arguments that it does not store in
    attributes of their names. The model then trains on a tape; the engine still computes its layers.

    Examples
    --------
    >>> from cnet import layers, ops, regularizers
    >>> class Peak(regularizers.Regularizer):
    ...     def __init__(self, factor=0.5):
    ...         self.factor = factor
    ...     def __call__(self, x):
    ...         return self.factor * ops.max(ops.square(x))
    >>> layer = layers.Dense(1, kernel_initializer="ones", kernel_regularizer=Peak())
    >>> layer.build((None, 3))
    >>> layer.losses, layer.get_config()["kernel_regularizer"]["config"]
    ([0.5], {'factor': 0.5})
    """

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a weight: one number."""
        raise NotImplementedError(missing(self, "__call__(x)"))


class _Norms(Regularizer):
    """``l1 * sum(abs(w)) + l2 * sum(w ** 2)``, which the engine computes."""

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


class L1(_Norms):
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


class L2(_Norms):
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


class L1L2(_Norms):
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


def get(identifier: Any) -> Any:
    """Return a regularizer by its name, class or configuration, or the object itself; None stays None.

    A function of a weight that returns one number is a regularizer too.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` has another type, or is a regularizer that doesn't define `__call__`.
    """
    identifier = named_object(identifier)
    if identifier is None:
        return None
    is_function = callable(identifier) and not isinstance(identifier, (type, Regularizer))
    regularizer = (
        identifier if is_function else get_by_name("regularizer", Regularizer, _CLASSES, identifier)
    )
    if type(regularizer).__call__ is Regularizer.__call__:
        raise TypeError(f"regularizer: {missing(regularizer, '__call__(x)')}")
    return regularizer


#: The engine's factors of a weight without a regularizer.
NO_PENALTY = 0.0, 0.0


def engine_penalty(regularizer: Any) -> tuple[float, float] | None:
    """Return the factors l1 and l2 for the engine, None for a regularizer that it cannot compute."""
    if regularizer is None:
        return NO_PENALTY
    if isinstance(regularizer, _Norms) and type(regularizer).__call__ is _Norms.__call__:
        return regularizer.l1, regularizer.l2
    return None


deserialize = deserializer(get)


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
