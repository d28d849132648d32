"""Calls of layers: with arrays, with tensors, which tapes record, and with symbolic tensors."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._data import Array, FloatArray, as_samples
from .._tapes import is_recorded
from .._tracebacks import brief_traceback
from .._typing import Shape
from .batch_shapes import sample_size, sample_sizes
from .calls import in_training
from .function import Function
from .masks import mask_of_ids, merged_mask, step_weights
from .pieces import Call
from .python_call import PythonCall, map_output_shapes, shapes_of
from .symbolic import Node, Spec, has_symbolic, operands_of, record

__all__ = ["LayerCalls"]


# Functions that a layer keeps, for as many shapes of data.
_MOST_FUNCTIONS = 64


class LayerCalls(PythonCall):
    """The part of `Layer` that is called."""

    trainable: bool
    input_shape: Any
    _functions: dict[Any, Function]
    _parents: weakref.WeakSet[Any]
    _nodes: list[Node]
    #: True if the layer, once built, accepts only inputs of that shape, as layers with weights do.
    has_one_shape = False
    #: True if the layer takes arrays of any dtype, such as text; it has a method `transform(values)`.
    takes_any_dtype = False
    #: True if the engine computes layers of the class.
    in_engine = True
    #: True if the layer takes a list of inputs.
    takes_list = False
    #: True if the layer reads ids: integers that name rows of a table.
    takes_ids = False
    #: True if the output has the input's shape. One-dimensional input is then a single row, as in Keras.
    keeps_shape = False

    def build(self, input_shape: Any) -> None:
        """Create the weights; `Layer` does."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, (None, …), for inputs of `input_shape`."""
        return input_shape

    @brief_traceback
    def __call__(self, x: Any, *others: Any, training: bool | None = None, **options: Any) -> Any:
        """Return the output for samples `x`, building the layer first if necessary.

        Parameters
        ----------
        x : array_like, (batch, …)
            Layers that keep the shape accept a single row (features,) too. `Flatten`, `Reshape`, `Embedding`
            and `Lambda` take one dimension as samples of one number; `Dense` raises `ValueError`.
        training : bool, optional
            Whether to run in training mode: `Dropout` and `GaussianNoise` change the input, and
            `BatchNormalization` uses the batch's statistics and updates the moving ones. Default: the mode of the
            layer or model whose `call` calls this one, else False.
        *others, **options
            Further arguments of a layer of one's own, whose `call` takes several tensors.
        """
        if others or options:
            x, training = self._in_one_argument(x, others, options, training)
        if has_symbolic(x):
            return self._symbolic(x)
        if self.is_in_python:
            return self.python_call(x, training)
        training = in_training(training)
        if self.takes_list:
            return self._merged(x, training=training)
        is_one_dimensional = _is_one_dimensional(x)
        if is_one_dimensional and self.keeps_shape:
            from ..autodiff import reshape  # for arrays and tensors

            return reshape(self(reshape(x, (1, -1)), training), -1)
        call = f"{type(self).__name__} '{self.name}'"
        samples = as_samples(x, call)
        if is_one_dimensional and self.has_one_shape:
            raise ValueError(
                f"{call}: expected input of shape (batch, …), got {np.shape(x)}; for one sample pass x[None]"
            )
        if is_one_dimensional and self.takes_ids:
            samples = samples.reshape(len(samples))
        shape = (None, *samples.shape[1:])
        if self.input_shape != shape:
            self.build(shape)
        if is_recorded(x):
            inputs = x.__tensor__() if hasattr(type(x), "__tensor__") else samples
            return self._recorded([shape], [inputs], training=training)
        return self._outputs(samples, shape, training=training)

    def engine_call(self, x: Any, training: bool | None = None) -> Any:
        """Return the output for tensors without a user's `call`."""
        inputs = list(x) if self.takes_list else [x]
        return self._recorded(shapes_of(inputs), inputs, training=in_training(training))

    def _recorded(self, shapes: Any, inputs: list[Any], *, training: bool) -> Any:
        """Return the output for tensors, with its mask if it has one."""
        layer: Any = self
        masks = [getattr(x, "mask", None) for x in inputs]
        if layer.averages_unmasked and masks[0] is not None:
            inputs = [inputs[0] * step_weights(mask_of_ids(masks[0]), self.dtype)]
        output = self._function(shapes, training=training).record(inputs)[0]
        output.mask = (inputs[0],) if layer.mask_zero else merged_mask(layer, masks)
        return output

    def _symbolic(self, x: Any) -> Any:
        """Return the symbolic result for symbolic tensors."""
        call = f"{type(self).__name__} '{self.name}'"
        takes_text = self.takes_any_dtype or self.has_own_call
        operands = operands_of(call, x, takes_text=takes_text)
        if self.has_own_call and isinstance(x, (list, tuple)):
            shape: Any = [operand.shape for operand in operands]
        elif self.takes_list:
            if not isinstance(x, (list, tuple)):
                raise TypeError(f"{call}: expected a list of inputs, got one symbolic tensor")
            shape = [operand.shape for operand in operands]
        else:
            if len(operands) != 1:
                raise TypeError(f"{call}: expected one input, got {len(operands)}")
            x, shape = operands[0], operands[0].shape
        self.build(shape)
        specs = map_output_shapes(
            lambda each: Spec(each, self.output_dtype), self.compute_output_shape(shape)
        )
        return record(self, x, specs)

    @property
    def output_dtype(self) -> str:
        """The dtype of the output."""
        return self.dtype

    def _merged(self, x: Any, *, training: bool) -> Any:
        """Return the output for a list of samples."""
        call = f"{type(self).__name__} '{self.name}'"
        if not isinstance(x, (list, tuple)):
            raise TypeError(f"{call}: expected a list of inputs, got {type(x).__name__}")
        arrays = [as_samples(each, f"{call}: input {n}") for n, each in enumerate(x)]
        shapes = [(None, *array.shape[1:]) for array in arrays]
        if len({len(array) for array in arrays}) > 1:
            counts = ", ".join(str(len(array)) for array in arrays)
            raise ValueError(f"{call}: expected inputs with as many samples, got {counts}")
        self.build(shapes)
        if any(map(is_recorded, x)):
            tensors = [
                each.__tensor__() if hasattr(type(each), "__tensor__") else array
                for each, array in zip(x, arrays, strict=True)
            ]
            return self._recorded(shapes, tensors, training=training)
        rows = [
            array.reshape(len(array), sample_size(shape))
            for array, shape in zip(arrays, shapes, strict=True)
        ]
        mode = training or (None if self.in_engine else False)
        (outputs,) = self._function(shapes, training=mode).predict(rows)
        return outputs.reshape(len(rows[0]), *sample_sizes(self.compute_output_shape(shapes)))

    @property
    def input(self) -> Any:
        """The symbolic tensors that the layer was called with.

        Raises
        ------
        AttributeError
            If it was called with none, or several times.
        """
        return self._only_node("input").arguments

    @property
    def output(self) -> Any:
        """The symbolic result of the layer; raises as `input`."""
        return self._only_node("output").outputs

    def _only_node(self, attribute: str) -> Node:
        if not self._nodes:
            for parent in list(self._parents):
                parent._record_layers()
        if len(self._nodes) != 1:
            raise AttributeError(
                f"{type(self).__name__} '{self.name}': {attribute}: the layer was called with symbolic tensors "
                f"{len(self._nodes)} times; keep the result of the call that is meant"
            )
        return self._nodes[0]

    def _outputs(self, samples: Array, shape: Shape, *, training: bool) -> FloatArray:
        output_shape = (len(samples), *self.compute_output_shape(shape)[1:])
        rows = samples.reshape(len(samples), sample_size(shape))
        # In prediction the engine computes also what tapes compute in Python.
        (outputs,) = self._function([shape], training=training or None).predict([rows])
        return outputs.reshape([size or 0 for size in output_shape])

    def _function(self, shapes: Sequence[Shape], *, training: bool | None) -> Function:
        """Return the layer as a function of samples, without a user's `call`."""
        key = (*shapes, training, self.trainable)
        function = self._functions.get(key)
        if function is None:
            layer: Any = self
            trainable = {layer} if self.trainable else set()
            operands = tuple(range(len(shapes)))
            call = Call(layer, operands, takes_list=self.takes_list, has_own=False)
            function = Function(
                shapes, [call], [len(shapes)], trainable, self.dtype, training=training
            )
            kept = list(self._functions.items())[1 - _MOST_FUNCTIONS :]
            self._functions = dict([*kept, (key, function)])
        return function


def _is_one_dimensional(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return len(x) > 0 and np.isscalar(x[0])
    return getattr(x, "ndim", 0) == 1 and len(x) > 0
