"""Tensors and variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._data import Array
from .._tapes import running
from . import operations, recording
from .operations.operation import Operation, as_value
from .operators import Operators

__all__ = ["Tensor", "Variable", "constant"]


class _Numbers(Operators):
    """Common base of tensors and variables: the properties of arrays."""

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
        """Number of axes."""
        return self.value.ndim  # type: ignore[no-any-return] # an array's

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.value.size  # type: ignore[no-any-return] # an array's

    def numpy(self) -> Array:
        """Return a copy of the numbers."""
        return np.array(self.value)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError(f"{type(self).__name__}: its numbers can't be shared, only copied")
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
    """The result of an operation that a tape can record; `constant` converts an array to one.

    Tensors support Python's operators; comparisons return plain arrays. ``numpy()`` and ``np.asarray``
    return copies of the numbers. Other NumPy functions raise, or use the numbers unrecorded.

    Attributes
    ----------
    value : array or number of NumPy
        The numbers. Don't change them, as a tape may need them.
    logits : Tensor
        Input of the softmax, if the numbers are a model's probabilities; losses use it.
    mask : tuple of tensor or array, optional
        Ids, in any of which a step has to be other than 0 to count; see ``Embedding(mask_zero=True)``.
    """

    __slots__ = ("__weakref__", "logits", "mask", "value")
    logits: Tensor
    mask: Any

    def __init__(self, value: Any) -> None:
        self.value = value

    def __tensor__(self) -> Tensor:
        return self

    def derived(self, value: Any, vjp: Callable[[Any], Sequence[Any]], name: str) -> Tensor:
        """Return a tensor computed from this one, recorded on the running tapes.

        Parameters
        ----------
        value : array or number of NumPy
        vjp : function
            Takes the gradient of the result, an array, and returns a list of this tensor's gradient.
        name : str
            Name of the computation, for messages.
        """
        result = Tensor(value)
        recording.record_result(result, [self], vjp, name, sources={})
        return result

    @staticmethod
    def __apply__(operation: Operation, inputs: list[Any], parameters: dict[str, Any]) -> Any:
        """Compute an operation, and record it on the tapes that watch an input."""
        values = [x.value if type(x) is Tensor else x for x in inputs]
        value = operation.compute(*values, **parameters)
        if operation.nondifferentiable:
            return value
        result = Tensor(value)
        if tapes := running.tapes:
            recording.record(tapes, (result, operation, inputs, parameters))
        return result


class Variable(_Numbers):
    """A changeable array; tapes watch trainable ones automatically.

    Parameters
    ----------
    initial_value : array_like
        float32 and float64 arrays keep their type, other floats become `cnet.config.floatx()`.
        Integers stay integers, without gradients.
    trainable : bool, default True
    name : str, default "Variable"
    dtype : optional
        Type to convert to.

    Raises
    ------
    TypeError
        If `initial_value` isn't numeric.

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
        """The numbers. Don't change them, as a tape may need them; use `assign`."""
        return self._tensor.value  # type: ignore[no-any-return] # an array

    def __tensor__(self) -> Tensor:
        """Return a tensor of the current numbers; later assignments don't change it."""
        recording.read(self, self._tensor)
        return self._tensor

    def assign(self, value: npt.ArrayLike) -> Variable:
        """Set the numbers, rounded to the variable's type; return the variable.

        Raises
        ------
        TypeError
            If `value` isn't numeric.
        ValueError
            If `value` has another shape.
        """
        return self._put("assign", value)

    def assign_add(self, delta: npt.ArrayLike) -> Variable:
        """Add an array of the variable's shape; see `assign`."""
        return self._put("assign_add", delta, np.add)

    def assign_sub(self, delta: npt.ArrayLike) -> Variable:
        """Subtract an array of the variable's shape; see `assign`."""
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
    """Return an array as a tensor, for a tape to watch; see `Variable` for the type.

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
