"""The number of threads, the results with any, and models in several threads and processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import layers


def test_models_that_share_a_layer_never_train_concurrently() -> None:
    """Either may find the layer in use, but no state is inconsistent and nothing crashes."""
    shared = layers.Dense(256, activation="relu")
    x, y = np.ones((256, 4), np.float32), np.zeros(256, int)
    start = threading.Barrier(2)
    refusals = ["the model is in use by another call"]

    def work(model: cnet.Sequential) -> None:
        start.wait()
        trained = 0
        while trained < 10:
            try:
                model.fit(x, y, batch_size=64, verbose=0)
                trained += 1
            except RuntimeError as error:  # noqa: PERF203 # that is what is counted
                refusals.append(str(error))
                if len(set(refusals)) > 1:
                    raise

    models = []
    for _ in range(2):
        model = cnet.Sequential(
            [cnet.Input((4,)), layers.Dense(512), shared, layers.Dense(3, activation="softmax")]
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
        models.append(model)
    threads = [threading.Thread(target=work, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(refusals)) == 1
    assert all(np.isfinite(w).all() for model in models for w in model.get_weights())


def test_hooks_of_batches_see_whole_steps() -> None:
    seen: dict[int, list[bytes]] = {}
    limit = cnet.get_num_threads()

    class Look(cnet.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 # of all such hooks
            weights = self.model.get_weights()
            seen[threads].append(b"".join(w.tobytes() for w in weights))

    try:
        for threads in (1, 4):
            seen[threads] = []
            cnet.set_num_threads(threads)
            cnet.utils.set_random_seed(0)
            model = cnet.Sequential([layers.Dense(600, "relu"), layers.Dense(10, "softmax")])
            model.compile("sgd", "sparse_categorical_crossentropy")
            x = np.linspace(-1, 1, 1280 * 50, dtype=np.float32).reshape(1280, 50)
            model.fit(x, np.arange(1280) % 10, batch_size=128, callbacks=[Look()], verbose=0)
    finally:
        cnet.set_num_threads(limit)
    assert len(set(seen[1])) == 10
    assert seen[1] == seen[4]


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 10, 17, 257, 1000])
def test_each_row_is_predicted_once_for_any_number_of_threads(rows: int) -> None:
    limit = cnet.get_num_threads()
    model = cnet.Sequential([cnet.Input((300,)), layers.Dense(2000, "relu"), layers.Dense(3)])
    x = np.random.default_rng(0).normal(size=(rows, 300)).astype(np.float32)
    try:
        results = []
        for threads in (1, 2, 3, 8):
            cnet.set_num_threads(threads)
            results.append(model.predict(x, verbose=0).tobytes())
    finally:
        cnet.set_num_threads(limit)
    assert len(set(results)) == 1


@pytest.mark.parametrize("number", [0, -1, 1025, 10**9])
def test_invalid_numbers_of_threads(number: int) -> None:
    limit = cnet.get_num_threads()
    with pytest.raises(ValueError, match=r"set_num_threads: expected a number in \[1, 1024\]"):
        cnet.set_num_threads(number)
    assert cnet.get_num_threads() == limit


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({"CNET_NUM_THREADS": "3"}, "3"),
        ({"CNET_NUM_THREADS": "3", "OMP_NUM_THREADS": "1"}, "3"),
        ({"OMP_NUM_THREADS": "1"}, "1"),
        ({"OMP_NUM_THREADS": "1,4"}, "1"),
        ({"CNET_NUM_THREADS": "many"}, "CNET_NUM_THREADS: expected"),
        ({"CNET_NUM_THREADS": "0"}, "CNET_NUM_THREADS: expected"),
        ({"CNET_NUM_THREADS": "1.5"}, "CNET_NUM_THREADS: expected"),
    ],
)
def test_threads_from_the_environment(environment: dict[str, str], threads: str) -> None:
    names = ("CNET_NUM_THREADS", "OMP_NUM_THREADS")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    result = subprocess.run(
        [sys.executable, "-c", "import cnet; print(cnet.get_num_threads())"],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if threads.isdecimal():
        assert result.stdout.split()[-1:] == [threads], result.stderr
    else:
        assert threads in result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_trains() -> None:
    """The child starts its own threads; a fork does not copy those of the parent."""
    model = cnet.Sequential([layers.Dense(600, "relu"), layers.Dense(10, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.ones((512, 50), np.float32), np.zeros(512, int)
    model.fit(x, y, batch_size=128, verbose=0)
    child = os.fork()
    if child == 0:
        try:
            model.fit(x, y, batch_size=128, verbose=0)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
