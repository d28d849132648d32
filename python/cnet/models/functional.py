"""Models made of symbolic tensors: graphs of layers with any number of inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._data import shape_text
from .._errors import short_repr
from .._registry import with_custom_objects
from .._tracebacks import brief_traceback
from .._typing import Shape
from ..autodiff.nested import copy_of
from ..layers import Input, InputLayer
from ..layers.batch_shapes import matches
from ..layers.pieces import require_sources_of_ids
from ..layers.symbolic import Node, SymbolicTensor
from .graph_calls import Calls
from .graph_config import describe, restore
from .graph_model import GraphModel
from .nesting import leaves_of, nested_as
from .subclass import Model

__all__ = ["Functional"]


class Functional(Model):
    """A model of symbolic tensors; ``Model(inputs, outputs)`` makes one.

    Parameters
    ----------
    inputs : SymbolicTensor, or lists, tuples and dicts of them
        From `Input`, or results of layers: the model then begins there.
    outputs : SymbolicTensor, or lists, tuples and dicts of them
        Computed from the inputs. `predict` returns arrays nested likewise.
    name : str, optional

    Attributes
    ----------
    inputs, outputs : list of SymbolicTensor
    input_names, output_names : list of str
        The names of the layers that they come from: the keys of dicts of data.

    Raises
    ------
    TypeError
        If anything else is among the inputs or outputs.
    ValueError
        If an output depends on an `Input` that is not among the inputs, two layers have the same name, their dtypes
        differ, or the ids of an `Embedding` are no ids, or are numbers for another layer.

    Examples
    --------
    >>> from cnet import Input, Model, layers
    >>> numbers, image = Input((3,), name="numbers"), Input((4, 4), name="image")
    >>> x = layers.Concatenate()([numbers, layers.Flatten()(image)])
    >>> model = Model([numbers, image], layers.Dense(2)(x))
    >>> model.output_shape, model.count_params()
    ((None, 2), 40)
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None) -> None:
        GraphModel.__init__(self, name)
        self.inputs = _tensors("inputs", inputs)
        self.outputs = _tensors("outputs", outputs)
        self._input_structure, self._output_structure = copy_of(inputs), copy_of(outputs)
        if twice := [t for n, t in enumerate(self.inputs) if t in self.inputs[:n]]:
            raise ValueError(f"Model: inputs: '{twice[0].name}' occurs twice")
        nodes = _in_order(self.inputs, self.outputs)
        self._nodes_in_order, self._layers = _sorted(self.inputs, nodes)
        names: dict[str, Any] = {}
        for layer in self._layers:
            if names.setdefault(layer.name, layer) is not layer:
                raise ValueError(f"Model: there are two layers named '{layer.name}'")
        for layer in self._layers:
            layer._parents.add(self)
        calls = Calls(len(self.inputs))
        self._add_calls(range(len(self.inputs)), calls)
        require_sources_of_ids(dict(enumerate(calls.calls, len(self.inputs))))
        layers = [each for each in self._flat_layers() if not isinstance(each, InputLayer)]
        by_dtype = {layer.dtype: layer.name for layer in layers}
        if len(by_dtype) > 1:
            raise ValueError(
                "Model: expected layers of one dtype, got "
                + " and ".join(f"{dtype} ('{name}')" for dtype, name in by_dtype.items())
            )

    @property
    def layers(self) -> list[Any]:
        """The layers, each input's among them, from the inputs to the outputs."""
        return list(self._layers)

    @property
    def built(self) -> bool:
        """True: layers are built when they are called."""
        return True

    @property
    def input(self) -> Any:
        """The inputs, nested as they were given."""
        return self._input_structure

    @property
    def output(self) -> Any:
        """The outputs, nested as they were given."""
        return self._output_structure

    @property
    def input_shape(self) -> Any:
        """Shape of the data, (None, …), nested as the inputs."""
        return nested_as(self._input_structure, [tensor.shape for tensor in self.inputs])

    @property
    def output_shape(self) -> Any:
        """Shape of the output, (None, …), nested as the outputs."""
        return nested_as(self._output_structure, self.output_shapes)

    @property
    def input_names(self) -> list[str]:
        """The names of the layers of the inputs."""
        return [tensor.name for tensor in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers of the outputs, numbered where a layer gives several."""
        return _unique([tensor.name for tensor in self.outputs])

    @property
    def input_dtypes(self) -> list[str]:
        """The dtype of the data of each input."""
        return [tensor.dtype for tensor in self.inputs]

    @property
    def input_shapes(self) -> list[Shape]:
        """Shape of the data of each input, (None, …)."""
        return [tensor.shape for tensor in self.inputs]

    @property
    def output_shapes(self) -> list[Shape]:
        """Shape of each output, (None, …)."""
        return [tensor.shape for tensor in self.outputs]

    @property
    def input_structure(self) -> Any:
        """The inputs, nested as they were given."""
        return self._input_structure

    @property
    def output_structure(self) -> Any:
        """The outputs, nested as they were given."""
        return self._output_structure

    @brief_traceback
    def build(self, input_shape: Any = None) -> None:
        """Do nothing: the layers are built."""
        del input_shape

    @property
    def sample_shape(self) -> Shape | None:
        """Shape of one sample of the first input."""
        return self.input_shapes[0][1:]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, (None, …), for inputs of `input_shape`.

        Raises
        ------
        ValueError
            If they are not the model's.
        """
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        if len(shapes) != len(self.inputs) or not all(map(matches, self.input_shapes, shapes)):
            expected, given = (
                ", ".join(map(shape_text, each)) for each in (self.input_shapes, shapes)
            )
            raise ValueError(
                f"the model '{self.name}': expected data of shape {expected}, got {given}"
            )
        return nested_as(self._output_structure, self._output_shapes_for(shapes))

    def _nested(self, outputs: Sequence[Any]) -> Any:
        return nested_as(self._output_structure, outputs)

    def _build_layers(self) -> None:
        for layer in self._layers:
            if isinstance(layer, GraphModel):
                layer._build_layers()
        for node in self._nodes_in_order:
            shapes = [tensor.shape for tensor in leaves_of(node.outputs)]
            if isinstance(node.callee, GraphModel) and node.callee.output_shapes != shapes:
                before, now = (
                    ", ".join(map(shape_text, each)) for each in (shapes, node.callee.output_shapes)
                )
                raise ValueError(
                    f"the model '{self.name}': the layers of '{node.callee.name}' have changed since it was called: "
                    f"its output had shape {before}, now {now}"
                )

    def _add_calls(self, operands: Sequence[int], calls: Calls) -> list[int]:
        values: dict[SymbolicTensor, int] = dict(zip(self.inputs, operands, strict=True))
        for node in self._nodes_in_order:
            taken = [values[tensor] for tensor in leaves_of(node.arguments)]
            several = isinstance(node.arguments, (list, tuple))
            outputs = leaves_of(node.outputs)
            count = len(outputs) if isinstance(node.outputs, (list, tuple, dict)) else None
            results = calls.add(node.callee, taken, takes_list=several, results=count)
            values.update(zip(outputs, results, strict=True))
        return [values[tensor] for tensor in self.outputs]

    def remade(self, layers: Mapping[Any, Any]) -> Functional:
        """Return a model with the same calls of other layers, given one for each of its own."""
        made = {
            tensor: layers[tensor.node.callee].output
            if tensor.node.callee in layers
            else Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)
            for tensor in self.inputs
        }
        for node in self._nodes_in_order:
            arguments = nested_as(node.arguments, [made[t] for t in leaves_of(node.arguments)])
            results = layers[node.callee](arguments)
            made.update(zip(leaves_of(node.outputs), leaves_of(results), strict=True))
        inputs, outputs = (
            [made[tensor] for tensor in tensors] for tensors in (self.inputs, self.outputs)
        )
        return Functional(
            nested_as(self._input_structure, inputs),
            nested_as(self._output_structure, outputs),
            self.name,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the model's name, layers and calls as plain values, without weights and compile arguments.

        Raises
        ------
        TypeError
            If a layer has an argument without such a description, such as a Python function.

        Examples
        --------
        >>> from cnet import Input, Model, layers
        >>> x = Input((4,), name="x")
        >>> config = Model(x, layers.Dense(3, name="top")(x), name="net").get_config()
        >>> config["name"], config["input_layers"], config["output_layers"]
        ('net', ['x', 0, 0], ['top', 0, 0])
        >>> Functional.from_config(config).output_shape
        (None, 3)
        """
        return describe(
            self.name,
            self._assigned_trainable,
            self._layers,
            self._nodes_in_order,
            self._input_structure,
            self._output_structure,
        )

    @classmethod
    def from_config(
        cls, config: Any, custom_objects: Mapping[str, Any] | None = None
    ) -> Functional:
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
        with with_custom_objects(custom_objects):
            model = cls(*restore(config))
        if config.get("trainable", True) is False:
            model.trainable = False
        return model

    def __repr__(self) -> str:
        return f"<Functional name={self.name}, built=True>"


def _tensors(argument: str, structure: Any) -> list[SymbolicTensor]:
    """Return the symbolic tensors in a structure; raise `TypeError` for anything else."""
    leaves = leaves_of(structure)
    for leaf in leaves:
        if type(leaf) is not SymbolicTensor:
            raise TypeError(
                f"Model: {argument}: expected symbolic tensors, as Input(…) and layers called on them return, got "
                f"{short_repr(leaf)}"
            )
    if not leaves:
        raise ValueError(f"Model: {argument}: expected at least one symbolic tensor")
    return leaves


def _in_order(inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]) -> list[Node]:
    """Return the calls between inputs and outputs, those of `Input` as well, each after those that it depends on."""
    known = set(inputs)
    order: list[Node] = []
    done: set[Node] = set()

    def wanted(tensors: Sequence[SymbolicTensor]) -> list[tuple[Node, bool]]:
        return [
            (tensor.node, False)
            for tensor in reversed(tensors)
            if tensor.node not in done and (tensor not in known or _is_of_input(tensor.node))
        ]

    stack = wanted(outputs)
    while stack:
        node, is_complete = stack.pop()
        if node in done:
            continue
        if is_complete or (_is_of_input(node) and node.outputs in known):
            done.add(node)
            order.append(node)
            continue
        if _is_of_input(node):
            names = ", ".join(f"'{tensor.name}'" for tensor in inputs)
            raise ValueError(
                f"Model: the outputs depend on '{node.callee.name}', an Input of shape "
                f"{shape_text(node.outputs.shape)}, which is not among the inputs, {names}"
            )
        stack.append((node, True))
        stack += wanted(leaves_of(node.arguments))
    return order


def _is_of_input(node: Node) -> bool:
    return isinstance(node.callee, InputLayer)


def _sorted(
    inputs: Sequence[SymbolicTensor], nodes: Sequence[Node]
) -> tuple[list[Node], list[Any]]:
    """Return calls, given in topological order, and their layers by depth: the longest way to an output.

    It is Keras's order of the layers. The first calls of the layers come in the order of the layers. The calls are
    returned without those of `Input`.
    """
    known = set(inputs)
    unused = [t.node for t in inputs if _is_of_input(t.node) and t.node not in nodes]
    depth: dict[Node, int] = {}
    depth_of_layer: dict[Any, int] = {}
    for node in [*reversed(nodes), *unused]:
        level = max(depth.get(node, 0), depth_of_layer.get(node.callee, 0))
        depth[node] = depth_of_layer[node.callee] = level
        for tensor in leaves_of(node.arguments):
            if tensor not in known or _is_of_input(tensor.node):
                depth[tensor.node] = max(depth.get(tensor.node, 0), level + 1)
    visits = {node.callee: n for n, node in reversed([*enumerate([*unused, *nodes])])}
    layers = sorted(depth_of_layer, key=lambda layer: (-depth_of_layer[layer], visits[layer]))
    places = {layer: n for n, layer in enumerate(layers)}
    calls = [node for node in nodes if not _is_of_input(node)]
    return sorted(calls, key=lambda node: (-depth[node], places[node.callee])), layers


def _unique(names: list[str]) -> list[str]:
    """Return names, each numbered if it occurred before."""
    unique: list[str] = []
    for name in names:
        candidate, number = name, 0
        while candidate in unique:
            number += 1
            candidate = f"{name}_{number}"
        unique.append(candidate)
    return unique


Model._kinds["functional"] = Model._by_name["Functional"] = Functional
