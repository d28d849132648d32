"""Pictures of models by Graphviz: the text that its program `dot` draws, and the picture itself."""

from __future__ import annotations

import html
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._data import as_number, as_text
from .._elementwise import unwrapped
from .._errors import short_repr
from .._files import as_path, write_atomically
from ..layers import Input, InputLayer
from ..layers.symbolic import SymbolicTensor
from ._summary import output_shape_text, trainable_text
from .functional import Functional
from .graph_model import GraphModel

__all__ = ["model_to_dot", "plot_model"]

_RANKDIRS = ("TB", "BT", "LR", "RL")
_SPLINES = ("ortho", "curved", "polyline", "spline", "line")

_LAYER, _MODEL = "#37474f", "#6a4c93"
_COLORS: dict[type, str] = {InputLayer: "#0072b2", GraphModel: _MODEL, object: _LAYER}
_TRAINABLE = {"yes": ("trainable", "#00795a"), "no": ("not trainable", "#b34700")}
_FONT = 'fontname="Helvetica,Arial,sans-serif", fontsize=12'
_FRAME = f'labeljust=l, style="rounded,dashed", color="{_MODEL}", fontcolor="{_MODEL}", {_FONT}, margin=12'


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> str:
    """Return a model as text in the DOT language of Graphviz; Keras returns a ``pydot.Dot``.

    The boxes are the layers, each once, and the arrows go where their results go.

    Parameters
    ----------
    model : Sequential or Functional
        Need not be built.
    show_shapes : bool, default False
        Whether to show the shapes of inputs and outputs; "?" of layers that are not built.
    show_dtype : bool, default False
        Whether to show the dtypes of the outputs.
    show_layer_names : bool, default True
    rankdir : {"TB", "BT", "LR", "RL"}, default "TB"
        Where the arrows point to: from top to bottom, …, from right to left.
    expand_nested : bool, default False
        Whether to show the layers of nested models, in a frame.
    dpi : float, default 200
        Resolution of PNG files in dots per inch.
    subgraph : bool, default False
        Whether to return a cluster, to be put into another graph.
    show_layer_activations : bool, default False
        Whether to show the activations of layers that have one.
    show_trainable : bool, default False
        Whether to show which layers with weights are trainable.
    splines : {"ortho", "curved", "polyline", "spline", "line"}, default "ortho"
        The form of the arrows.

    Returns
    -------
    str

    Raises
    ------
    TypeError, ValueError
        If `model` is not a model, or an option has no such value.

    Examples
    --------
    >>> from cnet import Input, Sequential, layers, utils
    >>> text = utils.model_to_dot(Sequential([Input((4,)), layers.Dense(3), layers.Softmax()]))
    >>> [line.strip() for line in text.splitlines() if "->" in line]
    ['n0 -> n1']
    """
    if not isinstance(model, GraphModel):
        raise TypeError(f"model_to_dot: expected a model, got {short_repr(model)}")
    for name, value, known in (("rankdir", rankdir, _RANKDIRS), ("splines", splines, _SPLINES)):
        if as_text(f"model_to_dot: {name}", value) not in known:
            raise ValueError(
                f"model_to_dot: {name}: expected one of {', '.join(known)}, got {short_repr(value)}"
            )
    dots = as_number("model_to_dot: dpi", dpi, above=0)
    facts = _Facts(
        show_layer_names, show_layer_activations, show_shapes, show_dtype, show_trainable
    )
    # Several clusters may be put into one graph.
    prefix = f"{_text(model.name)}/" if subgraph else ""
    drawing = _Drawing(prefix, facts, expand_nested=expand_nested)
    if subgraph:
        drawing.add_frame(model, "")
        return "\n".join([*drawing.lines[:-1], *drawing.arrows, drawing.lines[-1]])
    drawing.add_model(model)
    head = [
        f"  graph [rankdir={rankdir}, splines={splines}, dpi={dots:g}, nodesep=0.4, ranksep=0.4]",
        f"  node [shape=plain, {_FONT}]",
        f'  edge [color="{_LAYER}", penwidth=1.5, arrowsize=0.8]',
    ]
    return "\n".join(["digraph {", *head, *drawing.lines, *drawing.arrows, "}"])


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Any:
    """Draw a model into a file: PNG, SVG, PDF and others by Graphviz, or the text that it draws.

    Parameters
    ----------
    model : Sequential or Functional
    to_file : str or path, default "model.png"
        Its suffix is the format, PNG without one. ".dot" and ".gv" are the text of `model_to_dot`, which needs no
        other program; the others need Graphviz's program `dot` (Debian's and Homebrew's package graphviz).
    show_layer_names : bool, default False
    show_shapes, show_dtype, rankdir, expand_nested, dpi, show_layer_activations, show_trainable, splines
        See `model_to_dot`.

    Returns
    -------
    IPython.display.Image or SVG
        The picture, in a notebook; else None.

    Raises
    ------
    ImportError
        If `dot` is not installed.
    TypeError, ValueError
        See `model_to_dot`. If Graphviz has no such format.
    OSError
        If the file can't be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from cnet import Input, Sequential, layers, utils
    >>> model = Sequential([Input((4,)), layers.Dense(3)])
    >>> with TemporaryDirectory() as folder:
    ...     utils.plot_model(model, f"{folder}/model.dot", show_shapes=True)
    ...     Path(f"{folder}/model.dot").read_text(encoding="utf-8").split()[0]
    'digraph'
    """
    path = as_path("plot_model: to_file", to_file)
    text = model_to_dot(
        model,
        show_shapes,
        show_dtype,
        show_layer_names,
        rankdir,
        expand_nested,
        dpi,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        splines=splines,
    )
    kind = Path(path).suffix[1:].lower() or "png"
    is_text = kind in ("dot", "gv")
    content = text.encode() if is_text else _drawn(text, kind)
    write_atomically(path, [memoryview(content)], overwrite=True)
    return None if is_text else _shown(content, kind)


