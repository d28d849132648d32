"""Three layers by hand and the same net as a Sequential: the same bits after 1,000 steps."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.example_scripts import EXAMPLES, assert_pictures, output_of, run_example
from support.forms import in_ci
from support.tolerances import relative_bound

from cnet.datasets import mnist


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return runpy.run_path(str(EXAMPLES / "three_layer.py"))


def test_output_and_plots(tmp_path: Path) -> None:
    text = output_of("three_layer.py", "--plots", tmp_path)
    assert text.endswith("weights after 1,000 steps: the same bits\n")
    by_hand, sequential = re.findall(r"test accuracy (\d\.\d+)", text)
    assert float(by_hand) == float(sequential) > 0.87
    assert_pictures(tmp_path, "three_layer_loss.png", "three_layer_kernels.png")


@pytest.mark.parametrize("threads", ["1", *in_ci("2")])
def test_on_any_number_of_threads(threads: str) -> None:
    assert "the same bits" in output_of("three_layer.py", CNET_NUM_THREADS=threads)


def test_the_final_weights_are_compared(example: dict[str, Any]) -> None:
    (images, labels), _ = mnist.load_data(example["BUNDLED"])
    x = example["pixels"](images)
    model = example["make_model"]()
    first = model.get_weights()
    weights = [weight.copy() for weight in first]
    losses = example["train"](x, labels, weights)
    history = model.fit(
        x, labels, batch_size=example["BATCH_SIZE"], epochs=8, shuffle=False, verbose=0
    )
    assert model.optimizer.iterations == 1000
    for weight, other, before in zip(weights, model.get_weights(), first, strict=True):
        assert weight.tobytes() == other.tobytes() != before.tobytes()
    # The same losses of the rows, summed in float64, at once or batch by batch.
    bound = relative_bound(len(x) + 2, np.float64)
    assert history.history["loss"] == pytest.approx(losses, rel=bound, abs=0)


def test_bad_arguments_get_one_clear_line() -> None:
    result = run_example("three_layer.py", "--plots", "/dev/null/folder")
    assert result.returncode == 2
    assert "error: " in result.stderr.splitlines()[-1]
