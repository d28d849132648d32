"""The table of `summary`."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import pytest

from cnet import Sequential, layers

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
