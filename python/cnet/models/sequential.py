"""Models of layers in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from .._data import shape_text
from .._errors import short_repr
from .._registry import with_custom_objects
from .._tracebacks import brief_traceback
from .._typing import Shape
from ..layers import InputLayer, Layer, serialize
from ..layers._build_lock import build_lock
from ..layers.batch_shapes import as_batch_shape, matches
from ..layers.symbolic import SymbolicTensor
from ..layers.tokens import as_tokens, is_text
from .graph_calls import Calls
from .graph_config import layers_from_config
from .graph_model import GraphModel, flat_layers
from .subclass import Model

__all__ = ["Sequential"]


class Sequential(Model):
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

    _not_overridable: ClassVar = {
        **Model._not_overridable,
        "call": "the layers are in order; derive from cnet.Model instead",
    }

    @brief_traceback
    def __init__(self, layers: Iterable[Any] | None = None, name: str | None = None) -> None:
        GraphModel.__init__(self, name)
        self._input: InputLayer | None = None
        self._layers: list[Any] = []
        self._output_shape: Shape | None = None
        self._symbolic_output: Any = None
        if layers is not None and not isinstance(layers, Iterable):
            raise TypeError(f"Sequential: expected a list of layers, got {type(layers).__name__}")
        for layer in layers or []:
            self.add(layer)

    @property
    def layers(self) -> list[Any]:
        """The layers, without an `Input`."""
        return list(self._layers)

    @brief_traceback
    def add(self, layer: Any) -> None:
        """Append a layer. The model has to be compiled again to train.

        Raises
        ------
        RuntimeError
            If a call trains or evaluates the model, or a model that it is part of.
        TypeError, ValueError
            If `layer` is not a layer, or does not fit the others.
        """
        if type(layer) is SymbolicTensor and isinstance(layer.node.callee, InputLayer):
            layer = layer.node.callee
        if not isinstance(layer, (Layer, GraphModel)):
            raise TypeError(f"add: expected a Layer, got {type(layer).__name__}")
        self._refuse_if_in_use()
        if isinstance(layer, GraphModel):
            if len(layer.output_names) != 1 or len(layer.input_names) != 1:
                raise ValueError(f"add: '{layer.name}' has several inputs or outputs")
            if self in layer._models():
                raise ValueError(f"add: the model '{self.name}' can't be a layer of itself")
            others = (other for other in self._layers if other is not layer)
            known = set().union(*(flat_layers([other]) for other in others))
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
        if any(self._flat_layers()) and any(flat_layers([layer])) and layer.dtype != self.dtype:
            raise ValueError(
                f"add: expected a layer of dtype {self.dtype}, got {layer.dtype} ('{layer.name}')"
            )
        head = self._input
        sample_shape = layer.sample_shape
        if head is None and not self._layers and sample_shape is not None:
            head = InputLayer(sample_shape)
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

    def pop(self) -> Any:
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
            if shape is not None and not matches(shape, wanted):
                raise ValueError(
                    f"build: expected data of shape {shape_text(shape)}, got {shape_text(wanted)}"
                )
            shape = shape or wanted
        if shape is None:
            raise ValueError("build: expected an input_shape, (None, …)")
        head = self._input or InputLayer(shape[1:])
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
    def sample_shape(self) -> Shape | None:
        """Shape of one sample, None if unknown."""
        if self._input is not None:
            return self._input.sample_shape
        return self._layers[0].sample_shape if self._layers else None

    @property
    def input_dtypes(self) -> list[str]:
        """The dtype of the data."""
        return [self._input.dtype if self._input else self.dtype]

    def _build_from(self, argument: str, x: Any) -> None:
        if (
            self._input is None
            and self._layers
            and getattr(self._layers[0], "takes_any_dtype", False)
        ):
            array = as_tokens(x, argument)
            if is_text(array):
                sizes = array.shape[1:] or (1,)
                self._input = InputLayer(sizes, dtype="string")
                self.build((None, *sizes))
                return
        super()._build_from(argument, x)

    @property
    def input_shapes(self) -> list[Shape]:
        return [self.input_shape]

    @property
    def output_shapes(self) -> list[Shape]:
        return [self.output_shape]

    @property
    def input_names(self) -> list[str]:
        """The name of the `Input`."""
        return [self._input.name if self._input else "input"]

    @property
    def output_names(self) -> list[str]:
        """The name of the last layer."""
        return [self._layers[-1].name if self._layers else "output"]

    @property
    def input_structure(self) -> None:
        """None: the model has one input."""

    @property
    def output_structure(self) -> None:
        """None: the model has one output."""

    @property
    def input_shape(self) -> Shape:
        """Shape of the data, (None, …).

        Raises
        ------
        AttributeError
            Before the model has an `Input` or data.
        """
        if self._input is None:
            raise AttributeError(f"the model '{self.name}' is not built: its input is not known")
        return (self._input.batch_size, *self._input.input_shape[1:])

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

    def _add_calls(self, operands: Sequence[int], calls: Calls) -> list[int]:
        for layer in self._layers:
            operands = calls.add(layer, operands)
        return list(operands)

    def _build_layers(self) -> None:
        if not self.built:
            self.build()
        shape: Any = self.input_shape
        for layer in self._layers:
            layer.build(shape)  # a nested model may have changed since the model was built
            if isinstance(layer, GraphModel):
                layer._build_layers()
            shape = layer.compute_output_shape(shape)

    @property
    def inputs(self) -> list[Any]:
        """The symbolic tensor of the `Input`, in a list."""
        return [self.input]

    @property
    def outputs(self) -> list[Any]:
        """The symbolic tensor of the output, in a list."""
        return [self.output]

    @property
    def input(self) -> Any:
        """The symbolic tensor of the `Input`; raises `AttributeError` before the model is built."""
        self._record_layers()
        assert self._input is not None
        return self._input.output

    @property
    def output(self) -> Any:
        """The symbolic tensor of the output; raises `AttributeError` before the model is built."""
        self._record_layers()
        return self._symbolic_output

    def _record_layers(self) -> None:
        """Call the layers with symbolic tensors, so that they have an `input` and an `output`."""
        if self._symbolic_output is not None:
            return
        if not self.built or self._input is None:
            raise AttributeError(f"the model '{self.name}' is not built: its input is not known")
        x = self._input.output
        for layer in self._layers:
            x = layer(x)
        self._symbolic_output = x

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

        if not isinstance(config["layers"], (list, tuple)):
            raise ValueError(  # noqa: TRY004 # of a file
                f"from_config: layers: expected a list, got {short_repr(config['layers'])}"
            )
        with with_custom_objects(custom_objects):
            model = cls(layers_from_config(config["layers"]), name=config["name"])
        shape = config.get("build_input_shape")
        if shape is not None and not model.built and not model._is_empty():
            model.build(tuple(shape) if isinstance(shape, list) else shape)
        return model

    def __repr__(self) -> str:
        return f"<Sequential name={self.name}, built={self.built}>"

    def _rebuild_network(self) -> None:
        super()._rebuild_network()
        self._output_shape = None
        self._symbolic_output = None


Model._by_name["Sequential"] = Sequential
