"""Training state in model files: training continues as without interruption."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.testing import assert_array_equal
from support.instances import OPTIMIZERS, name_of

import cnet
from cnet import callbacks, layers, models, optimizers
from cnet.optimizers import schedules
from cnet.saving.tensor_file import TensorFile, write_tensor_file

X = np.random.default_rng(0).normal(size=(40, 6))
Y = np.arange(40) % 3


def make_model(optimizer: Any = "adam", dtype: str = "float32") -> cnet.Sequential:
    inner = cnet.Sequential(
        [layers.BatchNormalization(dtype=dtype), layers.Dropout(0.5, dtype=dtype)], name="inner"
    )
    model = cnet.Sequential(
        [
            layers.Input((6,), dtype=dtype),
            layers.Dense(5, "relu", dtype=dtype, trainable=False),
            inner,
            layers.Dense(4, "relu", use_bias=False, dtype=dtype),
            layers.GaussianNoise(0.2, dtype=dtype),
            layers.Dense(3, "softmax", dtype=dtype, name="last"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model: cnet.Sequential, first: int, last: int, **options: Any) -> dict[str, list[Any]]:
    """Train for some epochs, with a number of batches that no accumulation divides."""
    history = model.fit(
        X, Y, 4, epochs=last, initial_epoch=first, verbose=0, validation_split=0.2, **options
    )
    return history.history


def bits(model: cnet.Sequential) -> list[bytes]:
    return [array.tobytes() for array in model.get_weights()]


def through_file(model: cnet.Sequential, folder: Path) -> cnet.Sequential:
    model.save(folder / "model.safetensors")
    return models.load_model(folder / "model.safetensors")


WAYS: dict[str, Callable[[cnet.Sequential, Path], cnet.Sequential]] = {
    "file": through_file,
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "twice": lambda model, folder: copy.deepcopy(through_file(model, folder)),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("make", OPTIMIZERS, ids=name_of)
def test_training_continues(tmp_path: Path, make: Any, way: Any) -> None:
    model = make_model(make())
    fit(model, 0, 2)
    twin = way(model, tmp_path)
    assert twin.optimizer.iterations == model.optimizer.iterations > 0
    assert twin.optimizer.learning_rate == model.optimizer.learning_rate
    assert fit(twin, 2, 4) == fit(model, 2, 4)
    assert bits(twin) == bits(model)


def test_in_float64(tmp_path: Path) -> None:
    model = make_model("adam", "float64")
    fit(model, 0, 2)
    twin = through_file(model, tmp_path)
    assert fit(twin, 2, 4) == fit(model, 2, 4)
    assert bits(twin) == bits(model)


def test_a_copy_during_an_epoch(tmp_path: Path) -> None:
    """The callback of a batch sees the state after that batch."""
    model = make_model()
    twins: list[cnet.Sequential] = []

    def take(batch: int, _: Any) -> None:
        if batch == 3:
            assert model.optimizer.iterations == 4
            twins.extend([copy.deepcopy(model), through_file(model, tmp_path)])
            model.stop_training = True

    fit(model, 0, 1, callbacks=callbacks.LambdaCallback(on_train_batch_end=take))
    for twin in twins:
        assert twin.optimizer.iterations == 4
        assert twin.train_on_batch(X[:7], Y[:7]) == copy.deepcopy(model).train_on_batch(
            X[:7], Y[:7]
        )


def test_tensors_that_other_programs_see(tmp_path: Path) -> None:
    model = make_model()
    history = fit(model, 0, 3)
    through_file(model, tmp_path)
    tensors = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    slots = {name for name in tensors if name.startswith("optimizer/velocity/")}
    assert {tensors[name].shape for name in slots} == {w.shape for w in model.trainable_weights}
    assert len(slots) == len(model.trainable_weights) == 5
    assert_array_equal(tensors["history/epoch"], [0, 1, 2])
    for name, figures in history.items():
        assert_array_equal(tensors[f"history/logs/{name}"], figures)


def test_the_history(tmp_path: Path) -> None:
    model = make_model()
    model.compile("sgd", "sparse_categorical_crossentropy")
    deep = np.ones((1,) * 7)
    odd = {"text": "a", "lists": [1.0, 2.0], "none": None, "nan": np.nan, "count": 3}
    odd |= {
        "deep": deep,
        "deeper": deep[np.newaxis],
    }  # the most dimensions of a file, and more
    hook = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(odd, n=epoch))
    history = fit(model, 0, 2, callbacks=[hook])
    assert history["text"] == ["a", "a"]
    twin = through_file(model, tmp_path)
    assert twin.history.epoch == model.history.epoch == [0, 1]
    assert twin.history.history["n"] == [0.0, 1.0]
    assert twin.history.history["loss"] == history["loss"]
    assert_array_equal(twin.history.history["lists"], [[1.0, 2.0]] * 2)
    assert_array_equal(twin.history.history["nan"], [np.nan] * 2)
    assert {type(value) for value in twin.history.history["loss"]} == {float}
    assert [value.shape for value in twin.history.history["deep"]] == [deep.shape] * 2
    assert {"text", "none", "deeper"} & twin.history.history.keys() == set()
    assert twin.history.model is twin


def test_a_model_that_never_trained(tmp_path: Path) -> None:
    model = make_model()
    twin = through_file(model, tmp_path)
    assert twin.optimizer.iterations == 0
    assert not hasattr(twin, "history")
    model.fit(X, Y, epochs=0)
    assert not hasattr(through_file(model, tmp_path), "history")
    assert fit(twin, 0, 2) == fit(model, 0, 2)


def test_loading_does_not_advance_the_sequence_of_seeds(tmp_path: Path) -> None:
    through_file(make_model(), tmp_path)
    cnet.utils.set_random_seed(3)
    expected = cnet.random.next_seed()
    cnet.utils.set_random_seed(3)
    models.load_model(tmp_path / "model.safetensors")
    assert cnet.random.next_seed() == expected


def test_a_change_of_trainable_weights(tmp_path: Path) -> None:
    model = make_model()
    fit(model, 0, 1)
    model.layers[0].trainable = True
    with pytest.warns(UserWarning, match="trainable has changed since training began"):
        model.save(tmp_path / "model.safetensors")
    assert models.load_model(tmp_path / "model.safetensors").optimizer.iterations == 0


def test_an_optimizer_of_two_models() -> None:
    """Each model counts its own steps."""
    optimizer = optimizers.Adam(schedules.ExponentialDecay(0.1, 3, 0.5))
    one, other = make_model(optimizer), make_model(optimizer)
    alone = copy.deepcopy(other)
    fit(one, 0, 2)
    assert fit(other, 0, 2) == fit(alone, 0, 2)
    assert bits(other) == bits(alone)


def test_a_weight_with_a_name_of_the_optimizer(tmp_path: Path) -> None:
    inner = cnet.Sequential([layers.Dense(2, name="dense")], name="velocity")
    model = cnet.Sequential(
        [
            layers.Input((6,)),
            cnet.Sequential([inner], name="optimizer"),
            layers.Dense(2, name="dense"),
        ]
    )
    model.compile("adam", "mse")
    fit_x = np.ones((4, 6))
    model.fit(fit_x, np.ones((4, 2)), verbose=0)
    with pytest.raises(ValueError, match="rename a layer"):
        model.save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def state(model: cnet.Sequential) -> list[Any]:
    """Return all that training depends on."""
    return [bits(model), pickle.dumps(model._setup), model.history.history]


CHANGES: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {
    "batches": lambda d, _: d["training"].update(batches=-1),
    "many batches": lambda d, _: d["training"].update(batches=2**53),
    "taken": lambda d, _: d["training"].update(taken=1.5),
    "training": lambda d, _: d.update(training=[1]),
    "no slots": lambda d, t: [t.pop(name) for name in d.pop("optimizer")],
    "a slot less": lambda d, t: t.pop(d["optimizer"].pop()),
    "slots in another order": lambda d, t: (
        [t.update({name: t.pop(name)}) for name in [*reversed(d["optimizer"]), *d["history"]]]
        and d["optimizer"].reverse()
    ),
    "slots of text": lambda d, _: d.update(optimizer="optimizer"),
    "a slot's shape": lambda d, t: t.update({d["optimizer"][0]: np.ones((2, 2), np.float32)}),
    "a slot's dtype": lambda d, t: t.update(
        {d["optimizer"][0]: t[d["optimizer"][0]].astype(np.float64)}
    ),
    "random": lambda d, _: d.update(random=3),
    "random of fewer": lambda d, _: d["random"].popitem(),
    "random seed": lambda d, _: d["random"]["inner/drop"].update(seed=2**64),
    "random steps": lambda d, _: d["random"]["inner/drop"].update(steps=True),
    "random of nothing": lambda d, _: d["random"].update({"inner/drop": None}),
    "epochs of floats": lambda _, t: t.update({"history/epoch": np.array([0.5, 1.0])}),
    "epochs that are none": lambda _, t: t.update({"history/epoch": np.array([np.nan, 1.0])}),
    "epochs of float32": lambda _, t: t.update({"history/epoch": np.ones(2, np.float32)}),
    "epochs by two": lambda _, t: t.update({"history/epoch": np.ones((1, 2))}),
    "a number for figures": lambda _, t: t.update({"history/logs/loss": np.array(1.0)}),
    "history without epochs": lambda d, t: (t.pop("history/epoch"), d["history"].pop(0)),
    "history of others": lambda d, t: (t.update(other=np.ones(2)), d["history"].append("other")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_invalid_states_are_refused(tmp_path: Path, change: Any) -> None:
    model = make_model()
    model.layers[1].layers[1].name = "drop"
    fit(model, 0, 2)
    path = tmp_path / "model.safetensors"
    model.save(path)
    with TensorFile(path) as file:
        tensors = {name: file.read(name) for name in file.entries}
        document: Any = file.document
    change(document, tensors)
    write_tensor_file(path, tensors, document, overwrite=True)
    before = state(model)
    for load in (models.load_model, partial(model._resume, callbacks=[])):
        with pytest.raises(cnet.FormatError, match=str(path)):
            load(path)
    assert state(model) == before


# -- Options that change, and nested calls ---------------------------------------------------


CHANGED: dict[str, tuple[Callable[[], optimizers.Optimizer], str, Any]] = {
    "momentum": (lambda: optimizers.SGD(0.1, 0.9), "momentum", 0.0),
    "more momentum": (lambda: optimizers.SGD(0.1), "momentum", 0.9),
    "amsgrad": (lambda: optimizers.Adam(amsgrad=True), "amsgrad", False),
    "centered": (lambda: optimizers.RMSprop(centered=True), "centered", False),
    "average": (lambda: optimizers.Adam(use_ema=True), "use_ema", False),
    "accumulation": (lambda: optimizers.SGD(0.1), "gradient_accumulation_steps", 2),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_options_that_change_during_an_epoch(tmp_path: Path, change: Any) -> None:
    """The epoch ends with the options it began with; saving or copying meanwhile changes nothing."""
    make, name, value = change
    model, alone = make_model(make()), make_model(make())
    alone.set_weights(model.get_weights())
    weights: list[list[bytes]] = []

    def change_and_save(batch: int, _: Any) -> None:
        if batch == 2:
            setattr(model.optimizer, name, value)
            with pytest.warns(UserWarning, match="its state is not saved"):
                model.save(tmp_path / "model.safetensors")
            copy.deepcopy(model)
            setattr(model.optimizer, name, getattr(make(), name))

    def look(*_: Any) -> None:
        weights.append(bits(model))

    hooks = [callbacks.LambdaCallback(on_train_batch_end=each) for each in (change_and_save, look)]
    fit(model, 0, 1, callbacks=hooks)
    assert models.load_model(tmp_path / "model.safetensors").optimizer.iterations == 0
    assert len({tuple(each) for each in weights}) > 1


def test_saving_does_not_change_the_optimizer_state(tmp_path: Path) -> None:
    model = make_model(optimizers.Adam())
    fit(model, 0, 1)
    twin = copy.deepcopy(model)
    model.optimizer.amsgrad = True
    with pytest.warns(UserWarning, match="its state is not saved"):
        model.save(tmp_path / "model.safetensors")
    copy.deepcopy(model)
    model.optimizer.amsgrad = False
    assert fit(model, 1, 3) == fit(twin, 1, 3)
    assert bits(model) == bits(twin)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_copy_whose_options_change(tmp_path: Path, way: Any) -> None:
    model = make_model(optimizers.Adam())
    fit(model, 0, 1)
    twin = way(model, tmp_path)
    twin.optimizer.amsgrad = model.optimizer.amsgrad = True
    assert fit(twin, 1, 2) == fit(model, 1, 2)
    assert bits(twin) == bits(model)


def test_a_save_within_an_evaluation_within_a_fit(tmp_path: Path) -> None:
    model = make_model()
    save = callbacks.LambdaCallback(on_test_end=lambda _: model.save(tmp_path / "m.safetensors"))
    iterations: list[int] = []

    def evaluate(*_: Any) -> None:
        model.evaluate(X, Y, verbose=0, callbacks=[save])
        iterations.append(models.load_model(tmp_path / "m.safetensors").optimizer.iterations)

    model.fit(
        *(X, Y, 8),
        epochs=3,
        verbose=0,
        callbacks=[callbacks.LambdaCallback(on_epoch_end=evaluate)],
    )
    assert iterations == [5, 10, 15]


def test_epochs_that_end_within_a_pass(tmp_path: Path) -> None:
    def model_after(first: int, last: int, model: cnet.Sequential) -> cnet.Sequential:
        model.fit(X, Y, 4, epochs=last, initial_epoch=first, steps_per_epoch=5, verbose=0)
        return model

    model = make_model()
    twin = copy.deepcopy(model)
    resumed = model_after(1, 4, through_file(model_after(0, 1, model), tmp_path))
    assert bits(resumed) == bits(model_after(0, 4, twin))


def test_means_of_weights_after_the_last_epoch(tmp_path: Path) -> None:
    model = make_model(optimizers.SGD(0.1, use_ema=True))
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "model.safetensors")
    fit(model, 0, 2, callbacks=[checkpoint])
    twin = models.load_model(tmp_path / "model.safetensors")
    assert bits(twin) != bits(model)
    fit(twin, 2, 2)
    assert bits(twin) == bits(model)
