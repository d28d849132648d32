"""The tape: operations are recorded as they happen, gradients are computed backwards along it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._tapes import running
from .nested import leaves_of, map_leaves, pairs_of
from .operations.operation import Record, as_value, backpropagate
from .recording import paused, record_result
from .tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["GradientTape", "custom_gradient"]


class GradientTape:
    """Records what is computed of variables inside ``with``, for `gradient` to go back over.

    Parameters
    ----------
    persistent : bool, default False
        Whether `gradient` can be called more than once. What was recorded is kept as long as the tape
        is; otherwise it goes with the first call.
    watch_accessed_variables : bool, default True
        Whether trainable variables are watched as soon as an operation takes them.

    Notes
    -----
    Tapes are of their thread. They can be nested: what the inner tape's `gradient` computes is recorded
    on the outer one, so that its gradient is the second derivative. Arrays that a tape holds are not
    to be changed in place before `gradient`. Variables may be assigned to; weights of layers may not, as the
    way back through a model goes by those of now: to ask for a gradient then is a `RuntimeError`.

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
            raise ValueError("GradientTape: it is recording already")
        running.tapes.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        if self in running.tapes:
            running.tapes = [tape for tape in running.tapes if tape is not self]

    def watch(self, tensor: Any) -> None:
        """Watch tensors and variables, from now on: one, or lists, tuples and dicts of them.

        Raises
        ------
        TypeError
            For arrays, of which `constant` makes tensors, and for integers.
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
        """Return the gradients of what was computed by what it was computed from.

        Parameters
        ----------
        target : Tensor, or lists, tuples and dicts of them
            Several are added up, as are the numbers of each.
        sources : Variable, watched Tensor or weight of a layer, or lists, tuples and dicts of them
        output_gradients : array_like, nested as `target`, optional
            What the target's numbers count, by default 1.
        unconnected_gradients : {"none", "zero"}, default "none"
            What there is for sources that the target doesn't depend on: None, or zeros.

        Returns
        -------
        Tensor or None, nested as `sources`

        Raises
        ------
        RuntimeError
            At the second call, unless the tape is persistent.
        TypeError
            If a target or source is no tensor: what NumPy computes of tensors is not recorded.
        ValueError
            If the shape of an output gradient is not the target's.
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(
                "GradientTape.gradient: unconnected_gradients: expected 'none' or 'zero', got "
                f"{unconnected_gradients!r}"
            )
        if self._used:
            raise RuntimeError(
                "GradientTape.gradient: a tape that is not persistent can be asked once; make it "
                "with persistent=True"
            )
        seeds = self._seeds(target, output_gradients)
        leaves = leaves_of(sources)
        watched = [source for source in leaves if id(source) in self.watched]
        if len(watched) < len(leaves):
            for source in leaves:
                _expect_source("gradient: sources", source)
        if not self.bypassed.isdisjoint(map(id, leaves)):
            raise ValueError(
                "GradientTape.gradient: sources: a cross-entropy has gone past a model's probabilities to "
                "their logits: watch() them before it, or ask for the gradient by `logits`"
            )
        records = self.records
        if self.persistent:
            records = list(records)  # what they compute may be recorded here, too
        else:
            self._stop()
        # While another tape is running the VJPs compute with tensors, which it records.
        nested = bool(running.tapes)
        if nested:
            seeds = {key: Tensor(seed) for key, seed in seeds.items()}
        gradients = backpropagate(records, seeds, watched, None if nested else Tensor)
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
        """Return the gradients to start from, by the `id` of each target that is watched."""
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
                        f"{argument}: expected shape {tuple(each.shape)}, as target, got {value.shape}"
                    )
                seed = value.astype(each.dtype)
            if id(each) in self.watched:
                seeds[id(each)] = seeds[id(each)] + seed if id(each) in seeds else seed
        return seeds


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """Give a function a gradient of its own; nothing that it does is recorded.

    Parameters
    ----------
    function : function
        Of tensors or arrays, returning its result and a function: from the gradient of the result, a
        Tensor, to that of the argument, or to a list of those of all arguments.

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
