"""Text and integers in any form that users have, and errors for anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from cnet import autodiff
from cnet.layers.tokens import as_integers, as_strings, as_tokens, ids_by, ids_of, is_text

WORDS = ["a", "bä", "", "a"]
COLUMNS = {"x": ["a", "b"], "y": ["c", "d"]}

TEXTS: list[Any] = [
    WORDS,
    tuple(WORDS),
    np.array(WORDS),
    np.array(WORDS, object),
    np.array(WORDS, np.dtypes.StringDType()),
    np.array([word.encode() for word in WORDS]),
    [word.encode() for word in WORDS],
    ["a", "bä".encode(), b"", "a"],
    [np.str_(word) for word in WORDS],
    list(np.array([word.encode() for word in WORDS])),
    pd.Series(WORDS),
    pd.Series(WORDS, dtype=object),
    pd.Series(WORDS, dtype="string[python]"),
    pd.Series(WORDS, dtype="string[pyarrow]"),
    pd.Series(WORDS, dtype="category"),
    pd.Categorical(WORDS),
    pd.Index(WORDS),
    pl.Series(WORDS),
    pl.Series(WORDS, dtype=pl.Categorical),
    pl.Series(WORDS, dtype=pl.Enum(["a", "bä", ""])),
    pa.array(WORDS),
    pa.chunked_array([WORDS[:1], WORDS[1:]]),
]


@pytest.mark.parametrize("value", TEXTS, ids=lambda value: f"{type(value).__name__}")
def test_text(value: Any) -> None:
    array = as_strings(value, "call")
    assert array.tolist() == WORDS
    assert {type(each) for each in array.tolist()} == {str}
    assert is_text(as_tokens(value, "call"))


@pytest.mark.parametrize("frame", [pd.DataFrame(COLUMNS), pl.DataFrame(COLUMNS)], ids=type)
def test_frames_of_text(frame: Any) -> None:
    assert as_strings(frame, "call").tolist() == [["a", "c"], ["b", "d"]]


def test_shapes() -> None:
    assert as_strings("a", "call").shape == ()
    assert as_strings([], "call").shape == (0,)
    assert as_strings(np.empty((0, 2)), "call").shape == (0, 2)
    assert as_strings([["a", "b"]], "call").shape == (1, 2)
    assert as_strings(np.empty((0, 3), str), "call").shape == (0, 3)
    assert as_strings([np.array(["a", "b"]), np.array(["c", "d"])], "call").shape == (2, 2)


def test_trailing_nulls_are_kept() -> None:
    assert as_strings("a\0", "call").tolist() == "a\0"
    assert as_strings(["a\0", b"b\0"], "call").tolist() == ["a\0", "b\0"]


def test_encodings() -> None:
    assert as_strings([b"\xe4"], "call", "latin-1").tolist() == ["ä"]
    assert as_strings("ä".encode("utf-16"), "call", "utf-16").tolist() == "ä"
    message = r"^call: expected text in utf-8, got b'\\xe4' at row 1, column 0$"
    with pytest.raises(ValueError, match=message):
        as_strings([["a"], [b"\xe4"]], "call")


INTEGERS: list[Any] = [
    [3, -1, 0],
    [3.0, -1.0, 0.0],
    np.array([3, -1, 0], np.int8),
    np.array([3, -1, 0], np.float16),
    np.array([3, -1, 0], ">i4"),
    np.array([3, -1, 0], np.longdouble),
    [np.int16(3), -1, 0.0],
    pd.Series([3, -1, 0]),
    pd.Series([3, -1, 0], dtype="Int64"),
    pl.Series([3, -1, 0]),
    pa.array([3, -1, 0]),
    autodiff.constant([3.0, -1.0, 0.0]),
]


@pytest.mark.parametrize("value", INTEGERS, ids=lambda value: f"{type(value).__name__}")
def test_integers(value: Any) -> None:
    expected = np.array([3, -1, 0])
    np.testing.assert_array_equal(as_integers(value, "call"), expected, strict=True)


def test_the_limits_of_integers() -> None:
    limits = np.array([-(2**63), 2**63 - 1])
    np.testing.assert_array_equal(as_integers(limits, "call"), limits, strict=True)
    assert as_integers([], "call").dtype == np.int64
    assert as_integers([True, False], "call").tolist() == [1, 0]
    assert as_integers(np.array([2**63 - 1], np.uint64), "call").tolist() == [2**63 - 1]


MISSING = r"a value is missing at row 1; .*fillna"


@pytest.mark.parametrize(
    ("convert", "value", "error", "message"),
    [
        (as_strings, ["a", None], TypeError, MISSING),
        (as_strings, pd.Series(["a", None]), TypeError, MISSING),
        (as_strings, pd.Series(["a", np.nan], dtype=object), TypeError, MISSING),
        (as_strings, pd.Series(["a", pd.NA], dtype="string"), TypeError, MISSING),
        (as_strings, pd.Series(["a", None], dtype="category"), TypeError, MISSING),
        (as_strings, pl.Series(["a", None]), TypeError, MISSING),
        (as_strings, [["a", None]], TypeError, r"missing at row 0, column 1; "),
        (as_strings, [None, None], TypeError, r"a value is missing at row 0"),
        (as_strings, ["a", 1], TypeError, r"text only or numbers only, got 1 at row 1$"),
        (as_strings, [1, 2], TypeError, r"expected text, got numbers of dtype int64; .*Integer"),
        (as_strings, 5, TypeError, r"expected text, got numbers"),
        (as_strings, np.array([1.5]), TypeError, r"expected text, got numbers of dtype float64"),
        (as_strings, [["a"], ["b", "c"]], ValueError, r"rows of different lengths"),
        (as_strings, ["a", ["b", "c"]], ValueError, r"rows of different lengths, got \['b', 'c'\]"),
        (as_strings, [np.ones((2, 3)), np.ones((2, 4))], ValueError, r"rows of different lengths"),
        (as_strings, {"a": 1}, TypeError, r"got a dict"),
        (as_strings, {"a"}, TypeError, r"got a set, which has no order; pass a list"),
        (as_strings, None, TypeError, r"got None"),
        (as_strings, iter(["a"]), TypeError, r"expected numbers, got list_iterator"),
        (as_strings, np.ma.array(["a", "b"], mask=[0, 1]), TypeError, r"masked arrays"),
        (as_strings, np.array(["2020-01-01"], "M8[D]"), TypeError, r"dtype datetime64"),
        (as_strings, pd.DataFrame({"x": ["a"], "y": [1]}), TypeError, r"at row 0, column 1"),
        (as_integers, ["1"], TypeError, r"expected integers, got text; layers.StringLookup"),
        (as_integers, [1.5], ValueError, r"2\*\*63\), got 1.5 at row 0$"),
        (as_integers, [[1.0, np.nan]], ValueError, r"got nan at row 0, column 1$"),
        (as_integers, np.array([0.0, np.inf]), ValueError, r"got inf at row 1$"),
        (as_integers, np.array([1e19]), ValueError, r"got 1e\+19"),
        (as_integers, np.array([2**63], np.uint64), ValueError, r"got 9223372036854775808"),
        (as_integers, [2**70], TypeError, r"got list of dtype object"),
        (as_integers, [1, None], TypeError, r"missing at row 1"),
        (as_integers, pd.Series([1, None]), ValueError, r"got nan at row 1"),
        (as_integers, 1.5, ValueError, r"got 1.5$"),
    ],
)
def test_errors(convert: Any, value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=rf"^call: .*{message}"):
        convert(value, "call")


@pytest.mark.parametrize("tokens", [np.array([["a", "b"], ["b", "c"]]), np.array([[1, 2], [2, 3]])])
def test_ids(tokens: Any) -> None:
    first = tokens[0].tolist()
    known = {first[0]: 7, first[1]: 8}
    assert ids_of(tokens, known, -1).tolist() == [[7, 8], [8, -1]]
    called: list[Any] = []

    def number(items: list[Any]) -> Any:
        called.extend(items)
        return np.arange(len(items))

    assert ids_by(number, tokens).tolist() == [[0, 1], [1, 2]]
    assert len(called) == 3
    assert ids_by(lambda items: np.zeros(len(items), int), tokens[:0]).shape == (0, 2)
