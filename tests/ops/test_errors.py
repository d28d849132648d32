"""Errors of every operation: mismatched shapes, and values of the wrong type."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from support.op_arguments import (
    NAMES,
    OPTIONAL,
    PARAMETERS,
    SCALARS,
    TAKE_LABELS,
    UPDATED,
    UPDATES,
    Arguments,
    Array,
    arrays_of,
    call,
    draw,
)

from cnet import ops

# An op, mismatched shapes, and parts of the message that name both sides.
BAD_SHAPES: list[tuple[str, dict[str, tuple[int, ...]], tuple[str, ...]]] = [
    ("dense_forward", {"x": (17, 31), "kernel": (29, 13)}, ("31", "29")),
    ("dense_forward", {"x": (17, 1), "kernel": (31, 13)}, ("1", "31")),
    ("dense_forward", {"x": (17, 31), "kernel": (31, 13), "bias": (19,)}, ("13", "19")),
    ("dense_forward", {"x": (17, 31), "kernel": (31, 13), "bias": (1,)}, ("13", "1")),
    ("dense_forward", {"x": (17, 31), "kernel": (31, 13), "bias": (1, 13)}, ("13",)),
    ("dense_forward", {"x": (31,), "kernel": (31, 13)}, ("x", "31")),
    ("dense_forward", {"x": (3, 17, 31), "kernel": (31, 13)}, ("x", "17")),
    ("dense_forward", {"x": (17, 31), "kernel": (31,)}, ("kernel", "31")),
    ("dense_backward", {"grad": (11, 13), "x": (17, 31), "kernel": (31, 13)}, ("11", "17")),
    ("dense_backward", {"grad": (17, 19), "x": (17, 31), "kernel": (31, 13)}, ("19", "13")),
    ("dense_backward", {"grad": (17, 13), "x": (17, 29), "kernel": (31, 13)}, ("29", "31")),
    ("dense_backward", {"grad": (13,), "x": (17, 31), "kernel": (31, 13)}, ("grad", "13")),
    ("relu_backward", {"grad": (17, 13), "x": (17, 11)}, ("13", "11")),
    ("relu_backward", {"grad": (17, 13), "x": (13,)}, ("17", "13")),
    ("relu_backward", {"grad": (17, 13), "x": (221,)}, ("17", "221")),
    ("activation_backward", {"grad": (17, 13), "x": (17, 11), "y": (17, 13)}, ("13", "11")),
    ("activation_backward", {"grad": (17, 13), "x": (17, 13), "y": (17, 11)}, ("13", "11")),
    ("log_softmax_backward", {"grad": (17, 13), "log_probabilities": (17, 11)}, ("13", "11")),
    ("softmax", {"x": ()}, ("at least one dimension", "()")),
    ("log_softmax", {"x": ()}, ("at least one dimension", "()")),
    ("softmax_backward", {"grad": (17, 13), "probabilities": (17, 11)}, ("13", "11")),
    ("softmax_backward", {"grad": (1, 13), "probabilities": (17, 13)}, ("1", "17")),
    ("dropout_forward", {"x": (13,)}, ("x", "13")),
    ("dropout_backward", {"grad": (17, 11), "mask": (17, 13)}, ("grad", "13", "11")),
    ("dropout_backward", {"grad": (13,), "mask": (13,)}, ("mask", "13")),
    ("gaussian_noise", {"x": (2, 3, 13)}, ("x", "13")),
    ("sgd_update", {"param": (17, 13), "grad": (17, 11)}, ("13", "11")),
    ("sgd_update", {"param": (17, 13), "grad": (221,)}, ("17", "221")),
]
for updater in UPDATES:
    arrays = [key for key in PARAMETERS[updater] if key in (*UPDATED, "grad")]
    for odd in arrays[1:]:
        shapes = {key: (11,) if key == odd else (13,) for key in arrays}
        BAD_SHAPES.append((updater, shapes, (odd, "13", "11")))
for normalizer in [
    name for name in NAMES if name.endswith(("ization_forward", "ization_backward"))
] + ["standardize"]:
    arrays = [
        key
        for key in ("grad", "x", "mean", "variance", "gamma", "beta")
        if key in PARAMETERS[normalizer]
    ]
    good = {key: (17, 13) if key in ("grad", "x") else (13,) for key in arrays}
    BAD_SHAPES.append((normalizer, good | {"x": (13,)}, ("x", "13")))
    for odd in [key for key in arrays if key != "x"]:
        BAD_SHAPES += [
            (normalizer, good | {odd: (11,)}, (odd, "13", "11")),
            (normalizer, good | {odd: (13, 17)}, (odd, "13", "17")),
            (normalizer, good | {odd: ()}, (odd, "13")),
        ]
for taker in TAKE_LABELS:
    rows_name = "logits" if "logits" in PARAMETERS[taker] else "probabilities"
    BAD_SHAPES += [
        (taker, {rows_name: (13,), "labels": (17,)}, (rows_name, "13")),
        (taker, {rows_name: (17, 13), "labels": (11,)}, ("labels", "17", "11")),
        (taker, {rows_name: (17, 13), "labels": (1,)}, ("labels", "17", "1")),
        (taker, {rows_name: (17, 13), "labels": (17, 11)}, ("labels", "13", "11")),
        (taker, {rows_name: (17, 13), "labels": (17, 1)}, ("labels", "13", "1")),
        (taker, {rows_name: (17, 13), "labels": ()}, ("labels", "17")),
        (taker, {rows_name: (17, 13), "labels": (17, 13, 1)}, ("labels", "17")),
    ]


@pytest.mark.parametrize(("name", "shapes", "both_sides"), BAD_SHAPES)
def test_bad_shapes_are_refused(
    name: str, shapes: dict[str, tuple[int, ...]], both_sides: tuple[str, ...]
) -> None:
    arguments: Arguments = {
        key: np.zeros(shape, np.int64 if key == "labels" and len(shape) < 2 else np.float32)
        for key, shape in shapes.items()
    }
    arguments |= {key: SCALARS[key] for key in PARAMETERS[name] if key in SCALARS}
    with pytest.raises(ValueError, match=name) as caught:
        getattr(ops, name)(**arguments)
    for side in both_sides:
        assert side in str(caught.value)
    assert not any(np.any(arguments[key]) for key in UPDATED if key in arguments)


BAD_KINDS: dict[str, Callable[[Array], Any]] = {
    "str": lambda _: "text",
    "array of str": lambda a: np.full(a.shape, "1"),
    "array of bytes": lambda a: np.full(a.shape, b"1"),
    "complex": lambda a: a.astype(np.complex64),
    "objects": lambda a: a.astype(object),
    "dates": lambda a: np.zeros(a.shape, "datetime64[s]"),
    "None": lambda _: None,
}


@pytest.mark.parametrize("name", NAMES)
def test_wrong_types_are_refused(name: str) -> None:
    arguments = draw(name, 17, 13, 13, np.float32)
    for kind, key in product(BAD_KINDS, arrays_of(arguments)):
        if key in OPTIONAL and kind == "None":
            continue
        copies = {other: np.copy(arguments[other]) for other in arrays_of(arguments)}
        with pytest.raises(TypeError, match=name):
            getattr(ops, name)(**(arguments | copies | {key: BAD_KINDS[kind](arguments[key])}))
        for other, array in copies.items():
            np.testing.assert_array_equal(array, arguments[other])


@pytest.mark.parametrize(
    "key",
    ["scale", "offset", "learning_rate", "momentum", "epsilon", "rate", "stddev", "seed", "step"],
)
@pytest.mark.parametrize(
    "bad",
    [
        None,
        [1.0, 2.0],
        1j,
        "1",
        np.str_("1"),
        np.complex64(1),
        np.array(1j),
        np.array([1]),
        np.ma.masked,
        np.ma.array(1, mask=True),
    ],
    ids=repr,
)
def test_scalars_of_the_wrong_type_are_refused(key: str, bad: object) -> None:
    """Python's conversion would only warn about some, and return NaN or a part of the number."""
    for name in NAMES:
        if key in PARAMETERS[name]:
            arguments = draw(name, 3, 5, 5, np.float32)
            with pytest.raises(TypeError):
                call(ops, name, arguments | {key: bad})


