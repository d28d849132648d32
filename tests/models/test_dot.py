"""model_to_dot: valid text with each layer and each connection once; plot_model: what it asks of Graphviz."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.dot_reader import Graph, parse

from cnet import Input, Model, Sequential, layers
from cnet.utils import model_to_dot, plot_model


def drawn(model: Any, **options: Any) -> Graph:
    return parse(model_to_dot(model, **options))


def residual() -> Any:
    numbers, shop = Input((4,), name="numbers"), Input((1,), name="shop", dtype="int32")
    vector = layers.Flatten(name="flat")(layers.Embedding(30, 8, name="vectors")(shop))
    h = layers.Concatenate(name="all")([numbers, vector])
    h = layers.Dense(12, "relu", name="hidden")(h)
    h = layers.Add(name="sum")([h, layers.Dense(12, name="more", trainable=False)(h)])
    outputs = [layers.Dense(1, name="sales")(h), layers.Dense(2, "softmax", name="large")(h)]
    return Model([numbers, shop], outputs, name="shops")


def tower() -> Sequential:
    inner = Sequential([layers.Dense(5, name="b"), layers.ReLU(name="c")], name="inner")
    return Sequential([Input((4,)), layers.Dense(6, name="a"), inner], name="tower")


def pair() -> Any:
    """Return a model with a shared Sequential, and a nested model of two inputs and outputs."""
    p, q = Input((5,), name="p"), Input((5,), name="q")
    two = Model(
        [p, q], [layers.Add(name="sum")([p, q]), layers.Dot(1, name="dot")([p, q])], name="two"
    )
    left, right, shared = Input((4,), name="left"), Input((4,), name="right"), tower()
    total, product = two([shared(left), shared(right)])
    return Model([left, right], [layers.Dense(1, name="end")(product), total], name="pair")


def test_layers_and_connections() -> None:
    graph = drawn(residual())
    assert sorted(graph.labels.values()) == [
        "all (Concatenate)",
        "flat (Flatten)",
        "hidden (Dense)",
        "large (Dense)",
        "more (Dense)",
        "numbers (InputLayer)",
        "sales (Dense)",
        "shop (InputLayer)",
        "sum (Add)",
        "vectors (Embedding)",
    ]
    edges = {(a.split()[0], b.split()[0]) for a, b in graph.named_edges}
    assert edges == {
        *(("shop", "vectors"), ("vectors", "flat"), ("flat", "all"), ("numbers", "all")),
        *(("all", "hidden"), ("hidden", "more"), ("hidden", "sum"), ("more", "sum")),
        *(("sum", "sales"), ("sum", "large")),
    }


def test_facts_about_layers() -> None:
    options = dict.fromkeys(
        ("show_shapes", "show_dtype", "show_layer_activations", "show_trainable"), True
    )
    labels = set(drawn(residual(), **options).labels.values())
    assert {
        "numbers (InputLayer)|output: (None, 4)|dtype: float32",
        "shop (InputLayer)|output: (None, 1)|dtype: int32",
        "flat (Flatten)|input: (None, 1, 8)|output: (None, 8)|dtype: float32",
        "sum (Add)|input: [(None, 12), (None, 12)]|output: (None, 12)|dtype: float32",
        "hidden (Dense)|activation: relu|input: (None, 12)|output: (None, 12)|dtype: float32|trainable",
        "more (Dense)|activation: linear|input: (None, 12)|output: (None, 12)|dtype: float32|not trainable",
    } <= labels
    only = drawn(residual(), show_layer_names=False, show_shapes=True).labels.values()
    assert "Flatten|input: (None, 1, 8)|output: (None, 8)" in only


def test_an_unbuilt_sequential() -> None:
    graph = drawn(Sequential([layers.Dense(3, name="a"), layers.ReLU(name="b")]), show_shapes=True)
    assert graph.named_edges == {("a (Dense)|input: ?|output: ?", "b (ReLU)|input: ?|output: ?")}
    assert drawn(Sequential()) == Graph()


def test_a_repeated_layer_is_one_box() -> None:
    again = layers.Dense(4, name="again")
    graph = drawn(Sequential([Input((4,)), again, layers.ReLU(name="positive"), again, again]))
    first, second = "again (Dense)", "positive (ReLU)"
    assert sorted(graph.labels.values()) == [first, second]
    assert graph.named_edges == {(first, second), (second, first), (first, first)}


def test_nested_models_are_boxes() -> None:
    graph = drawn(pair())
    assert graph.named_edges == {
        ("left (InputLayer)", "tower (Sequential)"),
        ("right (InputLayer)", "tower (Sequential)"),
        ("tower (Sequential)", "two (Functional)"),
        ("two (Functional)", "end (Dense)"),
    }
    assert graph.frames == {}


def test_nested_models_as_frames() -> None:
    graph = drawn(pair(), expand_nested=True)
    assert graph.frames == {
        "tower (Sequential)": ["a (Dense)"],
        "inner (Sequential)": ["b (Dense)", "c (ReLU)"],
        "two (Functional)": ["p (InputLayer)", "q (InputLayer)", "sum (Add)", "dot (Dot)"],
    }
    edges = {(a.split()[0], b.split()[0]) for a, b in graph.named_edges}
    assert edges == {
        *(("left", "a"), ("right", "a"), ("a", "b"), ("b", "c"), ("c", "p"), ("c", "q")),
        *(("p", "sum"), ("q", "sum"), ("p", "dot"), ("q", "dot"), ("dot", "end")),
    }


def test_an_empty_nested_model_is_a_box() -> None:
    model = Sequential([Input((4,)), Sequential(name="empty"), layers.Dense(2, name="end")])
    graph = drawn(model, expand_nested=True)
    assert graph.named_edges == {("empty (Sequential)", "end (Dense)")}


def test_a_model_that_begins_at_results_of_layers() -> None:
    again = layers.Dense(4, name="again")
    middle = again(Input((4,)))
    graph = drawn(Model(middle, again(middle)), show_shapes=True)
    start, end = (
        "again (InputLayer)|output: (None, 4)",
        "again (Dense)|input: (None, 4)|output: (None, 4)",
    )
    assert graph.named_edges == {(start, end)}
    # In a frame, too.
    x = Input((4,), name="x")
    nested = Model(middle, again(middle), name="nested")
    graph = drawn(Model(x, nested(x)), expand_nested=True)
    assert graph.named_edges == {
        ("x (InputLayer)", "again (InputLayer)"),
        ("again (InputLayer)", "again (Dense)"),
    }


def test_a_layer_in_several_models_is_in_the_frame_of_each() -> None:
    shared = layers.Dense(4, name="shared")
    x = Input((4,), name="x")
    models = [Model(x, shared(x), name=name) for name in ("one", "two")]
    y = Input((4,), name="y")
    graph = drawn(Model(y, models[1](models[0](y))), expand_nested=True)
    assert graph.frames == {
        f"{name} (Functional)": ["x (InputLayer)", "shared (Dense)"] for name in ("one", "two")
    }
    assert len(graph.edges) == 4


def test_an_input_that_nothing_reads() -> None:
    x, unused = Input((4,), name="x"), Input((4,), name="unused")
    graph = drawn(Model([x, unused], layers.Dense(1, name="end")(x)))
    assert "unused (InputLayer)" in graph.labels.values()
    assert graph.named_edges == {("x (InputLayer)", "end (Dense)")}


NAMES = [
    'a"b',
    "<b>&amp;",
    "\\",
    "\\N\\G\\n",
    "a\nb\r\t",
    "|{x}",
    "]]>-->",
    "\x00\x1b\x85\u2028",
    "é 日本 🙂",
]


def unprinted(text: str) -> str:
    """Return text with Python's escapes for what can't be printed."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@given(st.text(min_size=1), st.text(min_size=1))
