"""cnet.random: equality with the reference, and seeds."""

from __future__ import annotations

import random as python_random
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from support.tolerances import POLAR_ROUNDINGS, relative_bound

import cnet
from cnet import _core, random, reference

SEEDS = [0, 1, 2**32, 2**64 - 1]
STREAMS = [0, 1, 2**32 - 1]
SIZES = [0, 1, 2, 17, 5000]

for_each_stream = pytest.mark.parametrize(
    ("seed", "stream", "size"), list(product(SEEDS, STREAMS, SIZES))
)


@for_each_stream
def test_uniform_has_the_bits_of_the_reference(seed: int, stream: int, size: int) -> None:
    expected = reference.random.uniform(seed, stream, size)
    assert _core.random_uniform(seed, stream, size).tobytes() == expected.tobytes()


@for_each_stream
def test_permutation_has_the_bits_of_the_reference(seed: int, stream: int, size: int) -> None:
    expected = reference.random.permutation(seed, stream, size)
    assert _core.random_permutation(seed, stream, size).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", ["normal", "truncated_normal"])
@for_each_stream
def test_normal_matches_the_reference(name: str, seed: int, stream: int, size: int) -> None:
    actual = getattr(_core, f"random_{name}")(seed, stream, size)
    expected = getattr(reference.random, name)(seed, stream, size)
    bound = relative_bound(POLAR_ROUNDINGS, np.float64)
    assert actual.shape == (size,)
    assert (abs(actual - expected) <= bound * abs(expected)).all()


def test_bits_are_the_first_two_words_of_a_block() -> None:
    for index, (high, low, _, _) in enumerate(reference.random.block(7, 3, np.arange(50)).tolist()):
        assert _core.random_bits(7, 3, index) == high << 32 | low


@pytest.mark.parametrize("draw", [random.uniform, random.normal, random.truncated_normal])
def test_a_shape_is_filled_in_order_and_float32_is_the_rounded_float64(
    draw: Callable[..., random.FloatArray],
) -> None:
    flat = draw((24,), dtype="float64", seed=5)
    np.testing.assert_array_equal(draw((2, 3, 4), dtype="float64", seed=5), flat.reshape(2, 3, 4))
    single = draw((24,), seed=5)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, flat.astype(np.float32))
    assert draw((), seed=5).shape == ()
    assert draw((3, 0), seed=5).shape == (3, 0)


def test_parameters_shift_and_scale() -> None:
    options: dict[str, Any] = {"dtype": "float64", "seed": 3}
    unit = random.uniform((1000,), **options)
    np.testing.assert_array_equal(random.uniform((1000,), -1, 3, **options), -1 + 4 * unit)
    for draw in (random.normal, random.truncated_normal):
        standard = draw((1000,), **options)
        np.testing.assert_array_equal(draw((1000,), 5, 0.5, **options), 5 + 0.5 * standard)


def test_equal_seeds_give_equal_numbers_and_others_do_not() -> None:
    np.testing.assert_array_equal(random.uniform((100,), seed=1), random.uniform((100,), seed=1))
    assert not np.isin(random.uniform((100,), seed=2), random.uniform((100,), seed=1)).any()
    assert not np.isin(random.uniform((100,)), random.uniform((100,))).any()


def test_seeds_follow_from_the_global_seed() -> None:
    def draw(seed: int) -> list[int]:
        cnet.utils.set_random_seed(seed)
        return [random.next_seed() for _ in range(1000)]

    first = draw(1)
    assert draw(1) == first
    assert len(set(first + draw(2))) == 2000
    assert all(0 <= seed < 2**64 for seed in first)


def test_drawn_seeds_differ_from_numbers_of_the_global_seed() -> None:
    cnet.utils.set_random_seed(1)
    seeds = [random.next_seed() / 2**64 for _ in range(1000)]
    numbers = random.uniform((1000,), dtype="float64", seed=1)
    assert np.abs(np.subtract.outer(seeds, numbers)).min() > 2**-53


def test_an_explicit_seed_does_not_advance_the_sequence() -> None:
    cnet.utils.set_random_seed(1)
    expected = random.next_seed()
    cnet.utils.set_random_seed(1)
    random.uniform((3,), seed=9)
    cnet.initializers.GlorotUniform(seed=9)((3, 3))
    assert random.next_seed() == expected


@pytest.fixture
def _frequent_thread_switches() -> Iterator[None]:
    """Switch between threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_frequent_thread_switches")
def test_threads_draw_different_seeds() -> None:
    seeds: list[int] = []
    threads = [
        threading.Thread(target=lambda: seeds.extend(random.next_seed() for _ in range(5000)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seeds) == len(set(seeds)) == 20_000


def train_a_little() -> bytes:
    x, y = np.eye(7), np.arange(7) % 3
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=2, epochs=2, verbose=0)
    return b"".join(weight.tobytes() for weight in model.get_weights())


def test_random_streams_of_numpy_and_python_are_not_used() -> None:
    results = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002 # the legacy stream is the one that is global
        python_random.seed(seed)
        before = repr(np.random.get_state()), python_random.getstate()  # noqa: NPY002 # as above
        cnet.utils.set_random_seed(4)
        results.append(train_a_little())
        assert (repr(np.random.get_state()), python_random.getstate()) == before  # noqa: NPY002 # as above
    assert results[0] == results[1]


@pytest.mark.parametrize("seed", [1.0, "1", True, [1]])
def test_seeds_of_a_wrong_kind_are_refused(seed: Any) -> None:
    with pytest.raises(TypeError, match=r"seed: expected an integer, got "):
        random.uniform((2,), seed=seed)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=r"seed: expected an integer in \[0, 2\*\*64\), got "):
        random.normal((2,), seed=seed)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"random.uniform: shape: .* got \(2, -3\)"):
        random.uniform((2, -3))
    with pytest.raises(TypeError):
        random.uniform(3)
