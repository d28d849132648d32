"""fit, evaluate and predict compared with Keras: results, names, and the batches of epochs."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, relative_bound, training_bound

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")

RNG = np.random.default_rng(0)
X, IDS = RNG.normal(size=(50, 6)).astype(np.float32), RNG.integers(3, size=50)
ONE_HOT = np.eye(3, dtype=np.float32)[IDS]
WEIGHTS = RNG.uniform(0, 2, 50).astype(np.float32)
SIZES = [10, 7, 13, 1, 19]
RATE = 0.1
STEPS = 8  # most batches in an epoch
# Forward and backward through both layers, the sum over a batch, and the softmax.
ROUNDINGS = 2 * (6 + 5 + 3) + max(SIZES) + ELEMENTARY_ROUNDINGS
WEIGHTS_BOUND = 2 * training_bound(STEPS, RATE, ROUNDINGS, np.float32)
# Outputs change at most as the weights do, times the inputs, 14 of magnitude 1. Keras rounds means after
# each sample.
FIGURES_BOUND = 14 * WEIGHTS_BOUND + relative_bound(len(X), np.float32)


def models(**options: Any) -> list[Any]:
    """Return models of cnet and Keras with the same weights."""
    made = []
    for library in (cnet, keras):
        hidden = library.layers.Dense(5, activation="relu")
        model = library.Sequential(
            [library.layers.Input((6,)), hidden, library.layers.Dense(3, activation="softmax")]
        )
        if made:
            model.set_weights(made[0].get_weights())
        model.compile(library.optimizers.SGD(RATE), "categorical_crossentropy", **options)
        made.append(model)
    return made


def in_batches(*arrays: Any) -> list[tuple[Any, ...]]:
    return [
        tuple(array[end - size : end] for array in arrays)
        for size, end in zip(SIZES, np.cumsum(SIZES), strict=True)
    ]


def generator(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    yield from in_batches(*arrays)


def data_set(library: Any) -> Any:
    class Dataset(library.utils.PyDataset):
        def __len__(self) -> int:
            return len(SIZES)

        def __getitem__(self, index: int) -> Any:
            return in_batches(X, ONE_HOT, WEIGHTS)[index]

    return Dataset()


# Keras prints a bar and shuffles by default.
SILENT: dict[str, Any] = {"verbose": 0, "shuffle": False}
MEANS = {
    "metrics": ["accuracy", "mse", "mae", "accuracy"],
    "weighted_metrics": ["accuracy", "mae", "mae"],
}


@pytest.mark.parametrize(
    "source",
    [
        lambda _: {"x": X, "y": ONE_HOT, "sample_weight": WEIGHTS, "batch_size": 7},
        lambda _: {"x": generator(X, ONE_HOT, WEIGHTS), "steps_per_epoch": 5},
        lambda library: {"x": data_set(library)},
        lambda _: {"x": X, "y": ONE_HOT, "batch_size": 7, "class_weight": {0: 2.0, 1: 0.5}},
    ],
    ids=["arrays", "generator", "PyDataset", "class weights"],
)
def test_results_of_fit(source: Callable[[Any], dict[str, Any]]) -> None:
    ours, theirs = models(**MEANS)
    history = ours.fit(**source(cnet), **SILENT).history
    expected = theirs.fit(**source(keras), **SILENT).history
    assert set(history) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=FIGURES_BOUND, err_msg=name)
    for weight, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert abs(weight - other).max() <= WEIGHTS_BOUND * max(1, abs(other).max())


def test_results_of_other_calls() -> None:
    # Without repeated names, some of which Keras returns twice in lists.
    ours, theirs = models(metrics=["accuracy", "mse"], weighted_metrics=["mae"])
    data = {"x": X, "y": ONE_HOT, "sample_weight": WEIGHTS}
    for call, arguments in (
        *[("evaluate", {"batch_size": 7, "verbose": 0, "steps": steps}) for steps in (None, 3)],
        *(("test_on_batch", {}), ("train_on_batch", {})),
    ):
        figures, expected = (getattr(model, call)(**data, **arguments) for model in (ours, theirs))
        np.testing.assert_allclose(figures, expected, rtol=FIGURES_BOUND, err_msg=call)
    for arguments in ({"batch_size": 7, "steps": 3}, {"steps": 3}, {}):
        outputs, expected = (model.predict(X, verbose=0, **arguments) for model in (ours, theirs))
        np.testing.assert_allclose(outputs, expected, rtol=FIGURES_BOUND)


def batches_of_epochs(
    library: Any, model: Any, source: dict[str, Any], options: dict[str, Any]
) -> tuple[list[int], Any, int]:
    """Return the batches of each epoch, the announced number, and the number of warnings."""
    epochs: list[int] = []

    def count_batch(batch: int, logs: Any) -> None:
        assert "loss" in logs
        epochs[-1] = batch + 1

    count = library.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: epochs.append(0),
        on_train_batch_end=count_batch,
    )
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        history = model.fit(**source, **options, **SILENT, callbacks=[count])
    return epochs, history.params, sum("ran out of data" in str(each.message) for each in warned)


@pytest.mark.parametrize("options", [{}, {"epochs": 2}])
@pytest.mark.parametrize("steps", [None, 1, 2, 3, 5, 7])
@pytest.mark.parametrize("kind", ["arrays", "arrays in 32s", "PyDataset"])
def test_batches_of_epochs(kind: str, steps: int | None, options: dict[str, Any]) -> None:
    made = []
    for library, model in zip((cnet, keras), models(), strict=True):
        source: dict[str, Any] = {"x": data_set(library)}
        if kind != "PyDataset":
            source = {"x": X, "y": ONE_HOT, "batch_size": 10 if kind == "arrays" else None}
        made.append(batches_of_epochs(library, model, source, {"steps_per_epoch": steps} | options))
    assert made[0] == made[1]


def test_a_generator_is_consumed_once() -> None:
    """Keras instead restarts it with the two batches that it has read ahead."""
    (ours, theirs), options = models(), {"epochs": 3, "steps_per_epoch": 2}
    source = {"x": generator(X, ONE_HOT)}
    epochs, params, warned = batches_of_epochs(cnet, ours, source, options)
    source = {"x": generator(X, ONE_HOT)}
    expected = batches_of_epochs(keras, theirs, source, options)
    assert epochs == expected[0] == [2, 2, 1]
    assert (params, warned) == (expected[1], expected[2])


@pytest.mark.parametrize(
    "options",
    [
        {"x": generator(X, ONE_HOT), "y": ONE_HOT},
        {"x": generator(X, ONE_HOT), "sample_weight": WEIGHTS},
        {"x": generator(X, ONE_HOT), "validation_split": 0.5},
        {"x": iter(())},
    ],
    ids=["y", "weights", "split", "empty"],
)
def test_calls_that_keras_refuses_are_refused(options: dict[str, Any]) -> None:
    for model in models():
        with pytest.raises(ValueError, match=r"batch|generator|validation_split|Unrecognized"):
            model.fit(**options, **SILENT)


def test_signatures_match_keras() -> None:
    calls = ("compile", "fit", "evaluate", "predict")
    for call in (*calls, *(f"{name}_on_batch" for name in ("train", "test", "predict"))):
        ours = inspect.signature(getattr(cnet.Sequential, call)).parameters
        theirs = inspect.signature(getattr(keras.Sequential, call)).parameters
        for name, parameter in ours.items():
            assert parameter.default == theirs[name].default, (call, name)
        assert list(ours) == [name for name in theirs if name != "kwargs"], call


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 1, 0],
        [[0.2], [1.4], [7.0], [2.6]],
        [[-1], [1], [1], [-1]],
        [[0.5], [1.5], [2.5], [3.5]],
        [[0.1, 0.9], [1, 0], [0.5, 0.5], [0, 1]],
    ],
)
def test_class_weights_match_keras(labels: Any) -> None:
    from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights

    weights = {-1: 4.0, 0: 0.5, 1: 3.0, 2: 5.0}
    y = np.array(labels)
    if y.ndim > 1 and y.shape[1] > 1:
        weights = {0: 0.5, 1: 3.0}
    expected = class_weight_to_sample_weights(y, weights)
    steps = []
    for options in ({"class_weight": weights}, {"sample_weight": expected}):
        cnet.utils.set_random_seed(1)
        model = cnet.Sequential([cnet.Input((3,)), cnet.layers.Dense(y.reshape(4, -1).shape[1])])
        model.compile("sgd", "mse")
        model.train_on_batch(np.eye(4)[:, :3], y, **options)
        steps.append(b"".join(array.tobytes() for array in model.get_weights()))
    assert steps[0] == steps[1]
