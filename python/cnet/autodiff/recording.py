"""The tapes that are running in this thread, and what is put on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import Any, Protocol

from .._tapes import running
from .operations.operation import Operation, Record

__all__ = ["Source", "Tape", "paused", "read", "record", "record_result"]


class Source(Protocol):
    """What lives longer than a tape and can be differentiated by: a variable, a layer's weight.

    It has a method ``__tensor__()`` too, that calls `read` and returns the tensor, if operations are
    to take it as an input.
    """

    @property
    def trainable(self) -> bool:
        """Whether tapes watch it unasked."""


class Tape(Protocol):
    """What recording needs to know of a tape."""

    # What is watched, by `id`, and what was made of it: kept, so that no other has its id.
    watched: dict[int, Any]
    # What was asked to be watched, by `id`.
    explicitly_watched: set[int]
    # Probabilities whose logits a loss was computed of in their place.
    bypassed: set[int]
    records: list[Record]
    watch_accessed_variables: bool


@contextmanager
def paused() -> Iterator[None]:
    """Record nothing meanwhile."""
    tapes, running.tapes = running.tapes, []
    try:
        yield
    finally:
        running.tapes = tapes


def record(tapes: list[Tape], entry: Record) -> None:
    """Put an operation on the tapes that watch one of its inputs."""
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
    """Tell the tapes that `tensor` has the numbers that a source holds now."""
    if tensor.dtype.kind != "f":
        return
    for tape in running.tapes:
        if id(tensor) not in tape.watched and _watches(tape, source):
            tape.watched[id(tensor)] = tensor
            tape.records.append((tensor, _READ, (source,), {}))


def _watches(tape: Tape, source: Source) -> bool:
    """Return whether a tape watches a source, which it does from now on if it is trainable."""
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
    """Record what was computed otherwise, with all its gradients by one function made for it.

    Parameters
    ----------
    result : Tensor
    inputs : sequence of Tensors, sources and arrays
        Sources as such, unread.
    vjp : function
        From the gradient of the result, an array, to a sequence of those of the inputs, None where there
        is none. To differentiate by these again is a `NotImplementedError`.
    name : str
        Of what was computed.
    of_tensors : bool, default False
        Whether `vjp` computes by operations, so that it can be given a tensor while another tape is
        running, and be differentiated again.
    sources : dict of int to source, optional
        Those of the inputs that are trainable, by `id`, if that is known.
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
    """An operation that took place once, with all its gradients by one function made for it."""

    __slots__ = ("_inputs", "_kind", "_vjp", "name")
    vjps = repeat(True)  # to as many inputs as there are a gradient may go

    def __init__(
        self,
        name: str,
        inputs: Sequence[Any],
        vjp: Callable[[Any], Sequence[Any]],
        kind: type[Any] | None,
    ) -> None:
        self.name, self._inputs, self._vjp, self._kind = name, inputs, vjp, kind

    def joint_vjp(self, gradient: Any) -> Sequence[Any]:
        """Return the gradients of the inputs; tensors, if `vjp` knows arrays alone, of a tensor."""
        if type(gradient) is not self._kind:
            return self._vjp(gradient)
        found = [None if g is None else self._kind(g) for g in self._vjp(gradient.value)]
        for each in found:
            if each is not None:
                record_result(each, [gradient, *self._inputs], self._not_differentiable, self.name)
        return found

    def _not_differentiable(self, _: Any) -> Any:
        raise NotImplementedError(f"{self.name}: its second derivative is not supported")
