"""What a model with a user's `call` computes: as a function, and as a layer of another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._data import Array, FloatArray
from ..layers.batch_shapes import as_shaped
from ..layers.function import PREDICTION_BLOCK
from ..layers.pieces import PythonStep
from .nesting import leaves_of

__all__ = ["CallFunction", "ModelLayer"]


class CallFunction:
    """A model's `call`, with the interface of `Function`."""

    network = None

    def __init__(self, model: Any, *, training: bool) -> None:
        self._model, self.training = model, training

    def predict(
        self, x: Sequence[Array], on_progress: Callable[..., Any] | None = None
    ) -> list[FloatArray]:
        """Return the outputs for samples; all are matrices with a row per sample."""
        samples = len(x[0])
        size = samples if self.training else PREDICTION_BLOCK
        input_shapes = self._model.input_shapes
        blocks = []
        for first in range(0, samples, size) if samples else [0]:
            rows = [each[first : first + size] for each in x]
            shaped = [as_shaped(r, shape) for r, shape in zip(rows, input_shapes, strict=True)]
            outputs = leaves_of(self._model._call_own(shaped, self.training))
            blocks.append([tensor.value for tensor in outputs])
            if on_progress is not None:
                on_progress(min(first + size, samples))
        return [np.concatenate(each) for each in zip(*blocks, strict=True)]

    def record(self, x: Sequence[Any]) -> list[Any]:
        """Return the outputs for samples (batch, …) as tensors, recorded on the running tapes."""
        return leaves_of(self._model._call_own(x, self.training))


class ModelLayer(PythonStep):
    """A model with a `call`, as a layer of a function."""

    takes_any_dtype = False
    is_in_python = True

    def __init__(self, model: Any) -> None:
        super().__init__(model.name, model.dtype, model.weights)
        self.model = model

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.model.compute_output_shape(input_shape)

    def own_function(self, *, training: bool) -> Callable[[Any], Any]:
        def compute(x: Any) -> Any:
            inputs = leaves_of(x)
            outputs = leaves_of(self.model._call_own(inputs, training))
            if all(isinstance(each, np.ndarray) for each in inputs):
                outputs = [output.value for output in outputs]
            return tuple(outputs) if len(outputs) > 1 else outputs[0]

        return compute

    def occurrence(self, number: int) -> ModelLayer:  # noqa: ARG002 # from Layer
        return self
