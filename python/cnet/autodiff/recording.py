"""Recording on the running tapes of a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import Any, Protocol

from .._tapes import running
from .operations.operation import Operation, Record

__all__ = ["Source", "Tape", "paused", "read", "record", "record_result"]


class Source(Protocol):
    """An object with a changeable value to differentiate by: a variable, or a weight of a layer.

    To be an input of operations it also has a method ``__tensor__()``, which calls `read` and returns
    the tensor.
    """

    @property
    def trainable(self) -> bool:
        """True if tapes watch it automatically."""


class Tape(Protocol):
    """The part of a tape that recording uses."""

    # Watched objects and results computed from them, by `id`. References keep the ids unique.
    watched: dict[int, Any]
    # The ids of objects that `watch` was called with.
    explicitly_watched: set[int]
    # The ids of probabilities that a loss has replaced by their logits.
    bypassed: set[int]
    records: list[Record]
    watch_accessed_variables: bool


@contextmanager
def paused() -> Iterator[None]:
    """Pause all running tapes."""
    tapes, running.tapes = running.tapes, []
    try:
        yield
    finally:
        running.tapes = tapes


def record(tapes: list[Tape], entry: Record) -> None:
    """Append an operation to the tapes that watch one of its inputs."""
    result, _, inputs, _ = entry
    for tape in tapes:
        watched = tape.watched
        for x in inputs:
            if id(x) in watched:
                watched[id(result)] = result
                tape.records.append(entry)
                break


def _read(value: Any) -> Any:
    return value


_READ = Operation(_read, (lambda gradient, *_: gradient,))


def read(source: Source, tensor: Any) -> None:
    """Record that `tensor` holds the current value of a source."""
    if tensor.dtype.kind != "f":
        return
    for tape in running.tapes:
        if id(tensor) not in tape.watched and _watches(tape, source):
            tape.watched[id(tensor)] = tensor
            tape.records.append((tensor, _READ, (source,), {}))


def _watches(tape: Tape, source: Source) -> bool:
    """Return True if a tape watches a source; a trainable one is watched from now on."""
    if id(source) in tape.watched:
        return True
    if tape.watch_accessed_variables and source.trainable:
        tape.watched[id(source)] = source
        return True
    return False


def record_result(
    result: Any,
    inputs: Sequence[Any],
    vjp: Callable[[Any], Sequence[Any]],
    name: str,
    *,
    of_tensors: bool = False,
    sources: Mapping[int, Source] | None = None,
) -> None:
    """Record a result that was computed without operations, with one function for all gradients.

    Parameters
    ----------
    result : Tensor
    inputs : sequence of Tensors, sources and arrays
        Sources themselves, not their tensors.
    vjp : function
        Takes the gradient of the result, an array, and returns those of the inputs, None for inputs
        without one. Differentiating these again raises `NotImplementedError`.
    name : str
        Name of the computation, for messages.
    of_tensors : bool, default False
        Whether `vjp` uses operations: it then gets a tensor while another tape is running, and can be
        differentiated again.
    sources : dict of int to source, optional
        The trainable sources among the inputs, by `id`, if known.
    """
    tapes = running.tapes
    if not tapes:
        return
    if sources is None:
        sources = {id(x): x for x in inputs if getattr(x, "trainable", False)}
    for tape in tapes:
        if tape.watch_accessed_variables:
            tape.watched.update(sources)

    kind = None if of_tensors else type(result)
    record(tapes, (result, _JointOperation(name, inputs, vjp, kind), inputs, {}))


class _JointOperation:
    """A recorded computation with one function for the gradients of all inputs."""

    __slots__ = ("_inputs", "_kind", "_vjp", "name")
    vjps = repeat(True)  # any input may have a gradient

    def __init__(
        self,
        name: str,
        inputs: Sequence[Any],
        vjp: Callable[[Any], Sequence[Any]],
        kind: type[Any] | None,
    ) -> None:
        self.name, self._inputs, self._vjp, self._kind = name, inputs, vjp, kind

    def joint_vjp(self, gradient: Any) -> Sequence[Any]:
        """Return the gradients of the inputs: tensors for a tensor, even if `vjp` takes arrays only."""
        if type(gradient) is not self._kind:
            return self._vjp(gradient)
        found = [None if g is None else self._kind(g) for g in self._vjp(gradient.value)]
        for each in found:
            if each is not None:
                record_result(each, [gradient, *self._inputs], self._not_differentiable, self.name)
        return found

    def _not_differentiable(self, _: Any) -> Any:
        raise NotImplementedError(f"{self.name}: its second derivative is not supported")
