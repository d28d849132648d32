"""Layers of categories compared with Keras on TensorFlow: the same ids, encodings and vocabularies."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import cnet
from cnet.layers import fingerprints

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # warnings of the peers
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="the layers need TensorFlow"
    ),
]

Array = npt.NDArray[Any]
RNG = np.random.default_rng(0)
WORDS = ["", "[UNK]", "a", "b", "bb", "ä", "ß", "日本", "z", "Z", "0", "a b", "𝄞", "e" * 70]
MODES = ["int", "one_hot", "multi_hot", "count"]


def both(name: str, *args: Any, **options: Any) -> tuple[Any, Any]:
    return tuple(getattr(library.layers, name)(*args, **options) for library in (cnet, keras))


def array_of(result: Any) -> Array:
    array = np.asarray(result)
    if array.dtype != object:
        return array
    texts = [each.decode() if isinstance(each, bytes) else each for each in array.ravel()]
    return np.array(texts, object).reshape(array.shape)


def check_equal(ours: Any, theirs: Any, *inputs: Any) -> None:
    """Compare results; Keras's dtypes differ, int32 or int64 for encodings too."""
    found, expected = array_of(ours(*inputs)), array_of(theirs(*inputs))
    np.testing.assert_array_equal(found, expected)
    assert found.shape == expected.shape
    is_id = getattr(ours, "output_mode", "int") == "int"
    assert found.dtype == (object if expected.dtype == object else "int64" if is_id else "float32")


def words(*shape: int) -> Array:
    return RNG.choice(np.array(WORDS), shape)


def integers(*shape: int) -> Array:
    return RNG.integers(-5, 15, shape)


SHAPES: list[tuple[int, ...]] = [(), (1,), (7,), (7, 1), (7, 3), (0, 3)]
LOOKUPS = {
    "StringLookup": (words, ["", None], WORDS[2:8]),
    "IntegerLookup": (integers, [3, None], [7, 1, 12, 2, 9]),
}


# -- Hashes ----------------------------------------------------------------------------------------


def strings_of_all_lengths() -> list[bytes]:
    lengths = [*range(301), *range(2), *range(55, 75), *RNG.integers(0, 300, 500), 4096, 10_007]
    strings = [RNG.bytes(length) for length in lengths]
    return [strings[index] for index in RNG.permutation(len(strings))]


def test_fingerprints() -> None:
    strings = strings_of_all_lengths()
    for bins in (1, 3, 1000, 2**32 + 1, 2**63 - 1):
        expected = tf.strings.to_hash_bucket_fast(tf.constant(strings), bins).numpy()
        found = fingerprints.fingerprint64(strings) % np.uint64(bins)
        np.testing.assert_array_equal(found, expected.astype(np.uint64))


@pytest.mark.parametrize("key", [(0, 0), (1, 2), (133, 137), (-1, 5), (2**63 - 1, -(2**63))])
def test_siphash(key: tuple[int, int]) -> None:
    strings = strings_of_all_lengths()
    for bins in (3, 2**63 - 1):
        texts = tf.constant(strings)
        expected = tf.strings.to_hash_bucket_strong(texts, bins, key=list(key)).numpy()
        found = fingerprints.siphash24(strings, key) % np.uint64(bins)
        np.testing.assert_array_equal(found, expected.astype(np.uint64))


# -- Lookups ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("oov", [1, 3])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("name", LOOKUPS)
def test_lookup(name: str, with_mask: bool, oov: int, mode: str, shape: tuple[int, ...]) -> None:
    draw, masks, vocabulary = LOOKUPS[name]
    options = {"num_oov_indices": oov, "output_mode": mode, "mask_token": masks[not with_mask]}
    ours, theirs = both(name, vocabulary=vocabulary, **options)
    check_equal(ours, theirs, draw(*shape))
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    assert ours.get_vocabulary(False) == theirs.get_vocabulary(False)
    assert ours.vocabulary_size() == theirs.vocabulary_size()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("name", LOOKUPS)
