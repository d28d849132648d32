"""What a differentiable operation is, and how one table of them serves arrays, the tape and the graph.

An operation is a function of arrays and, for each of them, its vector-Jacobian product (VJP): a
function ``vjp(gradient, result, *inputs, **parameters)`` from the gradient of the result to that of
the input. VJPs are written with operations themselves. So they work on whatever operations work on,
and the derivative of a derivative needs nothing more.

An operation looks at the kinds of its inputs. Arrays and numbers it computes at once. Other classes
say what becomes of an operation on them by a static method ``__apply__(operation, inputs,
parameters)``: the tape's `Tensor` computes and records it, the graph's `Node` makes a node of it. What
stands for a Tensor, as a variable and a layer's weight do, has a method ``__tensor__()`` that gives it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from ..._data import Array, as_array
from ...config import floatx

__all__ = [
    "Operation",
    "Record",
    "Value",
    "VariadicVJPs",
    "as_value",
    "backpropagate",
    "number_type",
    "operation",
]

# What operations take and give: arrays, numbers and lists, and the values of the faces.
Value: TypeAlias = Any
Gradient: TypeAlias = Callable[..., Any]
Function = TypeVar("Function", bound=Callable[..., Any])

# What is computed at once. Python's numbers take the type of the arrays that they meet.
_PLAIN = frozenset({np.ndarray, np.float32, np.float64, np.int64, np.bool_, float, int, bool})


# What NumPy and the core raise for arguments that don't fit.
ARGUMENT_ERRORS = (TypeError, ValueError, IndexError)


class Operation:
    """A function of arrays, and its vector-Jacobian product for each of them.

    Attributes
    ----------
    name : str
    forward : function
        Of the inputs, and of parameters that are no arrays of the computation.
    vjps : sequence
        For each input a function, or None where no gradient goes.
    nondifferentiable : bool
        Whether the result is always constant: a mask, a count.
    """

    __slots__ = ("forward", "name", "names", "nondifferentiable", "vjps")
    joint_vjp: None = None

    def __init__(
        self,
        forward: Callable[..., Any],
        vjps: Iterable[Gradient | None],
        *,
        nondifferentiable: bool = False,
    ) -> None:
        self.name = forward.__name__.strip("_")
        self.forward = forward
        self.vjps = vjps
        self.nondifferentiable = nondifferentiable
        code = forward.__code__
        self.names = code.co_varnames[: code.co_argcount]

    def error_with_shapes(self, error: Exception, inputs: Sequence[Any]) -> Exception:
        """Return an error of `forward` with the operation's name and the shapes."""
        text = str(error).removeprefix(f"{self.name}: ")
        kind = next(k for k in ARGUMENT_ERRORS if isinstance(error, k))
        shapes = " and ".join(str(np.shape(x)) for x in inputs)
        return kind(f"{self.name}: {text}; given shapes {shapes}")

    def bind(
        self, arguments: tuple[Any, ...], parameters: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Part the inputs from the parameters; `TypeError` as from any call."""
        if isinstance(self.vjps, VariadicVJPs):
            return arguments, parameters
        inputs = len(self.vjps)  # type: ignore[arg-type] # all but VariadicVJPs are tuples
        if len(arguments) == inputs:
            return arguments, parameters
        if len(arguments) < inputs or len(arguments) > len(self.names):
            found = inspect.signature(self.forward).bind(*arguments, **parameters).arguments
            return tuple(found.pop(name) for name in self.names[:inputs]), found
        named = dict(zip(self.names[inputs:], arguments[inputs:], strict=False))
        return arguments[:inputs], named | parameters


class VariadicVJPs:
    """The VJPs of any number of inputs: those of one function, that is told which one it is."""

    def __init__(self, vjp: Gradient | None) -> None:
        self.vjp = vjp

    def __iter__(self) -> Iterator[Gradient | None]:
        for index in count():
            yield None if self.vjp is None else functools.partial(self.vjp, index)


def operation(
    *vjps: Gradient | None, each: Gradient | None = None, nondifferentiable: int | None = None
) -> Callable[[Function], Function]:
    """Make an operation of a function of arrays.

    Parameters
    ----------
    *vjps : function or None
        The vector-Jacobian product for each input; None where no gradient goes.
    each : function, optional
        Instead of those, for any number of inputs: ``each(index, gradient, result, *inputs)``.
    nondifferentiable : int, optional
        Instead of those: there is nothing to differentiate in so many inputs; 0: in any number.
    """
    if nondifferentiable is not None:
        vjps = (None,) * nondifferentiable
    several = each is not None or nondifferentiable == 0
    inputs = None if several else len(vjps)
    least = 0 if several else len(vjps)

    def decorate(forward: Function) -> Function:
        made = Operation(
            forward,
            VariadicVJPs(each) if several else vjps,
            nondifferentiable=nondifferentiable is not None,
        )

        @functools.wraps(forward)
        def call(*arguments: Any, **parameters: Any) -> Any:
            if len(arguments) < least:
                arguments, parameters = made.bind(arguments, parameters)
            for value in arguments if len(arguments) == inputs else arguments[:inputs]:
                if type(value) not in _PLAIN:
                    return _dispatch(made, *made.bind(arguments, parameters))
            try:
                return forward(*arguments, **parameters)
            except ARGUMENT_ERRORS as error:
                raise made.error_with_shapes(error, arguments[:inputs]) from None

        call.operation = made  # type: ignore[attr-defined] # for who looks at the table
        return call  # type: ignore[return-value] # of the same signature

    return decorate


def _dispatch(made: Operation, inputs: Sequence[Any], parameters: dict[str, Any]) -> Any:
    """Leave an operation to the class of its inputs that wants it, or compute it."""
    values, chosen = [], None
    for value in inputs:
        if type(value) not in _PLAIN:
            apply = getattr(type(value), "__apply__", None)
            if apply is None:
                tensor = getattr(value, "__tensor__", None)
                value = tensor() if tensor else as_value(value, made.name)
                apply = getattr(type(value), "__apply__", None)
            if chosen is None:
                chosen = apply
            elif apply is not None and apply is not chosen:
                kinds = " and ".join(sorted({type(x).__name__ for x in inputs}))
                raise TypeError(
                    f"{made.name}: {kinds} can't be mixed: one is of a graph, another of a tape"
                )
        values.append(value)
    if chosen is not None:
        return chosen(made, values, parameters)
    try:
        return made.forward(*values, **parameters)
    except ARGUMENT_ERRORS as error:
        raise made.error_with_shapes(error, values) from None


def as_value(value: Any, argument: str, dtype: npt.DTypeLike | None = None) -> Array:
    """Return numbers as an array: float32 and float64 as they are, other floats as `floatx()`."""
    array = as_array(value, argument)
    if dtype is not None:
        return array.astype(number_type(argument, dtype), copy=False)
    typed = hasattr(value, "dtype") and array.dtype in (np.float32, np.float64)
    return array.astype(floatx(), copy=False) if array.dtype.kind == "f" and not typed else array


def number_type(call: str, dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return a dtype; `TypeError` unless it is one of numbers of up to 64 bits."""
    found = np.dtype(dtype)
    if found.kind not in "biuf" or found.itemsize > 8:
        raise TypeError(f"{call}: dtype: expected one of numbers, got {dtype!r}")
    return found


class Differentiable(Protocol):
    """What can take place: an operation of the table, or one that has all its gradients at once."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def vjps(self) -> Iterable[Any]:
        """Of each input what gives its gradient, or None where none goes; it may go on for ever."""

    @property
    def joint_vjp(self) -> Callable[[Any], Sequence[Any]] | None:
        """In their place one function, from the gradient of the result to those of all inputs."""


# An operation that took place: what it gave, which it was, its inputs and its parameters.
Record: TypeAlias = tuple[Any, Differentiable, Sequence[Any], dict[str, Any]]


def backpropagate(
    records: Sequence[Record],
    gradients: dict[int, Any],
    sources: Iterable[Any],
    unwrapped: type[Any] | None = None,
) -> dict[int, Any]:
    """Return the gradients of sources, by the chain rule from the last record to the first.

    Parameters
    ----------
    records : sequence of Record
        In an order in which they could take place.
    gradients : dict
        Those of the targets, by `id`.
    sources : iterable
    unwrapped : type, optional
        The VJPs are given the `value` of inputs and results of this class in their place.

    Returns
    -------
    dict
        By `id`; of sources that no target depends on there are none, and of no others does it say
        anything.
    """
    wanted = set(map(id, sources))
    # What depends on a source: nothing else is differentiated.
    reached = set(wanted)
    for result, made, inputs, _ in records:
        for x, vjp in zip(inputs, made.vjps, strict=False):
            if vjp is not None and id(x) in reached:
                reached.add(id(result))
                break
    for result, made, inputs, parameters in reversed(records):
        key = id(result)
        if key not in gradients:
            continue
        gradient = gradients[key] if key in wanted else gradients.pop(key)
        if made.joint_vjp is not None:
            for x, part in zip(inputs, made.joint_vjp(gradient), strict=True):
                key = id(x)
                if part is not None and key in reached:
                    gradients[key] = gradients[key] + part if key in gradients else part
            continue
        values: Sequence[Any] = inputs
        if unwrapped is not None:
            values = [x.value if type(x) is unwrapped else x for x in inputs]
            result = result.value
        for x, vjp in zip(inputs, made.vjps, strict=False):
            key = id(x)
            if vjp is None or key not in reached:
                continue
            part = vjp(gradient, result, *values, **parameters)
            if part is not None:
                gradients[key] = gradients[key] + part if key in gradients else part
    return gradients