@pytest.mark.parametrize(
    "bad",
    ["False", "", None, 0.0, math.nan, [0], object(), np.ma.masked, np.array(True), np.float32(1)],
)
def test_flags_other_than_bools_are_refused(bad: object) -> None:
    arguments = draw("sgd_momentum_update", 3, 5, 5, np.float32)
    with pytest.raises(TypeError, match="sgd_momentum_update: nesterov: expected a bool, got "):
        call(ops, "sgd_momentum_update", arguments | {"nesterov": bad})


@pytest.mark.parametrize("good", [True, 1, np.True_])
def test_bools_of_any_type_are_accepted(good: object) -> None:
    arguments = draw("sgd_momentum_update", 3, 5, 5, np.float32)
    expected, actual = (
        call(ops, "sgd_momentum_update", arguments | {"nesterov": flag}) for flag in (True, good)
    )
    for one, other in zip(expected, actual, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("value", [0.5, 1, True, np.float32(0.5), np.int8(1), np.array(0.5)])
def test_real_numbers_of_any_type_are_accepted(value: Any) -> None:
    param = np.ones(3, np.float32)
    ops.sgd_update(param, np.ones(3, np.float32), value)
    np.testing.assert_array_equal(param, 1 - np.float32(value))


@pytest.mark.parametrize("key", ["learning_rate", "beta_1", "epsilon", "step"])
@pytest.mark.parametrize("large", [10**400, Fraction(10**400)])
def test_numbers_too_large_for_a_float_are_refused(key: str, large: object) -> None:
    arguments = draw("adam_update", 3, 5, 5, np.float32)
    kind = TypeError if key == "step" and isinstance(large, Fraction) else ValueError
    before = np.copy(arguments["param"])
    with pytest.raises(kind, match=f"adam_update: {key}: "):
        call(ops, "adam_update", arguments | {key: large})
    np.testing.assert_array_equal(arguments["param"], before)
