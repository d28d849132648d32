"""A layer that has learned a vocabulary."""

from __future__ import annotations

from typing import Any

from cnet import layers

WORDS = [["red", "blue"], ["red", "green"], ["red", "green"]]
# By frequency, ties in descending order.
VOCABULARY = ["red", "green", "blue"]


def adapted(data: Any = WORDS, **options: Any) -> layers.StringLookup:
    layer = layers.StringLookup(**options)
    layer.adapt(data)
    return layer
