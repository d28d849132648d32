"""Graphs and data that don't fit: errors that name the layers, and no weight has changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.graphs import GRAPHS, Graph, Scale, SquaredStep, make_graph

import cnet
from cnet import Input, Model, Sequential, autodiff, layers

X5, X3 = Input((5,), name="five"), Input((3,), name="three")
SAME = Input((5,), name="same")
IDS, STEPS = Input((3,), name="ids", dtype="int32"), Input((4, 3), name="steps")
TEXT = Input((1,), name="text", dtype="string")
HIDDEN = layers.Dense(4, name="hidden")(X5)
DOUBLE = layers.Dense(4, dtype="float64", name="double")
NESTED_DOUBLE = Sequential([Input((5,)), layers.Dense(4, dtype="float64", name="n")], name="nest")


def embedding() -> layers.Embedding:
    return layers.Embedding(4, 2, name="table")


def pair(*names: str) -> Any:
    """Return a model of the difference of two inputs."""
    x, y = (Input((6,), name=name) for name in names)
    return Model({"u": x, "v": y}, layers.Subtract()([x, y]), name="pair")


def changed_after_its_call(change: Callable[[Sequential], None]) -> Any:
    """Return a model whose nested model has changed since."""
    inner = Sequential([Input((5,)), layers.Dense(5), layers.Dense(4)], name="inner")
    outer = Model(X5, layers.Dense(2)(inner(X5)), name="outer")
    change(inner)
    return outer.predict(np.ones((2, 5)), verbose=0)


def cycle() -> None:
    """Put a model into itself by way of another: calls record results, so that nothing else makes a cycle."""
    inner = Sequential([Input((5,)), layers.Dense(5)], name="inner")
    inner.add(Model(X5, inner(X5), name="outer"))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Model(X5, X3), ValueError, "the outputs depend on 'three'"),
        (lambda: Model(X5, layers.Dense(2)(X3)), ValueError, "not among the inputs, 'five'"),
        (
            lambda: Model(HIDDEN, layers.Concatenate()([HIDDEN, X5])),
            ValueError,
            "the outputs depend on 'five', an Input of shape (batch, 5), which is not among the inputs, 'hidden'",
        ),
        (lambda: Model(X5, 3), TypeError, "outputs: expected symbolic tensors"),
        (lambda: Model(X5), TypeError, "outputs: expected symbolic tensors"),
        (lambda: Model(X5, []), ValueError, "outputs: expected at least one"),
        (lambda: Model([], layers.Dense(2)(X5)), ValueError, "inputs: expected at least one"),
        (lambda: Model([X5, X5], X5), ValueError, "'five' occurs twice"),
        (lambda: Model({"a": X5, "b": X5}, X5), ValueError, "'five' occurs twice"),
        (
            lambda: Model([SAME, Input((5,), name="same")], layers.Dense(2)(SAME)),
            ValueError,
            "two layers named 'same'",
        ),
        (
            lambda: Model(X5, layers.Dense(2, name="d")(layers.Dense(2, name="d")(X5))),
            ValueError,
            "two layers named 'd'",
        ),
        (
            lambda: Model(X5, DOUBLE(HIDDEN)),
            ValueError,
            "expected layers of one dtype, got float32 ('hidden') and float64 ('double')",
        ),
        (
            lambda: Model(X5, layers.Dense(2, name="top")(NESTED_DOUBLE(X5))),
            ValueError,
            "expected layers of one dtype, got float64 ('n') and float32 ('top')",
        ),
        (cycle, ValueError, "the model 'inner' can't be a layer of itself"),
        (
            lambda: changed_after_its_call(lambda inner: inner.add(layers.Dense(3))),
            ValueError,
            "have changed since it was called: its output had shape (batch, 4), now (batch, 3)",
        ),
        (
            lambda: changed_after_its_call(lambda inner: inner.pop()),
            ValueError,
            "'outer': the layers of 'inner' have changed",
        ),
        (lambda: layers.Add(name="s")([X5, X3]), ValueError, "Add 's': expected inputs whose"),
        (lambda: layers.Add()([X5, np.ones((2, 5))]), TypeError, "or symbolic tensors, not both"),
        (
            lambda: layers.Concatenate(name="s")([X5, STEPS]),
            ValueError,
            "Concatenate 's': expected inputs whose shapes agree except for axis -1, got (batch, 5) and (batch, 4, 3)",
        ),
        (
            lambda: [layer(x) for layer in [layers.Dense(2, name="d")] for x in (X5, X3)],
            ValueError,
            "Dense 'd': expected input of shape (batch, 5), got (batch, 3)",
        ),
        (
            lambda: Model(X5, embedding()(HIDDEN)),
            ValueError,
            "'table': expected ids, from an Input or from a layer of categories, got the numbers of Dense 'hidden'",
        ),
        (
            lambda: layers.Dense(2, name="d")(TEXT),
            TypeError,
            "Dense 'd': expected numbers, got the text of 'text'",
        ),
        (lambda: embedding()(TEXT), TypeError, "'table': expected numbers, got the text of 'text'"),
        (lambda: TEXT * 2.0, TypeError, "multiply: expected numbers, got the text of 'text'"),
        (
            lambda: layers.Dense(2)(
                layers.StringLookup(vocabulary=["a"], invert=True, name="look")(IDS)
            ),
            TypeError,
            "expected numbers, got the text of 'look'",
        ),
        (lambda: pair("b", "a")(TEXT), TypeError, "'pair': expected numbers, got the text of"),
        (
            lambda: pair("b", "a")({"u": Input((6,)), "w": Input((6,))}),
            ValueError,
            "Functional 'pair': expected the keys 'b', 'a', got 'u', 'w' without",
        ),
        (
            lambda: make_graph("siamese", 4).model(X5),
            ValueError,
            "Functional 'siamese': expected inputs of shape (batch, 6), (batch, 6), got (batch, 5)",
        ),
        (lambda: np.sin(X5), TypeError, None),
        (lambda: np.asarray(X5), TypeError, "symbolic tensor, which has no numbers"),
        (lambda: bool(X5), TypeError, "no numbers to decide by"),
        (lambda: len(X5), TypeError, "the size of its batch is not known"),
        (lambda: list(X5), TypeError, "can't be iterated over"),
    ],
)
def test_graphs_that_cannot_be(
    call: Callable[[], Any], error: type[Exception], message: str | None
) -> None:
    with pytest.raises(error, match=None if message is None else re.escape(message)):
        call()


def test_inputs_of_a_nested_model_by_name() -> None:
    """As arrays are, in whichever order the names are sorted."""
    ones, zeros = np.ones((2, 6), np.float32), np.zeros((2, 6), np.float32)
    x, y = Input((6,), name="b"), Input((6,), name="a")
    p, q = Input((6,)), Input((6,))
    for inner in (pair("b", "a"), Model([x, y], layers.Subtract()([x, y]))):
        expected = inner({"b": ones, "a": zeros})
        outer = Model([p, q], inner({"b": p, "a": q}))
        np.testing.assert_array_equal(outer([ones, zeros]), expected)
        assert expected[0, 0] == 1


def test_text_that_nothing_reads() -> None:
    model = Model([TEXT, X5], layers.Dense(2)(X5))
    words, x = np.array([["a"], ["b"]]), np.ones((2, 5), np.float32)
    model.compile("sgd", "mse")
    model.fit([words, x], np.ones((2, 2)), verbose=0)
    np.testing.assert_array_equal(model.predict([words, x], verbose=0), model([words, x]))


# -- Data ------------------------------------------------------------------------------------------


def with_ids(cls: type[Any], *between: layers.Layer) -> Graph:
    """Return a model of 40 samples of three ids, of the given class and with the given layers."""
    cnet.utils.set_random_seed(0)
    h = layers.Embedding(20, 2, name="table")(IDS)
    for layer in (layers.Flatten(), *between):
        h = layer(h)
    model = cls({"ids": IDS}, layers.Dense(1)(h), name="net")
    model.compile("adam", "mse")
    return Graph(model, np.arange(120).reshape(40, 3) % 20, np.ones((40, 1), np.float32))


# Computed by the engine, by the engine and in Python, by a step of one's own.
WITH_IDS: dict[str, Callable[[], Graph]] = {
    "engine": lambda: with_ids(Model),
    "layer": lambda: with_ids(Model, Scale()),
    "step": lambda: with_ids(SquaredStep),
}
CALLS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "fit": lambda model, x, y: model.fit(x, y, batch_size=8, shuffle=False, verbose=0),
    "evaluate": lambda model, x, y: model.evaluate(x, y, batch_size=8, verbose=0),
    "predict": lambda model, x, _: model.predict(x, batch_size=8, verbose=0),
    "train_on_batch": lambda model, x, y: model.train_on_batch(x, y),
    "test_on_batch": lambda model, x, y: model.test_on_batch(x, y),
    "predict_on_batch": lambda model, x, _: model.predict_on_batch(x),
    "call": lambda model, x, _: model(x),
    "training": lambda model, x, _: model(x, training=True),
}


def bits(model: Any) -> list[bytes]:
    return [array.tobytes() for array in model.get_weights()]


def refuse(model: Any, call: str, x: Any, y: Any, error: type[Exception], message: str) -> None:
    """Check the error of a call, and that it changes nothing."""
    before = bits(model), model.optimizer.iterations
    with pytest.raises(error, match=message):
        CALLS[call](model, x, y)
    assert (bits(model), model.optimizer.iterations) == before


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", WITH_IDS)
def test_ids_that_name_no_row(kind: str, call: str) -> None:
    """The error names the table, the row, the column and the bound; a batch before has changed no weight."""
    model, ids, y = WITH_IDS[kind]()
    for wrong, dtype in (
        *((20, int), (-1, int), (2**62, int), (2**63, np.uint64), (20, np.int8), (-1.0, float)),
    ):
        x = ids.astype(dtype)
        x[38, 1] = wrong
        message = rf"ids of 'table': {int(wrong)}(\.0)? at row 38, column 1 is outside \[0, 20\)"
        refuse(model, call, {"ids": x}, y, ValueError, message)
    for fraction in (0.5, np.nan, np.inf, 1e300):
        x = ids.astype(float)
        x[38, 1] = fraction
        message = rf"{re.escape(str(fraction))} at row 38, column 1 is not an id"
        refuse(model, call, {"ids": x}, y, ValueError, message)
    refuse(model, call, {"ids": ids.astype(str)}, y, TypeError, r"ids'\]: expected numbers")
    refuse(model, call, {"ids": ids + 1j}, y, TypeError, r"ids'\]: expected numbers")
    for x in (ids % 2 == 0, (ids % 2 == 0).astype(np.float16)):
        CALLS[call](model, {"ids": x}, y)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["wide_and_deep", "siamese", "categories"])
def test_inputs_that_do_not_fit(name: str, call: str) -> None:
    model, x, y = make_graph(name, 8)
    names = model.input_names
    arrays = [x[each] for each in names] if isinstance(x, dict) else x
    by_name = dict(zip(names, arrays, strict=True))
    last = names[-1]
    listed = rf"'{names[0]}'"
    refuse(model, call, arrays[0], y, TypeError, f"expected a list of 2 arrays, .*{listed}")
    refuse(model, call, None, y, TypeError, f"expected a list of 2 arrays, .*{listed}")
    refuse(model, call, arrays[:1], y, ValueError, f"expected 2 arrays, for {listed}.*, got 1")
    refuse(model, call, [*arrays, arrays[0]], y, ValueError, "expected 2 arrays, .*, got 3")
    refuse(model, call, {names[0]: arrays[0]}, y, ValueError, f"without '{last}'")
    for wrong, error, message in (
        (arrays[1][:5], ValueError, rf"as many samples in each input, got .*'{last}' 5"),
        (
            arrays[1][:, :2],
            ValueError,
            rf"\['{last}'\]: expected shape \(batch, \d\), got \(8, 2\)",
        ),
        (arrays[1][..., None], ValueError, rf"\['{last}'\]: expected shape"),
        (None, TypeError, rf"\['{last}'\]: expected"),
        ({"a": arrays[1]}, TypeError, rf"\['{last}'\]: expected"),
    ):
        refuse(model, call, by_name | {last: wrong}, y, error, message)


@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_labels_that_do_not_fit(call: str) -> None:
    model, x, y = make_graph("two_heads", 8)
    kind, size = y["kind"], y["size"]
    for wrong, error, message in (
        ([kind], ValueError, "y: expected 2 arrays, for 'kind', 'size', got 1"),
        (kind, TypeError, "y: expected a list of 2 arrays, or a dict of 'kind', 'size'"),
        ({"kind": kind}, ValueError, "without 'size'"),
        ({"kind": kind, "size": size[:5]}, ValueError, r"y\['size'\] has 5"),
        ({"kind": kind + 9, "size": size}, ValueError, r"at row 0 is outside \[0, 4\)"),
        ({"kind": kind, "size": size.repeat(2, 1)}, ValueError, r"y\['size'\]: expected numbers"),
    ):
        refuse(model, call, x, wrong, error, message)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"loss": ["mse"]}, ValueError, "one for each of 2 outputs"),
        ({"loss": {"other": "mse"}}, ValueError, "got 'other'"),
        ({"loss": "mse", "metrics": "mae"}, TypeError, "a list or a dict"),
        ({"loss": "mse", "loss_weights": [1.0]}, ValueError, "one for each of 2 outputs"),
        ({"loss": "mse", "loss_weights": {"other": 1.0}}, ValueError, "got 'other'"),
    ],
)
def test_arguments_of_compile(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_graph("two_heads", 4).model.compile("sgd", **arguments)


# A step of one's own decides itself what it does.
@pytest.mark.parametrize("name", [name for name in GRAPHS if name != "own_step"])
def test_a_loss_that_is_not_finite(name: str) -> None:
    """No weight changes by the batch whose loss is not finite."""
    model, x, y = make_graph(name, 24)
    numbers = x["numbers"] if isinstance(x, dict) else x[0] if isinstance(x, list) else x
    labels = y["size"] if isinstance(y, dict) else y
    if labels.dtype.kind == "f":
        labels[20] = np.nan
    elif numbers.dtype.kind == "f":
        numbers[20] = np.nan
    else:  # neither labels nor samples are numbers
        model.get_layer("table").embeddings = np.full((20, 5), np.nan)
    before = bits(model)
    with pytest.raises(FloatingPointError):
        model.fit(x, y, batch_size=24, verbose=0)
    assert bits(model) == before


def test_a_tape_refuses_ids_as_well() -> None:
    model, ids, _ = WITH_IDS["layer"]()
    before = bits(model)
    with autodiff.GradientTape() as tape:
        with pytest.raises(ValueError, match=r"ids of 'table': 24 at row 0, column 1 is outside"):
            model(np.where(ids == 1, 24, ids))
        assert tape.records == []
    assert bits(model) == before
