"""A reader of the DOT language of Graphviz, as far as pictures of models need it; anything else is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

TOKEN = re.compile(
    r'\s*(?:(->|[{}\[\]=,;])|(-?[\d.]+|[A-Za-z_]\w*)|"((?:[^"\\]|\\.)*)"|(<))', re.DOTALL
)


@dataclass
class Graph:
    """What a DOT text says."""

    labels: dict[str, str] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    frames: dict[str, list[str]] = field(default_factory=dict)

    @property
    def named_edges(self) -> set[tuple[str, str]]:
        return {(self.labels[source], self.labels[reader]) for source, reader in self.edges}


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield the tokens of the DOT language: signs, names and texts."""
    place = 0
    while place < len(text.rstrip()):
        found = TOKEN.match(text, place)
        assert found, text[place : place + 40]
        sign, name, quoted, opens = found.groups()
        place = found.end()
        if opens:
            depth, start = 1, place
            while depth:
                depth += {"<": 1, ">": -1}.get(text[place], 0)
                place += 1
            yield "html", text[start : place - 1]
        else:
            yield ("sign", sign) if sign else ("name", name or quoted)


def words(html: str) -> str:
    """Return the text of a label, with cells and rows divided by bars; the HTML must be well-formed."""
    root = ET.fromstring(f"<label>{html}</label>")
    cells = root.iter("td") if root.find("table") is not None else [root]
    return "|".join("".join(cell.itertext()) for cell in cells).replace("\\\\", "\\")


def parse(text: str) -> Graph:
    """Read a graph with the statements that models need."""
    graph, open_frames, clusters = Graph(), [""], set[str]()
    read = tokens(text)
    assert next(read)[1] in ("digraph", "subgraph")
    kind, name = next(read)
    if (kind, name) != ("sign", "{"):
        assert next(read) == ("sign", "{")
    for kind, name in read:
        if (kind, name) == ("sign", "}"):
            open_frames.pop()
            continue
        assert kind == "name"
        if name == "subgraph":
            cluster = next(read)[1]
            assert cluster.startswith("cluster ")
            assert cluster not in clusters
            clusters.add(cluster)
            assert next(read) == ("sign", "{")
            open_frames.append("")
            continue
        _, sign = next(read)
        if sign == "->":
            graph.edges.append((name, next(read)[1]))
            continue
        assert sign == "["
        attributes = {}
        while True:
            attribute = next(read)[1]
            assert next(read) == ("sign", "=")
            attributes[attribute] = next(read)
            if next(read)[1] == "]":
                break
        if name == "graph" and "label" in attributes:
            open_frames[-1] = words(attributes["label"][1])
            graph.frames[open_frames[-1]] = []
        elif name not in ("graph", "node", "edge"):
            assert name not in graph.labels
            graph.labels[name] = words(attributes["label"][1])
            if open_frames[-1]:
                graph.frames[open_frames[-1]].append(graph.labels[name])
    assert not open_frames
    assert len(set(graph.edges)) == len(graph.edges)
    return graph
