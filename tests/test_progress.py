"""Progress output: a bar on a terminal, a line per epoch in a pipe, nothing with verbose=0."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import redirect_stdout
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import _progress

X, Y = np.zeros((40, 3)), np.arange(40) % 3
TIME = r"\d+\.\ds - \d+(\.\d+)?(s|ms|us)/step"
MEANS = r"loss: \d\.\d{4} - accuracy: \d\.\d{4}"
VALIDATION = r"val_loss: \d\.\d{4} - val_accuracy: \d\.\d{4}"


def compiled_model() -> cnet.Sequential:
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def states_of(shown: str) -> list[str]:
    """Return all states of the displayed lines in order: a bar rewrites its line many times."""
    return [state.rstrip() for state in re.split(r"[\r\n]+", shown) if state.strip()]


IN_A_TERMINAL = """
import time
import numpy as np
import cnet

class Slow(cnet.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.02)

x, y = np.zeros((40, 3)), np.arange(40) % 3
model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=2, batch_size=2, validation_data=(x, y), callbacks=[Slow()])
model.evaluate(x, y, batch_size=2)
model.predict(x)
"""


def run_in_a_terminal(script: str, rows: int, columns: int) -> str:
    """Return the output of a program on a terminal of the given size."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=writer, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    shown = b""
    try:
        while chunk := os.read(reader, 4096):
            shown += chunk
    except OSError:
        pass  # Linux's error for a closed other end
    os.close(reader)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    return shown.decode()


# Some terminals, such as those of containers, report a size of 0.
@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200), (0, 0)])
def test_a_bar_on_a_terminal(rows: int, columns: int) -> None:
    states = states_of(run_in_a_terminal(IN_A_TERMINAL, rows, columns))
    for title in ("Epoch 1/2", "Epoch 2/2"):
        seen = [state for state in states if state.startswith(title)]
        done = [int(state.split()[2].removesuffix("/20")) for state in seen]
        assert done == sorted(done)
        # 20 batches of 20 ms each; the bar is updated ten times a second.
        assert len(set(done)) > 3, "it moves"
        live = [state for state, count in zip(seen, done, strict=True) if 0 < count < 20]
        assert all(re.search(f"{TIME} - {MEANS}$", state) for state in live), live
        assert max(map(len, live)) < (columns or 80), "on one line"
        assert re.fullmatch(rf"{title} 20/20 █* ?{TIME} - {MEANS} - {VALIDATION}", seen[-1])
        duration = re.search(r" - ([\d.]+)ms/step", seen[-1])
        assert duration is not None
        assert float(duration[1]) >= 20
    evaluated = [state for state in states if state.startswith("Evaluate")]
    assert re.fullmatch(rf"Evaluate 20/20 █* ?{TIME} - {MEANS}", evaluated[-1])
    assert re.fullmatch(rf"Predict 2/2 {TIME}", states[-1])


def test_a_line_an_epoch_in_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    model = compiled_model()
    for verbose in ("auto", 2):
        model.fit(X, Y, epochs=3, initial_epoch=1, validation_data=(X, Y), verbose=verbose)
        model.evaluate(X, Y, verbose=verbose)
        model.predict(X, verbose=verbose)
        shown = capfd.readouterr()
        assert shown.err == ""
        *epochs, evaluation = shown.out.splitlines()
        for line, title in zip(epochs, ("Epoch 2/3", "Epoch 3/3"), strict=True):
            assert re.fullmatch(f"{title} - {TIME} - {MEANS} - {VALIDATION}", line)
        assert re.fullmatch(f"Evaluate - {TIME} - {MEANS}", evaluation)


def test_verbose_0_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    model = compiled_model()
    with redirect_stdout(Terminal()) as terminal:
        model.fit(X, Y, epochs=2, validation_data=(X, Y), verbose=0)
        model.fit(X, Y, validation_split=0.5, verbose=0, callbacks=[cnet.callbacks.Callback()])
        model.evaluate(X, Y, verbose=0)
        model.predict(X, verbose=0)
        model.train_on_batch(X, Y)
        model.test_on_batch(X, Y)
        model.predict_on_batch(X)
        model(X)
    assert (terminal.getvalue(), *capfd.readouterr()) == ("", "", "")


def test_verbose_1_shows_a_bar_in_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    compiled_model().fit(X, Y, batch_size=10, verbose=1)
    shown = capfd.readouterr()
    assert shown.err == ""
    assert re.search(f"Epoch 1/1 4/4 .*{TIME} - {MEANS}", shown.out)


