"""Models in files: what is saved comes back to the bit, and nothing else comes in."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from support.instances import INNER_LAYERS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES, Maker, name_of

import cnet
from cnet import initializers, layers, losses, metrics, models, optimizers
from cnet.saving import tensor_file
from cnet.saving.saveable import weights_by_path
from cnet.saving.tensor_file import TensorFile, write_tensor_file

CLASSIFY = "sparse_categorical_crossentropy"


def make_model(dtype: str = "float32", **names: str) -> cnet.Sequential:
    return cnet.Sequential(
        [
            layers.Input((2, 2), dtype=dtype),
            layers.Rescaling(1 / 255, dtype=dtype),
            layers.Flatten(dtype=dtype),
            layers.Dense(5, "relu", dtype=dtype, name=names.get("first")),
            layers.Dense(4, use_bias=False, dtype=dtype, trainable=False),
            layers.LeakyReLU(0.1, dtype=dtype),
            layers.Dense(3, "softmax", dtype=dtype, name=names.get("last")),
        ]
    )


def saved(model: cnet.Sequential, folder: Path) -> Path:
    path = folder / "model.safetensors"
    model.save(path)
    return path


def state(model: cnet.Sequential) -> list[Any]:
    """Return all of a model that a file holds."""
    arrays = [(a.dtype.name, a.shape, a.tobytes()) for a in model.get_weights()]
    return [model.get_config(), arrays]


X = np.arange(24, dtype=np.uint8).reshape(6, 2, 2) * 10
Y = np.array([0, 1, 2, 0, 1, 2])


# -- There and back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_comes_back(tmp_path: Path, dtype: str) -> None:
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


def test_what_a_model_has_seen_comes_back(tmp_path: Path) -> None:
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
def test_odd_names(tmp_path: Path, name: str) -> None:
    model = make_model(first=name)
    path = saved(model, tmp_path)
    assert state(models.load_model(path)) == state(model)
    assert f"{name}/kernel" in safetensors.numpy.load_file(path)


@pytest.mark.parametrize("name", ["\ud800", "a\udcff"])
def test_names_that_are_no_text(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="half surrogates"):
        make_model(first=name).save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [0.0, -0.0, np.nan, np.inf, 1e-45, 3.4028235e38])
def test_odd_numbers(tmp_path: Path, value: float) -> None:
    model = make_model()
    model.set_weights([np.full_like(weight, value) for weight in model.get_weights()])
    assert state(models.load_model(saved(model, tmp_path))) == state(model)


def test_any_reader_of_safetensors_reads_it(tmp_path: Path) -> None:
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


def test_a_model_that_is_not_built(tmp_path: Path) -> None:
    model = cnet.Sequential([layers.Dense(3)], name="net")
    with pytest.warns(UserWarning, match="save: the model 'net' is not built"):
        path = saved(model, tmp_path)
    copy = models.load_model(path)
    assert not copy.built
    assert copy.get_config() == model.get_config()
    for call in (model.save_weights, model.load_weights):
        with pytest.raises(ValueError, match=rf"{call.__name__}: the model 'net' is not built"):
            call(path)


def test_models_in_models() -> None:
    """Names in files are those of all models down to the weight."""

    class Inner:
        name, layers = "inner", make_model(first="dense", last="top").layers

    class Outer:
        layers = (Inner(), *make_model(first="dense", last="top").layers)

    paths = list(weights_by_path(Outer()))
    assert paths[:2] == ["inner/dense/kernel", "inner/dense/bias"]
    assert {"dense/kernel", "top/bias", "inner/top/bias"} <= set(paths)
    assert len(paths) == len(set(paths)) == 10


def test_two_weights_of_one_name() -> None:
    class Inner:
        name, layers = "a", make_model(first="b").layers

    class Outer:
        layers = (Inner(), *make_model(first="a/b").layers)

    with pytest.raises(ValueError, match="two weights would be named 'a/b/kernel'"):
        weights_by_path(Outer())


# -- What compile was told ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", OPTIMIZERS, ids=name_of)
def test_every_optimizer(tmp_path: Path, make: Maker) -> None:
    model = make_model()
    model.compile(make(name="mine"), CLASSIFY)
    copy = models.load_model(saved(model, tmp_path)).optimizer
    assert type(copy) is make.func
    assert copy.get_config() == make(name="mine").get_config()


@pytest.mark.parametrize("make", SCHEDULES, ids=name_of)
def test_every_schedule(tmp_path: Path, make: Maker) -> None:
    model = make_model()
    model.compile(optimizers.SGD(make()), CLASSIFY)
    copy = models.load_model(saved(model, tmp_path)).optimizer
    assert copy.get_config() == model.optimizer.get_config()
    assert copy.learning_rates(20, 3) == model.optimizer.learning_rates(20, 3)


@pytest.mark.parametrize("make", LOSSES, ids=name_of)
def test_every_loss(tmp_path: Path, make: Maker) -> None:
    model = make_model()
    model.compile("sgd", make(name="mine"))
    copy = models.load_model(saved(model, tmp_path)).loss
    assert copy is not None
    assert type(copy) is make.func
    assert copy.get_config() == make(name="mine").get_config()
    assert vars(copy) == vars(make(name="mine"))


@pytest.mark.parametrize("make", METRICS, ids=name_of)
def test_every_metric(tmp_path: Path, make: Maker) -> None:
    model = make_model()
    metric = make(name="mine")
    model.compile("sgd", CLASSIFY if metric.sparse else "mse", metrics=[metric])
    (copy,) = models.load_model(saved(model, tmp_path)).metrics
    assert type(copy) is make.func
    assert copy.get_config() == make(name="mine").get_config()


def test_a_loss_as_metric(tmp_path: Path) -> None:
    model = make_model()
    model.compile("sgd", "mse", metrics=[losses.huber])
    y = np.ones((len(X), 3))
    copy = models.load_model(saved(model, tmp_path))
    assert copy.evaluate(X, y, verbose=0) == model.evaluate(X, y, verbose=0)


@pytest.mark.parametrize("trained", [False, True])
def test_accuracy_by_shape(tmp_path: Path, trained: bool) -> None:
    model = make_model()
    model.compile("sgd", CLASSIFY, metrics=["acc"])
    if trained:
        model.fit(X, Y, verbose=0)
    copy = models.load_model(saved(model, tmp_path))
    assert copy.metrics_names == ["loss", "acc"]
    assert copy.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert type(copy.metrics[0]) is metrics.SparseCategoricalAccuracy


def test_without_compile(tmp_path: Path) -> None:
    model = make_model()
    model.compile("sgd")
    copy = models.load_model(saved(model, tmp_path))
    assert (copy.optimizer.name, copy.loss) == ("SGD", None)
    assert models.load_model(tmp_path / "model.safetensors", compile=False).optimizer is None


# -- Classes and functions of users ------------------------------------------------------------------


class Mine(layers.Dense):
    def __init__(self, extra: int = 1, **kwargs: Any) -> None:
        super().__init__(3, **kwargs)
        self.extra = extra


class MySchedule(optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate: float) -> None:
        self.rate_ = rate

    def __call__(self, step: int) -> float:
        return self.rate_ / (step + 1)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate_}


class MyOptimizer(optimizers.SGD):
    pass


class MyMetric(metrics.Mean):
    pass


class MyModel(cnet.Sequential):
    pass


def bias(y_true: Any, y_pred: Any) -> Any:
    return y_pred - y_true


OBJECTS: dict[str, Any] = {
    each.__name__: each for each in (Mine, MySchedule, MyOptimizer, MyMetric, MyModel, bias)
}


def test_what_users_wrote(tmp_path: Path) -> None:
    model = MyModel([layers.Input((4,)), Mine(7)])
    model.compile(MyOptimizer(MySchedule(0.5)), "mse", metrics=[MyMetric(name="m"), bias])
    path = saved(model, tmp_path)
    copy = models.load_model(path, custom_objects=OBJECTS)
    assert isinstance(copy, MyModel)
    layer: Any = copy.layers[0]
    assert (type(layer), layer.extra) == (Mine, 7)
    assert type(copy.optimizer) is MyOptimizer
    assert copy.optimizer.learning_rate == 0.5
    assert [type(metric) for metric in copy.metrics] == [MyMetric, metrics.MeanMetricWrapper]
    assert copy.metrics_names == ["loss", "m", "bias"]
    for missing in OBJECTS:
        known = {name: value for name, value in OBJECTS.items() if name != missing}
        with pytest.raises(cnet.FormatError, match=missing):
            models.load_model(path, custom_objects=known)


def falling() -> float:
    return 0.25


def test_a_function_for_the_learning_rate(tmp_path: Path) -> None:
    model = make_model()
    model.compile(optimizers.SGD(falling), CLASSIFY)
    path = saved(model, tmp_path)
    copy = models.load_model(path, custom_objects={"falling": falling})
    assert copy.optimizer.get_config() == model.optimizer.get_config()
    with pytest.raises(cnet.FormatError, match="learning_rate: the function 'falling' is not"):
        models.load_model(path)


def test_what_has_no_description(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    layer = layers.Dense(3, kernel_initializer=lambda shape, dtype: np.zeros(shape, dtype))
    with pytest.raises(TypeError, match=r"kernel_initializer: .* can't be described"):
        cnet.Sequential([layers.Input((4,)), layer]).save(path)
    assert not list(tmp_path.iterdir())


# -- Where files go ----------------------------------------------------------------------------------


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
    with pytest.raises(TypeError, match="save_model: expected a Sequential, got str"):
        models.save_model("model", path)  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save(tmp_path / "nowhere" / "model.safetensors")


def test_what_keras_has_and_cnet_has_not_is_named(tmp_path: Path) -> None:
    path, model = tmp_path / "model.safetensors", make_model()
    with pytest.raises(ValueError, match="save: zipped is not supported, got True"):
        model.save(path, zipped=True)  # type: ignore[arg-type]
    assert not path.exists()
    model.save(path)
    with pytest.raises(ValueError, match="load_weights: skip_mismatch is not supported"):
        model.load_weights(path, skip_mismatch=True)


# -- Weights alone -----------------------------------------------------------------------------------


def test_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    model, copy = make_model(), make_model()
    assert [layer.name for layer in copy.layers] != [layer.name for layer in model.layers]
    model.save_weights(path)
    copy.load_weights(path)
    assert state(copy)[1] == state(model)[1]
    with pytest.raises(cnet.FormatError, match=r"it holds weights alone: model\.load_weights"):
        models.load_model(path)


def test_weights_from_a_whole_model(tmp_path: Path) -> None:
    model, copy = make_model(), make_model()
    copy.load_weights(saved(model, tmp_path))
    assert state(copy)[1] == state(model)[1]


def two(first: str, second: str) -> cnet.Sequential:
    return cnet.Sequential(
        [layers.Input((3,)), layers.Dense(3, name=first), layers.Dense(3, name=second)]
    )


def test_weights_go_by_their_names_where_they_can(tmp_path: Path) -> None:
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
    with pytest.raises(cnet.FormatError, match="no cnet wrote it"):
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


# -- Descriptions that are made up -------------------------------------------------------------------


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a file's document, all checksums being right."""
    with TensorFile(path) as file:
        tensors = {name: file.read(name) for name in file.entries}
        document: Any = json.loads(json.dumps(file.document))
    changed = change(document)
    write_tensor_file(path, tensors, document if changed is None else changed, overwrite=True)


