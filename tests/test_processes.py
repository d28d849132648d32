"""Processes: forks and exits during training, signals, environment variables."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from support.forms import in_ci

MODEL = """
import os, sys, threading, time
import numpy as np
import cnet
from cnet import callbacks, layers

cnet.utils.set_random_seed(1)
model = cnet.Sequential([layers.Dense(700, "relu"), layers.Dense(10, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
x = np.random.default_rng(0).normal(size=(4000, 200)).astype(np.float32)
y = np.arange(4000) % 10
"""


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MODEL + program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


FORK = """
class Fork(callbacks.Callback):
    child = 0

    def on_train_batch_end(self, batch, logs=None):
        if batch == 5:
            self.child = os.fork()
            if self.child == 0 and {leaves}:
                os._exit(7)

fork = Fork()
model.fit(x, y, 100, verbose=0, callbacks=[fork])
if fork.child == 0:  # the child has continued training to the end
    os._exit(7 if np.isfinite(model.get_weights()[0]).all() else 1)
_, status = os.waitpid(fork.child, 0)
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize("leaves", [True, False])
@pytest.mark.parametrize("threads", [*in_ci("1", "2"), "5"])
def test_a_fork_during_training(threads: str, leaves: bool) -> None:
    result = run(FORK.format(leaves=leaves), CNET_NUM_THREADS=threads)
    assert (result.returncode, result.stdout) == (0, "7\n"), result.stderr


EXIT = """
spin = callbacks.LambdaCallback(on_train_batch_end=lambda *_: sum(range(20_000)))
calls = {
    "fit with hooks": lambda: model.fit(x, y, 100, epochs=10**6, verbose=0, callbacks=[spin]),
    "fit": lambda: model.fit(x, y, 100, epochs=10**6, verbose=0),
    "evaluate": lambda: [model.evaluate(x, y, verbose=0) for _ in range(10**6)],
    "predict": lambda: [model.predict(x, verbose=0) for _ in range(10**6)],
}
model.fit(x, y, verbose=0)
threading.Thread(target=calls[sys.argv[1]], daemon=True).start()
time.sleep(0.3)
"""


@pytest.mark.parametrize("call", ["fit", "fit with hooks", "evaluate", "predict"])
@pytest.mark.parametrize("threads", [*in_ci("1"), "2"])
def test_exit_during_a_call_of_a_daemon_thread(call: str, threads: str) -> None:
    program = f"sys.argv.append('{call}')\n{EXIT}"
    result = run(program, CNET_NUM_THREADS=threads)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr


# Each program exits by itself, so that Python finalizes.
ENDS = {
    "a thread that is waited for": (
        0,
        """
threading.Thread(target=lambda: model.fit(x, y, 100, epochs=5, verbose=0)).start()
time.sleep(0.1)
""",
    ),
    "a call when the program ends": (
        0,
        """ # whose fit raises an error
import atexit
atexit.register(lambda: model.predict(x, verbose=0))
atexit.register(lambda: model.fit(x[:500], y[:500], verbose=0))
threading.Thread(target=lambda: model.fit(x, y, 100, epochs=10**6, verbose=0), daemon=True).start()
time.sleep(0.1)
""",
    ),
    "an exit in a callback": (
        5,
        """
class Exit(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 3:
            sys.exit(5)

model.fit(x, y, 100, verbose=0, callbacks=[Exit()])
""",
    ),
    "an exit at once during a call": (
        6,
        """
threading.Thread(target=lambda: model.fit(x, y, 100, epochs=10**6, verbose=0)).start()
time.sleep(0.1)
os._exit(6)
""",
    ),
    "a finalizer that needs a model in use": (
        0,
        """
class Late:
    def __del__(self):
        try:
            model.predict(x[:3], verbose=0)
            model.get_weights()
        except RuntimeError as error:
            assert "in use" in str(error), error

late = Late()
late.itself = late  # freed at the very end
threading.Thread(target=lambda: model.fit(x, y, 4000, epochs=10**6, verbose=0), daemon=True).start()
time.sleep(0.2)
""",
    ),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("threads", [*in_ci("1"), "2"])
def test_programs_exit(end: str, threads: str) -> None:
    code, program = ENDS[end]
    result = run(program, CNET_NUM_THREADS=threads)
    told = "in use by another call" in result.stderr if "when the" in end else result.stderr == ""
    assert (result.returncode, told) == (code, True), result.stderr


SLEEPERS = """
def sleeps():
    total = 0
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/status") as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith("voluntary"))
    return total

def sleeps_of_a_prediction():
    before = sleeps()
    for _ in range(30):
        model.predict(x, verbose=0)
        time.sleep(0.001)
    return (sleeps() - before) / 30

cnet.set_num_threads(2)
model.fit(x, y, 128, verbose=0)
few = sleeps_of_a_prediction()
cnet.set_num_threads(64)
model.fit(x, y, 4000, verbose=0)
cnet.set_num_threads(2)
print(len(os.listdir("/proc/self/task")) > 60, sleeps_of_a_prediction() < few + 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_unneeded_threads_are_not_woken() -> None:
    result = run(SLEEPERS)
    assert result.stdout == "True True\n", result.stderr


SIGNALS = """
model.fit(x, y, 500, verbose=0)
blocked = []
for task in os.listdir("/proc/self/task"):
    with open(f"/proc/self/task/{task}/status") as status:
        blocked += [int(line.split()[1], 16) for line in status if line.startswith("SigBlk")]
SIGUSR1 = 1 << 9
print(sum(bool(mask & SIGUSR1) for mask in blocked))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_pool_threads_take_no_signals() -> None:
    result = run(SIGNALS, CNET_NUM_THREADS="3")
    assert result.stdout == "2\n", result.stderr


@pytest.mark.parametrize("value", ["0", "-1", "two", "1025", "99999999999999999999", "2.5"])
def test_an_invalid_number_of_threads_fails_the_import(value: str) -> None:
    result = run("", CNET_NUM_THREADS=value)
    assert f"CNET_NUM_THREADS: expected an integer in [1, 1024], got '{value}'" in result.stderr
    assert result.returncode == 1


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CNET_NUM_THREADS": "3"}, "3"),
        ({"CNET_NUM_THREADS": "3,2"}, "3"),
        ({"CNET_NUM_THREADS": "3", "OMP_NUM_THREADS": "1"}, "3"),
        ({"CNET_NUM_THREADS": "", "OMP_NUM_THREADS": "1"}, "1"),
    ],
)
def test_the_environment_sets_the_number_of_threads(environment: Any, expected: str) -> None:
    assert run("print(cnet.get_num_threads())", **environment).stdout.strip() == expected


def test_too_many_threads_from_threadpoolctl() -> None:
    program = """
from threadpoolctl import threadpool_limits
cnet.config.register_threadpoolctl()
with threadpool_limits(5000):
    print(cnet.get_num_threads())
"""
    assert run(program).stdout == "1024\n"
