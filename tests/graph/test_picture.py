"""to_dot: every node and every edge once."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cnet import graph


def test_nodes_and_edges() -> None:
    x = graph.placeholder((None, 2), name='a "quoted" \\ name')
    w = graph.Variable(np.ones((2, 1)), name="picture_weights")
    product = x @ w
    text = graph.to_dot([product + product, graph.reduce_sum(product * 0.5)])
    assert text.startswith("digraph {\n")
    assert text.endswith("\n}")
    labels = dict(re.findall(r'^  (n\d+) \[label="(.*)", shape=\w+\]$', text, re.MULTILINE))
    edges = re.findall(r"^  (n\d+) -> (n\d+)$", text, re.MULTILINE)
    assert len(labels) + len(edges) + 2 == len(text.splitlines())
    assert 'a \\"quoted\\" \\\\ name\\n(batch, 2)' in labels.values()
    assert "picture_weights\\n(2, 1)" in labels.values()
    assert "0.5" in labels.values()
    named = [(labels[a].split("_")[0], labels[b].split("_")[0]) for a, b in edges]
    assert named.count(("matmul", "add")) == 2
    assert ("picture", "matmul") in named
    assert len(named) == 2 + 2 + 2 + 1


def test_objects_that_are_not_nodes_are_refused() -> None:
    with pytest.raises(TypeError, match="to_dot: nodes: expected a node, got int"):
        graph.to_dot([1])
