"""Forged descriptions in model files are refused and change nothing."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.saved_models import CLASSIFY, make_model, saved, state

import cnet
from cnet import initializers, layers, models
from cnet.saving import tensor_file
from cnet.saving.tensor_file import TensorFile, write_tensor_file


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the document of a file, with valid checksums."""
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
    "an argument more": lambda d: d["compile"].update(what=True),
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
def test_invalid_descriptions_are_refused(tmp_path: Path, change: Any) -> None:
    model = make_model()
    model.compile("sgd", CLASSIFY, metrics=["accuracy"])
    path = saved(model, tmp_path)
    rewritten(path, lambda _: None)
    assert state(models.load_model(path)) == state(model)  # the unchanged file can be loaded
    rewritten(path, change)
    with pytest.raises(cnet.FormatError, match=str(path)) as raised:
        models.load_model(path)
    assert len(str(raised.value)) < 1000


def test_missing_and_extra_tensors(tmp_path: Path) -> None:
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


def test_a_description_without_a_list_of_weights(tmp_path: Path) -> None:
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
    for bit in range(0, len(content) * 8, 7):  # test_tensor_file.py tests every bit
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        for load in (models.load_model, model.load_weights):
            with pytest.raises(cnet.FormatError):
                load(path)


def test_loading_runs_no_initializer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An orthogonal matrix takes cubic time, and the weights of the file would replace it."""
    layer = layers.Dense(3, kernel_initializer="orthogonal")
    path = saved(cnet.Sequential([layers.Input((4,)), layer]), tmp_path)

    def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(initializers.Orthogonal, "__call__", fail)
    models.load_model(path)
    with pytest.raises(AssertionError):  # outside of load_model initializers run
        cnet.Sequential([layers.Input((4,)), layers.Dense(3, kernel_initializer="orthogonal")])


def test_a_memory_error_is_not_a_format_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(make_model(), tmp_path)
    monkeypatch.setattr(initializers, "override", lambda _: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError):
        models.load_model(path)


def test_several_threads_load_and_make_models(tmp_path: Path) -> None:
    """Replacing initializers in one thread does not affect others."""
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
