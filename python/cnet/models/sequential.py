"""Models of layers in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._data import shape_text
from .._errors import short_repr
from .._tracebacks import brief_traceback
from .._typing import Shape
from ..layers import InputLayer, Layer, Weight, deserialize, serialize
from ..layers.batch_shapes import as_batch_shape, sample_sizes
from ..layers.core import build_lock
from ..layers.function import Call
from .graph_model import Graph, GraphModel

__all__ = ["Sequential"]


class Sequential(GraphModel):
    """A model of layers in order: the output of each is the input of the next.

    Parameters
    ----------
    layers : iterable of Layer or Sequential, optional
        The first may be an `Input`; else the model is built from the first data that it sees. A
        nested model shares its layers. A layer may occur several times: it has one set of weights.
    name : str, optional

    Raises
    ------
    TypeError, ValueError
        If an item is not a layer, two layers have the same name, or their shapes do not fit.

    Examples
    --------
    >>> import numpy as np, cnet
    >>> cnet.utils.set_random_seed(1)
    >>> model = cnet.Sequential([
    ...     cnet.layers.Dense(8, activation="relu"),
    ...     cnet.layers.Dense(2, activation="softmax"),
    ... ])
    >>> model.compile(optimizer=cnet.optimizers.SGD(0.5),
    ...               loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> y = np.array([0, 0, 0, 1])
    >>> history = model.fit(x, y, epochs=200, verbose=0)
    >>> model.predict(x).argmax(axis=1)
    array([0, 0, 0, 1])
    """

    @brief_traceback
    def __init__(
        self, layers: Iterable[Layer | Sequential] | None = None, name: str | None = None
    ) -> None:
        super().__init__(name)
        self._input: InputLayer | None = None
        self._layers: list[Layer | Sequential] = []
        self._output_shape: Shape | None = None
        if layers is not None and not isinstance(layers, Iterable):
            raise TypeError(f"Sequential: expected a list of layers, got {type(layers).__name__}")
        for layer in layers or []:
            self.add(layer)

    @property
    def layers(self) -> list[Layer | Sequential]:
        """The layers, without an `Input`."""
        return list(self._layers)

    @brief_traceback
    def add(self, layer: Layer | Sequential) -> None:
        """Append a layer. The model has to be compiled again to train.

        Raises
        ------
        RuntimeError
            If a call trains or evaluates the model, or a model that it is part of.
        TypeError, ValueError
            If `layer` is not a layer, or does not fit the others.
        """
        if not isinstance(layer, (Layer, Sequential)):
            raise TypeError(f"add: expected a Layer, got {type(layer).__name__}")
        self._refuse_if_in_use()
        if isinstance(layer, Sequential):
            if self in layer._models():
                raise ValueError(f"add: the model '{self.name}' can't be a layer of itself")
            others = (other for other in self._layers if other is not layer)
            known = set().union(*(_flat([other]) for other in others))
            if twice := known & set(layer._flat_layers()):
                raise ValueError(
                    f"add: the layer '{twice.pop().name}' is part of the model already"
                )
        if isinstance(layer, InputLayer):
            if self._input or self._layers:
                raise ValueError(f"add: '{layer.name}' is an Input; it can only come first")
            self._input = layer
            return
        if any(layer.name == other.name and layer is not other for other in self._layers):
            raise ValueError(f"add: there is a layer named '{layer.name}' already")
        if any(self._flat_layers()) and any(_flat([layer])) and layer.dtype != self.dtype:
            raise ValueError(
                f"add: expected a layer of dtype {self.dtype}, got {layer.dtype} ('{layer.name}')"
            )
        head = self._input
        if head is None and not self._layers and layer.sample_shape is not None:
            head = InputLayer(layer.sample_shape)
        layer._parents.add(self)
        try:
            if head is not None and (self.built or not self._layers):
                layer.build(self.output_shape if self._layers else head.output_shape)
        except BaseException:
            if layer not in self._layers:
                layer._parents.discard(self)
            raise
        if not self._layers:
            self._input = head
        self._layers.append(layer)
        self._changed()

    def pop(self) -> Layer | Sequential:
        """Remove the last layer and return it.

        Raises
        ------
        IndexError
            If there are no layers.
        RuntimeError
            As `add`.
        """
        if not self._layers:
            raise IndexError("pop: the model has no layers")
        self._refuse_if_in_use()
        layer = self._layers.pop()
        if layer not in self._layers:
            layer._parents.discard(self)
        self._changed()
        return layer

    @brief_traceback
    def build(self, input_shape: Shape | None = None) -> None:
        """Create the weights for data of `input_shape`, (None, …); the first call does so by itself.

        Raises
        ------
        ValueError
            If the model was built for other data, or has no layers.
        """
        if self._is_empty():
            raise ValueError(f"build: the model '{self.name}' has no layers")
        shape = self._input.input_shape if self._input else None
        if input_shape is not None:
            wanted = (None, *as_batch_shape("build", input_shape)[1:])
            if shape is not None and wanted != shape:
                raise ValueError(
                    f"build: expected data of shape {shape_text(shape)}, got {shape_text(wanted)}"
                )
            shape = wanted
        if shape is None:
            raise ValueError("build: expected an input_shape, (None, …)")
        head = self._input or InputLayer(sample_sizes(shape))
        with build_lock():
            unbuilt = [layer for layer in self._flat_layers() if not layer.built]
            try:
                for layer in self._layers:
                    layer.build(shape)
                    shape = layer.compute_output_shape(shape)
            except BaseException:
                for layer in unbuilt:
                    layer.unbuild()
                raise
            self._input = head

    @property
    def built(self) -> bool:
        """Whether every layer has its weights."""
        has_content = self._input is not None and not self._is_empty()
        return has_content and all(layer.built for layer in self._layers)

    def _is_empty(self) -> bool:
        """Whether it computes nothing. A nested model without layers is the identity."""
        return not self._layers and not self._parents

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output, (None, …), for inputs of `input_shape`."""
        input_shape = as_batch_shape("compute_output_shape", input_shape)
        for layer in self._layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    @property
    def sample_shape(self) -> tuple[int, ...] | None:
        """Shape of one sample, None if unknown."""
        if self._input is not None:
            return self._input.sample_shape
        return self._layers[0].sample_shape if self._layers else None

    def _models(self) -> Iterator[Sequential]:
        """Yield the model and all nested models."""
        yield self
        for layer in self._layers:
            if isinstance(layer, Sequential):
                yield from layer._models()

    def _flat_layers(self) -> Iterator[Layer]:
        """Yield the layers, with nested models replaced by theirs."""
        return _flat(self._layers)

    def _computing_layers(self) -> Iterator[Layer]:
        """Yield an object that computes each layer, in order."""
        seen: Counter[Layer] = Counter()
        for layer in self._flat_layers():
            yield layer.occurrence(seen[layer]) if layer in seen else layer
            seen[layer] += 1

    @property
    def input_shape(self) -> Shape:
        """Shape of the data, (None, …).

        Raises
        ------
        AttributeError
            Before the model has an `Input` or data.
        """
        if self._input is None or self._input.input_shape is None:
            raise AttributeError(f"the model '{self.name}' is not built: its input is not known")
        return self._input.input_shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, (None, …); raises as `input_shape`."""
        if self._is_empty():
            return self.input_shape
        if self._output_shape is None:
            if not self.built:
                raise AttributeError(
                    f"the model '{self.name}' is not built: its input is not known"
                )
            self._output_shape = self.compute_output_shape(self.input_shape)
        return self._output_shape

    @property
    def weights(self) -> list[Weight]:  # type: ignore[override] # not to be assigned
        """The weights of all layers, in order."""
        return list(dict.fromkeys(weight for layer in self._layers for weight in layer.weights))

    @property
    def trainable(self) -> bool:
        """Whether any layer is trainable; assignment sets all layers."""
        return any(layer.trainable for layer in self._layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._layers:
            layer.trainable = bool(value)

    def _graph(self) -> Graph:
        calls = [Call(layer, (number,)) for number, layer in enumerate(self._computing_layers())]
        return Graph([self.input_shape], calls, [len(calls)])

    def _build_layers(self) -> None:
        if not self.built:
            self.build()
        shape = self.input_shape
        for layer in self._flat_layers():
            layer.build(shape)  # a nested model may have changed since the model was built
            shape = layer.compute_output_shape(shape)

    def get_config(self) -> dict[str, Any]:
        """Return the model's name and layers as plain values, without weights and compile arguments.

        Raises
        ------
        TypeError
            If a layer has an argument without such a description, such as a Python function.

        Examples
        --------
        >>> from cnet import Input, Sequential, layers
        >>> config = Sequential([Input((4,)), layers.Dense(3, name="top")], name="net").get_config()
        >>> config["name"], [layer["class_name"] for layer in config["layers"]]
        ('net', ['InputLayer', 'Dense'])
        >>> Sequential.from_config(config).output_shape
        (None, 3)
        """
        head = [self._input] if self._input else []
        config: dict[str, Any] = {
            "name": self.name,
            "layers": [serialize(layer) for layer in [*head, *self._layers]],
        }
        if self._input:
            config["build_input_shape"] = list(self.input_shape)
        return config

    @classmethod
    def from_config(
        cls, config: Any, custom_objects: Mapping[str, Any] | None = None
    ) -> Sequential:
        """Return a new model for a configuration of `get_config`, with new initial weights.

        Parameters
        ----------
        config : dict
        custom_objects : dict of str to type, optional
            User-defined layers by class name.

        Raises
        ------
        ValueError
            If the configuration is malformed, or names an unknown layer.
        """
        if not isinstance(config, Mapping) or not {"name", "layers"} <= set(config):
            raise ValueError(
                f"from_config: expected a dict with 'name' and 'layers', got {short_repr(config)}"
            )

        def layer_of(config: Any) -> Layer | Sequential:
            if isinstance(config, Mapping) and config.get("class_name") == "Sequential":
                return Sequential.from_config(config.get("config"), custom_objects)
            return deserialize(config, custom_objects)

        layers: list[Layer | Sequential] = []
        made: dict[str, tuple[Any, Layer | Sequential]] = {}
        for described in config["layers"]:
            first, layer = made.get(_name_in(described), (None, None))
            if (
                layer is None or not _name_in(described) or described != first
            ):  # not a repeated layer
                layer = layer_of(described)
                made[_name_in(described)] = described, layer
            layers.append(layer)
        return cls(layers, name=config["name"])

    def __repr__(self) -> str:
        return f"<Sequential name={self.name}, built={self.built}>"

    def _rebuild_network(self) -> None:
        super()._rebuild_network()
        self._output_shape = None


def _name_in(described: Any) -> str:
    """Return the name in a layer's configuration, "" if it has none."""
    config = described.get("config") if isinstance(described, Mapping) else None
    name = config.get("name") if isinstance(config, Mapping) else None
    return name if isinstance(name, str) else ""


def _flat(layers: Iterable[Layer | Sequential]) -> Iterator[Layer]:
    """Yield layers, with models replaced by their layers."""
    for layer in layers:
        if isinstance(layer, Sequential):
            yield from _flat(layer._layers)
        else:
            yield layer
