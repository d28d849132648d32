"""Configurations of the layers of models, in Keras's form: of functional ones, with the calls that each takes part in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._errors import short_repr
from .._serialization import find_class
from ..layers import deserialize, serialize
from ..layers.symbolic import Node, SymbolicTensor
from .keras_operations import KerasOperation, is_operation, plain_argument
from .subclass import Model

__all__ = ["describe", "layer_from_config", "layers_from_config", "model_class", "restore"]


def describe(
    name: str,
    trainable: bool,
    layers: Sequence[Any],
    nodes: Sequence[Node],
    inputs: Any,
    outputs: Any,
) -> dict[str, Any]:
    """Return the configuration of a model.

    Parameters
    ----------
    name : str
    trainable : bool
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

    def end(tensor: SymbolicTensor) -> list[Any]:
        layer, number, index = address(tensor)
        return [layer, number + _first_call(tensor.node.callee), index]

    return {
        "name": name,
        "trainable": trainable,
        "layers": [
            serialize(layer)
            | {
                "name": layer.name,
                "inbound_nodes": [
                    {"args": _mapped(described, _arguments_of(node)), "kwargs": {}}
                    for node in found
                ],
            }
            for layer, found in calls.items()
        ],
        "input_layers": _mapped(end, inputs),
        "output_layers": _mapped(end, outputs),
    }


def restore(config: Any) -> tuple[Any, Any, str]:
    """Return the inputs, the outputs and the name of the model that a configuration describes, of new layers.

    Raises
    ------
    TypeError, ValueError
        If the configuration is malformed, names an unknown layer, or a call depends on itself.
    """
    expected = {"name", "layers", "input_layers", "output_layers"}
    if not isinstance(config, Mapping) or not expected <= set(config):
        raise ValueError(
            f"from_config: expected a dict with {', '.join(sorted(expected))}, got {short_repr(config)}"
        )
    layers: dict[str, Any] = {}
    waiting: list[tuple[str, int, Any, list[Any]]] = []
    described_layers = _list_in(config, "layers", "from_config")
    masks = _mask_operations(described_layers, config["output_layers"])
    for described in described_layers:
        if isinstance(described, Mapping) and described.get("name") in masks:
            continue
        layer = layer_from_config(described)
        name = described.get("name", layer.name)
        if layer.name in layers or name != layer.name:
            raise ValueError(
                f"from_config: the layer '{layer.name}' is described twice, or as {short_repr(name)}"
            )
        layers[layer.name] = layer
        nodes = _list_in(described, "inbound_nodes", f"from_config: '{layer.name}'")
        for number, node in enumerate(nodes):
            call = f"from_config: '{layer.name}': inbound_nodes"
            arguments = _arguments(call, node, masks)
            waiting.append((layer.name, number, arguments, _places(call, arguments)))
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
        for described in waiting:
            name, number, arguments, places = described
            if any((place[0], place[1]) not in results for place in places):
                left.append(described)
                continue
            call = f"from_config: '{name}': inbound_nodes"
            results[name, number] = _called(call, layers[name], arguments, tensor_at)
        if len(left) == len(waiting):
            names = ", ".join(sorted({f"'{name}'" for name, *_ in left}))
            raise ValueError(
                f"from_config: the calls of {names} depend on themselves, or on missing layers"
            )
        waiting = left

    def tensors_of(kind: str) -> Any:
        def tensor(place: Any) -> SymbolicTensor:
            if not _is_address(place):
                raise ValueError(
                    f"from_config: {kind}: expected [layer, call, result], got {short_repr(place)}"
                )
            name, number, index = place
            number -= _first_call(layers.get(name))
            if (name, number) not in results:
                raise ValueError(f"from_config: {kind}: there is no {short_repr(place)}")
            return tensor_at((name, number, index))

        return _mapped(tensor, config[kind], _is_address)

    return tensors_of("input_layers"), tensors_of("output_layers"), config["name"]


def _arguments_of(node: Node) -> list[Any]:
    """Return the arguments of a call by position: several for a layer of one's own whose `call` takes several."""
    takes_several = len(getattr(node.callee, "_call_arguments", ())) > 1
    return list(node.arguments) if takes_several else [node.arguments]


def layer_from_config(config: Any) -> Any:
    """Return the layer, the model or the operation that ``{"class_name": …, "config": …}`` describes."""
    if is_operation(config):
        return KerasOperation(config)
    name = config.get("class_name") if isinstance(config, Mapping) else None
    if isinstance(name, str) and name in Model._by_name:
        cls, arguments = model_class(config, "from_config")
        return cls.from_config(arguments)
    return deserialize(config)


