"""Hashing and HashedCrossing; tests/peers compares them with Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cnet import layers
from cnet.layers.fingerprints import fingerprint64, siphash24


def test_bins_by_their_definition() -> None:
    words = ["a", "ä", "", "a" * 100]
    hashes = fingerprint64([word.encode() for word in words])
    assert layers.Hashing(1000)(words).tolist() == (hashes % np.uint64(1000)).tolist()
    salted = siphash24([word.encode() for word in words], (5, 7))
    assert layers.Hashing(9, salt=(5, 7))(words).tolist() == (salted % np.uint64(9)).tolist()
    np.testing.assert_array_equal(
        layers.Hashing(9, salt=5)(words), layers.Hashing(9, salt=[5, 5])(words)
    )


def test_the_examples_of_keras() -> None:
    letters = [["A"], ["B"], ["C"], ["D"], ["E"]]
    assert layers.Hashing(3)(letters).tolist() == [[1], [0], [1], [1], [2]]
    assert layers.Hashing(3, salt=[133, 137])(letters).tolist() == [[1], [2], [1], [0], [2]]
    assert layers.Hashing(3, salt=133)(letters).tolist() == [[0], [0], [2], [1], [0]]
    masked = layers.Hashing(3, mask_value="")
    assert masked([["A"], ["B"], [""], ["C"], ["D"]]).tolist() == [[1], [1], [0], [2], [2]]
    features = (np.array(["A", "B", "A", "B", "A"]), np.array([101, 101, 101, 102, 102]))
    assert layers.HashedCrossing(5)(features).tolist() == [1, 4, 1, 1, 3]


def test_forms_of_the_same_value() -> None:
    layer = layers.Hashing(10**6)
    text = layer(["12", "-3"])
    values: list[Any] = [[b"12", b"-3"], [12, -3], np.array([12, -3], np.int8), [12.7, -3.9]]
    values += [pd.Series([12, -3]), pd.Series(["12", "-3"]), np.array([12, -3], np.longdouble)]
    for value in values:
        np.testing.assert_array_equal(layer(value), text)
    np.testing.assert_array_equal(layer([True, False]), layer(["true", "false"]))
    assert layer(b"\xff").shape == (), "bytes needn't be text"


def test_masks() -> None:
    layer = layers.Hashing(5, mask_value="m")
    assert layer(["m", b"m"]).tolist() == [0, 0]
    assert layers.Hashing(5, mask_value=b"m").get_config()["mask_value"] == "m"
    assert 0 not in layer(list(map(str, range(100))))
    assert layers.Hashing(5, mask_value=7)([7, 7.0]).tolist() == [0, 0]
    assert layers.Hashing(1, mask_value="m")(["m", "a"]).tolist() == [0, 0], "as in Keras"
    assert layer(np.array([], str)).shape == (0,)


def test_encodings() -> None:
    layer = layers.Hashing(4, output_mode="one_hot")
    np.testing.assert_array_equal(layer(["a", "b"]).argmax(1), layers.Hashing(4)(["a", "b"]))


@pytest.mark.parametrize("make", [layers.Hashing, layers.HashedCrossing])
def test_dtypes_of_keras(make: Any) -> None:
    for dtype in ("int64", "int32", np.int64):
        layer = make(4, dtype=dtype)
        assert layer.dtype == "float32"
        assert make.from_config(layer.get_config()).dtype == "float32"
    with pytest.raises(ValueError, match="dtype"):
        make(4, dtype="int64", output_mode="one_hot")
    with pytest.raises(ValueError, match="dtype"):
        make(4, dtype="int8")


def test_crossings_of_more_inputs_and_rows() -> None:
    layer = layers.HashedCrossing(1000)
    x = [["a"], ["b"]], [[1], [2]], [["c"], ["c"]]
    together = layer(x)
    assert together.shape == (2, 1)
    assert layer([["b"], [2], ["c"]]).tolist() == [together[1, 0]]
    assert layer(("b", 2, "c")).tolist() == together[1, 0]
    assert layer.compute_output_shape([(None, 1)] * 3) == (None, 1)
    one_hot = layers.HashedCrossing(7, output_mode="one_hot")
    assert one_hot.compute_output_shape([(None, 1)] * 3) == (None, 7)
    assert not np.array_equal(layer([["a"], ["b"]]), layer([["b"], ["a"]])), "the order matters"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.Hashing(0), ValueError, r"num_bins: expected an integer in \[1, "),
        (lambda: layers.Hashing(None), TypeError, "num_bins: expected an integer, got None"),
        (lambda: layers.Hashing(3, output_mode="binary_"), ValueError, "one of int, one_hot"),
        (
            lambda: layers.Hashing(3, mask_value=[1]),
            TypeError,
            "mask_value: expected text or a num",
        ),
        (
            lambda: layers.Hashing(3, mask_value=True),
            TypeError,
            "mask_value: expected text or a num",
        ),
        (
            lambda: layers.Hashing(3, mask_value=np.nan),
            ValueError,
            "mask_value: expected a number, got nan",
        ),
        (lambda: layers.Hashing(3, mask_value=b"\xff"), ValueError, "mask_value: expected UTF-8"),
        (
            lambda: layers.Hashing(3, salt=1.0),
            TypeError,
            "salt: expected an integer or two, got 1.0",
        ),
        (lambda: layers.Hashing(3, salt=[1, 2, 3]), ValueError, "salt: expected an integer or two"),
        (lambda: layers.Hashing(3, salt=2**63), ValueError, r"salt: expected an integer in \[-2\*"),
        (lambda: layers.Hashing(3, salt=True), TypeError, "salt: expected an integer or two"),
        (lambda: layers.Hashing(3)(["a", None]), TypeError, "a value is missing at row 1"),
        (
            lambda: layers.Hashing(3)(["a", 1]),
            TypeError,
            "text only or numbers only, got 1 at row 1",
        ),
        (lambda: layers.Hashing(3)(["\ud800"]), ValueError, "got half surrogates"),
        (lambda: layers.Hashing(3)([1.0, np.nan]), ValueError, r"got nan at row 1$"),
        (lambda: layers.Hashing(3)([[1e19]]), ValueError, r"got 1e\+19 at row 0, column 0$"),
        (
            lambda: layers.Hashing(3, mask_value="", name="h")([1]),
            TypeError,
            "^Hashing 'h': mask_value is '', but the values are numbers of dtype int64$",
        ),
        (
            lambda: layers.Hashing(3, mask_value=0)(["a"]),
            TypeError,
            "mask_value is 0, but the values are text",
        ),
        (lambda: layers.HashedCrossing(3, "count"), ValueError, "one of int, one_hot, got 'count'"),
        (lambda: layers.HashedCrossing(3)(["a"]), TypeError, "a list of at least two inputs, got"),
        (lambda: layers.HashedCrossing(3)(np.array(["a", "b"])), TypeError, "at least two inputs"),
        (
            lambda: layers.HashedCrossing(3)([["a"], [1, 2]]),
            ValueError,
            r"same shape, \(batch,\) or \(batch, 1\), got \[\(1,\), \(2,\)\]",
        ),
        (lambda: layers.HashedCrossing(3)([[["a", "b"]]] * 2), ValueError, r"got \[\(1, 2\), "),
        (
            lambda: layers.HashedCrossing(3)([["a"], [0.5]]),
            TypeError,
            "input 1: expected text or integers, got dtype float64",
        ),
        (lambda: layers.HashedCrossing(3)([["a"], [True]]), TypeError, "got dtype bool"),
        (
            lambda: layers.HashedCrossing(3)([["a"], [None]]),
            TypeError,
            "input 1: .*missing at row 0",
        ),
        (
            lambda: layers.HashedCrossing(3).compute_output_shape((None, 1)),
            TypeError,
            "input_shape",
        ),
        (
            lambda: layers.HashedCrossing(3).compute_output_shape([(None, 2), (None, 2)]),
            ValueError,
            r"expected inputs of shape \(batch, 1\)",
        ),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
