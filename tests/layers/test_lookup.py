"""StringLookup and IntegerLookup; tests/peers compares them with Keras."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from support.lookups import WORDS, adapted

from cnet import layers


def test_tokens_out_of_the_vocabulary() -> None:
    layer = layers.StringLookup(vocabulary=["a"], num_oov_indices=0, name="it")
    message = r"^StringLookup 'it': 'z' at row 1, column 0 is not in the vocabulary, and num_oov"
    with pytest.raises(ValueError, match=message):
        layer([["a", "a"], ["z", "a"]])
    many = layers.IntegerLookup(vocabulary=[7], num_oov_indices=3)
    assert many([7, 0, 1, -1, 5]).tolist() == [3, 0, 1, 2, 2]


def test_the_example_of_keras_for_farmhash() -> None:
    layer = layers.IntegerLookup(vocabulary=[10, 20, 30], num_oov_indices=4, oov_method="farmhash")
    assert layer([100, 300, 700, 1100, 1700, 2000]).tolist() == [3, 3, 2, 2, 0, 1]


@pytest.mark.parametrize("mode", ["int", "tf_idf"])
def test_nothing_but_masked_tokens(mode: str) -> None:
    layer = adapted([["", "[UNK]"]], mask_token="", output_mode=mode)
    assert layer.get_vocabulary(False) == []
    assert layer([["", "a"]]).tolist() == ([[0, 1]] if mode == "int" else [[0]])


def test_inverted() -> None:
    layer = layers.StringLookup(vocabulary=["a", "b"], invert=True, mask_token="m")
    found = layer([[0, 1, 2], [3, 9, -1]])
    assert found.tolist() == [["m", "[UNK]", "a"], ["b", "[UNK]", "[UNK]"]]
    assert found.dtype == object
    assert layer(2).shape == ()
    ids = layers.StringLookup(vocabulary=["a", "b"], mask_token="m")
    assert layer(ids(["a", "b", "x"])).tolist() == ["a", "b", "[UNK]"]
    with pytest.raises(TypeError, match="expected integers, got text"):
        layer(["a"])


def test_masked_tokens_are_left_out_of_encodings() -> None:
    layer = layers.StringLookup(vocabulary=["a"], mask_token="", output_mode="count")
    assert layer([["", "a", "q", ""]]).tolist() == [[1, 1]]
    assert layer([["", ""]]).tolist() == [[0, 0]]


def test_long_and_strange_tokens() -> None:
    tokens = ["", " ", "a\0", "a", "ä" * 5000, "𝄞", "\x7f"]
    layer = layers.StringLookup(vocabulary=tokens)
    assert layer(tokens).tolist() == [1, 2, 3, 4, 5, 6, 7]
    copy = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert copy(tokens).tolist() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.StringLookup()(["a"]), ValueError, r"call adapt\(\) first, or pass"),
        (
            lambda: layers.StringLookup(output_mode="count").compute_output_shape((None, 2)),
            ValueError,
            r"call adapt\(\) first",
        ),
        (lambda: adapted()([1]), TypeError, "expected text, got numbers of dtype int64"),
        (lambda: adapted()(["a", None]), TypeError, "a value is missing at row 1"),
        (lambda: adapted().adapt([1]), TypeError, r"^StringLookup '\w+': adapt: expected text"),
        (lambda: adapted().adapt(np.empty((0, 2), str)), ValueError, "at least one token"),
        (lambda: adapted().adapt(iter([])), ValueError, "adapt: expected at least one token"),
        (lambda: adapted().adapt(WORDS, steps=1), ValueError, "steps is a number of batches, but"),
        (lambda: adapted().adapt(iter(WORDS), steps=0), ValueError, "steps: expected an integer"),
        (lambda: adapted().adapt(iter(WORDS), steps=1.0), TypeError, "steps: expected an integer"),
        (
            lambda: adapted().adapt({"a": 1}),
            TypeError,
            "adapt: expected text or numbers, got a dict",
        ),
        (lambda: adapted(["\ud800"]), ValueError, "got half surrogates"),
        (lambda: layers.StringLookup(vocabulary=["\ud800"]), ValueError, "got half surrogates"),
        (lambda: layers.StringLookup(vocabulary=[]), ValueError, "at least one token, got none"),
        (lambda: layers.StringLookup(vocabulary=[["a"]]), ValueError, r"got shape \(1, 1\)"),
        (lambda: layers.StringLookup(vocabulary=["a", "b", "a"]), ValueError, r"several \['a'\]"),
        (
            lambda: layers.StringLookup(vocabulary=["a", "m"], mask_token="m"),
            ValueError,
            "the mask_token 'm' is at index 1 of the tokens; leave out the special tokens",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a", "[UNK]"], invert=True),
            ValueError,
            "the oov_token '\\[UNK\\]' is at index 1",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a", "b"], max_tokens=2),
            ValueError,
            "at most max_tokens=2 tokens, got 3 with the special ones",
        ),
        (lambda: layers.StringLookup(max_tokens=1), ValueError, "max_tokens: expected an integer"),
        (
            lambda: layers.StringLookup(max_tokens=3, num_oov_indices=3),
            ValueError,
            r"max_tokens: expected an integer in \[4, ",
        ),
        (lambda: layers.StringLookup(num_oov_indices=-1), ValueError, "num_oov_indices"),
        (lambda: layers.StringLookup(mask_token=0), TypeError, "mask_token: expected text, got 0"),
        (lambda: layers.StringLookup(oov_token=b"a"), TypeError, "oov_token: expected text"),
        (lambda: layers.StringLookup(pad_to_max_tokens=True), ValueError, "requires max_tokens"),
        (lambda: layers.StringLookup(invert=True, output_mode="count"), ValueError, "invert req"),
        (lambda: layers.StringLookup(invert=True, oov_token=None), ValueError, "an oov_token"),
        (lambda: layers.StringLookup(output_mode="x"), ValueError, "one of int, one_hot, .*tf_idf"),
        (lambda: layers.StringLookup(encoding="hex"), ValueError, "unknown encoding 'hex'"),
        (lambda: layers.StringLookup(encoding=5), TypeError, "encoding: expected text"),
        (lambda: layers.StringLookup(salt="a"), TypeError, "salt: expected an integer or two"),
        (lambda: layers.StringLookup(salt=[1]), ValueError, "salt: expected an integer or two"),
        (lambda: layers.StringLookup(idf_weights=[1]), ValueError, "require a vocabulary"),
        (
            lambda: layers.StringLookup(vocabulary=["a"], idf_weights=[1]),
            ValueError,
            "output_mode 'tf_idf', and no other, requires idf_weights",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf"),
            ValueError,
            "requires idf_weights, got output_mode='tf_idf', idf_weights=None",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf", idf_weights=[1, 2]),
            ValueError,
            "idf_weights: expected 1 finite numbers",
        ),
        (
            lambda: layers.StringLookup(vocabulary="a.txt", output_mode="tf_idf", idf_weights=[1]),
            ValueError,
            "expected a list, as idf_weights has, got a path",
        ),
        (lambda: layers.IntegerLookup(vocabulary=["a"]), TypeError, "expected integers, got text"),
        (lambda: layers.IntegerLookup(vocabulary=[1.5]), ValueError, "got 1.5 at row 0"),
        (
            lambda: layers.IntegerLookup(mask_token=1.0),
            TypeError,
            "mask_token: expected an integer",
        ),
        (lambda: layers.IntegerLookup(oov_token=2**63), ValueError, "oov_token: expected an int"),
        (lambda: layers.IntegerLookup(vocabulary_dtype="int32"), ValueError, "expected 'int64'"),
        (lambda: layers.IntegerLookup(oov_method="sha"), ValueError, "one of floormod, farmhash"),
        (lambda: layers.IntegerLookup(oov_method=5), TypeError, "oov_method: expected text"),
        (lambda: layers.IntegerLookup(salt=3), ValueError, "salt requires oov_method 'farmhash'"),
        (lambda: layers.IntegerLookup(vocabulary=[1])([0.5]), ValueError, "got 0.5 at row 0"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