def layers_from_config(config: Iterable[Any]) -> list[Any]:
    """Return the layers that a configuration describes; the same one for equal descriptions of one name."""
    layers: list[Any] = []
    made: dict[str, tuple[Any, Any]] = {}
    for described in config:
        name = _name_in(described)
        first, layer = made.get(name, (None, None))
        if layer is None or not name or described != first:  # not a repeated layer
            layer = layer_from_config(described)
            made[name] = described, layer
        layers.append(layer)
    return layers


def _name_in(described: Any) -> str:
    """Return the name in a layer's configuration, "" if it has none."""
    config = described.get("config") if isinstance(described, Mapping) else None
    name = config.get("name") if isinstance(config, Mapping) else None
    return name if isinstance(name, str) else ""


def model_class(config: Any, call: str) -> tuple[Any, dict[str, Any]]:
    """Return the class of a described model, and its config; see `find_class`."""
    return find_class(config, Model._by_name, call)


def _first_call(layer: Any) -> int:
    """Return the number of a layer's first call among inputs and outputs: Keras counts from 1 for graphs of layers."""
    return int(isinstance(layer, Model._kinds["functional"]))


def _list_in(config: Any, name: str, call: str) -> Sequence[Any]:
    found = config.get(name, [])
    if not isinstance(found, (list, tuple)):
        raise ValueError(f"{call}: {name}: expected a list, got {short_repr(found)}")  # noqa: TRY004 # of a file
    return found


def _mask_operations(layers: Sequence[Any], outputs: Any) -> set[str]:
    """Return the names of Keras's operations that only make masks, which layers pass on by themselves."""
    read_by: dict[str, list[str]] = {}  # the layers that each one reads, but for masks
    for described in layers:
        nodes = described.get("inbound_nodes") if isinstance(described, Mapping) else None
        nodes = [node for node in nodes if isinstance(node, Mapping)] if nodes else []
        places: list[Any] = []
        _mapped(
            lambda leaf, into=places: into.append(leaf), [n.get("args") for n in nodes], _is_tensor
        )
        found = [leaf["config"].get("keras_history") for leaf in places if _is_tensor(leaf)]
        if nodes and isinstance(described.get("name"), str):
            read_by[described["name"]] = [place[0] for place in found if _is_address(place)]
    ends: list[Any] = []
    _mapped(ends.append, outputs, _is_address)
    pending = [place[0] for place in ends if _is_address(place)]
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += read_by.get(name, [])
    return {
        layer["name"] for layer in layers if is_operation(layer) and layer.get("name") in read_by
    } - reached


def _arguments(call: str, node: Any, masks: set[str]) -> Sequence[Any]:
    """Return the arguments of a described call, without a mask that an operation among `masks` makes."""
    arguments = node.get("args") if isinstance(node, Mapping) else None
    if not isinstance(arguments, (list, tuple)):
        raise ValueError(f"{call}: expected arguments in 'args', got {short_repr(node)}")  # noqa: TRY004 # of a file
    options = node.get("kwargs") or {}
    if not isinstance(options, Mapping):
        raise ValueError(f"{call}: kwargs: expected a dict, got {short_repr(options)}")  # noqa: TRY004 # of a file
    for name, value in options.items():
        is_ignored = name == "training" and isinstance(value, bool)  # Keras overrides it as well
        if name == "mask":
            sources = [place[0] for place in _places(call, value)]
            is_ignored = bool(sources) and masks.issuperset(sources)
        if not is_ignored and any(each is not None for each in _leaves(value)):
            raise ValueError(f"{call}: kwargs: {name} is not supported, got {short_repr(value)}")
    return arguments


def _places(call: str, arguments: Any) -> list[Any]:
    """Return the layer, call and result of each tensor among the arguments of a described call."""
    places: list[Any] = []

    def add(leaf: Any) -> None:
        if not _is_tensor(leaf):
            return
        if not _is_address(place := leaf["config"].get("keras_history")):
            raise ValueError(f"{call}: expected a tensor, got {short_repr(leaf)}")
        places.append(place)

    _mapped(add, arguments, _is_tensor)
    return places


def _called(call: str, layer: Any, arguments: Sequence[Any], tensor_at: Any) -> Any:
    """Return the result of a described call of a layer, with the tensor at each place."""

    def value_of(leaf: Any) -> Any:
        if _is_tensor(leaf):
            return tensor_at(leaf["config"]["keras_history"])
        return plain_argument(leaf)

    try:
        if isinstance(layer, KerasOperation):
            return layer(*_mapped(value_of, arguments, _is_described))
        if not arguments:
            raise ValueError("expected an argument in 'args', got none")
        return layer(*_mapped(value_of, arguments, _is_described))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{call}: {error}") from None


def _is_described(value: Any) -> bool:
    return isinstance(value, Mapping) and "class_name" in value


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
