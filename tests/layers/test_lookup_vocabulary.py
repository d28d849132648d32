"""Vocabularies of StringLookup and IntegerLookup: learned, given, and in configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.lookups import VOCABULARY, WORDS, adapted

import cnet
from cnet import layers

# -- Learning --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        WORDS,
        np.array(WORDS),
        np.array(WORDS, "S"),
        [word for row in WORDS for word in row],
        pd.DataFrame(WORDS),
        pd.Series([word for row in WORDS for word in row], dtype="category"),
        [np.array(WORDS[:1]), np.array(WORDS[1:])],
    ],
    ids=lambda data: type(data).__name__,
)
def test_adapt(data: Any) -> None:
    assert adapted(data).get_vocabulary() == ["[UNK]", *VOCABULARY]


def test_adapt_to_batches() -> None:
    arrays = [np.array(row) for row in WORDS]
    pairs = [(row, np.zeros(2)) for row in arrays]
    for batches in (iter(WORDS), (tuple(row) for row in WORDS), iter(arrays), iter(pairs)):
        assert adapted(batches).get_vocabulary(False) == VOCABULARY

    class Data(cnet.utils.PyDataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return pairs[index]

    assert adapted(Data()).get_vocabulary(False) == VOCABULARY


def test_steps_limit_the_batches() -> None:
    def endless() -> Any:
        while True:
            yield ["a", "b"]
            yield ["c", "c"]

    layer = layers.StringLookup()
    layer.adapt(endless(), steps=1)
    assert layer.get_vocabulary(False) == ["b", "a"]
    layer.adapt(endless(), batch_size=None, steps=2)
    assert layer.get_vocabulary(False) == ["c", "b", "a"]


def test_adapting_again_replaces_the_vocabulary() -> None:
    layer = adapted()
    layer.adapt(["x"])
    assert layer.get_vocabulary(False) == ["x"]


def test_the_most_frequent_tokens_are_kept() -> None:
    assert adapted(max_tokens=3).get_vocabulary() == ["[UNK]", "red", "green"]
    layer = adapted(max_tokens=3, mask_token="red")
    assert layer.get_vocabulary() == ["red", "[UNK]", "green"]


def test_state_by_hand() -> None:
    layer = layers.StringLookup(output_mode="tf_idf")
    layer.update_state(["a", "a", "b"])  # one sample
    layer.update_state([["b", "b"], ["b", "c"]])
    layer.finalize_state()
    assert layer.get_vocabulary(False) == ["b", "a", "c"]
    weights = np.log(1 + 3 / (1 + np.array([3, 1, 1])))
    assert layer.idf_weights is not None
    np.testing.assert_allclose(layer.idf_weights, [weights.mean(), *weights], rtol=1e-6)
    layer.finalize_state()
    assert layer.get_vocabulary(False) == ["b", "a", "c"], "nothing new was counted"
    layer.update_state(["d"])
    layer.reset_state()
    layer.finalize_state()
    assert layer.get_vocabulary(False) == ["b", "a", "c"]
    layer.update_state(["e"])
    layer.finalize_state()
    assert layer.get_vocabulary(False) == ["e"], "counts are of one vocabulary"
    layer.update_state(["f"])
    layer.adapt(["g"])
    assert layer.get_vocabulary(False) == ["g"]


def test_a_failed_call_keeps_the_vocabulary() -> None:
    def failing() -> Any:
        yield ["x"]
        raise RuntimeError("mine")

    layer = adapted()
    for data, error in (
        (failing(), RuntimeError),
        (iter([["x"], [1]]), TypeError),
        ([], ValueError),
    ):
        with pytest.raises(error):
            layer.adapt(data)
        layer.finalize_state()
        assert layer.get_vocabulary(False) == VOCABULARY
    with pytest.raises(ValueError, match="different"):
        layer.set_vocabulary(["a", "a"])
    assert layer.get_vocabulary(False) == VOCABULARY


def test_tokens_of_samples_of_more_dimensions() -> None:
    layer = layers.IntegerLookup(output_mode="tf_idf")
    layer.adapt(np.arange(12).reshape(2, 2, 3) % 7)
    flat = layers.IntegerLookup(output_mode="tf_idf")
    flat.adapt(np.arange(12).reshape(2, 6) % 7)
    assert layer.get_config()["idf_weights"] == flat.get_config()["idf_weights"]


# -- Vocabularies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("special", [[], ["", "[UNK]", "[UNK]"]])
@pytest.mark.parametrize("form", [list, tuple, np.array, pd.Series])
def test_vocabularies_may_begin_with_the_special_tokens(form: Any, special: list[str]) -> None:
    layer = layers.StringLookup(
        vocabulary=form([*special, "b", "a"]), mask_token="", num_oov_indices=2
    )
    assert layer.get_vocabulary() == ["", "[UNK]", "[UNK]", "b", "a"]
    assert layer.vocabulary_size() == 5
    assert layer(["a", "", "b"]).tolist() == [4, 0, 3]


@pytest.mark.parametrize("text", ["b\na", "b\na\n", "b\r\na\r\n"])
def test_vocabularies_in_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.txt"
    path.write_bytes(text.encode())
    for given in (path, str(path)):
        layer = layers.StringLookup(vocabulary=given)
        assert layer.get_vocabulary() == ["[UNK]", "b", "a"]
    path.write_bytes(b"[UNK]\n" + text.encode())
    special = layers.StringLookup(vocabulary=path)
    assert special.get_vocabulary() == ["[UNK]", "[UNK]", "b", "a"], "as in Keras"
    path.unlink()
    assert layers.deserialize(layers.serialize(layer))(["a"]).tolist() == [2]


def test_encodings_of_files(tmp_path: Path) -> None:
    path = tmp_path / "tokens.txt"
    path.write_bytes(b"\xe4\n")
    layer = layers.StringLookup(vocabulary=path, encoding="latin-1")
    assert layer([b"\xe4"]).tolist() == layer(["ä"]).tolist() == [1]
    with pytest.raises(ValueError, match=r"tokens.txt: expected text in utf-8"):
        layers.StringLookup(vocabulary=path)


def test_files_of_integers(tmp_path: Path) -> None:
    path = tmp_path / "tokens.txt"
    path.write_text("7\n -3\n")
    assert layers.IntegerLookup(vocabulary=path).get_vocabulary() == [-1, 7, -3]
    for text in ("7\n\n8", "7\n1.5", "7\n99999999999999999999", "7\n\u0663x"):
        path.write_text(text, "utf-8")
        with pytest.raises(ValueError, match=r"vocabulary: line 2: expected an integer, got "):
            layers.IntegerLookup(vocabulary=path)


def test_files_that_do_not_exist() -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.txt"):
        layers.StringLookup(vocabulary="missing.txt")
    with pytest.raises(OSError, match=r"directory|denied"):
        layers.StringLookup(vocabulary=".")


def test_a_config_reads_no_file(tmp_path: Path) -> None:
    """A model's file could name any other."""
    path = tmp_path / "tokens.txt"
    path.write_text("a")
    config = layers.StringLookup().get_config() | {"vocabulary": str(path)}
    with pytest.raises(TypeError, match="StringLookup: vocabulary: expected a list in a config"):
        layers.StringLookup.from_config(config)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"vocabulary": {"a": 1}}, TypeError),
        ({"vocabulary": ["[UNK]", "a", 1]}, TypeError),
        ({"vocabulary": ["[UNK]", "a", "a"]}, ValueError),
        ({"vocabulary": ["[UNK]", ["a"]]}, ValueError),
        ({"vocabulary": [["a"]]}, ValueError),
        ({"vocabulary": []}, ValueError),
        ({"vocabulary": ["a"], "vocabulary_size": 5}, ValueError),
        ({"idf_weights": [1.0, 2.0]}, ValueError),
        ({"vocabulary": None, "idf_weights": [1.0]}, ValueError),
        ({"output_mode": "tf_idf"}, ValueError),
        ({"output_mode": "tf_idf", "idf_weights": [1.0, "a"]}, TypeError),
        ({"output_mode": "tf_idf", "idf_weights": [1.0, float("nan")]}, ValueError),
        ({"num_oov_indices": "1"}, TypeError),
        ({"encoding": "no such"}, ValueError),
        ({"what": 1}, TypeError),
    ],
    ids=str,
)
def test_malformed_configs(change: dict[str, Any], error: type[Exception]) -> None:
    config = layers.StringLookup(vocabulary=["a"]).get_config()
    with pytest.raises(error):
        layers.StringLookup.from_config(config | change)


