"""Training from variables and a tape: it learns, and a step equals the engine's operations."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.example_scripts import EXAMPLES, output_of, run_example, write_digits
from support.tolerances import relative_bound

from cnet import Input, Sequential, activations, autodiff, ops


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return runpy.run_path(str(EXAMPLES / "custom_training.py"))


def parts_of(text: str) -> list[tuple[list[float], float]]:
    """Return the losses and the accuracy of each part."""
    found = []
    for part in re.split("with Adam:|with layers of one's own:", text):
        losses = [float(loss) for loss in re.findall(r"epoch \d+: loss (\d\.\d+)", part)]
        assert len(losses) == 10
        found.append((losses, float(part.split()[-1])))
    return found


def accuracy_where_answers_agree(text: str) -> float:
    return float(re.findall(r"accuracy on these (\d\.\d+)", text)[0])


@pytest.mark.ci
def test_accuracy_with_defaults() -> None:
    text = output_of("custom_training.py")
    # The course, with 60,000 digits in batches of 128, by hand: loss 0.7, accuracy 82 %.
    bounds = [(1, 0.7), (0.2, 0.88), (0.2, 0.9)]
    for (losses, accuracy), (greatest_loss, least_accuracy) in zip(
        parts_of(text), bounds, strict=True
    ):
        assert losses == sorted(losses, reverse=True)
        assert losses[-1] < greatest_loss
        assert accuracy > least_accuracy
    assert accuracy_where_answers_agree(text) > 0.97


def test_accuracy_on_few_digits(tmp_path: Path) -> None:
    write_digits(tmp_path, 500)
    text = output_of("custom_training.py", "--data", tmp_path, "--batch-size", "25")
    by_hand, with_adam, own_layers = parts_of(text)
    for losses, _ in (by_hand, with_adam):
        assert losses == sorted(losses, reverse=True)
    losses, accuracy = own_layers
    assert losses[-1] < 0.2 * losses[0]
    assert with_adam[1] > 0.6 > by_hand[1]
    assert accuracy_where_answers_agree(text) > accuracy > 0.75


def test_a_step_by_hand(example: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(8, 5)).astype(np.float32), rng.integers(3, size=8)
    dense = example["NaiveDense"]
    model = example["NaiveSequential"](
        [dense(5, 4, activations.relu, seed=0), dense(4, 3, activations.softmax, seed=1)]
    )
    w1, b1, w2, b2 = (weight.numpy() for weight in model.weights)
    loss = example["one_training_step"](model, x, y, example["update_weights"])

    a1 = ops.relu_forward(ops.dense_forward(x, w1) + b1)
    expected, p = ops.softmax_cross_entropy_forward(ops.dense_forward(a1, w2) + b2, y)
    grad_a1, grad_w2, grad_b2 = ops.dense_backward(ops.softmax_cross_entropy_backward(p, y), a1, w2)
    _, grad_w1, grad_b1 = ops.dense_backward(ops.relu_backward(grad_a1, a1), x, w1)
    # The example computes the softmax and then its logarithm; all these numbers are about one.
    bound = relative_bound(60, np.float32)
    assert float(loss) == pytest.approx(expected, rel=bound)
    for weight, before, gradient in zip(
        model.weights, (w1, b1, w2, b2), (grad_w1, grad_b1, grad_w2, grad_b2), strict=True
    ):
        assert (np.abs(weight.numpy() - (before - 1e-3 * gradient)) <= bound).all()
        assert (weight.numpy() != before).any()


def test_a_layer_of_ones_own(example: dict[str, Any]) -> None:
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    layer = example["OwnDense"](3, activations.tanh, penalty=0.5)
    outputs = np.asarray(layer(x))
    w, b = layer.get_weights()
    bound = relative_bound(60, np.float32)  # all numbers are at most about one
    np.testing.assert_allclose(outputs, np.tanh(x @ w + b), rtol=0, atol=bound)
    assert layer.losses == []
    with autodiff.GradientTape():
        layer(x, training=True)
        (penalty,) = layer.losses
    assert float(penalty) == pytest.approx(0.5 * np.mean(outputs**2), rel=bound)


def test_dropout_in_predictions(example: dict[str, Any]) -> None:
    model = Sequential([Input((1000,)), example["MonteCarloDropout"](0.25)])
    first, second = (model.predict(np.ones((1, 1000)), verbose=0) for _ in range(2))
    for outputs in (first, second):
        assert set(np.unique(outputs)) == {0, np.float32(1) / np.float32(0.75)}
        # Five standard deviations of the share.
        assert abs(np.mean(outputs == 0) - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 1000)
    assert (first != second).any()


def test_batches_cover_all_samples_in_order(example: dict[str, Any]) -> None:
    batches = example["BatchGenerator"](np.arange(10), np.arange(10), 4)
    taken = [batches.next() for _ in range(batches.num_batches)]
    assert [len(images) for images, _ in taken] == [4, 4, 2]
    assert np.concatenate([labels for _, labels in taken]).tolist() == list(range(10))


def test_bad_arguments_get_one_clear_line() -> None:
    result = run_example("custom_training.py", "--batch-size", "0")
    assert result.returncode == 2
    assert "error: " in result.stderr.splitlines()[-1]
