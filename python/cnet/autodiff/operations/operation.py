"""Differentiable operations for arrays, tapes and graphs.

An operation is a function of arrays with a vector-Jacobian product (VJP) for each input: a function
``vjp(gradient, result, *inputs, **parameters)`` from the gradient of the result to that of the input.
VJPs use operations, so that they work on the same types, and can be differentiated again.

An operation dispatches on the types of its inputs. Arrays and numbers are computed immediately. Other
classes define a static method ``__apply__(operation, inputs, parameters)``: a `Tensor` computes and
records the operation, a `Node` of a graph creates a new node. Variables and weights of layers have a
method ``__tensor__()`` that returns their `Tensor`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from ..._data import Array, as_array
from ..._errors import short_repr
from ..._float_errors import IGNORED, float_errors, ignore_float_errors, restore_float_errors
from ...config import floatx

__all__ = [
    "OPERATIONS",
    "Operation",
    "Record",
    "Value",
    "VariadicVJPs",
    "as_value",
    "backpropagate",
    "number_type",
    "operation",
]

# Inputs and results of operations: arrays, numbers, lists, tensors and nodes.
Value: TypeAlias = Any
Gradient: TypeAlias = Callable[..., Any]
Function = TypeVar("Function", bound=Callable[..., Any])

# Types of numbers that are computed immediately.
_PLAIN = frozenset({np.float32, np.float64, np.int64, np.bool_, float, int, bool})
# Without another input, Python's numbers have no type to take: they become arrays.
_PLAIN_ALONE = _PLAIN - {float, int, bool}


# Arrays of these types are computed as they are; others are converted, or are no numbers.
_NUMERIC = frozenset(map(np.dtype, "?bBhHiIlLqQefd"))

# What NumPy and the core raise for invalid arguments.
ARGUMENT_ERRORS = (TypeError, ValueError, IndexError, OverflowError, RecursionError)


# All operations by their names, such as those that the layers of a saved model have.
OPERATIONS: dict[str, Callable[..., Any]] = {}


class Operation:
    """A function of arrays with a vector-Jacobian product for each of them.

    Attributes
    ----------
    name : str
    forward : function
        Takes the inputs, and parameters that aren't differentiable.
    vjps : sequence
        A function for each input, or None for inputs without a gradient.
    nondifferentiable : bool
        Whether the result never has a gradient, such as a mask or an index.
    """

    __slots__ = ("count", "forward", "name", "names", "nondifferentiable", "vjps")
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
        self.count = None if isinstance(vjps, VariadicVJPs) else len(tuple(vjps))
        self.nondifferentiable = nondifferentiable
        code = forward.__code__
        self.names = code.co_varnames[: code.co_argcount]

    def compute(self, *inputs: Any, **parameters: Any) -> Any:
        """Return the result for arrays, without floating-point warnings; errors are of arguments."""
        before = ignore_float_errors()
        try:
            return self.forward(*inputs, **parameters)
        except ARGUMENT_ERRORS as error:
            raise self.argument_error(error, inputs) from None
        finally:
            restore_float_errors(before)

    def argument_error(self, error: Exception, inputs: Sequence[Any]) -> Exception:
        """Return an error of `forward` with the name of the operation and the shapes added."""
        text = str(error).removeprefix(f"{self.name}: ")
        shapes = " and ".join(str(np.shape(x)) for x in inputs[: self.count])
        kinds = (TypeError, ValueError, IndexError)
        kind = next((k for k in kinds if isinstance(error, k)), ValueError)  # for too large numbers
        return kind(f"{self.name}: {text}; given shapes {shapes}")

    def bind(
        self, arguments: tuple[Any, ...], parameters: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Split arguments into inputs and parameters; raise `TypeError` as for any call."""
        inputs = self.count
        if inputs is None:
            return arguments, parameters
        if len(arguments) == inputs:
            return arguments, parameters
        if len(arguments) < inputs or len(arguments) > len(self.names):
            found = inspect.signature(self.forward).bind(*arguments, **parameters).arguments
            return tuple(found.pop(name) for name in self.names[:inputs]), found
        named = dict(zip(self.names[inputs:], arguments[inputs:], strict=False))
        return arguments[:inputs], named | parameters


class VariadicVJPs:
    """The VJPs of a variable number of inputs: one function, called with the index of the input."""

    def __init__(self, vjp: Gradient | None) -> None:
        self.vjp = vjp

    def __iter__(self) -> Iterator[Gradient | None]:
        for index in count():
            yield None if self.vjp is None else functools.partial(self.vjp, index)