def test_a_vocabulary_of_tokens_that_look_special() -> None:
    layer = layers.StringLookup(vocabulary=["[UNK]", "[UNK]", "a"])
    assert layer.get_vocabulary() == ["[UNK]", "[UNK]", "a"]
    copy = layers.StringLookup.from_config(json.loads(json.dumps(layer.get_config())))
    assert copy(["[UNK]", "a"]).tolist() == layer(["[UNK]", "a"]).tolist() == [1, 2]


@pytest.mark.parametrize("mode", ["int", "tf_idf"])
def test_no_oov_token(mode: str) -> None:
    weights = [0.5, 0.25] if mode == "tf_idf" else None
    layer = layers.StringLookup(
        vocabulary=["a", "b"], oov_token=None, output_mode=mode, idf_weights=weights
    )
    assert layer.get_vocabulary() == [None, "a", "b"]
    copy = layers.StringLookup.from_config(layer.get_config())
    assert copy.get_vocabulary() == [None, "a", "b"]
    np.testing.assert_array_equal(copy([["a", "c"]]), layer([["a", "c"]]))


def test_a_learned_vocabulary_is_learned_in_a_copy_too() -> None:
    copy = layers.StringLookup.from_config(adapted().get_config())
    copy.adapt(["x"])
    assert copy.get_vocabulary(False) == ["x"]
    given = layers.StringLookup.from_config(layers.StringLookup(vocabulary=["a"]).get_config())
    with pytest.raises(ValueError, match="the layer was created with a vocabulary"):
        given.adapt(["x"])
    given.set_vocabulary(["x"])
    assert given(["x"]).tolist() == [1]


