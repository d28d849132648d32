"""Layers in sequence, split into segments: runs of engine layers, and single layers in Python.

A tape records one operation for each engine segment, with the engine's gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import _core
from .._data import Array, FloatArray
from .._tapes import is_explicitly_watched
from .._typing import Shape
from .batch_shapes import sample_sizes

if TYPE_CHECKING:
    from ..autodiff import Tensor
    from ..autodiff.network import NetworkOperation
    from .weight import Weight

__all__ = ["Chain", "parameters"]


# Samples per block in prediction.
PREDICTION_BLOCK = 8192


class Computable(Protocol):
    """The part of `Layer` that a chain uses."""

    name: str
    dtype: str
    weights: list[Weight]
    only_in_training: bool

    def compute_output_shape(self, input_shape: Shape) -> Shape: ...

    def python_function(self, *, training: bool) -> Callable[[Any], Any] | None: ...

    def add_to(self, network: Any, *, trainable: bool = True) -> None: ...


class Chain:
    """Built layers, to be computed in sequence.

    Parameters
    ----------
    layers : sequence of Layer
    input_shape : tuple
        (None, …).
    trainable : set of Layer
        The layers whose weights are trained.
    training : bool
        Whether to run in training mode; see `Layer.__call__`.
    """

    def __init__(
        self,
        layers: Sequence[Computable],
        input_shape: Shape,
        trainable: AbstractSet[Computable],
        *,
        training: bool,
    ) -> None:
        self.training = training
        self._segments: list[_EngineSegment | _PythonSegment] = []
        segment: _EngineSegment | None = None
        shape = input_shape
        for layer in layers:
            function = layer.python_function(training=training)
            layer_input_shape, shape = shape, layer.compute_output_shape(shape)
            if function is not None:
                self._segments.append(_PythonSegment(layer, function))
                segment = None
            elif training or not layer.only_in_training:
                if segment is None:
                    segment = _EngineSegment(layer.dtype, layer_input_shape)
                    self._segments.append(segment)
                segment.add(layer, shape, trainable=layer in trainable)
        if not self._segments:  # all layers are the identity
            self._segments.append(_EngineSegment(layers[0].dtype, input_shape))
        self._input_shape = input_shape

    def predict(self, x: Array, on_progress: Callable[..., Any] | None = None) -> FloatArray:
        """Return the output for samples; both are matrices with a row per sample."""
        blocks = (
            [x]
            if self.training
            else [x[n : n + PREDICTION_BLOCK] for n in range(0, len(x), PREDICTION_BLOCK)]
        )
        outputs: list[FloatArray] = []
        done = 0
        for block in blocks or [x]:
            rows: Any = block.reshape(len(block), *sample_sizes(self._input_shape))
            for segment in self._segments:
                rows = segment.predict(rows, training=self.training)
            outputs.append(rows.reshape(len(block), math.prod(rows.shape[1:])))
            done += len(block)
            if on_progress is not None:
                on_progress(done)
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def record(self, x: Any) -> Any:
        """Return the output for samples (batch, …) as a tensor, recorded on the running tapes."""
        for segment in self._segments:
            x = segment.record(x)
        return x


class _EngineSegment:
    """Consecutive layers that the engine computes."""

    def __init__(self, dtype: str, input_shape: Shape) -> None:
        self._dtype = dtype
        self._input_shape = self._output_shape = sample_sizes(input_shape)
        self._network = _core.Network[dtype](math.prod(self._input_shape))
        self._weights: list[Weight] = []
        self._frozen: list[Weight] = []
        self._name = ""
        self._operation: NetworkOperation | None = None

    def add(self, layer: Computable, output_shape: Shape, *, trainable: bool) -> None:
        """Append a layer."""
        layer.add_to(self._network, trainable=trainable)
        self._output_shape = sample_sizes(output_shape)
        self._name = f"{self._name} → {layer.name}" if self._name else layer.name
        (self._weights if trainable else self._frozen).extend(
            weight for weight in layer.weights if weight.learnable
        )

    def predict(self, x: Array, *, training: bool) -> FloatArray:
        rows = x.reshape(len(x), -1)
        network = self._network
        outputs = network.forward_training(rows) if training else network.predict(rows, None)
        return outputs.reshape(len(x), *self._output_shape)

    def record(self, x: Any) -> Tensor:
        for weight in self._frozen:
            if is_explicitly_watched(weight):
                raise NotImplementedError(
                    f"{weight.path}: gradients by weights of a layer that isn't trainable are not supported"
                )
        if self._operation is None:
            from ..autodiff.network import NetworkOperation

            self._operation = NetworkOperation(
                self._network, self._weights, self._dtype, self._output_shape, self._name
            )
        return self._operation(x)


class _PythonSegment:
    """A layer that is computed in Python."""

    def __init__(self, layer: Computable, function: Callable[[Any], Any]) -> None:
        self._layer, self._function = layer, function

    def predict(self, x: Array, *, training: bool) -> FloatArray:  # noqa: ARG002 # as _EngineSegment
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
    """Return a network of the engine that holds weights to update, without layers to compute."""
    network = _core.Network[dtype](1)
    for weight in weights:
        network.add_parameters(weight.path, weight.variable, True)
    return network