@example('"', "\\")
@example("\\\\", "<!--")
def test_any_name(name: str, of_model: str) -> None:
    inner = Sequential([Input((2,)), layers.Dense(2, name=name)], name=of_model)
    graph = drawn(Sequential([inner, layers.ReLU(name="end")]), expand_nested=True)
    expected = f"{unprinted(name)} (Dense)"
    assert graph.frames == {f"{unprinted(of_model)} (Sequential)": [expected]}
    assert graph.named_edges == {(expected, "end (ReLU)")}
    cluster = drawn(inner, subgraph=True)
    assert list(cluster.labels.values()) == [expected]


def test_clusters_of_several_models_in_one_graph() -> None:
    models = [tower(), pair(), Sequential([layers.Dense(1)], name='a"\\')]
    text = "\n".join(model_to_dot(model, subgraph=True, expand_nested=True) for model in models)
    graph = parse(f"digraph {{ {text} }}")
    assert len(graph.labels) == 3 + 10 + 1
    assert len(graph.edges) == 2 + 11
    assert {"tower (Sequential)", "pair (Functional)", 'a"\\ (Sequential)'} <= graph.frames.keys()


def test_options_of_the_whole_graph() -> None:
    text = model_to_dot(tower(), rankdir="LR", dpi=72.5, splines="curved")
    assert "graph [rankdir=LR, splines=curved, dpi=72.5," in text
    assert "graph [rankdir=TB, splines=ortho, dpi=200," in model_to_dot(tower())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rankdir": "up"}, ValueError, "rankdir: expected one of TB, BT, LR, RL, got 'up'"),
        ({"rankdir": 1}, TypeError, "rankdir: expected text, got 1"),
        (
            {"splines": "]"},
            ValueError,
            "splines: expected one of ortho, curved, polyline, spline, line",
        ),
        ({"dpi": 0}, ValueError, "dpi: "),
        ({"dpi": "big"}, TypeError, "dpi: "),
        ({"model": layers.Dense(1)}, TypeError, "model_to_dot: expected a model, got <"),
    ],
)
def test_invalid_arguments(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        model_to_dot(**({"model": tower()} | options))


@pytest.mark.parametrize("suffix", [".dot", ".gv", ".DOT"])
def test_text_files_need_no_graphviz(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / f"model{suffix}"
    model = Sequential([layers.Dense(1, name="日本")])
    assert plot_model(model, path, show_shapes=True) is None
    expected = model_to_dot(model, show_shapes=True, show_layer_names=False)
    assert path.read_text(encoding="utf-8") == expected


def test_without_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImportError, match=r"a \.png file needs Graphviz's program dot.*model\.dot"):
        plot_model(tower(), tmp_path / "model.png")
    assert list(tmp_path.iterdir()) == []


def install_dot(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program in the place of Graphviz's."""
    program = folder / "bin" / "dot"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "png"), ("a.svg", "svg"), ("a.PDF", "pdf"), ("plain", "png")]
)
def test_pictures(name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_dot(
        tmp_path, monkeypatch, "print(*sys.argv[1:], flush=True); print(sys.stdin.buffer.read())"
    )
    model = Sequential([layers.Dense(1, name="日本")])
    options: dict[str, Any] = {
        **dict.fromkeys(("show_shapes", "show_dtype", "show_layer_names", "expand_nested"), True),
        **dict.fromkeys(("show_layer_activations", "show_trainable"), True),
        "rankdir": "LR",
        "dpi": 100,
        "splines": "line",
    }
    assert plot_model(model, str(tmp_path / name), **options) is None
    arguments, text = (tmp_path / name).read_text().splitlines()
    assert arguments == f"-T{kind}"
    assert text == repr(model_to_dot(model, **options).encode())


def test_errors_of_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_dot(tmp_path, monkeypatch, "sys.exit('no such format')")
    with pytest.raises(ValueError, match=r"^plot_model: dot: no such format$"):
        plot_model(tower(), tmp_path / "model.odd")
    assert not (tmp_path / "model.odd").exists()


@pytest.mark.parametrize("path", [3, b"model.png", None])
def test_the_file_is_a_path(path: Any) -> None:
    with pytest.raises(TypeError, match="plot_model: to_file: expected text or a path"):
        plot_model(tower(), path)


@pytest.mark.parametrize(("kind", "shown"), [("png", "Image"), ("svg", "SVG"), ("pdf", None)])
def test_notebooks_show_the_picture(
    kind: str, shown: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_dot(tmp_path, monkeypatch, "print('picture')")
    ipython: Any = ModuleType("IPython")
    ipython.display = ModuleType("IPython.display")
    ipython.display.Image = lambda content: ("Image", content)
    ipython.display.SVG = lambda content: ("SVG", content)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    result = plot_model(tower(), tmp_path / f"model.{kind}")
    assert result == (None if shown is None else (shown, b"picture\n"))


@pytest.mark.ci
@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
@pytest.mark.parametrize(
    "options", [{}, {"expand_nested": True, "show_shapes": True, "splines": "line"}]
)
def test_graphviz_draws_the_texts(options: dict[str, Any], tmp_path: Path) -> None:
    hostile = Sequential(
        [Input((2,)), *[layers.Dense(2, name=name) for name in NAMES]], name="".join(NAMES)
    )
    models = [residual(), pair(), Sequential([hostile, layers.Dense(1)]), Sequential()]
    for model in models:
        plot_model(model, tmp_path / "model.svg", show_layer_names=True, **options)
        svg = ET.parse(tmp_path / "model.svg")
        texts = ["".join(each.itertext()) for each in svg.iter() if each.tag.endswith("text")]
        text = re.sub(r"[|\s]", "", "".join(texts))  # divided by cells and fonts
        graph = drawn(model, **options)
        for label in [*graph.labels.values(), *graph.frames]:
            assert re.sub(r"[|\s]", "", label) in text
        assert sum(each.get("class") == "edge" for each in svg.iter()) == len(graph.edges)
    text = model_to_dot(hostile, subgraph=True) + model_to_dot(pair(), subgraph=True)
    result = subprocess.run(
        ["dot", "-Tpng"], input=f"digraph {{{text}}}".encode(), capture_output=True, check=True
    )
    assert result.stdout.startswith(b"\x89PNG")
    assert result.stderr == b""
    plot_model(pair(), tmp_path / "model.png", **options)
    assert (tmp_path / "model.png").read_bytes().startswith(b"\x89PNG")
