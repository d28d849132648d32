"""The table of `summary`."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

from cnet import Input, Model, Sequential, layers

SUMMARY = """\
Model: "net"
┌────────────────────────┬──────────────┬─────────┐
│ Layer (type)           │ Output Shape │ Param # │
├────────────────────────┼──────────────┼─────────┤
│ flat (Flatten)         │ (None, 784)  │       0 │
│ hidden (Dense)         │ (None, 512)  │ 401,920 │
│ classes_of_ten (Dense) │ (None, 10)   │   5,130 │
└────────────────────────┴──────────────┴─────────┘
Total params: 407,050 (1.553 MiB)
Trainable params: 5,130 (20.04 KiB)
Non-trainable params: 401,920 (1.533 MiB)
"""


def summary_model(*head: layers.Layer) -> Sequential:
    stack = [
        layers.Flatten(name="flat"),
        layers.Dense(512, "relu", trainable=False, name="hidden"),
        layers.Dense(10, name="classes_of_ten"),
    ]
    return Sequential([*head, *stack], name="net")


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    summary_model(layers.Input((28, 28))).summary()
    assert capsys.readouterr().out == SUMMARY


def test_summary_before_the_model_is_built() -> None:
    lines: list[str] = []
    summary_model().summary(print_fn=lines.append)
    assert [line.split("│")[2:4] for line in lines[4:7]] == [[" ?            ", " not built "]] * 3
    assert lines[-3:] == [
        *("Total params: 0 (0 B)", "Trainable params: 0 (0 B)"),
        "Non-trainable params: 0 (0 B)",
    ]


def test_summary_of_float64() -> None:
    lines: list[str] = []
    Sequential([layers.Input((4,)), layers.Dense(3, dtype="float64")]).summary(
        print_fn=lines.append
    )
    assert lines[-3] == "Total params: 15 (120 B)"


def test_summary_on_an_output_of_another_encoding() -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with redirect_stdout(output):
        summary_model(layers.Input((28, 28))).summary()
    output.seek(0)
    assert output.read() == SUMMARY.translate(str.maketrans("┌┬┐├┼┤└┴┘─│", "+++++++++-|"))


NESTED = """\
Model: "net"
┌───────────────────────────────┬──────────────┬─────────┬───────────┐
│ Layer (type)                  │ Output Shape │ Param # │ Trainable │
├───────────────────────────────┼──────────────┼─────────┼───────────┤
│ body (Sequential)             │ (None, 8)    │      72 │ yes       │
│   hidden (Dense)              │ (None, 8)    │      40 │ no        │
│   normal (BatchNormalization) │ (None, 8)    │      32 │ yes       │
│ drop (Dropout)                │ (None, 8)    │       0 │           │
└───────────────────────────────┴──────────────┴─────────┴───────────┘
Total params: 72 (288 B)
Trainable params: 16 (64 B)
Non-trainable params: 56 (224 B)
"""


def test_nested_models_and_trainable_weights(capsys: pytest.CaptureFixture[str]) -> None:
    stack = [
        layers.Dense(8, trainable=False, name="hidden"),
        layers.BatchNormalization(name="normal"),
    ]
    body = Sequential(stack, name="body")
    model = Sequential([layers.Input((4,)), body, layers.Dropout(0.5, name="drop")], name="net")
    model.summary(expand_nested=True, show_trainable=True)
    assert capsys.readouterr().out == NESTED
    model.summary()
    assert "hidden" not in capsys.readouterr().out


@pytest.mark.parametrize(("least", "width"), [(0, 51), (51, 51), (80, 80)])
def test_line_length(least: int, width: int) -> None:
    lines: list[str] = []
    summary_model(layers.Input((28, 28))).summary(least, print_fn=lines.append)
    assert {len(line) for line in lines[1:7]} == {width}


@pytest.mark.parametrize("option", ["positions", "layer_range"])
def test_unsupported_options_are_named(option: str) -> None:
    options: dict[str, Any] = {option: 80}
    with pytest.raises(ValueError, match=f"^summary: {option} is not supported, got 80"):
        Sequential([layers.Dense(3)]).summary(**options)


def connected_to(model: Any) -> dict[str, str] | None:
    """Return the cells of the column "Connected to" by layers, None if there is no such column."""
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line[0] == "│"]
    if len(rows[0]) < 4:
        return None
    assert rows[0][3] == "Connected to"
    return {row[0].split()[0]: row[3] for row in rows[1:]}


def test_a_chain_needs_no_connections() -> None:
    x = Input((4,), name="x")
    again = layers.Dense(4)
    assert connected_to(Model(x, again(layers.ReLU()(again(x))))) is None
    assert connected_to(Sequential([Input((4,)), again, layers.ReLU(), again])) is None


def test_connections_of_branches() -> None:
    x = Input((4,), name="x")
    h = layers.Dense(4, name="h")(x)
    end = layers.Concatenate(name="end")([layers.ReLU(name="a")(h), layers.ELU(name="b")(h)])
    expected = {"x": "-", "h": "x[0][0]", "a": "h[0][0]", "b": "h[0][0]", "end": "a[0][0], b[0][0]"}
    assert connected_to(Model(x, end)) == expected
    # Each result is read once, both of them by one call.
    two = Model(x, [layers.Dense(4)(x), layers.Dense(4)(x)], name="two")
    y = Input((4,), name="y")
    model = Model(y, layers.Add(name="sum")(two(y)))
    assert connected_to(model) == {"y": "-", "two": "y[0][0]", "sum": "two[0][0], two[0][1]"}
    # A result is read twice, once by each call.
    model = Model(y, layers.Add(name="sum")([again := layers.ReLU(name="a")(y), again]))
    assert connected_to(model) == {"y": "-", "a": "y[0][0]", "sum": "a[0][0], a[0][0]"}


def test_connections_name_the_call_and_the_result() -> None:
    left, right = Input((4,), name="left"), Input((4,), name="right")
    shared = layers.Dense(4, name="shared")
    model = Model([left, right], layers.Subtract(name="end")([shared(right), shared(left)]))
    assert connected_to(model) == {
        "left": "-",
        "right": "-",
        "shared": "right[0][0], left[0][0]",
        "end": "shared[0][0], shared[1][0]",
    }
    # A model that begins at the second result of a nested one.
    x = Input((4,), name="x")
    two = Model(x, [layers.Dense(4)(x), layers.Dense(4)(x)], name="two")
    middle = two(left)
    model = Model([middle[1], right], layers.Add(name="sum")([middle[1], right]))
    assert connected_to(model) == {"right": "-", "sum": "two[0][1], right[0][0]"}


class Wide(Model):
    """Two inputs, two outputs, two layers."""

    def __init__(self) -> None:
        super().__init__(name="wide")
        self.hidden, self.out = layers.Dense(3, name="hidden"), layers.Dense(1, name="out")

    def call(self, inputs: Any) -> Any:
        x, shortcut = inputs
        return self.out(self.hidden(x)), self.out(self.hidden(shortcut))


def test_summary_of_a_call_with_several_inputs() -> None:
    lines: list[str] = []
    model = Wide()
    model.summary(print_fn=lines.append)  # before it is built
    assert [line.split("│")[1:4] for line in lines[4:6]] == [
        *(
            [" hidden (Dense) ", " ?            ", " not built "],
            [" out (Dense)    ", " ?            ", " not built "],
        )
    ]
    lines.clear()
    model([np.zeros((1, 2)), np.zeros((1, 2))])
    model.summary(print_fn=lines.append)
    assert lines[2].split("│")[1:-1] == [" Layer (type)   ", " Output Shape ", " Param # "]
    assert [line.split("│")[2:4] for line in lines[4:6]] == [
        [" (None, 3)    ", "       9 "],
        [" (None, 1)    ", "       4 "],
    ]
