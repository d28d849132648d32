"""The first chapter of a Keras course: output, plots and logs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.example_scripts import assert_pictures, output_of, run_example
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

FASHION = Path("/usr/share/datasets/fashion-mnist")
PICTURES = [f"keras_tour_{name}.png" for name in ("curves", "first", "mistakes", "confusion")]


def figures(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"(\w+ accuracy) (\d\.\d+)", text)}


@pytest.mark.ci
def test_output_plots_and_logs(tmp_path: Path) -> None:
    text = output_of("keras_tour.py", "--plots", tmp_path)
    assert "Epoch 5/5" in text
    found = figures(text)
    assert found["training accuracy"] > found["test accuracy"] > 0.88
    assert_pictures(tmp_path, *PICTURES)
    for folder in ("train", "validation"):
        events = EventAccumulator(str(tmp_path / "logs" / folder))
        events.Reload()
        assert [point.step for point in events.Tensors("epoch_accuracy")] == [0, 1, 2, 3, 4]


def test_without_a_folder_it_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "test accuracy" in output_of("keras_tour.py")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ci
@pytest.mark.skipif(not FASHION.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_fashion_mnist_in_full(tmp_path: Path) -> None:
    text = output_of("keras_tour.py", "--fashion", "--data", FASHION, "--plots", tmp_path)
    assert "and in truth Ankle boot" in text
    assert figures(text)["test accuracy"] > 0.86


@pytest.mark.parametrize(
    "arguments", [("--data", "/no/such/folder"), ("--plots", "/dev/null/folder"), ("--seed", "-1")]
)
def test_bad_arguments_get_one_clear_line(arguments: tuple[str, str]) -> None:
    result = run_example("keras_tour.py", *arguments)
    assert result.returncode == 2
    assert "error: " in result.stderr.splitlines()[-1]