def dense(document: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = document["model"]["config"]["layers"][3]["config"]
    return config


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "version": lambda d: d.update(version=2),
    "no version": lambda d: d.pop("version"),
    "no weights": lambda d: d.pop("weights"),
    "other weights": lambda d: d.update(weights=[]),
    "weights in another order": lambda d: d["weights"].reverse(),
    "empty": lambda _: {},
    "class": lambda d: d["model"].update(class_name="os.system"),
    "class of no text": lambda d: d["model"].update(class_name=["Sequential"]),
    "model": lambda d: d.update(model=[1]),
    "no config": lambda d: d["model"].pop("config"),
    "config of text": lambda d: d["model"].update(config="x"),
    "layers": lambda d: d["model"]["config"].update(layers=7),
    "layer": lambda d: d["model"]["config"]["layers"].append(None),
    "layer's class": lambda d: d["model"]["config"]["layers"][3].update(class_name="Callback"),
    "base class": lambda d: d["model"]["config"]["layers"].append(
        {"class_name": "Layer", "config": {}}
    ),
    "layer twice": lambda d: d["model"]["config"]["layers"].append(
        d["model"]["config"]["layers"][-1]
    ),
    "argument": lambda d: dense(d).update(what=1),
    "units": lambda d: dense(d).update(units=6),
    "units of text": lambda d: dense(d).update(units="5"),
    "all units there are": lambda d: dense(d).update(units=2**62),
    "more units": lambda d: dense(d).update(units=2**40),
    "units beyond all": lambda d: dense(d).update(units=10**400),
    "bias": lambda d: dense(d).update(use_bias=False),
    "dtype": lambda d: dense(d).update(dtype="float64"),
    "another dtype": lambda d: dense(d).update(dtype="int8"),
    "activation": lambda d: dense(d).update(activation="nothing"),
    "activation of numbers": lambda d: dense(d).update(activation=[1]),
    "initializer": lambda d: dense(d).update(kernel_initializer={"class_name": "exec"}),
    "name": lambda d: dense(d).update(name="other"),
    "input": lambda d: d["model"]["config"]["layers"][0]["config"].update(shape=[2**40, 2**40]),
    "compile": lambda d: d.update(compile=[]),
    "an argument less": lambda d: d["compile"].pop("metrics"),
    "an argument more": lambda d: d["compile"].update(run_eagerly=True),
    "optimizer": lambda d: d["compile"].update(optimizer="sgd"),
    "optimizer's class": lambda d: d["compile"]["optimizer"].update(class_name="Optimizer"),
    "rate": lambda d: d["compile"]["optimizer"]["config"].update(learning_rate=10**400),
    "schedule": lambda d: d["compile"]["optimizer"]["config"].update(
        learning_rate={"class_name": "LearningRateSchedule", "config": {"x": 1}}
    ),
    "loss": lambda d: d["compile"].update(loss={"class_name": "Loss", "config": {}}),
    "a function for the loss": lambda d: d["compile"].update(
        loss={"class_name": "LossFunctionWrapper", "config": {"name": "x", "fn": "huber"}}
    ),
    "metrics": lambda d: d["compile"].update(metrics=3),
    "metric": lambda d: d["compile"].update(metrics=[{"class_name": "Metric"}]),
    "function": lambda d: d["compile"].update(
        metrics=[{"class_name": "MeanMetricWrapper", "config": {"fn": "print"}}]
    ),
    "thresholds": lambda d: d["compile"].update(
        metrics=[{"class_name": "AUC", "config": {"num_thresholds": 2**40}}]
    ),
    "training": lambda d: d.pop("training"),
    "seed": lambda d: d["training"].update(seed=-1),
    "seed of text": lambda d: d["training"].update(seed="1"),
    "epochs": lambda d: d["training"].update(epochs=2**32),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_descriptions_that_are_refused(tmp_path: Path, change: Any) -> None:
    model = make_model()
    model.compile("sgd", CLASSIFY, metrics=["accuracy"])
    path = saved(model, tmp_path)
    rewritten(path, lambda _: None)
    assert state(models.load_model(path)) == state(model)  # what is not changed is read
    rewritten(path, change)
    with pytest.raises(cnet.FormatError, match=str(path)) as raised:
        models.load_model(path)
    assert len(str(raised.value)) < 1000


def test_tensors_that_are_missing_or_too_many(tmp_path: Path) -> None:
    model = make_model(last="last")
    path = saved(model, tmp_path)
    with TensorFile(path) as file:
        tensors = {name: file.read(name) for name in file.entries}
        document: Any = file.document
    for changed in (
        {name: array for name, array in tensors.items() if name != "last/bias"},
        tensors | {"more": np.ones(1, np.float32)},
        tensors | {"last/bias": np.ones(3)},
        tensors | {"last/bias": np.ones((3, 1), np.float32)},
    ):
        write_tensor_file(path, changed, document | {"weights": list(changed)}, overwrite=True)
        before = state(model)
        for load in (models.load_model, model.load_weights):
            with pytest.raises(cnet.FormatError, match=r"last/bias|more|it holds"):
                load(path)
        assert state(model) == before


def test_weights_without_a_list_of_them(tmp_path: Path) -> None:
    write_tensor_file(tmp_path / "file", {}, {"version": 1}, overwrite=True)
    for load in (models.load_model, make_model().load_weights):
        with pytest.raises(cnet.FormatError, match="its lists of weights"):
            load(tmp_path / "file")


def test_an_error_while_weights_are_read_changes_nothing(tmp_path: Path) -> None:
    model, other = make_model(), make_model()
    path = saved(other, tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # in the last tensor
    path.write_bytes(content)
    before = state(model)
    with pytest.raises(cnet.FormatError, match="checksum"):
        model.load_weights(path)
    assert state(model) == before


def test_every_flipped_bit_of_a_model_is_found(tmp_path: Path) -> None:
    model = cnet.Sequential([layers.Input((2,)), layers.Dense(1)])
    path = saved(model, tmp_path)
    content = path.read_bytes()
    for bit in range(0, len(content) * 8, 7):  # tensor_file's tests try all
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        for load in (models.load_model, model.load_weights):
            with pytest.raises(cnet.FormatError):
                load(path)


def test_loading_runs_no_initializer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An orthogonal matrix takes a cube of time; and the file's weights replace what it makes."""
    layer = layers.Dense(3, kernel_initializer="orthogonal")
    path = saved(cnet.Sequential([layers.Input((4,)), layer]), tmp_path)

    def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(initializers.Orthogonal, "__call__", fail)
    models.load_model(path)
    with pytest.raises(AssertionError):  # outside of it they run
        cnet.Sequential([layers.Input((4,)), layers.Dense(3, kernel_initializer="orthogonal")])


def test_no_memory_is_no_error_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(make_model(), tmp_path)
    monkeypatch.setattr(initializers, "replaced", lambda _: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError):
        models.load_model(path)


def test_several_threads_load_and_make_models(tmp_path: Path) -> None:
    """What replaces initializers in one thread leaves the others' alone."""
    path = saved(make_model(), tmp_path)
    expected = models.load_model(path).get_weights()[0].tobytes()
    wrong = []

    def load() -> None:
        for _ in range(30):
            wrong.extend([1] * (models.load_model(path).get_weights()[0].tobytes() != expected))

    def make() -> None:
        for _ in range(30):
            wrong.extend([2] * (not make_model().get_weights()[0].any()))

    threads = [threading.Thread(target=each) for each in (load, make, load, make)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_format_errors() -> None:
    error = cnet.FormatError("file", "x" * 1000)
    assert isinstance(error, ValueError)
    assert len(str(error)) < 600
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.path, copy.reason) == (error.path, error.reason)
    assert tensor_file.FormatError is cnet.FormatError