def _drawn(text: str, kind: str) -> bytes:
    """Return the picture that Graphviz draws."""
    try:
        result = subprocess.run(
            ["dot", f"-T{kind}"], input=text.encode(), capture_output=True, check=False
        )
    except FileNotFoundError:
        raise ImportError(
            f"plot_model: a .{kind} file needs Graphviz's program dot (apt install graphviz, brew install graphviz); "
            "to_file='model.dot' needs nothing",
            name="graphviz",
        ) from None
    if result.returncode != 0:
        raise ValueError(f"plot_model: dot: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout


def _shown(content: bytes, kind: str) -> Any:
    """Return the object that shows a picture in a notebook, None elsewhere."""
    if "IPython" not in sys.modules:
        return None
    from IPython import display

    if kind == "svg":
        return display.SVG(content)
    return display.Image(content) if kind in ("png", "jpg", "jpeg", "gif", "webp") else None


@dataclass(frozen=True)
class _Facts:
    """Which facts the boxes show."""

    names: bool
    activations: bool
    shapes: bool
    dtype: bool
    trainable: bool


# What a layer is in a picture: a box; or, of a nested model in a frame, the boxes that read each of its inputs, and
# the box of each of its outputs.
_Part = str | tuple[list[list[str]], list[str]]


class _Drawing:
    """The lines of a picture."""

    def __init__(self, prefix: str, facts: _Facts, *, expand_nested: bool) -> None:
        self._prefix, self._facts, self._expand_nested = prefix, facts, expand_nested
        self._boxes = self._frames = 0
        self._arrows: dict[tuple[str, str], None] = {}  # a set in order
        self.lines: list[str] = []

    @property
    def arrows(self) -> list[str]:
        """A line for each arrow."""
        return [f"  {source} -> {reader}" for source, reader in self._arrows]

    def add_model(self, model: GraphModel, indent: str = "  ") -> _Part:
        """Draw the layers of a model."""
        edges, outputs = model.connections()
        parts = {layer: self._add(layer, indent) for layer in dict.fromkeys(model.layers)}
        readers: list[list[str]] = [[]]
        if isinstance(model, Functional):  # the input of a Sequential is not among its layers
            inputs = [self._add_input(tensor, parts, indent) for tensor in model.inputs]
            readers = [[box] for box in inputs]
            parts[None] = readers, inputs
        for (layer, _, result), reader, argument in edges:
            boxes = _readers(parts[reader], argument)
            if layer in parts:
                self._arrows |= {(_source(parts[layer], result), box): None for box in boxes}
            else:
                readers[result] += boxes
        return readers, [_source(parts[s.layer], s.result) for s in outputs if s.layer in parts]

    def add_frame(self, model: GraphModel, indent: str = "  ") -> _Part:
        """Draw the layers of a model in a frame."""
        inner = indent + "  "
        title = f"<b>{_text(model.name)}</b> ({_text(type(model).__name__)})"
        self.lines += [
            f'{indent}subgraph "cluster {self._prefix}{self._frames}" {{',
            f"{inner}graph [label=<{title}>, {_FRAME}]",
        ]
        self._frames += 1
        part = self.add_model(model, inner)
        self.lines.append(f"{indent}}}")
        return part

    def _add(self, layer: Any, indent: str) -> _Part:
        is_nested = isinstance(layer, GraphModel) and len(layer.layers) > 0
        draw = self.add_frame if is_nested and self._expand_nested else self._add_box
        return draw(layer, indent)

    def _add_input(self, tensor: SymbolicTensor, parts: dict[Any, _Part], indent: str) -> str:
        """Return the box of an input, which may be a result of a layer that is not of the model."""
        if isinstance(tensor.node.callee, InputLayer):
            return _source(parts[tensor.node.callee], 0)
        stand_in = Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)
        return self._add_box(stand_in.node.callee, indent)

    def _add_box(self, layer: Any, indent: str) -> str:
        box = f'"{self._prefix}{self._boxes}"' if self._prefix else f"n{self._boxes}"
        self._boxes += 1
        self.lines.append(f"{indent}{box} [label=<{_label(layer, self._facts)}>]")
        return box


