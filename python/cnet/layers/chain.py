"""Layers one after the other: in stretches that the engine computes, and those that compute themselves.

What a tape records is an operation for each stretch, whose gradient is the engine's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._data import Array, FloatArray
from .._tapes import is_explicitly_watched

if TYPE_CHECKING:
    from ..autodiff import Tensor
    from ..autodiff.network import NetworkOperation
    from .core import Layer, Shape
    from .weight import Weight

__all__ = ["Chain", "parameters"]


# Samples that layers of one's own are given at a time, where they predict.
BLOCK = 8192


class Chain:
    """Layers that are built.

    Parameters
    ----------
    layers : sequence of Layer
    input_shape : tuple
        (None, …).
    trainable : set of Layer
        Those whose weights learn.
    training : bool
        Whether batches are those of training: see `Layer.__call__`.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Shape,
        trainable: set[Layer],
        *,
        training: bool,
    ) -> None:
        self.training = training
        self._parts: list[_EngineSegment | _PythonSegment] = []
        stretch: _EngineSegment | None = None
        shape = input_shape
        for layer in layers:
            function = layer.python_function(training=training)
            below, shape = shape, layer.compute_output_shape(shape)
            if function is not None:
                self._parts.append(_PythonSegment(layer, function))
                stretch = None
            elif training or not layer.only_in_training:
                if stretch is None:
                    stretch = _EngineSegment(layer.dtype, below)
                    self._parts.append(stretch)
                stretch.add(layer, shape, trainable=layer in trainable)
        if not self._parts:  # of layers that hand on what they are given
            self._parts.append(_EngineSegment(layers[0].dtype, input_shape))
        self._input_shape = input_shape

    def predict(self, x: Array, on_progress: Callable[..., Any] | None = None) -> FloatArray:
        """Return what comes of samples, each a row of numbers, as rows of numbers."""
        blocks = [x] if self.training else [x[n : n + BLOCK] for n in range(0, len(x), BLOCK)]
        outputs: list[FloatArray] = []
        done = 0
        for block in blocks or [x]:
            rows: Any = block.reshape(len(block), *_sizes(self._input_shape))
            for part in self._parts:
                rows = part.predict(rows, training=self.training)
            outputs.append(rows.reshape(len(block), math.prod(rows.shape[1:])))
            done += len(block)
            if on_progress is not None:
                on_progress(done)
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def record(self, x: Any) -> Any:
        """Return what comes of samples (batch, …) as a tensor, on the tapes that are running."""
        for part in self._parts:
            x = part.record(x)
        return x


class _EngineSegment:
    """Layers that the engine computes one after the other."""

    def __init__(self, dtype: str, input_shape: Shape) -> None:
        self._dtype = dtype
        self._input_shape = self._output_shape = _sizes(input_shape)
        self._network = _core.Network[dtype](math.prod(self._input_shape))
        self._weights: list[Weight] = []
        self._frozen: list[Weight] = []
        self._name = ""
        self._operation: NetworkOperation | None = None

    def add(self, layer: Layer, output_shape: Shape, *, trainable: bool) -> None:
        """Put a layer on top."""
        layer.add_to(self._network, trainable=trainable)
        self._output_shape = _sizes(output_shape)
        self._name = f"{self._name} → {layer.name}" if self._name else layer.name
        (self._weights if trainable else self._frozen).extend(
            weight for weight in layer.weights if weight.learnable
        )

    def predict(self, x: Array, *, training: bool) -> FloatArray:
        rows = x.reshape(len(x), -1)
        network = self._network
        outputs = network.predict_in_training(rows) if training else network.predict(rows, None)
        return outputs.reshape(len(x), *self._output_shape)

    def record(self, x: Any) -> Tensor:
        for weight in self._frozen:
            if is_explicitly_watched(weight):
                raise NotImplementedError(
                    f"{weight.path}: there is no gradient by a weight of a layer that is not trainable"
                )
        if self._operation is None:
            from ..autodiff.network import NetworkOperation

            self._operation = NetworkOperation(
                self._network, self._weights, self._dtype, self._output_shape, self._name
            )
        return self._operation(x)


class _PythonSegment:
    """A layer that computes by itself."""

    def __init__(self, layer: Layer, function: Callable[[Any], Any]) -> None:
        self._layer, self._function = layer, function

    def predict(self, x: Array, *, training: bool) -> FloatArray:  # noqa: ARG002 # it knows
        return self._function(x.astype(self._layer.dtype, copy=False))  # type: ignore[no-any-return] # an array

    def record(self, x: Any) -> Any:
        from ..autodiff import cast
        from ..autodiff.tensor import Tensor

        if type(x) is not Tensor:
            x = Tensor(x)
        if x.dtype != self._layer.dtype:
            x = cast(x, self._layer.dtype)
        return self._function(x)


def parameters(weights: Iterable[Weight], dtype: str) -> Any:
    """Return a network of the engine that has weights, and computes nothing, for it to update."""
    network = _core.Network[dtype](1)
    for weight in weights:
        network.add_parameters(weight.path, weight.variable, True)
    return network


def _sizes(shape: Shape) -> tuple[int, ...]:
    return tuple(size or 0 for size in shape[1:])
