"""set_random_seed and to_categorical."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import utils


def train(seed: int) -> list[Any]:
    """Return the weights and losses of a model whose weights and shuffles depend on `seed`."""
    x, y = np.arange(60.0).reshape(20, 3) / 60, np.arange(20) % 4
    utils.set_random_seed(seed)
    model = cnet.Sequential([cnet.layers.Dense(5, "relu"), cnet.layers.Dense(4, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(x, y, batch_size=3, epochs=3, verbose=0)
    return [weight.tolist() for weight in model.get_weights()] + history.history["loss"]


def test_a_seed_determines_weights_and_shuffles() -> None:
    assert train(1) == train(1)
    assert train(1) != train(2)


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.int64(5), np.uint64(2**64 - 1)])
def test_seeds_are_integers_of_64_bits(seed: Any) -> None:
    utils.set_random_seed(seed)


@pytest.mark.parametrize(
    ("seed", "error"),
    [(-1, ValueError), (2**64, ValueError), (1.0, TypeError), ("1", TypeError), (None, TypeError)],
)
def test_invalid_seeds_are_refused_and_do_not_advance_the_sequence(
    seed: Any, error: type[Exception]
) -> None:
    utils.set_random_seed(1)
    expected = cnet.random.next_seed()
    utils.set_random_seed(1)
    with pytest.raises(error, match="seed: expected an integer"):
        utils.set_random_seed(seed)
    assert cnet.random.next_seed() == expected


@pytest.mark.parametrize(
    "ids",
    [[0, 2, 1], [[0], [2], [1]], [[0, 1], [2, 2]], 2, [[[1], [0]]], np.array([3, 1], np.uint8)],
)
def test_to_categorical(ids: Any) -> None:
    expected = np.eye(np.max(ids) + 1, dtype=np.float32)[ids]
    if np.ndim(ids) > 1 and np.shape(ids)[-1] == 1:
        expected = expected[..., 0, :]
    one_hot = utils.to_categorical(ids)
    assert one_hot.dtype == np.float32
    np.testing.assert_array_equal(one_hot, expected)


def test_to_categorical_with_more_classes_than_ids() -> None:
    assert utils.to_categorical([1], num_classes=4).tolist() == [[0, 1, 0, 0]]
    assert utils.to_categorical([], num_classes=4).shape == (0, 4)
    assert utils.to_categorical([]).shape == (0, 0)


@pytest.fixture
def _float64() -> Iterator[None]:
    floatx = cnet.config.floatx()
    cnet.config.set_floatx("float64")
    yield
    cnet.config.set_floatx(floatx)


@pytest.mark.usefixtures("_float64")
def test_to_categorical_returns_floatx() -> None:
    assert utils.to_categorical([0]).dtype == np.float64


@pytest.mark.parametrize(
    ("num_classes", "error"),
    [(-1, ValueError), (2.0, TypeError), ("3", TypeError), (True, TypeError)],
)
def test_invalid_numbers_of_classes_are_refused(num_classes: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="to_categorical: num_classes: expected an integer"):
        utils.to_categorical([0], num_classes)


@pytest.mark.parametrize(
    ("ids", "num_classes"), [([0, 3], 3), ([-1, 0], None), ([-1], 3), (np.array([2**63]), None)]
)
def test_ids_out_of_range_are_refused(ids: Any, num_classes: int | None) -> None:
    with pytest.raises(ValueError, match=r"to_categorical: .* not all in \[0, "):
        utils.to_categorical(ids, num_classes)