def test_lookup_without_oov(name: str, with_mask: bool, mode: str) -> None:
    _, masks, vocabulary = LOOKUPS[name]
    options = {"num_oov_indices": 0, "output_mode": mode, "mask_token": masks[not with_mask]}
    ours, theirs = both(name, vocabulary=vocabulary, **options)
    check_equal(ours, theirs, RNG.choice(np.array(vocabulary), (6, 3)))
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    for layer in (ours, theirs):
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            layer(np.array([[vocabulary[0], vocabulary[0] * 20]]))


@pytest.mark.parametrize("shape", [(), (9,), (9, 2)], ids=str)
@pytest.mark.parametrize("oov", [0, 1, 3])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("name", LOOKUPS)
def test_inverted_lookup(name: str, with_mask: bool, oov: int, shape: tuple[int, ...]) -> None:
    _, masks, vocabulary = LOOKUPS[name]
    options = {"num_oov_indices": oov, "invert": True, "mask_token": masks[not with_mask]}
    ours, theirs = both(name, vocabulary=vocabulary, **options)
    check_equal(ours, theirs, RNG.integers(-3, 15, shape))
    assert ours.get_vocabulary() == theirs.get_vocabulary()


@pytest.mark.parametrize("salt", [None, 5, [1, -2]])
@pytest.mark.parametrize("method", ["floormod", "farmhash"])
def test_bins_of_tokens_out_of_the_vocabulary(method: str, salt: Any) -> None:
    x = RNG.integers(-(2**63), 2**63 - 1, (500, 2))
    if salt is None or method == "farmhash":
        options = {"oov_method": method, "salt": salt, "num_oov_indices": 97}
        check_equal(*both("IntegerLookup", vocabulary=[1, 2], **options), x)
    check_equal(
        *both("StringLookup", vocabulary=["a"], salt=salt, num_oov_indices=97), x.astype(str)
    )


@pytest.mark.parametrize("data", ["array", "batches", "rows"])
@pytest.mark.parametrize("max_tokens", [None, 6])
@pytest.mark.parametrize("oov", [0, 2])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("mode", [*MODES, "tf_idf"])
@pytest.mark.parametrize("name", LOOKUPS)
def test_adapt(
    name: str, mode: str, with_mask: bool, oov: int, max_tokens: int | None, data: str
) -> None:
    draw, masks, _ = LOOKUPS[name]
    options = {"num_oov_indices": oov, "output_mode": mode, "mask_token": masks[not with_mask]}
    ours, theirs = both(name, max_tokens=max_tokens, **options)
    x = {"array": draw(40), "batches": draw(40, 3), "rows": draw(9, 5)}[data]
    batches = np.array_split(x, 4)
    for layer in (ours, theirs):
        layer.adapt((batch for batch in batches) if data == "batches" else x)
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    if mode == "tf_idf":
        np.testing.assert_allclose(ours.idf_weights, theirs.idf_weights_const.numpy(), rtol=3e-7)
    elif oov:
        check_equal(ours, theirs, draw(20, 2))


@pytest.mark.parametrize("batched", [False, True])
def test_samples_of_one_dimension_in_adapt(batched: bool) -> None:
    x = words(30)
    ours, theirs = both("StringLookup", output_mode="tf_idf")
    for layer in (ours, theirs):
        layer.adapt((batch for batch in np.array_split(x, 4)) if batched else x)
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    np.testing.assert_allclose(ours.idf_weights, theirs.idf_weights_const.numpy(), rtol=3e-7)


