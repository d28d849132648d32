"""Constraints on weights after each step, with Keras's names and formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._absent import absent
from ._data import FloatArray, as_array, as_number
from ._errors import missing, short_repr
from ._objects import deserializer, serialize
from ._serialization import Configurable, get_by_name, named_object

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]


def __dir__() -> list[str]:
    return __all__


_EPSILON = 1e-7


class Constraint(Configurable):
    """Base of all constraints: projections of weights after each step.

    A constraint of one's own overrides ``__call__(w)``, which returns the weight's new numbers, and `get_config` as
    `Regularizer` says. The model then trains on a tape; the engine still computes its layers.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import constraints, layers, ops, optimizers
    >>> class Box(constraints.Constraint):
    ...     def __init__(self, limit=1.0):
    ...         self.limit = limit
    ...     def __call__(self, w):
    ...         return ops.clip(w, -self.limit, self.limit)
    >>> layer = layers.Dense(1, kernel_constraint=Box(0.25))
    >>> layer.build((None, 3))
    >>> optimizers.SGD(1.0).apply([np.full((3, 1), -9)], layer.trainable_weights[:1])
    >>> layer.kernel.ravel()
    array([0.25, 0.25, 0.25], dtype=float32)
    """

    def __call__(self, w: Any) -> Any:
        """Return the constrained numbers of a weight."""
        raise NotImplementedError(missing(self, "__call__(w)"))


class _OfEngine(Constraint):
    """A constraint that the engine computes; called with an array, it returns a new one."""

    def engine_constraint(self) -> tuple[str, float, float, float]:
        """Return the engine's name of the constraint, smallest norm, largest norm and rate."""
        raise NotImplementedError(missing(self, "engine_constraint()"))


class NonNeg(_OfEngine):
    """``max(w, 0)``.

    Examples
    --------
    >>> from cnet import constraints
    >>> constraints.NonNeg()([-1.0, 2.0])
    array([0., 2.])
    """

    def engine_constraint(self) -> tuple[str, float, float, float]:
        return "non_negative", 0.0, 0.0, 1.0

    def __call__(self, w: npt.ArrayLike) -> FloatArray:
        array = as_array(w, "NonNeg")
        return np.where(array < 0, array.dtype.type(0), array)


class _Norm(_OfEngine):
    """``w * (rate * clip(n, least, most) + (1 - rate) * n) / (n + 1e-7)``, with n the norm along axis 0."""

    def __init__(self, axis: int) -> None:
        if np.ndim(axis) > 0 or isinstance(axis, bool) or axis != 0:
            raise ValueError(
                f"{type(self).__name__}: axis={short_repr(axis)} is not supported: the engine computes the norm "
                "of each unit's incoming weights, axis=0"
            )
        self.axis = 0

    def __call__(self, w: npt.ArrayLike) -> FloatArray:
        array = as_array(w, type(self).__name__)
        array = array.astype(np.result_type(array.dtype, np.float32), copy=False)
        _, least, most, rate = self.engine_constraint()
        with np.errstate(over="ignore", invalid="ignore"):
            norms = np.sqrt(np.square(array).sum(axis=0, keepdims=True))
            wanted = rate * np.clip(norms, least, most) + (1 - rate) * norms
            constrained: FloatArray = array * (wanted / (_EPSILON + norms))
        return constrained


class MaxNorm(_Norm):
    """Limits the norm of each unit's incoming weights to `max_value` (Srivastava et al., 2014).

    Parameters
    ----------
    max_value : float, default 2
    axis : int, default 0
        The inputs of a kernel. Other axes are not supported.

    Raises
    ------
    TypeError, ValueError
        If `max_value` is not a number of at least 0, or for another axis.

    Examples
    --------
    >>> from cnet import constraints
    >>> constraints.MaxNorm(1.0)([[3.0, 0.3], [4.0, 0.4]]).round(3)
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """

    def __init__(self, max_value: float = 2, axis: int = 0) -> None:
        super().__init__(axis)
        self.max_value = as_number("MaxNorm: max_value", max_value, least=0, infinite=True)

    def engine_constraint(self) -> tuple[str, float, float, float]:
        return "norm", 0.0, self.max_value, 1.0


class UnitNorm(_Norm):
    """Scales each unit's incoming weights to norm 1.

    Parameters
    ----------
    axis : int, default 0
        The inputs of a kernel. Other axes are not supported.

    Raises
    ------
    ValueError
        For another axis.

    Examples
    --------
    >>> from cnet import constraints
    >>> constraints.UnitNorm()([[3.0], [4.0]]).round(3)
    array([[0.6],
           [0.8]])
    """

    def __init__(self, axis: int = 0) -> None:
        super().__init__(axis)

    def engine_constraint(self) -> tuple[str, float, float, float]:
        return "norm", 1.0, 1.0, 1.0


class MinMaxNorm(_Norm):
    """Scales each unit's incoming weights to a norm in [`min_value`, `max_value`], or towards it.

    Parameters
    ----------
    min_value : float, default 0
    max_value : float, default 1
    rate : float, default 1
        Fraction of the way to the limits that each step takes; 1 enforces them.
    axis : int, default 0
        The inputs of a kernel. Other axes are not supported.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number of at least 0, `max_value` is below `min_value`, or for
        another axis.

    Examples
    --------
    >>> from cnet import constraints
    >>> constraints.MinMaxNorm(max_value=1.0, rate=0.5)([[3.0], [4.0]]).round(3)
    array([[1.8],
           [2.4]])
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int = 0
    ) -> None:
        super().__init__(axis)
        self.min_value = as_number("MinMaxNorm: min_value", min_value, least=0)
        self.max_value = as_number(
            "MinMaxNorm: max_value", max_value, least=self.min_value, infinite=True
        )
        self.rate = as_number("MinMaxNorm: rate", rate, least=0)

    def engine_constraint(self) -> tuple[str, float, float, float]:
        return "norm", self.min_value, self.max_value, self.rate


# Keras's other names.
max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

_CLASSES: dict[str, type[Constraint]] = {
    "MaxNorm": MaxNorm,
    "MinMaxNorm": MinMaxNorm,
    "NonNeg": NonNeg,
    "UnitNorm": UnitNorm,
    "max_norm": MaxNorm,
    "min_max_norm": MinMaxNorm,
    "non_neg": NonNeg,
    "unit_norm": UnitNorm,
}


def get(identifier: Any) -> Any:
    """Return a constraint by its name, class or configuration, or the object itself; None stays None.

    A function of a weight that returns its new numbers is a constraint too.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` has another type, or is a constraint that doesn't define `__call__`.
    """
    identifier = named_object(identifier)
    if identifier is None:
        return None
    is_function = callable(identifier) and not isinstance(identifier, (type, Constraint))
    constraint = (
        identifier if is_function else get_by_name("constraint", Constraint, _CLASSES, identifier)
    )
    if type(constraint).__call__ is Constraint.__call__:
        raise TypeError(f"constraint: {missing(constraint, '__call__(w)')}")
    return constraint


#: The engine's arguments for a weight without a constraint.
NO_PROJECTION = "none", 0.0, 0.0, 1.0


def engine_projection(constraint: Any) -> tuple[str, float, float, float] | None:
    """Return the arguments of the engine's `constrain`, None for a constraint that it cannot compute."""
    if constraint is None:
        return NO_PROJECTION
    known = NonNeg.__call__, _Norm.__call__
    if isinstance(constraint, _OfEngine) and type(constraint).__call__ in known:
        return constraint.engine_constraint()
    return None


deserialize = deserializer(get)


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
