"""The table that `Model.summary` prints, and what it shares with the picture of `utils.plot_model`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["output_shape_text", "print_summary", "trainable_text"]


def print_summary(
    model: Any,
    print_fn: Callable[[str], Any] | None,
    least: int,
    *,
    expand_nested: bool,
    show_trainable: bool,
) -> None:
    """Print a model's layers, their shapes and their numbers of parameters, in a table at least so wide."""
    print_line = _print_line if print_fn is None or print_fn is print else print_fn
    print_line(f'Model: "{model.name}"')
    titles = ["Layer (type)", "Output Shape", "Param #", "Connected to", "Trainable"]
    rows = [titles, *_rows(model, expand_nested=expand_nested)]
    shown = [
        *range(3),
        *([3] if any(len(row[3]) > 0 for row in rows[1:]) else []),
        *([4] if show_trainable else []),
    ]
    rows = [[row[n] for n in shown] for row in rows]
    columns = len(shown)
    widths = [max(len(row[n]) for row in rows) + 2 for n in range(columns)]
    widths[0] += max(0, least - sum(widths) - columns - 1)
    rules = ["─" * width for width in widths]
    print_line(f"┌{'┬'.join(rules)}┐")
    for n, row in enumerate(rows):
        cells = [f" {cell}".ljust(width) for cell, width in zip(row, widths, strict=False)]
        cells[2] = f"{row[2]} ".rjust(widths[2])
        print_line(f"│{'│'.join(cells)}│")
        if n == 0:
            print_line(f"├{'┼'.join(rules)}┤")
    print_line(f"└{'┴'.join(rules)}┘")
    for title, weights in (
        ("Total params", model.weights),
        ("Trainable params", model.trainable_weights),
        ("Non-trainable params", model.non_trainable_weights),
    ):
        numbers = sum(math.prod(weight.shape) for weight in weights)
        size = numbers * (8 if model.dtype == "float64" else 4)
        print_line(f"{title}: {numbers:,} ({_memory_text(size)})")


def _rows(model: Any, *, expand_nested: bool, indent: str = "") -> Iterator[list[str]]:
    """Yield the cells of each layer; those of a model within come after it, if wanted."""
    connected_to = _connected_to(model)
    for layer in model.layers:
        within = getattr(layer, "layers", None)
        count = f"{layer.count_params():,}" if layer.built else "not built"
        title = f"{indent}{layer.name} ({type(layer).__name__})"
        sources = ", ".join(connected_to.get(layer, []))
        yield [title, output_shape_text(layer), count, sources, trainable_text(layer)]
        if expand_nested and within is not None:
            yield from _rows(layer, expand_nested=True, indent=f"{indent}  ")


def output_shape_text(layer: Any) -> str:
    """Return the shape of the output of a layer, "?" before it is built."""
    return str(layer.output_shape) if layer.built else "?"


def trainable_text(layer: Any) -> str:
    """Return whether a layer is trainable; nothing for a layer without weights."""
    return ("yes" if layer.trainable else "no") if layer.weights else ""


def _connected_to(model: Any) -> dict[Any, list[str]]:
    """Return the sources of each layer, ``name[call][result]``, or "-"; nothing for a mere chain."""
    edges, outputs = model.connections()
    if not edges:
        return {}
    if len(model.input_names) == len(outputs) == 1 and not any(edge.argument for edge in edges):
        return {}
    names: dict[Any, list[str]] = {layer: [] for layer in model.layers}
    for (layer, call, result), reader, _ in edges:
        if layer is None:
            tensor = model.inputs[result]
            names[reader].append(f"{tensor.name}[0][{tensor.index}]")
        else:
            names[reader].append(f"{layer.name}[{call}][{result}]")
    return {layer: each or ["-"] for layer, each in names.items()}


_ASCII = str.maketrans("┌┬┐├┼┤└┴┘─│", "+++++++++-|")


def _print_line(line: str) -> None:
    """Print a line, with rules that the output can show."""
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        line = line.translate(_ASCII)
    print(line)  # noqa: T201 # as summary does


def _memory_text(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"