class AfterThirdBatch(cnet.callbacks.Callback):
    """Calls a function after the third batch."""

    def __init__(self, action: Any) -> None:
        self.action = action

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 # of all such hooks
        if batch == 2:
            self.action(self.model)


def test_a_bar_keeps_the_state_of_stopped_training() -> None:
    stop = AfterThirdBatch(lambda model: setattr(model, "stop_training", True))
    with redirect_stdout(Terminal()) as terminal:
        compiled_model().fit(X, Y, epochs=3, batch_size=4, callbacks=[stop])
    assert states_of(terminal.getvalue())[-1].startswith("Epoch 1/3 3/10 ")


def test_an_exception_ends_the_line_of_the_bar() -> None:
    def fail(_: cnet.Sequential) -> None:
        raise LookupError

    model = compiled_model()
    with redirect_stdout(Terminal()) as terminal:
        with pytest.raises(LookupError):
            model.fit(X, Y, batch_size=4, callbacks=[AfterThirdBatch(fail)])
        assert terminal.getvalue().endswith("\n")
        model.fit(X, Y, batch_size=4)
    assert states_of(terminal.getvalue())[-1].startswith("Epoch 1/1 10/10 ")


def test_an_unknown_number_of_batches() -> None:
    batches = ((X[i : i + 4], Y[i : i + 4]) for i in range(0, 40, 4))
    with redirect_stdout(Terminal()) as terminal:
        compiled_model().fit(batches)
    states = states_of(terminal.getvalue())
    assert states[0] == "Epoch 1/1 0/Unknown"
    assert re.match(rf"Epoch 1/1 10/Unknown {TIME} - {MEANS}$", states[-1])


def test_predict_shows_a_complete_bar() -> None:
    with redirect_stdout(Terminal()) as terminal:
        compiled_model().predict(X[:1])
        compiled_model().predict(np.broadcast_to(X[:1], (1_000_000, 3)), batch_size=1000)
    states = states_of(terminal.getvalue())
    assert states[0] == "Predict 0/1"
    assert re.fullmatch(f"Predict 1/1 {TIME}", states[states.index("Predict 0/1000") - 1])
    assert re.fullmatch(f"Predict 1000/1000 {TIME}", states[-1])


@pytest.mark.parametrize("verbose", [3, -1, "yes", None, 0.5])
@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_other_values_of_verbose_are_refused(call: str, verbose: Any) -> None:
    data = (X,) if call == "predict" else (X, Y)
    with pytest.raises(ValueError, match=rf"{call}: verbose: expected 'auto', 0, 1 or 2, got "):
        getattr(compiled_model(), call)(*data, verbose=verbose)


@pytest.mark.parametrize(("shell", "live"), [("ZMQInteractiveShell", True), ("None", False)])
def test_a_notebook_has_a_bar(shell: str, live: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = SimpleNamespace(get_ipython=lambda: type(shell, (), {})())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert _progress.Progress(10, "auto").live == live


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_training_works_without_stdout_and_stderr(
    verbose: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)  # None, as in a program without a console
    monkeypatch.setattr(sys, "stderr", None)
    model = compiled_model()
    assert model.fit(X, Y, verbose=verbose).epoch == [0]
    assert model.predict(X, verbose=verbose).shape == (40, 3)
    model.evaluate(X, Y, verbose=verbose)
    model.summary()


def test_a_notebook_shows_a_text_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """A saved notebook loses the figures of a widget, and a broken ipywidgets would stop training."""
    ipython = SimpleNamespace(get_ipython=lambda: type("ZMQInteractiveShell", (), {})())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setitem(sys.modules, "tqdm.notebook", None)
    with redirect_stdout(io.StringIO()) as output:
        compiled_model().fit(X, Y, epochs=2, batch_size=4)
    kept = [line.rpartition("\r")[2] for line in output.getvalue().split("\n")]
    assert [line[:15] for line in kept] == ["Epoch 1/2 10/10", "Epoch 2/2 10/10", ""]
    assert all("loss: " in line for line in kept[:2])


@pytest.mark.parametrize("verbose", [1, 2])
def test_output_in_another_encoding_does_not_fail(verbose: int) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with redirect_stdout(output):
        compiled_model().fit(X, Y, batch_size=40, epochs=3, verbose=verbose)
    output.seek(0)
    assert "Epoch 3/3" in output.read()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.0, "0us"), (12.3e-6, "12us"), (0.00123, "1.23ms")),
        *((0.0456, "45.6ms"), (0.9996, "1s"), (1.0, "1s"), (12.34, "12.3s"), (1234.0, "1234s")),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert _progress._duration(seconds) == text
