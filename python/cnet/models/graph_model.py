"""What models made of layers have in common: networks of the engine, functions for tapes, frozen layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from .._data import Array, shape_text
from .._typing import Shape
from .._updates import parameters
from ..config import floatx
from ..layers import InputLayer, Layer, Weight
from ..layers.batch_shapes import is_open, matches
from ..layers.function import Function
from ..layers.open_shapes import OpenFunction
from ..layers.symbolic import Spec, operands_of, record
from ..training.structures import is_dict, keys_of, parts_of, unnested
from .graph_calls import Calls, Edge, Edges, Source
from .model import BaseModel
from .nesting import nested_as

__all__ = ["GraphModel", "flat_layers"]


class GraphModel(BaseModel):
    """Base of the models whose layers are known: `Sequential` and `Functional`."""

    _network: Any = None
    # None: not known
    _in_engine: bool | None = None
    _trains_in_engine: bool | None = None
    # What a configuration says besides the flags of the layers, as in Keras.
    _assigned_trainable = True
    # What the network was made of: the function, and the layers that are not trained.
    _native: Function | None = None
    _network_frozen: set[Layer] | None = None
    # What a user's `call` added.
    _added_losses: Sequence[Any] = ()

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        # Functions for tapes, by `training`, with the layers that were frozen then.
        self._functions: dict[bool | None, tuple[set[Layer], Function | OpenFunction]] = {}

    @property
    def sample_shape(self) -> Shape | None:
        """Shape of one sample of the only input, None if unknown."""
        raise NotImplementedError

    def _add_calls(self, operands: Sequence[int], calls: Calls) -> list[int]:
        """Add the calls of the layers, given the values of the inputs; return those of the outputs."""
        raise NotImplementedError

    def connections(self) -> tuple[list[Edge], list[Source]]:
        """Return the connections between the layers, in the order of the calls, and where the outputs come from."""
        inputs = len(self.input_names)
        found = Edges(inputs)
        outputs = self._add_calls(range(inputs), found)
        return found.edges, [found.sources[x] for x in outputs]

    def _flat_layers(self) -> Iterator[Layer]:
        """Return the layers, with nested models replaced by theirs."""
        return flat_layers(self.layers)

    def with_sublayers(self) -> Iterator[Any]:
        """Yield all layers, and those among their attributes."""
        for layer in self._flat_layers():
            yield from layer.with_sublayers()

    @property
    def weights(self) -> list[Weight]:
        """The weights of all layers, in order."""
        return list(dict.fromkeys(weight for layer in self.layers for weight in layer.weights))

    @property
    def trainable(self) -> bool:
        """Whether any layer is trainable; assignment sets all layers."""
        return any(layer.trainable for layer in self.layers if not isinstance(layer, InputLayer))

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._assigned_trainable = bool(value)
        for layer in self.layers:
            layer.trainable = bool(value)

    def _record_layers(self) -> None:
        """Call the layers with symbolic tensors, so that they have an `input` and an `output`."""

    @property
    def losses(self) -> list[Any]:
        """The penalties of the layers, and what they added in the latest call: tensors on a tape, else numbers.

        `fit` adds them to the loss.
        """
        of_layers = [loss for layer in self._flat_layers() for loss in layer.losses]
        return [*of_layers, *(loss for model in self._models() for loss in model._added_losses)]

    def _models(self) -> Iterator[GraphModel]:
        """Yield the model and all nested models."""
        yield self
        for layer in self.layers:
            if isinstance(layer, GraphModel):
                yield from layer._models()

    def _build_layers(self) -> None:
        """Build the layers that are not built for the model's input."""
        raise NotImplementedError

    @property
    def dtype(self) -> str:
        """The dtype of the weights and outputs."""
        for layer in self._flat_layers():
            if not isinstance(layer, InputLayer):
                return layer.dtype
        return floatx()

    @property
    def in_engine(self) -> bool:
        """Whether the engine computes all layers but those of categories that come first."""
        if self._in_engine is None:
            self._in_engine = self._is_engine_enough()
        return self._in_engine

    @property
    def trains_in_engine(self) -> bool:
        """Whether the engine computes all of a training step: losses, penalties, steps of the optimizer, constraints."""
        if self._trains_in_engine is None:
            setup = self._require_setup("fit")
            self._trains_in_engine = (
                self.in_engine
                and setup.in_engine
                and all(weight.in_engine for weight in self.weights)
                # The engine's losses are those of one row for each sample.
                and all(
                    len(shape) == 2 and shape[1] is not None
                    for output, shape in zip(setup.outputs, self.output_shapes, strict=True)
                    if output.loss is not None
                )
            )
        return self._trains_in_engine

    @property
    def is_open(self) -> bool:
        """Whether sizes of inputs are not known: each shape of data has a network of its own."""
        return any(map(is_open, self.input_shapes))

    @property
    def is_one_network(self) -> bool:
        """Whether `network` computes the model, but for the layers of categories that come first."""
        return self.in_engine and not self.is_open

    def _is_engine_enough(self) -> bool:
        count = len(self.input_names)
        calls = Calls(count)
        outputs = self._add_calls(range(count), calls)
        categories = set(range(count))  # values that the engine does not compute
        for number, call in enumerate(calls.calls, count):
            layer: Any = call.layer
            if layer.takes_any_dtype and set(call.operands) <= categories:
                categories.add(number)
            elif layer.is_in_python or not layer.in_engine:
                return False
        return categories.isdisjoint(outputs) or len(categories) == count

    @property
    def input_dtypes(self) -> list[str]:
        """The dtype of the data of each input."""
        return [self.dtype] * len(self.input_names)

    @property
    def takes_ids(self) -> bool:
        """Whether a layer reads ids."""
        return any(layer.takes_ids for layer in self._flat_layers())

    @property
    def network(self) -> Any:
        """The engine's network of these layers, made when first needed."""
        has_trained = self._setup is not None and self._setup.has_trained
        frozen = self._frozen if has_trained else self._not_trainable()
        if self._network is None or frozen != self._network_frozen:
            self._build_layers()
            self._rows_network = None
            if self.is_one_network:
                self._native = native = self._function_for(self.input_shapes, frozen, training=None)
                self._network = native.network
                if self._takes_rows():
                    self._rows_network = self._network
            else:
                self._native = None
                weights = (weight.variable for weight in self.weights)
                self._network = parameters(weights, self.dtype)
            self._network_frozen = frozen
        return self._network

    def _takes_rows(self) -> bool:
        """Whether the user's samples, and the outputs, are rows of numbers as in the engine."""
        shapes = self.input_shapes, self.output_shapes
        structures = self.input_structure, self.output_structure
        takes_as_given = self._native is None or self._native.takes_inputs_as_given
        return (
            takes_as_given
            and all(len(each) == 1 and len(each[0]) == 2 for each in shapes)
            and not any(isinstance(structure, (list, tuple, dict)) for structure in structures)
        )

    def _engine_inputs(self, x: Sequence[Array], argument: str = "x") -> tuple[Array, ...]:
        """Return the arrays that the network takes, from a matrix for each input of the model."""
        self.network  # noqa: B018 # makes the function
        return tuple(x if self._native is None else self._native.engine_arrays(x, argument))

    def _check_ids(self, x: Sequence[Array], argument: str) -> None:
        if self.takes_ids:
            self.function(training=True).check_ids(x, argument)

    def function(self, *, training: bool | None, frozen: set[Layer] | None = None) -> Any:
        """Return the layers as a `Function` or `OpenFunction`; `frozen` ones, by default those not trainable, don't train."""
        if self._network is None:
            self.network  # noqa: B018 # builds layers that a nested model has added
        frozen = self._not_trainable() if frozen is None else frozen
        known, function = self._functions.get(training, (None, None))
        if function is None or known != frozen:
            function = self._new_function(frozen, training=training)
            self._functions[training] = frozen, function
        return function

    def _new_function(self, frozen: set[Layer], *, training: bool | None) -> Any:
        if self.is_open:
            make = partial(self._function_for, frozen=frozen, training=training)
            return OpenFunction(self.input_shapes, make)
        return self._function_for(self.input_shapes, frozen, training=training)

    def _function_for(
        self, shapes: Sequence[Shape], frozen: set[Layer], *, training: bool | None
    ) -> Function:
        """Return the layers for inputs of known shapes."""
        calls = Calls(len(shapes))
        outputs = self._add_calls(range(len(shapes)), calls)
        learning = {call.layer for call in calls.calls} - frozen
        return Function(shapes, calls.calls, outputs, learning, self.dtype, training=training)

    def _symbolic(self, x: Any) -> Any:
        """Return the symbolic results for symbolic tensors."""
        call = f"{type(self).__name__} '{self.name}'"
        x = unnested(self.input_structure, x)
        if is_dict(x):  # by the names of the inputs, as arrays are
            parts = parts_of(call, x, self.input_names, keys_of(self.input_structure))
            x = nested_as(self.input_structure, parts)
        operands = operands_of(call, x, takes_text="string" in self.input_dtypes)
        if not self.built:
            self.build(operands[0].shape)
        shapes, given = self.input_shapes, [operand.shape for operand in operands]
        if len(given) != len(shapes) or not all(map(matches, shapes, given)):
            expected, found = (", ".join(map(shape_text, each)) for each in (shapes, given))
            raise ValueError(f"{call}: expected inputs of shape {expected}, got {found}")
        specs = [Spec(shape, self.dtype) for shape in self._output_shapes_for(given)]
        return record(self, x, self._nested(specs))

    def _output_shapes_for(self, input_shapes: Sequence[Shape]) -> list[Shape]:
        """Return the shape of each output, (None, …), for inputs of shapes that match the model's."""
        if not self.is_open:
            return self.output_shapes
        calls = Calls(len(input_shapes))
        outputs = self._add_calls(range(len(input_shapes)), calls)
        shapes = list(input_shapes)
        for call in calls.calls:
            shapes.append(call.output_shape(shapes))
        return [shapes[output] for output in outputs]

    def masked_outputs(self) -> list[str]:
        """Return the names of the outputs that have a mask."""
        count = len(self.input_names)
        calls = Calls(count)
        outputs = self._add_calls(range(count), calls)
        names = zip(self.output_names, outputs, strict=True)
        return [name for name, output in names if output in calls.masks]

    def _not_trainable(self) -> set[Layer]:
        return {
            each
            for layer in self._flat_layers()
            for each in (layer.with_sublayers() if layer.has_own_call else (layer,))
            if not each.trainable
        }

    def _freeze(self) -> None:
        """Fix the set of layers that do not train until the next `compile`."""
        frozen = self._not_trainable()
        if frozen != self._frozen:
            self._frozen = frozen
            self._rebuild_network()

    def _rebuild_network(self) -> None:
        """Discard the engine's network; the next call makes it again."""
        self._network = self._native = self._rows_network = None
        self._in_engine = self._trains_in_engine = None
        self._functions = {}
        if self._setup:
            self._setup.drop_engine()

    def _refuse_if_in_use(self) -> None:
        """Raise `RuntimeError` if a call trains this model, or a model that it is part of."""
        for model in (self, *self._ancestors()):
            with model._use:
                pass

    def _changed(self) -> None:
        """Discard what depends on the layers, here and in models that contain this one."""
        self._setup = None
        self._rebuild_network()
        for parent in list(self._parents):
            parent._changed()


def flat_layers(layers: Iterable[Any]) -> Iterator[Layer]:
    """Yield layers, with models replaced by their layers."""
    for layer in layers:
        if isinstance(layer, GraphModel):
            yield from layer._flat_layers()
        else:
            yield layer
