"""TensorBoard: the files, read by TensorBoard's own reader."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.graph.keras_util import keras_model_to_graph_def
from tensorboard.util.tensor_util import make_ndarray

import cnet
from cnet import callbacks

X, Y = np.arange(20.0).reshape(10, 2) / 20, np.arange(10) % 3
STEPS, EPOCHS = 3, 2

# The points of a tag: (step, array).
Points = list[tuple[int, np.ndarray]]


def compiled_model() -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax", name="dense")], name="net")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(board: callbacks.TensorBoard, **options: Any) -> cnet.Sequential:
    model = compiled_model()
    fixed = {"batch_size": 4, "epochs": EPOCHS, "verbose": 0, "validation_data": (X, Y)}
    model.fit(X, Y, callbacks=[board], **(fixed | options))
    return model


def read(folder: Path) -> tuple[dict[str, Points], dict[str, str]]:
    """Return the points of each tag, and the plugin that displays it."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    points = {
        tag: [(each.step, make_ndarray(each.tensor_proto)) for each in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }
    plugins = {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in points}
    return points, plugins


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    points, plugins = read(folder)
    return {
        tag: [(step, float(value)) for step, value in points[tag]]
        for tag in points
        if plugins[tag] == "scalars"
    }


def float32(values: list[float]) -> list[tuple[int, float]]:
    return list(enumerate(np.float32(values).tolist()))


def test_scalars_are_those_of_the_history(tmp_path: Path) -> None:
    history = fit(callbacks.TensorBoard(tmp_path)).history.history
    assert scalars(tmp_path / "train") == {
        "epoch_loss": float32(history["loss"]),
        "epoch_accuracy": float32(history["accuracy"]),
        "epoch_learning_rate": float32([0.01, 0.01]),
    }
    expected = {}
    for name in ("loss", "accuracy"):
        values = float32(history[f"val_{name}"])
        expected[f"epoch_{name}"] = values
        iterations = [((epoch + 1) * STEPS, value) for epoch, value in values]
        expected[f"evaluation_{name}_vs_iterations"] = iterations
    assert scalars(tmp_path / "validation") == expected


def test_evaluate(tmp_path: Path) -> None:
    model = compiled_model()
    loss, accuracy = model.evaluate(X, Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)])
    assert scalars(tmp_path / "validation") == {
        "evaluation_loss_vs_iterations": float32([loss]),
        "evaluation_accuracy_vs_iterations": float32([accuracy]),
    }
    assert not (tmp_path / "train").exists()


@pytest.mark.parametrize(
    ("update_freq", "steps"), [("batch", [1, 2, 3, 4, 5, 6]), (1, [1, 2, 3, 4, 5, 6]), (4, [4])]
)
def test_scalars_of_batches(tmp_path: Path, update_freq: str | int, steps: list[int]) -> None:
    seen: list[float] = []
    watch = callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: seen.append(logs["loss"]))
    board = callbacks.TensorBoard(tmp_path, update_freq=update_freq)
    model = compiled_model()
    model.fit(X, Y, batch_size=4, epochs=EPOCHS, verbose=0, callbacks=[board, watch])
    found = scalars(tmp_path / "train")
    assert found["batch_loss"] == [(step, float(np.float32(seen[step - 1]))) for step in steps]
    assert [step for step, _ in found["batch_accuracy"]] == steps
    assert [step for step, _ in found["epoch_loss"]] == [0, 1]


def test_no_batch_hooks_without_update_freq() -> None:
    def wants_batches(**options: Any) -> bool:
        board = callbacks.TensorBoard("unused", **options)
        model = compiled_model()
        return callbacks.CallbackList(board, model, {}, "fit").wants_batches("train")

    assert not wants_batches(write_steps_per_second=True)
    assert wants_batches(update_freq=100)


def test_steps_per_second(tmp_path: Path) -> None:
    fit(callbacks.TensorBoard(tmp_path, write_steps_per_second=True, update_freq=1))
    found = scalars(tmp_path / "train")
    assert len(found["epoch_steps_per_second"]) == EPOCHS
    assert len(found["batch_steps_per_second"]) == EPOCHS * STEPS
    # An epoch takes longer than any of its steps.
    slowest = min(rate for _, rate in found["batch_steps_per_second"][:STEPS])
    assert 0 < found["epoch_steps_per_second"][0][1] < STEPS * slowest


def test_the_learning_rate_is_the_one_at_the_end_of_the_epoch(tmp_path: Path) -> None:
    halving = callbacks.LearningRateScheduler(lambda epoch, _: 0.5**epoch)
    model = compiled_model()
    board = callbacks.TensorBoard(tmp_path)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[halving, board])
    assert scalars(tmp_path / "train")["epoch_learning_rate"] == [(0, 1), (1, 0.5), (2, 0.25)]


def test_histograms_of_all_weights(tmp_path: Path) -> None:
    kernels: list[np.ndarray] = []
    model = compiled_model()
    watch = callbacks.LambdaCallback(on_epoch_end=lambda *_: kernels.append(model.get_weights()[0]))
    board = callbacks.TensorBoard(tmp_path, histogram_freq=2)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[watch, board])
    points, plugins = read(tmp_path / "train")
    assert [tag for tag in plugins if plugins[tag] == "histograms"] == [
        "net/dense/kernel/histogram",
        "net/dense/bias/histogram",
    ]
    assert [step for step, _ in points["net/dense/kernel/histogram"]] == [0, 2]
    for (_, found), kernel in zip(points["net/dense/kernel/histogram"], kernels[::2], strict=True):
        left, right, counts = found.T
        assert (left[0], right[-1], counts.sum()) == (kernel.min(), kernel.max(), kernel.size)
        assert np.array_equal(left[1:], right[:-1])
        assert counts.tolist() == np.histogram(kernel, [*left, right[-1]])[0].tolist()


