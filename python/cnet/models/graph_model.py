"""What models made of layers have in common: networks of the engine, functions for tapes, frozen layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .._data import Array
from .._typing import Shape
from .._updates import parameters
from ..config import floatx
from ..layers import Layer
from ..layers.function import Call, Function
from .model import Model

__all__ = ["Graph", "GraphModel"]


class Graph(NamedTuple):
    """The layers of a model as calls: see `cnet.layers.function.Function`."""

    input_shapes: Sequence[Shape]
    calls: Sequence[Call]
    outputs: Sequence[int]


class GraphModel(Model):
    """Base of the models whose layers are known: `Sequential`."""

    _network: Any = None
    # What the network was made of: the function, and the layers that are not trained.
    _native: Function | None = None
    _network_frozen: set[Layer] | None = None

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        # Functions for tapes, by `training`, with the layers that were frozen then.
        self._functions: dict[bool, tuple[set[Layer], Function]] = {}

    def _graph(self) -> Graph:
        """Return the layers as calls, nested models replaced by theirs."""
        raise NotImplementedError

    def _flat_layers(self) -> Iterator[Layer]:
        """Yield the layers, with nested models replaced by theirs."""
        raise NotImplementedError

    def _build_layers(self) -> None:
        """Build the layers that are not built for the model's input."""
        raise NotImplementedError

    @property
    def dtype(self) -> str:
        """The dtype of the weights and outputs."""
        first = next(self._flat_layers(), None)
        return floatx() if first is None else first.dtype

    @property
    def in_engine(self) -> bool:
        """Whether the engine computes all layers."""
        return all(layer.in_engine for layer in self._flat_layers())

    @property
    def network(self) -> Any:
        """The engine's network of these layers, made when first needed."""
        has_trained = self._setup is not None and self._setup.has_trained
        frozen = self._frozen if has_trained else self._not_trainable()
        if self._network is None or frozen != self._network_frozen:
            self._build_layers()
            self._rows_network = None
            if self.in_engine:
                self._native = self._new_function(frozen, training=None)
                self._network = self._native.network
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
        graph = self._graph()
        return len(graph.input_shapes) == len(graph.outputs) == 1 and (
            len(graph.input_shapes[0]) == len(self.output_shape) == 2
        )

    def _engine_inputs(self, x: Sequence[Array]) -> tuple[Array, ...]:
        """Return the arrays that the network takes, from a matrix for each input of the model."""
        self.network  # noqa: B018 # makes the function
        return tuple(x) if self._native is None else tuple(self._native.engine_arrays(x))

    def function(self, *, training: bool, frozen: set[Layer] | None = None) -> Function:
        """Return the layers for a tape; `frozen` ones, by default those not trainable, do not train."""
        if self._network is None:
            self.network  # noqa: B018 # builds layers that a nested model has added
        frozen = self._not_trainable() if frozen is None else frozen
        known, function = self._functions.get(training, (None, None))
        if function is None or known != frozen:
            function = self._new_function(frozen, training=training)
            self._functions[training] = frozen, function
        return function

    def _new_function(self, frozen: set[Layer], *, training: bool | None) -> Function:
        graph = self._graph()
        learning = {call.layer for call in graph.calls} - frozen
        return Function(*graph, learning, self.dtype, training=training)

    def _not_trainable(self) -> set[Layer]:
        return {layer for layer in self._flat_layers() if not layer.trainable}

    def _freeze(self) -> None:
        """Fix the set of layers that do not train until the next `compile`."""
        frozen = self._not_trainable()
        if frozen != self._frozen:
            self._frozen = frozen
            self._rebuild_network()

    def _rebuild_network(self) -> None:
        """Discard the engine's network; the next call makes it again."""
        self._network = self._native = self._rows_network = None
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