@pytest.mark.parametrize("with_special", [False, True])
@pytest.mark.parametrize("pad", [False, True])
@pytest.mark.parametrize("name", LOOKUPS)
def test_tf_idf_with_given_weights(name: str, pad: bool, with_special: bool) -> None:
    draw, masks, vocabulary = LOOKUPS[name]
    options: dict[str, Any] = {
        "output_mode": "tf_idf",
        "mask_token": masks[0],
        "num_oov_indices": 2,
    }
    oov = both(name)[0].oov_token
    weights = 2.0 ** RNG.integers(-3, 3, len(vocabulary) + 2 * with_special)
    ours, theirs = both(
        name,
        vocabulary=[oov, oov, *vocabulary] if with_special else vocabulary,
        idf_weights=weights,
        max_tokens=20 if pad else None,
        pad_to_max_tokens=pad,
        **options,
    )
    x = draw(30, 4)
    np.testing.assert_allclose(ours(x), theirs(x).numpy(), rtol=3e-7)
    assert ours(x).dtype == np.float32


@pytest.mark.parametrize("mode", MODES)
def test_padding_to_max_tokens(mode: str) -> None:
    options = {"max_tokens": 11, "pad_to_max_tokens": True, "output_mode": mode}
    check_equal(*both("StringLookup", vocabulary=["a", "b"], **options), words(5, 3))


@pytest.mark.parametrize(
    "arguments",
    [
        {"vocabulary": ["a", "a"]},
        {"vocabulary": []},
        {"vocabulary": ["a", "m"], "mask_token": "m"},
        {"vocabulary": ["a", "o"], "oov_token": "o", "invert": True},
        {"vocabulary": ["a", "b"], "max_tokens": 2},
        {"vocabulary": [1, 2]},
        {"max_tokens": 1},
        {"num_oov_indices": -1},
        {"pad_to_max_tokens": True},
        {"output_mode": "hot"},
        {"output_mode": "count", "invert": True},
        {"vocabulary": ["a"], "idf_weights": [1.0]},
        {"vocabulary": ["a"], "output_mode": "tf_idf"},
        {"vocabulary": ["a"], "output_mode": "tf_idf", "idf_weights": [1.0, 2.0]},
        {"salt": "ab"},
    ],
    ids=str,
)
def test_what_both_refuse(arguments: dict[str, Any]) -> None:
    for library in (cnet, keras):
        with pytest.raises((TypeError, ValueError)):
            library.layers.StringLookup(**arguments)


@pytest.mark.parametrize("name", LOOKUPS)
def test_vocabularies_in_files(name: str, tmp_path: Any) -> None:
    _, masks, vocabulary = LOOKUPS[name]
    draw = LOOKUPS[name][0]
    special = both(name)[0].oov_token
    for lines, end in itertools.product((vocabulary, [special, *vocabulary]), ("", "\n")):
        path = tmp_path / f"{len(lines)}{len(end)}.txt"  # TensorFlow shares tables of the same name
        path.write_text("\n".join(map(str, lines)) + end, "utf-8")
        ours, theirs = both(name, vocabulary=str(path), mask_token=masks[0])
        check_equal(ours, theirs, draw(9, 2))
        copy = type(ours).from_config(json.loads(json.dumps(ours.get_config())))
        check_equal(copy, theirs, draw(9, 2))


# -- The other layers ------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (7,), (7, 1), (7, 3), (0, 3)], ids=str)
@pytest.mark.parametrize("mode", MODES[1:])
def test_category_encoding(mode: str, shape: tuple[int, ...]) -> None:
    ours, theirs = both("CategoryEncoding", num_tokens=6, output_mode=mode)
    ids = RNG.integers(0, 6, shape)
    check_equal(ours, theirs, ids)
    if shape and mode == "count":
        weights = RNG.integers(-8, 8, shape) / 4
        expected = theirs(ids, count_weights=weights)
        np.testing.assert_array_equal(ours(ids, count_weights=weights), expected)


def test_one_hot_encodings_of_more_dimensions() -> None:
    for shape in ((2, 3, 1), (2, 3, 4), (2, 1, 1, 3)):
        ids = RNG.integers(0, 6, shape)
        check_equal(*both("CategoryEncoding", num_tokens=6, output_mode="one_hot"), ids)


