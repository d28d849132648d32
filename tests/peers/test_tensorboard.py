"""TensorBoard files compared with Keras: the same tags, plugins, steps and values."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tolerances import dot_bound, log_softmax_bound, rounding_bound

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")
pytest.importorskip("tensorflow", reason="Keras's TensorBoard needs TensorFlow")
pytest.importorskip("tensorboard", reason="TensorBoard is not installed")

from PIL import Image  # warnings of these packages
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

# a warning of Keras on NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STEPS, BATCH = 4, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(STEPS * BATCH, 6)).astype(np.float32)
Y = np.arange(len(X)) % 3
KERNEL = RNG.normal(size=(6, 3)).astype(np.float32)

# Timings of Keras, and data about Keras itself.
OWN = {"keras", "epoch_steps_per_second", "batch_steps_per_second"}


def fit(library: Any, folder: Path, options: dict[str, Any]) -> None:
    """Train the same network for two epochs, without changing its weights."""
    layer = library.layers.Dense(3, activation="softmax", name="top")
    model = library.Sequential([library.Input((6,)), layer], name="net")
    model.set_weights([KERNEL, np.zeros(3)])
    model.compile(
        library.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    board = library.callbacks.TensorBoard(folder, **options)
    model.fit(
        X,
        Y,
        batch_size=BATCH,
        epochs=2,
        shuffle=False,
        verbose=0,
        validation_data=(X, Y),
        callbacks=[board],
    )


def read(folder: Path) -> dict[tuple[str, str], list[tuple[int, Any]]]:
    """Return the points of each tag and plugin."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return {
        (tag, events.SummaryMetadata(tag).plugin_data.plugin_name): [
            (point.step, make_ndarray(point.tensor_proto)) for point in events.Tensors(tag)
        ]
        for tag in events.Tags()["tensors"]
    }


def loss_bound() -> float:
    """Bound the difference of two mean losses: the errors of the logits affect zᵢ and log Z.

    No probability is clipped; Keras sums means in float32.
    """
    magnitude = abs(X) @ abs(KERNEL)
    logits = 2 * dot_bound(magnitude, KERNEL.shape[0] + 1, np.float32).max()
    losses = log_softmax_bound(X @ KERNEL, np.float32).max()
    mean = rounding_bound(2 * magnitude.max() + np.log(3), len(X) + 2, np.float32)
    return float(logits + losses + mean)


def pixels(image: Any) -> Any:
    return np.asarray(Image.open(io.BytesIO(image[2]))).reshape(int(image[1]), int(image[0]))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"write_graph": False, "write_steps_per_second": True},
        {"histogram_freq": 1, "write_images": True},
        {"update_freq": "batch", "write_steps_per_second": True},
        {"update_freq": STEPS},
    ],
    ids=str,
)
def test_files(tmp_path: Path, options: dict[str, Any]) -> None:
    for library in (cnet, keras):
        fit(library, tmp_path / library.__name__, options)
    for folder in ("train", "validation"):
        ours, theirs = (read(tmp_path / name / folder) for name in ("cnet", "keras"))
        assert set(ours) == set(theirs)
        for tag, plugin in ours:
            points = list(zip(ours[tag, plugin], theirs[tag, plugin], strict=True))
            for (step, mine), (their_step, other) in points:
                assert step == their_step, tag
                if plugin == "images":
                    assert np.array_equal(pixels(mine), pixels(other)), tag
                elif plugin == "histograms" or tag == "epoch_learning_rate":
                    assert np.array_equal(mine, other), tag
                elif tag not in OWN:
                    assert abs(mine - other) <= loss_bound(), tag


def test_an_installed_tensorflow_is_not_imported(tmp_path: Path) -> None:
    code = f"""
import sys, cnet
model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")
board = cnet.callbacks.TensorBoard({str(tmp_path)!r}, histogram_freq=1, write_images=True)
model.fit([[0, 1], [1, 0]], [0, 1], verbose=0, callbacks=[board])
assert "tensorboard" in sys.modules and "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert any(tmp_path.rglob("*tfevents*"))