def _readers(part: _Part, argument: int) -> list[str]:
    return [part] if isinstance(part, str) else part[0][argument]


def _source(part: _Part, result: int) -> str:
    return part if isinstance(part, str) else part[1][result]


def _label(layer: Any, facts: _Facts) -> str:
    """Return the table of a layer, in Graphviz's HTML."""
    color = next(color for kind, color in _COLORS.items() if isinstance(layer, kind))
    kind = _text(type(layer).__name__)
    title = f"<b>{_text(layer.name)}</b> ({kind})" if facts.names else f"<b>{kind}</b>"
    cells = list(_cells(layer, facts))
    rows = [_cell(f'<font color="white">{title}</font>', color, len(cells))]
    if facts.activations and getattr(layer, "activation", None) is not None:
        name = unwrapped(layer.activation).__name__
        rows.append(_cell(f"activation: <b>{_text(name)}</b>", columns=len(cells)))
    if cells:
        rows.append("".join(cells))
    table = f'<table border="0" cellborder="1" cellspacing="0" cellpadding="6" color="{color}">'
    return f"{table}{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _cells(layer: Any, facts: _Facts) -> Iterator[str]:
    """Yield a cell for each fact about a layer."""
    if facts.shapes:
        if not isinstance(layer, InputLayer):
            shape = str(layer.input_shape) if layer.built else "?"
            yield _cell(f"input: <b>{_text(shape)}</b>")
        yield _cell(f"output: <b>{_text(output_shape_text(layer))}</b>")
    if facts.dtype:
        yield _cell(f"dtype: <b>{layer.dtype}</b>")
    if facts.trainable and (key := trainable_text(layer)):
        text, color = _TRAINABLE[key]
        yield _cell(f'<font color="white"><b>{text}</b></font>', color)


def _cell(content: str, color: str = "white", columns: int = 1) -> str:
    span = f' colspan="{columns}"' if columns > 1 else ""
    return f'<td bgcolor="{color}"{span}>{content}</td>'


def _text(text: str) -> str:
    """Return text for HTML labels and quoted names, with Python's escapes for what can't be printed."""
    printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return html.escape(printable.replace("\\", "\\\\"))  # a backslash escapes, in both
