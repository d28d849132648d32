"""The gradient tape: records operations, and computes gradients in reverse order."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._float_errors import ignore_float_errors, restore_float_errors
from .._tapes import running
from .nested import leaves_of, map_leaves, pairs_of
from .operations.operation import Record, as_value, backpropagate
from .recording import paused, record_result
from .tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["GradientTape", "custom_gradient"]


class GradientTape:
    """Records operations on variables inside ``with``, for `gradient` to differentiate.

    Parameters
    ----------
    persistent : bool, default False
        Whether `gradient` can be called more than once. The records then live as long as the tape;
        otherwise the first call frees them.
    watch_accessed_variables : bool, default True
        Whether trainable variables are watched when an operation first uses them.

    Notes
    -----
    A tape belongs to its thread. Tapes can be nested: the outer tape records the `gradient` of the inner
    one, so that its gradient is the second derivative. Don't change arrays in place before `gradient`.
    Variables can be assigned in between, but not weights of layers, whose backward pass uses the current
    numbers: `gradient` then raises `RuntimeError`.

    References
    ----------
    Baydin, Pearlmutter, Radul and Siskind, "Automatic differentiation in machine learning: a survey",
    JMLR 18(153), 2018, section 3.2.

    Examples
    --------
    >>> from cnet import autodiff
    >>> w, b = autodiff.Variable([[2.0], [-1.0]]), autodiff.Variable([0.5])
    >>> with autodiff.GradientTape() as tape:
    ...     y = [[1.0, 3.0]] @ w + b
    ...     loss = autodiff.reduce_mean(y**2)
    >>> tape.gradient(loss, {"w": w, "b": b})
    {'w': Tensor([[-1.],
            [-3.]], dtype=float32), 'b': Tensor([-1.], dtype=float32)}
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self.persistent = bool(persistent)
        self.watch_accessed_variables = bool(watch_accessed_variables)
        self.watched: dict[int, Any] = {}
        self.explicitly_watched: set[int] = set()
        self.bypassed: set[int] = set()
        self.records: list[Record] = []
        self._used = False

    def __enter__(self) -> Self:
        if self in running.tapes:
            raise ValueError("GradientTape: the tape is already recording")
        running.tapes.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        if self in running.tapes:
            running.tapes = [tape for tape in running.tapes if tape is not self]

    def watch(self, tensor: Any) -> None:
        """Watch tensors and variables from now on: one, or lists, tuples and dicts of them.

        Raises
        ------
        TypeError
            For arrays, which `constant` converts to tensors, and for integers.
        """
        for each in leaves_of(tensor):
            _expect_source("watch: tensor", each)
            if np.dtype(each.dtype).kind != "f":
                raise TypeError(
                    f"GradientTape.watch: tensor: expected floating-point numbers, got {each.dtype}"
                )
            self.watched[id(each)] = each
            self.explicitly_watched.add(id(each))

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Literal["none", "zero"] = "none",
    ) -> Any:
        """Return the gradients of a target by its sources.

        Parameters
        ----------
        target : Tensor, or lists, tuples and dicts of them
            The elements of all tensors are summed.
        sources : Variable, watched Tensor or weight of a layer, or lists, tuples and dicts of them
        output_gradients : array_like, nested as `target`, optional
            Factors of the target's elements, by default 1.
        unconnected_gradients : {"none", "zero"}, default "none"
            Gradient of sources that the target doesn't depend on: None, or zeros.

        Returns
        -------
        Tensor or None, nested as `sources`

        Raises
        ------
        RuntimeError
            At the second call, unless the tape is persistent.
        TypeError
            If a target or source isn't a tensor, such as the result of a NumPy function.
        ValueError
            If the shape of an output gradient is not that of the target.
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(
                "GradientTape.gradient: unconnected_gradients: expected 'none' or 'zero', got "
                f"{unconnected_gradients!r}"
            )
        if self._used:
            raise RuntimeError(
                "GradientTape.gradient: can be called only once; to call it again, create the tape with "
                "persistent=True"
            )
        seeds = self._seeds(target, output_gradients)
        leaves = leaves_of(sources)
        watched = [source for source in leaves if id(source) in self.watched]
        if len(watched) < len(leaves):
            for source in leaves:
                _expect_source("gradient: sources", source)
        if not self.bypassed.isdisjoint(map(id, leaves)):
            raise ValueError(
                "GradientTape.gradient: sources: a cross-entropy used the logits of a model's probabilities: "
                "watch() the probabilities before it, or request the gradient by their `logits`"
            )
        records = self.records
        if self.persistent:
            records = list(records)  # the backward pass may be recorded on this tape too
        else:
            self._stop()
        # If another tape is running, the VJPs compute with tensors, so that it records them.
        nested = bool(running.tapes)
        if nested:
            seeds = {key: Tensor(seed) for key, seed in seeds.items()}
        before = ignore_float_errors()
        try:
            gradients = backpropagate(records, seeds, watched, None if nested else Tensor)
        finally:
            restore_float_errors(before)
        if not self.persistent:
            self._used, self.watched, self.records = True, {}, []

        def gradient_of(source: Any) -> Tensor | None:
            gradient = gradients.get(id(source))
            if gradient is None:
                zero = unconnected_gradients == "zero"
                return Tensor(np.zeros(source.shape, source.dtype)) if zero else None
            return gradient if type(gradient) is Tensor else Tensor(gradient)

        return map_leaves(gradient_of, sources)

    def _seeds(self, target: Any, output_gradients: Any) -> dict[int, Any]:
        """Return the initial gradients by the `id` of each watched target."""
        argument = "GradientTape.gradient: output_gradients"
        seeds: dict[int, Any] = {}
        for each, gradient in pairs_of(argument, target, output_gradients):
            _expect_source("gradient: target", each)
            if gradient is None:
                shape, dtype = each.shape, np.dtype(each.dtype)
                seed = np.ones(shape, dtype) if shape else dtype.type(1)
            else:
                value = as_value(gradient, argument)
                if value.shape != tuple(each.shape):
                    raise ValueError(
                        f"{argument}: expected the target's shape {tuple(each.shape)}, got {value.shape}"
                    )
                seed = value.astype(each.dtype)
            if id(each) in self.watched:
                seeds[id(each)] = seeds[id(each)] + seed if id(each) in seeds else seed
        return seeds


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """Define the gradient of a function, whose operations are then not recorded.

    Parameters
    ----------
    function : function
        Takes tensors or arrays. Returns its result and a function that takes the gradient of the result,
        a Tensor, and returns the gradient of the argument, or a list of those of all arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import autodiff
    >>> @autodiff.custom_gradient
    ... def rounded(x):
    ...     return np.round(x.numpy()), lambda gradient: gradient  # as if it were not rounded
    >>> x = autodiff.Variable([0.4, 1.6])
    >>> with autodiff.GradientTape() as tape:
    ...     y = autodiff.reduce_sum(rounded(x) ** 2)
    >>> tape.gradient(y, x)
    Tensor([0., 4.], dtype=float32)
    """

    @functools.wraps(function)
    def call(*arguments: Any) -> Tensor:
        inputs = [x.__tensor__() if hasattr(type(x), "__tensor__") else x for x in arguments]
        with paused():
            result, gradient_function = function(*inputs)
        result = Tensor(_value(result))

        def vjp(gradient: Any) -> Any:
            gradients = gradient_function(
                Tensor(_value(gradient)) if not running.tapes else gradient
            )
            if not isinstance(gradients, (list, tuple)):
                gradients = [gradients]
            if len(gradients) != len(inputs):
                raise ValueError(
                    f"custom_gradient: {function.__name__}: expected {len(inputs)} gradients, one "
                    f"for each argument, got {len(gradients)}"
                )
            return gradients if running.tapes else [_value(each) for each in gradients]

        record_result(result, inputs, vjp, function.__name__, of_tensors=True)
        return result

    return call


def _value(x: Any) -> Any:
    return x.value if type(x) is Tensor else x


def _expect_source(argument: str, value: Any) -> None:
    if type(value) is not Tensor and not hasattr(type(value), "trainable"):
        raise TypeError(
            f"GradientTape.{argument}: expected a Tensor or a Variable, got {type(value).__name__}"
        )
