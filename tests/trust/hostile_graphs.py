"""Graphs that are connected otherwise: changes of the documents of model files."""

from __future__ import annotations

import json
import random
from typing import Any


def copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def nodes(tree: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return all places of a tree of lists and dicts, as containers and keys."""
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        found.append((tree, key))
        if isinstance(value, (dict, list)):
            nodes(value, found)
    return found


def reconnect(chance: random.Random, document: Any) -> None:
    """Change a graph: what calls take, how many there are, the names of layers, or the model's ends."""
    places = nodes(document, [])
    tensors = [holder for holder, key in places if key == "keras_history"]
    layers = [holder for holder, key in places if key == "inbound_nodes"]
    if not tensors:
        return
    layer, other = chance.choice(layers), chance.choice(layers)
    history = chance.choice(tensors)["keras_history"]
    graph = document["model"]["config"]
    kind = chance.randrange(9)
    if kind == 0:  # anything, also what depends on the layer itself
        history[0] = other["name"]
    elif kind == 1:
        history[chance.choice((1, 2))] = chance.choice((0, 1, 2, -1, 2**40, 0.0, None))
    elif kind == 2 and layer["inbound_nodes"]:
        del layer["inbound_nodes"][-1]
    elif kind == 3:
        layer["inbound_nodes"] = copied(layer["inbound_nodes"]) * chance.choice((2, 3, 50))
    elif kind == 4:
        layer["inbound_nodes"] = copied(other["inbound_nodes"])
    elif kind == 5:
        layer["name"] = layer["config"]["name"] = other["name"]
    elif kind == 6:
        end = chance.choice(("input_layers", "output_layers"))
        address = [other["name"], chance.choice((0, 0, 1)), 0]
        graph[end] = chance.choice((address, [address, graph[end]], [address] * 2, [], {}))
    elif kind == 7:
        layer["config"]["dtype"] = chance.choice(("float64", "int32", "string"))
    elif len(graph["layers"]) < 40:  # a model within itself, called in place of a layer
        layer |= copied(document["model"]) | {"name": graph["name"]}
