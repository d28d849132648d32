"""The reference's random numbers: known answers and distributions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from itertools import permutations

import mpmath
import numpy as np
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, kolmogorov_bound, mean_bound, relative_bound

from cnet.reference import random

SAMPLES = 100_000

# Random123, tests/kat_vectors, philox4x32 10: counter, key, result.
KNOWN_ANSWERS = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_philox_known_answers(counter: str, key: str, expected: str) -> None:
    result = random.philox4x32(words(counter), words(key))
    assert result.dtype == np.uint32
    assert result.tolist() == words(expected)


def test_philox_of_many_counters_and_keys() -> None:
    counters, keys, expected = (
        np.array([words(text) for text in column], np.uint32)
        for column in zip(*KNOWN_ANSWERS, strict=True)
    )
    np.testing.assert_array_equal(random.philox4x32(counters, keys), expected)
    # One key for all counters, in any shape.
    grid = np.tile(counters, (2, 1, 1))
    np.testing.assert_array_equal(random.philox4x32(grid, keys[2])[1, 2], expected[2])


def test_block_lays_out_counter_and_key() -> None:
    seed, index = 0x299F31D0_A4093822, 0x85A308D3_243F6A88
    result = random.block(seed, stream=0x03707344, index=index, attempt=0x13198A2E)
    assert result.tolist() == words(KNOWN_ANSWERS[2][2])
    np.testing.assert_array_equal(random.block(seed, 0x03707344, [0, index], 0x13198A2E)[1], result)


def test_uniform_takes_the_high_53_bits_of_the_first_two_words() -> None:
    numbers = random.uniform(seed=7, stream=3, size=100)
    for i, (high, low, _, _) in enumerate(random.block(7, 3, np.arange(100)).tolist()):
        assert numbers[i] == ((high * 2**32 + low) >> 11) / 2**53


def test_uniform_is_uniform() -> None:
    numbers = random.uniform(seed=1, stream=0, size=SAMPLES)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 1 / 2) <= mean_bound(math.sqrt(1 / 12), SAMPLES)
    assert abs(np.square(numbers).mean() - 1 / 3) <= mean_bound(math.sqrt(4 / 45), SAMPLES)
    assert kolmogorov_distance(numbers, numbers) <= kolmogorov_bound(SAMPLES)


def test_normal_is_normal() -> None:
    numbers = random.normal(seed=1, stream=0, size=SAMPLES)
    assert abs(numbers.mean()) <= mean_bound(1.0, SAMPLES)
    assert abs(np.square(numbers).mean() - 1) <= mean_bound(math.sqrt(2), SAMPLES)
    assert kolmogorov_distance(numbers, phi(numbers)) <= kolmogorov_bound(SAMPLES)


def test_truncated_normal_is_the_normal_between_minus_2_and_2() -> None:
    numbers = random.truncated_normal(seed=1, stream=0, size=SAMPLES)
    assert np.abs(numbers).max() < 2
    low, high = phi(np.array([-2.0, 2.0]))
    distance = kolmogorov_distance(numbers, (phi(numbers) - low) / (high - low))
    assert distance <= kolmogorov_bound(SAMPLES)
    # Elements that were not drawn again are the normal ones.
    normal = random.normal(seed=1, stream=0, size=SAMPLES)
    np.testing.assert_array_equal(
        numbers == normal, np.abs(normal) < 2, err_msg="only numbers outside are drawn again"
    )


def test_normal_by_the_polar_method_in_scalars() -> None:
    numbers = random.normal(seed=5, stream=2, size=50)
    for i, number in enumerate(numbers):
        assert number == pytest.approx(
            polar(seed=5, stream=2, index=i),
            rel=relative_bound(ELEMENTARY_ROUNDINGS + 3, np.float64),
        )


@pytest.mark.parametrize("size", [0, 1, 2, 17, 1000])
def test_permutation_is_a_permutation(size: int) -> None:
    order = random.permutation(seed=3, stream=1, size=size)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(size))


def test_permutation_swaps_from_the_top() -> None:
    size, order = 50, list(range(50))
    for i in reversed(range(1, size)):
        high, low, _, _ = random.block(9, 4, i).tolist()
        j = (high * 2**32 + low) * (i + 1) // 2**64
        order[i], order[j] = order[j], order[i]
    assert random.permutation(seed=9, stream=4, size=size).tolist() == order


def test_all_permutations_are_equally_likely() -> None:
    draws = 6000
    counts = Counter(tuple(random.permutation(0, stream, 3).tolist()) for stream in range(draws))
    assert set(counts) == set(permutations(range(3)))
    for count in counts.values():
        assert abs(count / draws - 1 / 6) <= mean_bound(math.sqrt(5 / 36), draws)


@pytest.mark.parametrize("draw", [random.uniform, random.normal, random.truncated_normal])
def test_elements_are_functions_of_seed_stream_and_index(
    draw: Callable[[int, int, int], random.Float64Array],
) -> None:
    numbers = draw(2**63 + 5, 6, 100)
    np.testing.assert_array_equal(draw(2**63 + 5, 6, 30), numbers[:30])
    for other in (draw(5, 6, 100), draw(2**63 + 5, 7, 100)):
        assert not np.isin(other, numbers).any()


def test_batch_bits_are_the_words_of_a_counter_of_row_columns_and_step() -> None:
    seed, step = 0x299F31D0_A4093822, 0x03707344_13198A2E
    bits = random.batch_bits(seed, step, rows=3, columns=150)
    assert bits.dtype == np.uint32
    for row, column in [(0, 0), (2, 15), (1, 16), (0, 63), (2, 64), (1, 149)]:
        group, rest = divmod(column, 64)
        word, counter = divmod(rest, 16)
        expected = random.philox4x32(
            [row, group * 16 + counter, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]
        )[word]
        assert bits[row, column] == expected
    assert len(np.unique(bits)) == bits.size
    np.testing.assert_array_equal(random.batch_bits(seed, step, 2, 70), bits[:2, :70])
    for shape in [(0, 3), (3, 0)]:
        assert random.batch_bits(seed, step, *shape).shape == shape


def test_batch_normal_is_the_inverse_of_the_distribution() -> None:
    """The error is that of the probability divided by the density (Newton's step)."""
    shape = (4, 200)
    probabilities = ((random.batch_bits(3, 1, *shape) >> 8) + 0.5) * 2.0**-24
    normal = random.batch_normal(3, 1, *shape)
    assert normal.shape == shape
    # Wichura's algorithm AS 241 divides two polynomials of degree 7, whose terms don't cancel.
    bound = relative_bound(2 * 2 * 7 + 10, np.float64)
    for z, p in zip(normal.flat, probabilities.flat, strict=True):
        error = (mpmath.ncdf(z) - mpmath.mpf(p)) / mpmath.npdf(z)
        assert abs(error) <= bound * abs(z)


def test_batch_normal_is_normal() -> None:
    numbers = random.batch_normal(1, 0, 100, SAMPLES // 100).ravel()
    assert abs(numbers.mean()) <= mean_bound(1.0, SAMPLES)
    assert abs(np.square(numbers).mean() - 1) <= mean_bound(math.sqrt(2), SAMPLES)
    assert kolmogorov_distance(numbers, phi(numbers)) <= kolmogorov_bound(SAMPLES)


def phi(x: random.Float64Array) -> random.Float64Array:
    """Return the distribution function of the standard normal."""
    return np.array([(1 + math.erf(value / math.sqrt(2))) / 2 for value in x])


def kolmogorov_distance(numbers: random.Float64Array, cdf: random.Float64Array) -> float:
    """Return the largest distance of the empirical distribution from `cdf`, given at `numbers`."""
    cdf = cdf[np.argsort(numbers)]
    steps = np.arange(len(cdf) + 1) / len(cdf)
    distance: float = np.maximum(np.abs(cdf - steps[1:]), np.abs(cdf - steps[:-1])).max()
    return distance


def polar(seed: int, stream: int, index: int) -> float:
    attempt = 0
    while True:
        w0, w1, w2, w3 = random.block(seed, stream, index, attempt).tolist()
        u: float = 2 * (((w0 << 32 | w1) >> 11) / 2**53) - 1
        v: float = 2 * (((w2 << 32 | w3) >> 11) / 2**53) - 1
        s = u * u + v * v
        if 0 < s < 1:
            return u * math.sqrt(-2 * math.log(s) / s)
        attempt += 1
