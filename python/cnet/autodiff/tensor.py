"""What is computed with under a tape: tensors, and variables that stand for one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._data import Array
from .._tapes import running
from . import operations, recording
from .operations.operation import ARGUMENT_ERRORS, Operation, as_value
from .operators import Operators

__all__ = ["Tensor", "Variable", "constant"]


class _Numbers(Operators):
    """What tensors and variables have in common: they show their numbers as arrays do."""

    __slots__ = ()
    value: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self.value.shape  # type: ignore[no-any-return] # an array's

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's type of the numbers."""
        return self.value.dtype  # type: ignore[no-any-return] # an array's

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return self.value.ndim  # type: ignore[no-any-return] # an array's

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.value.size  # type: ignore[no-any-return] # an array's

    def numpy(self) -> Array:
        """Return a copy of the numbers."""
        return np.array(self.value)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError(f"{type(self).__name__}: its numbers can only be copied")
        return np.array(self.value, dtype)

    def __eq__(self, other: object) -> Any:
        return operations.equal(self, other)

    def __ne__(self, other: object) -> Any:
        return operations.not_equal(self, other)

    __hash__ = object.__hash__

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[n] for n in range(len(self)))

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return self.value.__index__()  # type: ignore[no-any-return] # an array's

    def __bool__(self) -> bool:
        return bool(self.value)

    def __format__(self, specification: str) -> str:
        return format(self.value[()], specification)

    def _text(self) -> str:
        prefix = f"{type(self).__name__}("
        numbers = np.array2string(np.asarray(self.value), separator=", ", prefix=prefix)
        return f"{prefix}{numbers}, dtype={self.dtype}"

    def __repr__(self) -> str:
        return f"{self._text()})"


class Tensor(_Numbers):
    """The result of an operation on what a tape may watch; `constant` makes one of an array.

    It has Python's operators, and comparisons give plain arrays. ``numpy()`` and ``np.asarray`` give
    copies of its numbers; NumPy's other functions compute with those, unseen by a tape, or refuse it.

    Attributes
    ----------
    value : array or number of NumPy
        The numbers themselves; not to be changed, as a tape may need them.
    logits : Tensor
        What a softmax has made these of, if they are a model's probabilities: a loss may go back there.
    """

    __slots__ = ("__weakref__", "logits", "value")
    logits: Tensor

    def __init__(self, value: Any) -> None:
        self.value = value

    def __tensor__(self) -> Tensor:
        return self

    def derived(self, value: Any, vjp: Callable[[Any], Sequence[Any]], name: str) -> Tensor:
        """Return numbers as a tensor that was computed of this one, on the tapes that are running.

        Parameters
        ----------
        value : array or number of NumPy
        vjp : function
            From the gradient of the result, an array, to a list of that of this tensor.
        name : str
            Of what was computed, for messages.
        """
        result = Tensor(value)
        recording.record_result(result, [self], vjp, name, sources={})  # a tensor is none
        return result

    @staticmethod
    def __apply__(operation: Operation, inputs: list[Any], parameters: dict[str, Any]) -> Any:
        """Compute an operation, and record it on the tapes that watch an input."""
        values = [x.value if type(x) is Tensor else x for x in inputs]
        try:
            value = operation.forward(*values, **parameters)
        except ARGUMENT_ERRORS as error:
            raise operation.error_with_shapes(error, values) from None
        if operation.nondifferentiable:
            return value
        result = Tensor(value)
        if tapes := running.tapes:
            recording.record(tapes, (result, operation, inputs, parameters))
        return result


class Variable(_Numbers):
    """Numbers to be changed as a loss tells: trainable ones are watched by every tape.

    Parameters
    ----------
    initial_value : array_like
        float32 and float64 arrays keep their type, other floats become `cnet.config.floatx()`;
        integers stay integers, which no gradient reaches.
    trainable : bool, default True
    name : str, default "Variable"
    dtype : optional
        To convert to.

    Raises
    ------
    TypeError
        If `initial_value` isn't numbers.

    Examples
    --------
    >>> from cnet import autodiff
    >>> w = autodiff.Variable([1.0, 2.0], name="w")
    >>> with autodiff.GradientTape() as tape:
    ...     loss = autodiff.reduce_sum(w * w)
    >>> w.assign_sub(0.1 * tape.gradient(loss, w))
    Variable([0.8, 1.6], dtype=float32, name='w')
    """

    __slots__ = ("__weakref__", "_tensor", "name", "trainable")

    def __init__(
        self,
        initial_value: npt.ArrayLike,
        trainable: bool = True,
        name: str | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        self.name = "Variable" if name is None else str(name)
        self.trainable = bool(trainable)
        self._tensor = Tensor(np.array(as_value(initial_value, self.name, dtype)))

    @property
    def value(self) -> Array:
        """The numbers themselves; not to be changed, as a tape may need them: `assign` puts new ones."""
        return self._tensor.value  # type: ignore[no-any-return] # an array

    def __tensor__(self) -> Tensor:
        """Return the numbers of now, which stay these when the variable gets others."""
        recording.read(self, self._tensor)
        return self._tensor

    def assign(self, value: npt.ArrayLike) -> Variable:
        """Put new numbers in the place of the old, rounded to their type; return the variable.

        Raises
        ------
        TypeError
            If `value` isn't numbers.
        ValueError
            If it has another shape.
        """
        return self._put("assign", value)

    def assign_add(self, delta: npt.ArrayLike) -> Variable:
        """Add numbers of the variable's shape; see `assign`."""
        return self._put("assign_add", delta, np.add)

    def assign_sub(self, delta: npt.ArrayLike) -> Variable:
        """Subtract numbers of the variable's shape; see `assign`."""
        return self._put("assign_sub", delta, np.subtract)

    def _put(self, call: str, given: Any, change: np.ufunc | None = None) -> Variable:
        argument = f"{self.name}.{call}"
        array = given.value if isinstance(given, _Numbers) else as_value(given, argument)
        if array.shape != self.shape:
            raise ValueError(f"{argument}: expected shape {self.shape}, got shape {array.shape}")
        numbers = array if change is None else change(self.value, array)
        self._tensor = Tensor(np.array(numbers, self.dtype))
        return self

    def __repr__(self) -> str:
        return f"{self._text()}, name={self.name!r})"


def constant(value: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return numbers as a tensor, for a tape to watch; see `Variable` for their type.

    Examples
    --------
    >>> from cnet import autodiff
    >>> x = autodiff.constant(3.0)
    >>> with autodiff.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x**2
    >>> tape.gradient(y, x)
    Tensor(6., dtype=float32)
    """
    return Tensor(np.array(as_value(value, "constant", dtype)))