VALUES = {
    "text": words,
    "int": lambda *shape: RNG.integers(-(2**63), 2**63 - 1, shape),
    "int8": lambda *shape: RNG.integers(-128, 127, shape, np.int8),
    "uint64": lambda *shape: RNG.integers(0, 2**64 - 1, shape, np.uint64),
    "bool": lambda *shape: RNG.integers(0, 2, shape).astype(bool),
    "float": lambda *shape: RNG.normal(0, 1e5, shape),
}
MASKS = {"text": "a", "int": 3, "int8": 5, "uint64": 2**62, "float": 0.5}


@pytest.mark.parametrize("shape", [(9,), (9, 1), (9, 4)], ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("salt", [None, 133, (133, 137)])
@pytest.mark.parametrize("kind", VALUES)
def test_hashing(kind: str, salt: Any, mode: str, shape: tuple[int, ...]) -> None:
    values = VALUES[kind](*shape)
    check_equal(*both("Hashing", num_bins=10, salt=salt, output_mode=mode), values)
    if kind in MASKS:
        values.flat[3] = MASKS[kind]
        options = {"mask_value": MASKS[kind], "salt": salt, "output_mode": mode}
        check_equal(*both("Hashing", num_bins=10, **options), values)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "one_hot"])
def test_hashing_of_single_values(mode: str) -> None:
    for value in ("a", "", 5, np.array("b")):  # with "one_hot" Keras raises IndexError
        check_equal(*both("Hashing", num_bins=10, output_mode=mode), value)


@pytest.mark.parametrize("num_bins", [1, 2, 3])
def test_hashing_into_few_bins(num_bins: int) -> None:
    check_equal(*both("Hashing", num_bins=num_bins, mask_value="a"), words(50))


@pytest.mark.parametrize("mode", ["int", "one_hot"])
@pytest.mark.parametrize("shape", [(), (9,), (9, 1)], ids=str)
def test_hashed_crossing(shape: tuple[int, ...], mode: str) -> None:
    ours, theirs = both("HashedCrossing", num_bins=1000, output_mode=mode)
    big = RNG.integers(-(2**63), 2**63 - 1, shape)
    check_equal(ours, theirs, (words(*shape), integers(*shape)))
    check_equal(ours, theirs, [big, words(*shape), integers(*shape), words(*shape)])
    check_equal(ours, theirs, [big.astype(np.uint64), big.astype(np.int8)])
    if shape:
        shapes = ((None, 1), (None, 1))
        assert ours.compute_output_shape(shapes) == theirs.compute_output_shape(shapes)


@pytest.mark.parametrize("shape", [(), (1,), (9,), (9, 1), (9, 4)], ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("boundaries", [[0.1, 0.5, 2.0], [1.0, 1.0], []], ids=str)
def test_discretization(boundaries: list[float], mode: str, shape: tuple[int, ...]) -> None:
    ours, theirs = both("Discretization", boundaries, output_mode=mode)
    special = [np.nan, np.inf, -np.inf, 0.1, np.float32(0.1), np.nextafter(0.1, 1), 1.0, 2.0]
    for values in (RNG.normal(size=shape), RNG.choice(special, shape)):
        check_equal(ours, theirs, values)
    check_equal(ours, theirs, RNG.integers(-3, 3, shape))


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.003])
@pytest.mark.parametrize("num_bins", [1, 2, 3, 4, 7, 10, 49, 120])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 10, 99, 100, 101, 250, 1000, 5003])
def test_quantiles(count: int, num_bins: int, epsilon: float) -> None:
    """They are equal, also where the summary is not exact."""
    data = RNG.normal(size=count)
    for batches in ([data], np.array_split(data, min(7, count))):
        ours, theirs = both("Discretization", num_bins=num_bins, epsilon=epsilon)
        for layer in (ours, theirs):
            layer.adapt(iter(batches))
        # Keras may make a boundary too many, of a bin that no quantile needs.
        assert ours.bin_boundaries == theirs.bin_boundaries[: num_bins - 1]
    theirs.adapt(data)
    ours.adapt(data)
    assert ours.bin_boundaries == theirs.bin_boundaries[: num_bins - 1]


