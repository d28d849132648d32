"""The calls of layers that make a function, and the connections between them, collected by walks through a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..layers import Layer, Multiply
from ..layers.masks import StepWeights, merged_mask
from ..layers.pieces import Call, Result

__all__ = ["Calls", "Edge", "Edges", "Source"]

# Calls in a model. A few lines describe models that call nested ones twice, and these others: each level doubles them.
MOST_CALLS = 2**16


class Calls:
    """The calls of layers of a function with some inputs; models stand for the calls of their layers."""

    def __init__(self, inputs: int) -> None:
        self.calls: list[Call] = []
        self._inputs = inputs
        self._counts: dict[Any, int] = {}
        self._left = MOST_CALLS
        # The mask of each value that has one: the ids of the embeddings that it comes from.
        self.masks: dict[int, tuple[int, ...]] = {}

    def add(
        self,
        callee: Any,
        operands: Sequence[int],
        *,
        takes_list: bool = False,
        results: int | None = None,
    ) -> list[int]:
        """Add a call of a layer or a model; return the values of its results, of a layer None for a single one.

        Raises
        ------
        ValueError
            If there are too many.
        """
        self._left -= 1
        if self._left < 0:
            raise ValueError(
                f"'{callee.name}': expected at most {MOST_CALLS} calls of layers and nested models, all those within "
                "nested models included"
            )
        if hasattr(callee, "_add_calls"):  # a model of layers
            return callee._add_calls(operands, self)  # type: ignore[no-any-return] # typed there
        number = self._number_of_call(callee)
        layer = callee.occurrence(number) if number else callee
        masks = [self.masks.get(operand) for operand in operands]
        if layer.averages_unmasked and masks[0] is not None:
            operands = [self._without_masked(layer, operands[0], masks[0])]
        result = self._append(Call(layer, tuple(operands), takes_list))
        if results is not None:
            return [self._append(Call(Result(layer, n), (result,))) for n in range(results)]
        mask = (operands[0],) if layer.mask_zero else merged_mask(layer, masks)
        if mask is not None:
            self.masks[result] = mask
        return [result]

    def _append(self, call: Call) -> int:
        """Add a call; return its value."""
        self.calls.append(call)
        return self._inputs + len(self.calls) - 1

    def _without_masked(self, layer: Layer, x: int, mask: tuple[int, ...]) -> int:
        """Return a value times factors for its steps, with which its mean is that of the unmasked steps."""
        weights: Any = StepWeights(f"mask of {layer.name}", layer.dtype)
        factors = self._append(Call(weights, mask, takes_list=len(mask) > 1))
        times = Multiply(name=f"masked {layer.name}", dtype=layer.dtype)
        return self._append(Call(times, (x, factors), takes_list=True))

    def _number_of_call(self, callee: Any) -> int:
        """Count a call of a layer; return how many there were before."""
        number = self._counts.get(callee, 0)
        self._counts[callee] = number + 1
        return number


class Source(NamedTuple):
    """A result of a call of a layer; without a layer, an input of the model."""

    layer: Any
    call: int
    result: int


class Edge(NamedTuple):
    """What an argument of a call of a layer is."""

    source: Source
    layer: Any
    argument: int


class Edges(Calls):
    """The connections between the layers of a model, where nested models stand for themselves."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs)
        self.edges: list[Edge] = []
        self.sources = [Source(None, 0, n) for n in range(inputs)]

    def add(
        self,
        callee: Any,
        operands: Sequence[int],
        *,
        takes_list: bool = False,  # noqa: ARG002 # from Calls
        results: int | None = None,
    ) -> list[int]:
        call = self._number_of_call(callee)
        self.edges += [Edge(self.sources[x], callee, n) for n, x in enumerate(operands)]
        count = len(callee.output_names) if hasattr(callee, "_add_calls") else results or 1
        self.sources += [Source(callee, call, n) for n in range(count)]
        return list(range(len(self.sources) - count, len(self.sources)))