@pytest.mark.parametrize(
    ("option", "value"), [("num_oov_indices", 2), ("mask_token", ""), ("output_mode", "count")]
)
def test_options_of_a_layer_with_a_vocabulary(option: str, value: Any) -> None:
    for layer in (adapted(), layers.StringLookup(vocabulary=["a"])):
        with pytest.raises(ValueError, match=f"{option}: the layer has a vocabulary"):
            setattr(layer, option, value)
    fresh = layers.StringLookup()
    setattr(fresh, option, value)
    fresh.adapt(WORDS)
    assert fresh.get_vocabulary() == adapted(**{option: value}).get_vocabulary()


def test_a_layer_without_a_vocabulary() -> None:
    layer = layers.StringLookup()
    config = layer.get_config()
    assert config["vocabulary"] is config["idf_weights"] is layer.idf_weights is None
    assert adapted().idf_weights is None
    assert "has_input_vocabulary" not in config
    # After adapt, Keras writes the size alone.
    copy = layers.StringLookup.from_config(config | {"vocabulary_size": 4})
    copy.adapt(["a"])
    assert copy.get_vocabulary(False) == ["a"]
    assert layer.get_vocabulary() == ["[UNK]"]
    assert layer.vocabulary_size() == 1


def test_limits_of_sizes() -> None:
    assert layers.StringLookup(vocabulary=["[UNK]"]).get_vocabulary() == ["[UNK]"]
    assert layers.StringLookup(vocabulary=["a", "b"], max_tokens=3).vocabulary_size() == 3


def test_samples_of_one_dimension() -> None:
    """In data each token is a sample, in batches each batch, as in Keras."""
    data = adapted(["a", "b", "b"], output_mode="tf_idf")
    batches = adapted(iter([["a", "b"], ["b"]]), output_mode="tf_idf")
    samples = (3, [2, 1]), (2, [2, 1])
    for layer, (count, found) in zip((data, batches), samples, strict=True):
        assert layer.get_vocabulary(False) == ["b", "a"]
        weights = np.log(1 + count / (1 + np.array(found)))
        assert layer.idf_weights is not None
        np.testing.assert_allclose(layer.idf_weights[1:], weights, rtol=1e-6)


def test_tf_idf() -> None:
    layer = layers.StringLookup(vocabulary=["a", "b"], output_mode="tf_idf", idf_weights=[0.5, 2])
    found = layer([["a", "a", "c"], ["b", "a", "a"]])
    expected = np.array([[1.25, 1, 0], [0, 1, 2]], np.float32)
    np.testing.assert_array_equal(found, expected, strict=True)


def test_padding() -> None:
    options: dict[str, Any] = {"max_tokens": 5, "pad_to_max_tokens": True}
    layer = layers.StringLookup(output_mode="count", **options)
    assert layer.compute_output_shape((None, 2)) == (None, 5), "also before adapt"
    layer.adapt(["a", "b"])
    assert layer([["a", "c"]]).tolist() == [[1, 0, 1, 0, 0]]
    layer = layers.StringLookup(output_mode="tf_idf", **options)
    layer.adapt(["a", "b"])
    weight = np.log(1 + 2 / (1 + 1))
    np.testing.assert_allclose(layer([["a", "c"]]), [[weight, 0, weight, 0, 0]], rtol=1e-6)


def test_other_changes_of_a_vocabulary_in_a_model() -> None:
    x = np.array([[3, 9]])
    layer = layers.IntegerLookup(vocabulary=[1, 2])
    model = cnet.Sequential([cnet.Input((2,)), layer])
    layer.set_vocabulary([1, 2, 3])
    assert model.predict(x, verbose=0).tolist() == [[3, 0]]
    layer = layers.IntegerLookup(vocabulary=[1, 2], output_mode="count")
    model = cnet.Sequential([layer])
    layer.set_vocabulary([1, 2, 3])
    assert model.predict(x, verbose=0).tolist() == [[1, 0, 0, 1]]
    layer = layers.IntegerLookup(5, vocabulary=[1], output_mode="count", pad_to_max_tokens=True)
    model = cnet.Sequential([cnet.Input((2,)), layer])
    layer.set_vocabulary([1, 2, 3])
    assert model.predict(x, verbose=0).tolist() == [[1, 0, 0, 1, 0]]


def test_the_size_of_an_encoding_in_a_built_model() -> None:
    layer = layers.IntegerLookup(vocabulary=[1, 2], output_mode="multi_hot")
    model = cnet.Sequential([cnet.Input((2,)), layer, layers.Dense(1)])
    with pytest.raises(ValueError, match="a built model contains the layer with 2 tokens, got 3"):
        layer.set_vocabulary([1, 2, 3])
    layer.set_vocabulary([3, 4])
    x = np.array([[3, 9]])
    expected = layer(x) @ model.layers[-1].kernel
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6)