def test_images_of_all_weights(tmp_path: Path) -> None:
    board = callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True)
    model = compiled_model()
    kernel = np.array([[-1, 0, 0.5], [1, 2, 0.999]])
    model.build((None, 2))
    model.set_weights([kernel, [0, 0, 0]])
    model.optimizer.learning_rate = 0.0
    model.fit(X, Y, verbose=0, callbacks=[board])
    points, plugins = read(tmp_path / "train")
    assert plugins["net/dense/kernel/image"] == "images"
    ((step, (width, height, png)),) = points["net/dense/kernel/image"]
    assert (step, width, height) == (0, b"3", b"2")
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    assert pixels.tolist() == [[0, 0, 127], [255, 255, 255]]
    ((_, bias),) = points["net/dense/bias/image"]
    assert bias[:2].tolist() == [b"1", b"3"]


def test_images_are_at_least_as_wide_as_high(tmp_path: Path) -> None:
    model = cnet.Sequential([cnet.layers.Dense(2, name="tall", activation="softmax")], name="net")
    model.compile("sgd", "sparse_categorical_crossentropy")
    board = callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True)
    model.fit(np.eye(5), [0, 1, 0, 1, 0], verbose=0, callbacks=[board])
    ((_, kernel),) = read(tmp_path / "train")[0]["net/tall/kernel/image"]
    assert kernel[:2].tolist() == [b"5", b"2"]


def test_tensorboard_can_draw_the_graph(tmp_path: Path) -> None:
    model = cnet.Sequential(
        [
            cnet.layers.Flatten(input_shape=(1, 2), name="flatten"),
            cnet.layers.Dense(3, activation="softmax", name="dense"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X[:, np.newaxis], Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)])
    points, plugins = read(tmp_path / "train")
    assert plugins["keras"] == "graph_keras_model"
    ((step, text),) = points["keras"]
    assert step == 0
    drawn = keras_model_to_graph_def(json.loads(text.item()))
    assert [node.name.split("/")[-1] for node in drawn.node][-2:] == ["flatten", "dense"]
    assert drawn.node[-1].input == [drawn.node[-2].name]


def test_write_graph_false(tmp_path: Path) -> None:
    fit(callbacks.TensorBoard(tmp_path, write_graph=False))
    assert "keras" not in read(tmp_path / "train")[0]


def test_a_model_without_a_config_has_no_graph(tmp_path: Path) -> None:
    model = cnet.Sequential(
        [cnet.layers.Dense(3, kernel_initializer=lambda shape, dtype: np.zeros(shape, dtype))]
    )
    model.compile("sgd", cnet.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.warns(UserWarning, match="TensorBoard: the graph is not written: "):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)])
    assert "epoch_loss" in read(tmp_path / "train")[0]


def test_metrics_with_a_value_for_each_class(tmp_path: Path) -> None:
    add = callbacks.LambdaCallback(on_epoch_end=lambda _, logs: logs.update(f1=np.array([0.5, 1])))
    compiled_model().fit(X, Y, verbose=0, callbacks=[add, callbacks.TensorBoard(tmp_path)])
    found = scalars(tmp_path / "train")
    assert (found["epoch_f1/0"], found["epoch_f1/1"]) == ([(0, 0.5)], [(0, 1.0)])


def test_two_fits_make_two_files_and_count_batches_from_1(tmp_path: Path) -> None:
    board = callbacks.TensorBoard(tmp_path, update_freq=4)
    for _ in range(2):
        fit(board)
    assert len(list((tmp_path / "train").iterdir())) == 2
    assert [step for step, _ in scalars(tmp_path / "train")["batch_loss"]] == [4, 4]


def test_events_before_an_error_are_written(tmp_path: Path) -> None:
    def stop(epoch: int, _: Any) -> None:
        if epoch == 1:
            raise LookupError

    hooks = [callbacks.TensorBoard(tmp_path), callbacks.LambdaCallback(on_epoch_end=stop)]
    with pytest.raises(LookupError):
        compiled_model().fit(X, Y, epochs=5, verbose=0, callbacks=hooks)
    assert len(scalars(tmp_path / "train")["epoch_loss"]) == 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"embeddings_freq": 1}, ValueError, "embeddings_freq is not supported, got 1"),
        ({"embeddings_metadata": "f"}, ValueError, "embeddings_metadata is not supported"),
        ({"update_freq": "step"}, ValueError, "update_freq: expected 'epoch', 'batch' or an int"),
        ({"update_freq": 0}, ValueError, "update_freq: expected an integer in"),
        ({"update_freq": 1.5}, TypeError, "update_freq: expected an integer, got 1.5"),
        ({"histogram_freq": -1}, ValueError, "histogram_freq: expected an integer in"),
        ({"histogram_freq": "1"}, TypeError, "histogram_freq: expected an integer, got '1'"),
    ],
)
def test_invalid_arguments(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"TensorBoard: {message}"):
        callbacks.TensorBoard(**options)


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        fit(callbacks.TensorBoard(tmp_path / "file" / "logs"))


@pytest.mark.parametrize("missing", ["tensorboard", "PIL"])
def test_the_error_without_tensorboard_names_the_package(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import cnet\n"
        "try: cnet.callbacks.TensorBoard()\n"
        "except ImportError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("TensorBoard: ")
    assert found.stdout.endswith("; pip install tensorboard\n")


def test_tensorboard_is_imported_lazily_and_tensorflow_never() -> None:
    code = (
        "import sys, types; sys.modules['tensorflow'] = None\n"
        "import cnet; assert 'tensorboard' not in sys.modules\n"
        "cnet.callbacks.TensorBoard(); assert 'tensorboard' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
