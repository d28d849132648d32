"""What all layers of categories do, the encodings, and CategoryEncoding; tests/peers compares them with Keras."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest
from support.instances import CATEGORY_LAYERS, Maker, name_of

import cnet
from cnet import autodiff, layers
from cnet.layers.categories import encode

TEXT = np.array([["a", "b", "z"], ["b", "b", "a"]])
IDS = np.array([[1, 3, 0], [2, 0, 2]])


def ready(make: Maker, **options: Any) -> Any:
    """Return a layer that knows its categories."""
    layer = make(**options)
    if isinstance(layer, layers.StringLookup) and not layer.get_vocabulary(False):
        layer.adapt(TEXT)
    elif isinstance(layer, layers.IntegerLookup) and not layer.get_vocabulary(False):
        layer.adapt(IDS)
    elif isinstance(layer, layers.Discretization) and layer.num_bins:
        layer.adapt(np.arange(50.0))
    return layer


def inputs(layer: Any) -> Any:
    takes_text = isinstance(layer, (layers.StringLookup, layers.Hashing))
    if isinstance(layer, layers.HashedCrossing):
        return (TEXT[:, :1], IDS[:, :1])
    return TEXT if takes_text and not getattr(layer, "invert", False) else IDS


# -- All layers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", CATEGORY_LAYERS, ids=name_of)
def test_results(make: Maker) -> None:
    layer = ready(make, dtype="float64")
    x = inputs(layer)
    outputs = layer(x)
    if layer.output_mode != "int":
        assert outputs.dtype == np.float64
    else:
        assert outputs.dtype == (object if isinstance(outputs.flat[0], str) else np.int64)
    np.testing.assert_array_equal(layer.transform(x), outputs, strict=True)
    shape = [(None, 1)] * 2 if isinstance(x, tuple) else (None, 3)
    assert layer.compute_output_shape(shape) == (None, *outputs.shape[1:])
    if not isinstance(x, tuple):
        assert layer.built
        assert layer.input_shape == (None, 3)
        assert layer.output_shape == (None, *outputs.shape[1:])
        layer(x[:, :2])
        assert layer.input_shape == (None, 2)


@pytest.mark.parametrize("make", CATEGORY_LAYERS, ids=name_of)
def test_copies_keep_what_was_learned(make: Maker) -> None:
    layer = ready(make)
    x = inputs(layer)
    expected = layer(x)
    described = json.loads(json.dumps(layers.serialize(layer)))
    copies = [
        *(copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))),
        *(layers.deserialize(described), type(layer).from_config(layer.get_config())),
    ]
    for each in copies:
        np.testing.assert_array_equal(each(x), expected, strict=True)
        assert each.get_config() == layer.get_config()
        if isinstance(layer, (layers.StringLookup, layers.IntegerLookup)):
            assert each.get_vocabulary() == layer.get_vocabulary()
            assert each._is_given == layer._is_given


@pytest.mark.parametrize("make", CATEGORY_LAYERS, ids=name_of)
def test_names_may_change_and_nothing_is_learned_by_it(make: Maker) -> None:
    layer = ready(make)
    x = inputs(layer)
    expected = layer.transform(x)
    layer.name = "other"
    layer.trainable = False
    np.testing.assert_array_equal(layer.transform(x), expected)
    layer.dtype = "float64"
    assert layer.transform(x).dtype == (
        expected.dtype if layer.output_mode == "int" else np.float64
    )


def test_a_subclass() -> None:
    class Own(layers.Hashing):
        pass

    assert Own(3)(["a"]).tolist() == layers.Hashing(3)(["a"]).tolist()


@pytest.mark.parametrize(
    ("layer", "x", "shape"),
    [
        (layers.CategoryEncoding(4), IDS, (None, 4)),
        (layers.IntegerLookup(vocabulary=[1, 2], output_mode="one_hot"), IDS, (None, 3, 3)),
        (layers.Discretization([0.5, 1.5], output_mode="count"), IDS, (None, 3)),
        (layers.Hashing(5), IDS, (None, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_model_may_begin_with_such_a_layer(layer: Any, x: Any, shape: Any) -> None:
    """With numbers, that is: a model's input is an array of numbers."""
    model = cnet.Sequential([cnet.Input((3,)), layer, layers.Flatten(), layers.Dense(1)])
    assert layer.output_shape == shape
    model.compile("sgd", "mse")
    model.fit(x, np.ones(2), epochs=2, verbose=0)
    encoded = layer(x).astype("float32").reshape(2, -1)
    expected = encoded @ model.layers[-1].kernel + model.layers[-1].bias
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5)
    np.testing.assert_array_equal(layer(autodiff.constant(x)), layer(x))


