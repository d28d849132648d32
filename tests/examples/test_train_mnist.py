"""The example as a user runs it: options, output and plot."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from support.example_scripts import EXAMPLES, count_colors, run_example, write_digits
from support.forms import in_ci

SCRIPT = EXAMPLES / "train_mnist.py"
OPTIONS = [
    *("--full", "--data", "--fashion", "--hidden", "--epochs", "--batch-size", "--optimizer"),
    *("--learning-rate", "--seed", "--plot"),
]
FASHION = Path("/usr/share/datasets/fashion-mnist")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run_example("train_mnist.py", *arguments)


def accuracy(*arguments: str | Path) -> float:
    result = run(*arguments)
    assert result.returncode == 0, result.stderr
    found = re.search(r"test loss (\d+\.\d+), test accuracy (\d\.\d+)$", result.stdout.strip())
    assert found, result.stdout
    return float(found[2])


def test_the_defaults_reach_the_accuracy_in_the_readme() -> None:
    assert accuracy() >= 0.93


@pytest.mark.ci
@pytest.mark.skipif(not FASHION.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_fashion_mnist_in_full() -> None:
    options = ["--optimizer", "sgd", "--learning-rate", "0.1", "--epochs", "5"]
    assert accuracy("--fashion", "--data", FASHION, "--batch-size", "128", *options) >= 0.85


def test_help_names_every_option() -> None:
    text = run("--help").stdout
    assert [option for option in OPTIONS if option not in text] == []


def test_a_folder_of_idx_files_and_every_option_of_training(tmp_path: Path) -> None:
    write_digits(tmp_path)
    options = ["--hidden", "64", "32", "--epochs", "2", "--batch-size", "100", "--optimizer", "sgd"]
    seeded = ["--learning-rate", "0.2", "--seed", "5"]
    first = run("--data", tmp_path, *options, *seeded)
    assert "Epoch 2/2" in first.stdout
    again = run(*options, *seeded)
    assert first.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
    assert first.stdout.splitlines()[-1].startswith("test loss")


def test_the_plot(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    accuracy("--epochs", "2", "--hidden", "16", "--plot", path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert count_colors(path) > 100


@pytest.mark.parametrize(
    "arguments",
    [
        ("--data", "/no/such/folder"),
        ("--hidden", "1000000000000000"),
        ("--learning-rate", "-1"),
        ("--plot", "/dev/null/figure.png", "--epochs", "1"),
        *in_ci(
            ("--epochs", "0"),
            ("--hidden", "-3"),
            ("--hidden",),
            ("--optimizer", "magic"),
            ("--learning-rate", "fast"),
            ("--batch-size", "0"),
            ("--seed", "-1"),
            ("--nonsense",),
        ),
    ],
    ids=" ".join,
)
def test_bad_arguments_get_one_clear_line(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "error: " in result.stderr.splitlines()[-1]


def test_a_missing_matplotlib_is_reported_before_training(tmp_path: Path) -> None:
    code = (
        "import runpy, sys; sys.modules['matplotlib'] = None; "
        f"sys.path.insert(0, {str(SCRIPT.parent)!r}); "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, SCRIPT, "--plot", tmp_path / "figure.png"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 2
    assert "pip install matplotlib" in result.stderr
    assert "Epoch" not in result.stdout


def test_ctrl_c_ends_without_a_traceback() -> None:
    command = [sys.executable, SCRIPT, "--epochs", "100000"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        # The background jobs of a shell ignore Ctrl-C.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 # safe in C
    ) as process:
        assert process.stdout is not None
        while "Epoch" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert errors.endswith("stopped\n")
