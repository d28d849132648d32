"""Numbers, counts, texts, shapes and weights as arguments: conversions and errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cnet import _data

INTEGERS = [3, -1, np.uint64(2**64 - 1), np.int8(3)]
NOT_INTEGERS = [True, np.True_, 3.0, np.float32(3), "3", None, [3], np.timedelta64(3, "ns")]


@pytest.mark.parametrize("value", INTEGERS + NOT_INTEGERS)
def test_integers(value: Any) -> None:
    assert _data.is_integer(value) == any(value is each for each in INTEGERS)


class FailingFloat:
    """Has `__float__`, which raises."""

    def __float__(self) -> float:
        raise ValueError("not at all")


class Index:
    def __index__(self) -> int:
        return 3


@pytest.mark.parametrize(
    ("value", "limits", "number"),
    [
        (3, {}, 3.0),
        (True, {}, 1.0),
        (np.float32(0.5), {}, 0.5),
        (np.array(0.5), {}, 0.5),
        (Index(), {}, 3.0),
        (-0.0, {"least": 0}, 0.0),
        (1, {"least": 1, "most": 1}, 1.0),
        (5e-324, {"above": 0}, 5e-324),
        (-math.inf, {"infinite": True}, -math.inf),
        (10**400, {"infinite": True}, math.inf),
        (math.inf, {"least": 0, "infinite": True}, math.inf),
    ],
)
def test_numbers(value: Any, limits: dict[str, Any], number: float) -> None:
    found = _data.as_number("call: x", value, **limits)
    assert (type(found), found) == (float, number)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "3",
            None,
            1j,
            [3],
            FailingFloat(),
            np.ones(1),
            np.ma.array(3),
            np.array("3"),
            np.array(1j),
        ),
        *(np.datetime64("2020"), np.array(None), b"3"),
    ],
)
def test_objects_that_are_not_numbers(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^call: x: expected a number, got "):
        _data.as_number("call: x", value)


@pytest.mark.parametrize(
    ("value", "limits", "expected"),
    [
        (math.nan, {}, "a number"),
        (math.nan, {"infinite": True}, "a number"),
        (math.inf, {}, "a finite number"),
        (-math.inf, {}, "a finite number"),
        (10**400, {}, "a finite number"),
        (math.inf, {"least": 0}, "a number of at least 0"),
        (-1, {"least": 0}, "a number of at least 0"),
        (0, {"above": 0}, "a number above 0"),
        (-1, {"least": 0, "above": 0}, "a number above 0"),
        (1.5, {"least": 0, "most": 1}, r"a number in \[0, 1\]"),
        (-0.5, {"least": 0, "most": 1}, r"a number in \[0, 1\]"),
        (1.5, {"most": 1}, r"a number in \[-inf, 1\]"),
        (-math.inf, {"least": 0, "infinite": True}, "a number of at least 0"),
    ],
)
def test_numbers_out_of_range(value: Any, limits: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=rf"^call: x: expected {expected}, got "):
        _data.as_number("call: x", value, **limits)


def test_lists_of_numbers() -> None:
    for values in ([1, 0.5], np.array([1, 0.5], np.float16), (1, 0.5)):
        assert _data.as_numbers("call: x", values, least=0, most=1) == [1.0, 0.5]
    for wrong in (3, [[1.0]]):
        with pytest.raises(TypeError, match=r"^call: x: expected a list of numbers, got "):
            _data.as_numbers("call: x", wrong)
    with pytest.raises(ValueError, match=r"expected a number in \[0, 1\], got 2.0"):
        _data.as_numbers("call: x", [1, 2], least=0, most=1)


def test_counts() -> None:
    assert _data.as_count("call: n", np.int8(0)) == 0
    assert _data.as_count("call: n", 2**63 - 1) == 2**63 - 1
    assert _data.as_count("call: n", 2, least=2) == 2
    for wrong in (True, 1.0, "1", None):
        with pytest.raises(TypeError, match=r"^call: n: expected an integer, got "):
            _data.as_count("call: n", wrong)
    for least, value in ((0, -1), (2, 1), (0, 2**63), (0, np.uint64(2**63))):
        with pytest.raises(
            ValueError, match=rf"n: expected an integer in \[{least}, 2\*\*63\), got "
        ):
            _data.as_count("call: n", value, least=least)


def test_texts() -> None:
    assert _data.as_text("call: name", "ü🙂") == "ü🙂"
    assert type(_data.as_text("call: name", np.str_("a"))) is str
    with pytest.raises(TypeError, match=r"^call: name: expected text, got b'a'"):
        _data.as_text("call: name", b"a")
    with pytest.raises(ValueError, match=r"^call: name: expected text, got half surrogates: "):
        _data.as_text("call: name", "\ud800")


def test_shapes() -> None:
    assert _data.as_shape("call: shape", [np.int8(2), 0]) == (2, 0)
    assert _data.as_shape("call: shape", ()) == _data.as_shape("call: shape", (), least=1) == ()
    assert _data.as_shape("call: shape", (2**62,)) == (2**62,)
    for wrong in (3, "34", np.ones(2, int), (True,), (1.0,), (None, 2), {3}):
        with pytest.raises(
            TypeError, match=r"^call: shape: expected a shape \(a tuple of integers\)"
        ):
            _data.as_shape("call: shape", wrong)
    for least, sizes in ((0, "sizes of at least 0"), (1, "positive sizes")):
        with pytest.raises(ValueError, match=f"shape: expected a shape of {sizes}, got "):
            _data.as_shape("call: shape", (3, least - 1), least=least)
    for large in ((2**63,), (2**32, 2**31)):
        with pytest.raises(ValueError, match=r"shape: expected less than 2\*\*63 numbers, got "):
            _data.as_shape("call: shape", large)


def test_weights_of_samples_and_classes() -> None:
    for given in ([1, 2], [[1], [2]]):
        assert_array_equal(_data.as_weights(given, "call: w", 2, "float32"), np.float32([1, 2]))
    for wrong in ([1, 2, 3], 1, [[1, 2]]):
        with pytest.raises(ValueError, match=r"^call: w: expected shape \(2,\), got "):
            _data.as_weights(wrong, "call: w", 2, "float32")
    for wrong in (math.nan, math.inf, 1e39):
        with pytest.raises(ValueError, match=r"^call: w: .* at row 1 is not a finite float32"):
            _data.as_weights([1.0, wrong], "call: w", 2, "float32")
    ids = np.array([2, 0, 1, 2])

    def by_class(weights: Any, classes: int | None = 3) -> Any:
        return _data.as_class_weights(weights, "call: c", ids, classes, "float32")

    assert_array_equal(by_class({0: 0.5, 2: 3}), np.float32([3, 0.5, 1, 3]))
    assert_array_equal(by_class({7: 0.5, -1: 3}, None), np.ones(4, np.float32))
    assert_array_equal(by_class({}), np.ones(4, np.float32))
    with pytest.raises(TypeError, match=r"^call: c: expected a dict of class to weight, got list"):
        by_class([1, 2, 3])
    for key in (1.0, True, np.float32(1), np.int8(1)):
        np.testing.assert_array_equal(by_class({key: 3}), by_class({1: 3}))
    for key in (0.5, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"^call: c: expected classes as whole numbers, got "):
            by_class({key: 1})
    for key in ("1", None, (1,), 1j):
        with pytest.raises(TypeError, match=r"^call: c: expected classes as integers, got "):
            by_class({key: 1})
    for key in (-1, 3):
        with pytest.raises(ValueError, match=rf"^call: c: class {key} is outside \[0, 3\)"):
            by_class({key: 1})
    for weight in (math.inf, 1e39):
        with pytest.raises(ValueError, match=r"^call: c\[1\]: .* is not a finite float32"):
            by_class({1: weight})
    with pytest.raises(TypeError, match=r"^call: c\[1\]: expected a number, got "):
        by_class({1: "heavy"})


def test_refusal_of_unsupported_arguments() -> None:
    assert _data.require_default("call", "x", None) is None
    assert _data.require_default("call", "x", False) is None
    assert _data.require_default("call", "x", 1, 1) == 1
    for value, default in (
        (True, None),
        (0, None),
        ("", None),
        (1.0, 1),
        (2, 1),
        (np.ones(2), None),
    ):
        with pytest.raises(ValueError, match=r"^call: x is not supported, got "):
            _data.require_default("call", "x", value, default)