# -- Encodings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(), (5,), (5, 1), (5, 4), (0, 4), (5, 0)], ids=str)
def test_encodings_by_their_definition(shape: tuple[int, ...], mode: str) -> None:
    depth = 6
    ids = np.random.default_rng(0).integers(-2, depth, shape)
    found = encode(ids, mode, depth, "float32", "call")
    each = np.zeros((*shape, depth), np.float32)
    for place in np.ndindex(*shape):
        if ids[place] >= 0:
            each[(*place, ids[place])] = 1
    if mode == "one_hot":
        one = each.reshape(1, depth) if not shape else each
        expected = one.reshape(5, depth) if shape == (5, 1) else one
    else:
        samples = each.reshape(1, depth) if not shape else each
        expected = samples.sum(-2) if mode == "count" else samples.max(-2, initial=0)
    np.testing.assert_array_equal(found, expected, strict=True)


def test_counts_with_weights() -> None:
    layer = layers.CategoryEncoding(3, "count")
    found = layer([[0, 0, 2], [1, 1, 1]], [[0.5, 0.25, -1], [1, 2, 3]])
    np.testing.assert_array_equal(found, np.array([[0.75, 0, -1], [0, 6, 0]], np.float32))
    assert layer.input_shape == (None, 3)
    np.testing.assert_array_equal(layer([0, 2], count_weights=[0.5, 2]), [0.5, 0, 2])


def test_samples_without_ids() -> None:
    np.testing.assert_array_equal(layers.CategoryEncoding(3)(np.empty((2, 0))), np.zeros((2, 3)))


def test_a_dtype_as_keras_writes_it() -> None:
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float64"}}
    layer = layers.CategoryEncoding.from_config({"num_tokens": 3, "dtype": policy})
    assert layer([1]).dtype == layer.dtype == "float64"


def test_the_former_name_of_multi_hot() -> None:
    assert layers.CategoryEncoding(3, "binary").output_mode == "multi_hot"
    assert layers.StringLookup(output_mode="tf-idf").output_mode == "tf_idf"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.CategoryEncoding(), ValueError, "^CategoryEncoding: expected num_tokens; "),
        (lambda: layers.CategoryEncoding(0), ValueError, "num_tokens: expected an integer"),
        (lambda: layers.CategoryEncoding(2.0), TypeError, "num_tokens: expected an integer"),
        (
            lambda: layers.CategoryEncoding(3, "int"),
            ValueError,
            "expected one of one_hot, multi_hot, c",
        ),
        (lambda: layers.CategoryEncoding(3, 5), TypeError, "output_mode: expected text, got 5"),
        (
            lambda: layers.CategoryEncoding(3, name="e")([[0, 1], [2, 3]]),
            ValueError,
            r"^CategoryEncoding 'e': 3 at row 1, column 1 is outside \[0, 3\), the range of num_tokens$",
        ),
        (
            lambda: layers.CategoryEncoding(3)([0, -1]),
            ValueError,
            r"-1 at row 1 is outside \[0, 3\)",
        ),
        (lambda: layers.CategoryEncoding(3)(7), ValueError, r": 7 is outside \[0, 3\)"),
        (lambda: layers.CategoryEncoding(3)([0.5]), ValueError, "got 0.5 at row 0"),
        (lambda: layers.CategoryEncoding(3)(["a"]), TypeError, "expected integers, got text"),
        (
            lambda: layers.CategoryEncoding(3)([0], count_weights=[1]),
            ValueError,
            "count_weights require output_mode 'count', got 'multi_hot'",
        ),
        (
            lambda: layers.CategoryEncoding(3, "count")([[0, 1]], count_weights=[1, 2]),
            ValueError,
            r"count_weights: expected the shape of the ids, \(1, 2\), got \(2,\)",
        ),
        (
            lambda: layers.CategoryEncoding(3, "count")([0], count_weights=["a"]),
            TypeError,
            "count_weights: expected numbers",
        ),
        (
            lambda: layers.CategoryEncoding(3)(np.zeros((2, 3, 4))),
            ValueError,
            r"with output_mode 'multi_hot', expected samples of one dimension, got shape \(2, 3, 4\)",
        ),
        (
            lambda: layers.CategoryEncoding(3).compute_output_shape((None, 3, 4)),
            ValueError,
            "expected samples of one dimension",
        ),
        (lambda: layers.CategoryEncoding(3).compute_output_shape(3), TypeError, "input_shape"),
        (lambda: layers.CategoryEncoding(3).from_config([]), TypeError, "mapping"),
        (
            lambda: layers.CategoryEncoding.from_config({"num_tokens": 3, "dtype": {"config": {}}}),
            ValueError,
            "dtype",
        ),
        (
            lambda: layers.CategoryEncoding.from_config({"num_tokens": 3, "dtype": {"a": 1}}),
            ValueError,
            "dtype",
        ),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
