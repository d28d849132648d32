"""Data that another thread changes while a model reads it: at most wrong results, never a crash.

Code that could crash runs in a process of its own.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.graphs import SquaredStep, make_graph

import cnet

Array = npt.NDArray[Any]

ROWS, FEATURES, CLASSES = 2000, 16, 5


def arrays(kind: str) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    ids = rng.integers(CLASSES, size=ROWS)
    return x, ids if kind == "ids" else np.eye(CLASSES, dtype=np.float32)[ids]


def compiled(kind: str) -> cnet.Sequential:
    cnet.utils.set_random_seed(1)
    model = cnet.Sequential(
        [cnet.layers.Dense(32, "relu"), cnet.layers.Dense(CLASSES, "softmax")], name="model"
    )
    sparse = "sparse_" if kind == "ids" else ""
    model.compile("sgd", f"{sparse}categorical_crossentropy", metrics=["accuracy"])
    return model


@contextmanager
def meanwhile(change: Callable[[], Any]) -> Iterator[list[int]]:
    """Repeat a change in another thread; the list contains the number of times."""
    ended, count = threading.Event(), [0]

    def go_on() -> None:
        while not ended.is_set():
            change()
            count[0] += 1

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield count
    finally:
        ended.set()
        thread.join()


GARBAGE = [-1, CLASSES, 2**31, -(2**31), 2**62, -(2**62)]


@pytest.mark.parametrize("call", ["fit", "evaluate"])
def test_class_ids_overwritten_in_a_tight_loop(
    call: str, amount: Callable[[int, int, int], int]
) -> None:
    x, y = arrays("ids")
    good, refused = y.copy(), 0
    model = compiled("ids")
    model.build((None, x.shape[1]))  # because all calls may be refused
    numbers = iter(range(2**62))

    def overwrite() -> None:
        y[:] = GARBAGE[next(numbers) % len(GARBAGE)]
        y[:] = good

    with meanwhile(overwrite) as changes:
        for _ in range(amount(100, 100, 5000)):
            with suppress(ValueError):
                getattr(model, call)(x, y, verbose=0)
                continue
            refused += 1
    assert changes[0] > 0
    assert refused > 0  # otherwise nothing was tested
    assert np.isfinite(model.get_weights()[0]).all()


@pytest.mark.parametrize("kind", ["engine", "step"])
@pytest.mark.parametrize("call", ["fit", "evaluate", "predict", "__call__"])
def test_ids_of_a_table_overwritten_in_a_tight_loop(
    call: str, kind: str, amount: Callable[[int, int, int], int]
) -> None:
    """Each id is checked when it is read: the table has rows for all that are used."""
    x, y, ids = np.zeros((ROWS, 6), np.float32), np.ones((ROWS, 1)), np.arange(3 * ROWS) % 20
    ids = ids.reshape(ROWS, 3)
    good = ids.copy()
    model = make_graph("wide_and_deep", 1).model
    if kind == "step":
        model = SquaredStep(model.input, model.output)
        model.compile("sgd", "mse")
    numbers = iter(range(2**62))

    def overwrite() -> None:
        ids[:] = GARBAGE[next(numbers) % len(GARBAGE)]
        ids[:] = good

    data = {"numbers": x, "ids": ids}
    calls: dict[str, Callable[[], Any]] = {
        "fit": lambda: model.fit(data, y, batch_size=200, verbose=0),
        "evaluate": lambda: model.evaluate(data, y, batch_size=200, verbose=0),
        "predict": lambda: model.predict(data, verbose=0),
        "__call__": lambda: model(data),
    }

    def is_refused() -> bool:
        try:
            calls[call]()
        except ValueError as error:
            if "ids of 'table': " not in str(error):
                raise
            return True
        return False

    with meanwhile(overwrite) as changes:
        refused = sum(is_refused() for _ in range(amount(60, 60, 3000)))
    assert changes[0] > 0
    assert refused > 0
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_samples_and_rows_overwritten(amount: Callable[[int, int, int], int]) -> None:
    x, y = arrays("rows")
    good_x, good_y = x.copy(), y.copy()
    model = compiled("rows")

    def overwrite() -> None:
        x[:], y[:] = 1e30, np.nan
        x[:], y[:] = good_x, good_y

    with meanwhile(overwrite):
        for _ in range(amount(50, 50, 2000)):
            with suppress(FloatingPointError):
                model.fit(x, y, verbose=0)
            model.predict(x, verbose=0)
            model(x)


@pytest.mark.parametrize(
    ("call", "which"),
    [
        *((call, which) for call in ("fit", "evaluate") for which in ("x", "y", "sample_weight")),
        ("predict", "x"),
    ],
)
def test_arrays_cannot_be_resized_while_they_are_read(call: str, which: str) -> None:
    x, y = arrays("ids")
    given = {"x": x, "y": y, "sample_weight": np.ones(ROWS, np.float32)}
    array, told = given[which], list[str]()

    class Resizing(cnet.callbacks.Callback):
        def on_epoch_begin(self, *_: Any) -> None:
            with pytest.raises(ValueError, match="cannot resize") as caught:
                array.resize((10 * array.size,), refcheck=False)
            told.append(str(caught.value))

        on_train_batch_end = on_test_batch_end = on_predict_batch_end = on_epoch_begin

    arguments = {"x": x} if call == "predict" else given
    getattr(compiled("ids"), call)(**arguments, verbose=0, callbacks=[Resizing()])
    assert told
    gc.collect()  # caught errors keep the frames of the call alive
    array.resize((10 * array.size,), refcheck=False)  # the array has its memory again


PROGRAM = """
    import sys
    import threading
    import time

    import numpy as np

    import cnet

    sys.setswitchinterval(1e-5)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 64)).astype(np.float32)
    y = rng.integers(5, size=4000)
    weight = np.ones(4000, np.float32)
    # With an Input: a prediction of an array during its change would build the model for samples of one number,
    # and no call would accept the whole array afterwards.
    model = cnet.Sequential(
        [cnet.Input((64,)), cnet.layers.Dense(32, "relu"), cnet.layers.Dense(5, "softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    ended = threading.Event()
    refused = 0

    def change():
        global refused
        while not ended.is_set():
            for array in (x, y, weight):
                shape, dtype = array.shape, array.dtype
                for make in ({changes}):
                    try:
                        make(array)
                    except ValueError:
                        refused += 1
                    rubbish = np.full(array.nbytes // 8, 0x7F7F7F7F, np.int64)
                    restore(array, shape, dtype)

    def restore(array, shape, dtype):
        while array.dtype != dtype or array.shape != shape:
            try:
                array.dtype = dtype
                array.resize(shape, refcheck=False)
            except ValueError:
                time.sleep(0)  # a call keeps the array from changing

    thread = threading.Thread(target=change)
    thread.start()
    for n in range(100 * {times}):
        if n >= {times} and refused:
            break
        for call in (
            lambda: model.fit(x, y, sample_weight=weight, epochs=2, verbose=0),
            lambda: model.evaluate(x, y, verbose=0),
            lambda: model.predict(x, verbose=0),
            lambda: model(x),
        ):
            try:
                call()
            except (ValueError, TypeError, FloatingPointError):
                pass
    ended.set()
    thread.join()
    print(refused)
"""


def test_resized_and_reshaped_in_another_thread(amount: Callable[[int, int, int], int]) -> None:
    changes = """
        lambda array: array.resize((array.size + 100_000,), refcheck=False),
        lambda array: array.resize((1,), refcheck=False),
        lambda array: setattr(array, "shape", (array.size,)),
        lambda array: setattr(array, "dtype", np.uint8),
    """
    program = textwrap.dedent(PROGRAM).format(changes=changes.strip(), times=amount(30, 30, 1000))
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert not ran.stderr
    assert int(ran.stdout) > 0