def operation(
    *vjps: Gradient | None, each: Gradient | None = None, nondifferentiable: int | None = None
) -> Callable[[Function], Function]:
    """Decorate a function of arrays to make it an operation.

    Parameters
    ----------
    *vjps : function or None
        The vector-Jacobian product for each input; None for inputs without a gradient.
    each : function, optional
        Alternative for a variable number of inputs: ``each(index, gradient, result, *inputs)``.
    nondifferentiable : int, optional
        Alternative for operations without gradients: the number of inputs, 0 if it varies.
    """
    if nondifferentiable is not None:
        vjps = (None,) * nondifferentiable
    several = each is not None or nondifferentiable == 0

    def decorate(forward: Function) -> Function:
        made = Operation(
            forward,
            VariadicVJPs(each) if several else vjps,
            nondifferentiable=nondifferentiable is not None,
        )
        inputs, least = made.count, made.count or 0
        plain = _PLAIN if least > 1 else _PLAIN_ALONE

        @functools.wraps(forward)
        def call(*arguments: Any, **parameters: Any) -> Any:
            if len(arguments) < least:
                arguments, parameters = made.bind(arguments, parameters)
            for value in arguments if len(arguments) == inputs else arguments[:inputs]:
                kind = type(value)
                if value.dtype not in _NUMERIC if kind is np.ndarray else kind not in plain:
                    return _dispatch(made, *made.bind(arguments, parameters))
            if float_errors() is not IGNORED:
                return made.compute(*arguments, **parameters)
            try:
                return forward(*arguments, **parameters)
            except ARGUMENT_ERRORS as error:
                raise made.argument_error(error, arguments) from None

        call.operation = made  # type: ignore[attr-defined] # read by networks and tests
        OPERATIONS[made.name] = call
        return call  # type: ignore[return-value] # same signature

    return decorate


def _dispatch(made: Operation, inputs: Sequence[Any], parameters: dict[str, Any]) -> Any:
    """Call the `__apply__` of the inputs' class, or compute the operation."""
    values, chosen = [], None
    plain = _PLAIN if len(inputs) > 1 else _PLAIN_ALONE
    for value in inputs:
        kind = type(value)
        if value.dtype not in _NUMERIC if kind is np.ndarray else kind not in plain:
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
    return made.compute(*values, **parameters)


def as_value(value: Any, argument: str, dtype: npt.DTypeLike | None = None) -> Array:
    """Return numbers as an array; float32 and float64 keep their type, other floats become `floatx()`."""
    array = as_array(value, argument)
    if dtype is None:
        typed = hasattr(value, "dtype") and array.dtype in (np.float32, np.float64)
        kind = array.dtype if typed or array.dtype.kind != "f" else floatx()
    else:
        kind = number_type(argument, dtype)
    with np.errstate(all="ignore"):
        return array.astype(kind, copy=False)


def number_type(call: str, dtype: Any) -> np.dtype[Any]:
    """Return a dtype; raise `TypeError` unless it is numeric, with at most 64 bits."""
    found: np.dtype[Any] | None = None
    # NumPy also takes fields, and warns of "a" for bytes.
    if isinstance(dtype, (type, np.dtype)) or (
        isinstance(dtype, str) and dtype.isalnum() and dtype[0] != "a"
    ):
        with suppress(TypeError, ValueError):
            found = np.dtype(dtype).newbyteorder("=")
    if found is None or found.kind not in "biuf" or found.itemsize > 8:
        raise TypeError(f"{call}: dtype: expected a numeric type, got {short_repr(dtype)}")
    return found


class Differentiable(Protocol):
    """An operation, or a recorded computation with one function for all gradients."""

    @property
    def name(self) -> str:
        """Name for messages."""

    @property
    def vjps(self) -> Iterable[Any]:
        """For each input its VJP, or None for inputs without a gradient; can be infinite."""

    @property
    def joint_vjp(self) -> Callable[[Any], Sequence[Any]] | None:
        """Alternatively one function from the gradient of the result to those of all inputs."""


# An executed operation: its result, the operation, its inputs and its parameters.
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
        In topological order.
    gradients : dict
        Gradients of the targets by `id`.
    sources : iterable
    unwrapped : type, optional
        Class of inputs and results whose `value` is passed to the VJPs instead.

    Returns
    -------
    dict
        Gradients of the sources by `id`; those that no target depends on are missing. Other entries
        are meaningless.
    """
    wanted = set(map(id, sources))
    # Only results that depend on a source are differentiated.
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
