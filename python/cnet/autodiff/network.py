"""The engine's networks as operations of a tape."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from .. import _core
from .._data import Array, FloatArray
from .._tapes import is_watched, running
from .operations import softmax
from .recording import record, record_result
from .tensor import Tensor

__all__ = ["NetworkOperation"]


class NetworkOperation:
    """A network that tapes record as one operation; the engine computes its gradient.

    Parameters
    ----------
    network : Network of the engine
    weights : sequence of Weight
        The trainable weights, in the engine's order.
    dtype : str
    output_shape : tuple of int
        Shape of one sample.
    name : str
        For messages.

    Notes
    -----
    A final softmax is recorded as a separate operation, so that a cross-entropy can use the logits, as
    in `fit`.
    """

    def __init__(
        self,
        network: Any,
        weights: Sequence[Any],
        dtype: str,
        output_shape: tuple[int, ...],
        name: str,
    ) -> None:
        self._network, self._weights, self._dtype = network, weights, dtype
        self._sources = {id(weight): weight for weight in weights}
        self._output_shape = output_shape
        self._name = name
        self._ends_in_softmax = network.ends_in_softmax
        # A few engines to reuse: no tape refers to them any more.
        self._free: deque[Any] = deque(maxlen=8)

    def __call__(self, x: Any) -> Tensor:
        """Return the output for samples (batch, …), an array or a tensor."""
        samples = x.value if type(x) is Tensor else x
        try:
            engine = self._free.pop()
        except IndexError:
            engine = _core.Trainer[self._dtype](self._network, _core.Loss("external"), False)
        outputs = engine.forward(
            samples if samples.ndim == 2 else samples.reshape(len(samples), -1)
        )
        if len(self._output_shape) != 1:
            outputs = outputs.reshape(len(samples), *self._output_shape)
        result = Tensor(outputs)
        backward = _BackwardPass(engine, self._free, samples, input_gradient=is_watched(x))
        record_result(
            result,
            [x, *self._weights],
            backward.gradients,
            self._name,
            sources=self._sources,
        )
        if not self._ends_in_softmax:
            return result
        probabilities = Tensor(_core.softmax(outputs, None))
        probabilities.logits = result
        operation = softmax.operation  # type: ignore[attr-defined] # set by the decorator
        record(running.tapes, (probabilities, operation, [result], {}))
        return probabilities


class _BackwardPass:
    """The backward pass of one batch; returns its engine to the free ones when no tape holds it."""

    __slots__ = ("_engine", "_free", "_input_gradient", "_samples")

    def __init__(
        self, engine: Any, free: deque[Any], samples: Array, *, input_gradient: bool
    ) -> None:
        self._engine, self._free = engine, free
        self._samples, self._input_gradient = samples, input_gradient

    def gradients(self, gradient: FloatArray) -> list[FloatArray | None]:
        """Return the gradients of the input, None if it isn't watched, and of the weights."""
        rows = gradient if gradient.ndim == 2 else gradient.reshape(len(gradient), -1)
        *grad_weights, grad_input = self._engine.backward(rows, self._input_gradient)
        if grad_input is not None:
            samples = self._samples
            grad_input = grad_input.reshape(samples.shape).astype(samples.dtype, copy=False)
        return [grad_input, *grad_weights]

    def __del__(self) -> None:
        self._free.append(self._engine)
