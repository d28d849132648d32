"""Saved models are restored to the bit, and nothing else is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.instances import INNER_LAYERS, Maker, name_of
from support.saved_models import CLASSIFY, X, Y, make_model, saved, state

import cnet
from cnet import layers, models
from cnet.saving.model_file import weights_by_path

# -- Saving and loading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_is_restored(tmp_path: Path, dtype: str) -> None:
    model = make_model(dtype)
    copy = models.load_model(saved(model, tmp_path))
    assert state(copy) == state(model)
    assert copy.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()
    assert copy.optimizer is None


@pytest.mark.parametrize("make", INNER_LAYERS, ids=name_of)
def test_every_layer(tmp_path: Path, make: Maker) -> None:
    model = cnet.Sequential([layers.Input((4,)), make()])
    copy = models.load_model(saved(model, tmp_path))
    assert state(copy) == state(model)
    x = np.linspace(-8, 8, 12).reshape(3, 4)
    assert copy.predict(x).tobytes() == model.predict(x).tobytes()


def test_moving_statistics_are_restored(tmp_path: Path) -> None:
    normalization = layers.Normalization()
    normalization.adapt(X.reshape(6, 4))
    inner = cnet.Sequential([layers.Dense(5, "relu"), layers.BatchNormalization()], name="inner")
    model = cnet.Sequential([normalization, inner, layers.Dense(3, "softmax", name="top")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X.reshape(6, 4), Y, epochs=3, verbose=0)
    path = saved(model, tmp_path)
    copy = models.load_model(path)
    assert state(copy) == state(model)
    x = X.reshape(6, 4)
    assert copy.predict(x, verbose=0).tobytes() == model.predict(x, verbose=0).tobytes()
    names = set(safetensors.numpy.load_file(path))
    assert {"top/kernel", f"inner/{inner.layers[1].name}/moving_mean"} <= names


@pytest.mark.parametrize(
    "name",
    ["", " ", "a/b", "ü雪🙂", "\"'\\\n\0", "__metadata__", "optimizer", "x" * 5000, "../../x"],
)
def test_unusual_names(tmp_path: Path, name: str) -> None:
    model = make_model(first=name)
    path = saved(model, tmp_path)
    assert state(models.load_model(path)) == state(model)
    assert f"{name}/kernel" in safetensors.numpy.load_file(path)


@pytest.mark.parametrize("name", ["\ud800", "a\udcff"])
def test_names_that_are_not_text(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="half surrogates"):
        make_model(first=name).save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [0.0, -0.0, np.nan, np.inf, 1e-45, 3.4028235e38])
def test_unusual_numbers(tmp_path: Path, value: float) -> None:
    model = make_model()
    model.set_weights([np.full_like(weight, value) for weight in model.get_weights()])
    assert state(models.load_model(saved(model, tmp_path))) == state(model)


def test_safetensors_can_read_the_file(tmp_path: Path) -> None:
    model = make_model(first="first", last="last")
    tensors = safetensors.numpy.load_file(saved(model, tmp_path))
    assert set(tensors) == {
        *("first/kernel", "first/bias", f"{model.layers[3].name}/kernel"),
        *("last/kernel", "last/bias"),
    }
    kernel: Any = model.get_layer("first")
    assert tensors["first/kernel"].shape == (4, 5)
    assert (tensors["first/kernel"] == kernel.kernel).all()


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = make_model()
    model.compile("adam", CLASSIFY, metrics=["accuracy"])
    first = saved(model, tmp_path).read_bytes()
    assert saved(model, tmp_path).read_bytes() == first
    copy = models.load_model(tmp_path / "model.safetensors")
    assert saved(copy, tmp_path).read_bytes() == first


def test_a_model_in_another_process(tmp_path: Path) -> None:
    model = make_model()
    path = saved(model, tmp_path)
    script = f"import cnet; print(cnet.models.load_model({str(path)!r}).get_weights()[0].tobytes())"
    output = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert output.strip() == repr(model.get_weights()[0].tobytes())


def test_an_unbuilt_model(tmp_path: Path) -> None:
    model = cnet.Sequential([layers.Dense(3)], name="net")
    with pytest.warns(UserWarning, match="save: the model 'net' is not built"):
        path = saved(model, tmp_path)
    copy = models.load_model(path)
    assert not copy.built
    assert copy.get_config() == model.get_config()
    for call in (model.save_weights, model.load_weights):
        with pytest.raises(ValueError, match=rf"{call.__name__}: the model 'net' is not built"):
            call(path)


def test_nested_models() -> None:
    """Names in files include all models on the path to the weight."""

    class Inner:
        path, layers = "inner", make_model(first="dense", last="top").layers

    class Outer:
        layers = (Inner(), *make_model(first="dense", last="top").layers)

    paths = list(weights_by_path(Outer()))
    assert paths[:2] == ["inner/dense/kernel", "inner/dense/bias"]
    assert {"dense/kernel", "top/bias", "inner/top/bias"} <= set(paths)
    assert len(paths) == len(set(paths)) == 10


def test_two_weights_of_the_same_name() -> None:
    class Inner:
        path, layers = "a", make_model(first="b").layers

    class Outer:
        layers = (Inner(), *make_model(first="a/b").layers)

    with pytest.raises(ValueError, match="two weights would be named 'a/b/kernel'"):
        weights_by_path(Outer())


# -- Paths ----------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["save", "save_weights"])
def test_names_of_files(tmp_path: Path, call: str) -> None:
    model = make_model()
    for name in ("m.keras", "m.h5", "m.weights.h5", "m", "safetensors", ".safetensors"):
        with pytest.raises(ValueError, match=rf"{call}: filepath: expected .*\.safetensors") as r:
            getattr(model, call)(tmp_path / name)
        assert ("Keras" in str(r.value)) == name.endswith((".keras", ".h5"))
    for wrong in (1, None, b"m.safetensors"):
        with pytest.raises(TypeError):
            getattr(model, call)(wrong)
    assert not list(tmp_path.iterdir())
    getattr(model, call)(str(tmp_path / "m.weights.safetensors"))


@pytest.mark.parametrize("call", ["save", "save_weights"])
def test_files_that_exist(tmp_path: Path, call: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_text("old")
    save = getattr(make_model(), call)
    with pytest.raises(FileExistsError, match=str(path)):
        save(path, overwrite=False)
    assert path.read_text() == "old"
    save(path)
    assert path.read_bytes()[8:9] == b"{"
    path.write_text("old")
    models.save_model(make_model(), path, overwrite=True)
    models.load_model(path)
    with pytest.raises(FileExistsError, match=str(path)):
        models.save_model(make_model(), path, overwrite=False)
    with pytest.raises(TypeError, match="save_model: expected a model, got str"):
        models.save_model("model", path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save(tmp_path / "nowhere" / "model.safetensors")


def test_unsupported_keras_options_are_named(tmp_path: Path) -> None:
    path, model = tmp_path / "model.safetensors", make_model()
    with pytest.raises(ValueError, match="save: zipped is not supported, got True"):
        model.save(path, zipped=True)
    assert not path.exists()
    model.save(path)
    with pytest.raises(ValueError, match="load_weights: skip_mismatch is not supported"):
        model.load_weights(path, skip_mismatch=True)


# -- Weights only -----------------------------------------------------------------------------------


def test_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    model, copy = make_model(), make_model()
    assert [layer.name for layer in copy.layers] != [layer.name for layer in model.layers]
    model.save_weights(path)
    copy.load_weights(path)
    assert state(copy)[1] == state(model)[1]
    with pytest.raises(cnet.FormatError, match=r"it holds weights only: model\.load_weights"):
        models.load_model(path)


def test_weights_from_a_model_file(tmp_path: Path) -> None:
    model, copy = make_model(), make_model()
    copy.load_weights(saved(model, tmp_path))
    assert state(copy)[1] == state(model)[1]


def two(first: str, second: str) -> cnet.Sequential:
    return cnet.Sequential(
        [layers.Input((3,)), layers.Dense(3, name=first), layers.Dense(3, name=second)]
    )


def test_weights_are_matched_by_name_if_possible(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    model, swapped, others = two("a", "b"), two("b", "a"), two("c", "d")
    model.save_weights(path)
    for copy, order in ((swapped, (2, 3, 0, 1)), (others, (0, 1, 2, 3))):
        copy.load_weights(path)
        expected = [state(model)[1][n] for n in order]
        assert state(copy)[1] == expected


def test_weights_of_other_programs(tmp_path: Path) -> None:
    path, model = tmp_path / "weights.safetensors", two("a", "b")
    tensors = {
        f"{layer}/{name}": np.full(shape, n, np.float32)
        for n, (layer, name, shape) in enumerate(
            [(x, y, z) for x in "ba" for y, z in (("bias", (3,)), ("kernel", (3, 3)))]
        )
    }
    safetensors.numpy.save_file(tensors, path)
    model.load_weights(path)
    assert [weight.flat[0] for weight in model.get_weights()] == [3, 2, 1, 0]
    with pytest.raises(cnet.FormatError, match="there is no tensor 'c/kernel'"):
        two("c", "d").load_weights(path)
    with pytest.raises(cnet.FormatError, match="another program wrote it"):
        models.load_model(path)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ([layers.Dense(2)], "it holds 4 weights (kernel, bias, kernel, bias), the model has 2"),
        (
            [layers.Dense(3), layers.Dense(2)],
            "kernel': expected float32 (3, 2), found float32 (3, 3)",
        ),
        ([layers.Dense(3, use_bias=False), layers.Dense(3)], "has 3 (kernel, kernel, bias)"),
        (
            [layers.Dense(3, dtype="float64"), layers.Dense(3, dtype="float64")],
            "kernel': expected float64 (3, 3), found float32 (3, 3)",
        ),
    ],
)
def test_weights_of_another_model(tmp_path: Path, other: list[Any], message: str) -> None:
    path = tmp_path / "weights.safetensors"
    cnet.Sequential([layers.Input((3,)), layers.Dense(3), layers.Dense(3)]).save_weights(path)
    fresh = [type(layer).from_config(layer.get_config() | {"name": None}) for layer in other]
    model = cnet.Sequential([layers.Input((3,), dtype=fresh[0].dtype), *fresh])
    before = state(model)
    with pytest.raises(cnet.FormatError) as raised:
        model.load_weights(path)
    assert message in raised.value.reason
    assert state(model) == before