def test_output_shapes() -> None:
    makers: list[tuple[str, dict[str, Any]]] = [
        ("StringLookup", {"vocabulary": ["a", "b"]}),
        ("IntegerLookup", {"vocabulary": [1, 2]}),
        ("Hashing", {"num_bins": 7}),
        ("Discretization", {"bin_boundaries": [0.0, 1.0]}),
        ("CategoryEncoding", {"num_tokens": 7}),
    ]
    for (name, options), mode in itertools.product(makers, MODES):
        if (name, mode) == ("CategoryEncoding", "int"):
            continue
        ours, theirs = both(name, output_mode=mode, **options)
        for shape in ((None, 1), (None, 4), (8, 4)):
            if mode == "one_hot" and name == "Hashing" and shape[1] == 4:
                assert ours.compute_output_shape(shape) == (
                    shape[0],
                    4,
                    7,
                )  # Keras's is not that of its output
                continue
            assert ours.compute_output_shape(shape) == theirs.compute_output_shape(shape)


# -- Configs ---------------------------------------------------------------------------------------


def adapted(layer: Any, data: Any) -> Any:
    layer.adapt(data)
    return layer


@pytest.mark.parametrize(
    "make",
    [
        lambda layers: layers.StringLookup(vocabulary=["a", "b"], mask_token="", num_oov_indices=2),
        lambda layers: layers.StringLookup(vocabulary=["[UNK]", "b"], output_mode="multi_hot"),
        lambda layers: layers.StringLookup(
            vocabulary=["a"], output_mode="tf_idf", idf_weights=[0.5], encoding="ascii", salt=3
        ),
        lambda layers: layers.IntegerLookup(vocabulary=[3, 4], oov_method="farmhash", salt=[1, 2]),
        lambda layers: layers.CategoryEncoding(7, output_mode="count"),
        lambda layers: layers.Discretization([0.5, 1.0], output_mode="one_hot"),
        lambda layers: adapted(layers.Discretization(num_bins=3), np.arange(30.0)),
        lambda layers: layers.Hashing(7, salt=3, mask_value="a"),
        lambda layers: layers.Hashing(7, output_mode="count"),
        lambda layers: layers.HashedCrossing(7),
        lambda layers: layers.HashedCrossing(7, output_mode="one_hot"),
    ],
)
def test_configs_of_keras(make: Any) -> None:
    theirs = make(keras.layers)
    described = json.loads(json.dumps(keras.layers.serialize(theirs)))
    ours = cnet.layers.deserialize(described)
    assert ours.name == theirs.name
    inputs: Any = {
        "StringLookup": words(9, 2),
        "IntegerLookup": integers(9, 2),
        "CategoryEncoding": RNG.integers(0, 7, (9, 2)),
        "Discretization": RNG.normal(size=(9, 2)),
        "Hashing": words(9, 2),
        "HashedCrossing": (words(9), integers(9)),
    }[type(ours).__name__]
    np.testing.assert_array_equal(ours(inputs), np.asarray(theirs(inputs)))


def test_a_config_of_an_adapted_lookup() -> None:
    """Keras writes the vocabulary to another file."""
    theirs = adapted(keras.layers.StringLookup(), WORDS)
    ours: Any = cnet.layers.deserialize(keras.layers.serialize(theirs))
    assert ours.get_vocabulary() == ["[UNK]"]
    ours.adapt(WORDS)
    assert ours.get_vocabulary() == theirs.get_vocabulary()
