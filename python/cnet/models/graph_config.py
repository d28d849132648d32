"""Configurations of functional models, in Keras's form: each layer with the calls that it takes part in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._errors import short_repr
from ..layers import deserialize, serialize
from ..layers.symbolic import Node, SymbolicTensor
from .subclass import Model

__all__ = ["describe", "layer_from_config", "restore"]


def describe(
    name: str, layers: Sequence[Any], nodes: Sequence[Node], inputs: Any, outputs: Any
) -> dict[str, Any]:
    """Return the configuration of a model.

    Parameters
    ----------
    name : str
    layers : sequence of Layer and Model
    nodes : sequence of Node
        The calls, in topological order, without those of the inputs.
    inputs, outputs : SymbolicTensor, or lists, tuples and dicts of them
    """
    calls: dict[Any, list[Node]] = {layer: [] for layer in layers}
    for node in nodes:
        calls[node.callee].append(node)

    def address(tensor: SymbolicTensor) -> list[Any]:
        found = calls[tensor.node.callee]
        number = found.index(tensor.node) if tensor.node in found else 0  # that of an Input
        return [tensor.name, number, tensor.index]

    def described(tensor: SymbolicTensor) -> dict[str, Any]:
        config = {
            "shape": list(tensor.shape),
            "dtype": tensor.dtype,
            "keras_history": address(tensor),
        }
        return {"class_name": "__keras_tensor__", "config": config}

    return {
        "name": name,
        "layers": [
            serialize(layer)
            | {
                "name": layer.name,
                "inbound_nodes": [
                    {"args": [_mapped(described, node.arguments)], "kwargs": {}} for node in found
                ],
            }
            for layer, found in calls.items()
        ],
        "input_layers": _mapped(address, inputs),
        "output_layers": _mapped(address, outputs),
    }


def restore(config: Any, custom_objects: Mapping[str, Any] | None) -> tuple[Any, Any, str]:
    """Return the inputs, the outputs and the name of the model that a configuration describes, of new layers.

    Raises
    ------
    ValueError
        If the configuration is malformed, names an unknown layer, or a call depends on itself.
    """
    expected = {"name", "layers", "input_layers", "output_layers"}
    if not isinstance(config, Mapping) or not expected <= set(config):
        raise ValueError(
            f"from_config: expected a dict with {', '.join(sorted(expected))}, got {short_repr(config)}"
        )
    if not isinstance(config["layers"], (list, tuple)):
        raise ValueError(  # noqa: TRY004 # of a file
            f"from_config: layers: expected a list, got {short_repr(config['layers'])}"
        )
    layers: dict[str, Any] = {}
    waiting: list[tuple[str, int, Any]] = []
    for described in config["layers"]:
        layer = layer_from_config(described, custom_objects)
        name = described.get("name", layer.name)
        if layer.name in layers or name != layer.name:
            raise ValueError(
                f"from_config: the layer '{layer.name}' is described twice, or as {short_repr(name)}"
            )
        layers[layer.name] = layer
        nodes = described.get("inbound_nodes", [])
        if not isinstance(nodes, (list, tuple)):
            raise ValueError(  # noqa: TRY004 # of a file
                f"from_config: '{layer.name}': inbound_nodes: expected a list, got {short_repr(nodes)}"
            )
        waiting += [(layer.name, number, node) for number, node in enumerate(nodes)]
    results: dict[tuple[str, int], Any] = {
        (name, 0): layer.output for name, layer in layers.items() if hasattr(layer, "batch_size")
    }

    def tensor_at(place: Any) -> SymbolicTensor:
        name, node, index = place
        tensors = _leaves(results[name, node])
        if not 0 <= index < len(tensors):
            raise ValueError(f"from_config: '{name}' has no result {index}")
        tensor: SymbolicTensor = tensors[index]
        return tensor

    while waiting:
        left = []
        for name, number, node in waiting:
            addresses = _addresses(f"from_config: '{name}'", node)
            if any((place[0], place[1]) not in results for place in addresses):
                left.append((name, number, node))
                continue
            tensors = iter([tensor_at(place) for place in addresses])
            arguments = _mapped(
                lambda _, tensors=tensors: next(tensors), node["args"][0], _is_tensor
            )
            results[name, number] = layers[name](arguments)
        if len(left) == len(waiting):
            names = ", ".join(sorted({f"'{name}'" for name, _, _ in left}))
            raise ValueError(
                f"from_config: the calls of {names} depend on themselves, or on missing layers"
            )
        waiting = left

    def tensors_of(kind: str) -> Any:
        def tensor(place: Any) -> SymbolicTensor:
            if (place[0], place[1]) not in results:
                raise ValueError(f"from_config: {kind}: there is no {short_repr(place)}")
            return tensor_at(place)

        return _mapped(tensor, config[kind], _is_address)

    return tensors_of("input_layers"), tensors_of("output_layers"), config["name"]


def layer_from_config(config: Any, custom_objects: Mapping[str, Any] | None) -> Any:
    """Return the layer or the model that ``{"class_name": …, "config": …}`` describes."""
    name = config.get("class_name") if isinstance(config, Mapping) else None
    if isinstance(name, str) and name in Model._by_name:
        return Model._by_name[name].from_config(config.get("config"), custom_objects)
    return deserialize(config, custom_objects)


def _addresses(call: str, node: Any) -> list[Any]:
    """Return the layer, call and result of each tensor among the arguments of a described call."""
    arguments = node.get("args") if isinstance(node, Mapping) else None
    if not isinstance(arguments, (list, tuple)) or len(arguments) != 1 or node.get("kwargs"):
        raise ValueError(
            f"{call}: inbound_nodes: expected one argument in 'args', got {short_repr(node)}"
        )
    places: list[Any] = []

    def add(leaf: Any) -> None:
        place = leaf["config"].get("keras_history") if _is_tensor(leaf) else None
        if not _is_address(place):
            raise ValueError(f"{call}: inbound_nodes: expected a tensor, got {short_repr(leaf)}")
        places.append(place)

    _mapped(add, arguments[0], _is_tensor)
    return places


def _is_tensor(value: Any) -> bool:
    is_described = isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__"
    return is_described and isinstance(value.get("config"), Mapping)


def _is_address(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not isinstance(value[0], str):
        return False
    return all(type(each) is int and each >= 0 for each in value[1:])


def _mapped(function: Any, structure: Any, is_leaf: Any = None) -> Any:
    """Return nested lists and dicts with a function applied to each leaf; tuples become lists."""
    if is_leaf is not None and is_leaf(structure):
        return function(structure)
    if isinstance(structure, Mapping):
        return {key: _mapped(function, value, is_leaf) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [_mapped(function, value, is_leaf) for value in structure]
    return function(structure)


def _leaves(structure: Any) -> list[Any]:
    leaves: list[Any] = []
    _mapped(leaves.append, structure)
    return leaves
