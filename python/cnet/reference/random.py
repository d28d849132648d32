"""Random numbers as pure functions of a seed, a stream and an index.

A counter-based generator has no state: number i of stream s is Philox4x32-10 of the counter (i, s)
under the key `seed`. Any thread can draw any element in any order. cnet's C++ core draws the same
bits, except the last ones of `normal` and `truncated_normal`, which depend on NumPy's logarithm.
Whatever needs its own numbers, such as an epoch or a layer, has its own stream.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "batch_bits",
    "batch_normal",
    "block",
    "normal",
    "permutation",
    "philox4x32",
    "truncated_normal",
    "uniform",
]

UInt32Array: TypeAlias = npt.NDArray[np.uint32]
Float64Array: TypeAlias = npt.NDArray[np.float64]

ROUNDS = 10
WORD = 0xFFFFFFFF
MULTIPLIER_0, MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
# Added to the key in each round: the fractions of the golden ratio and of √3, as 32-bit words.
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85


def philox4x32(counter: npt.ArrayLike, key: npt.ArrayLike) -> UInt32Array:
    """Return four random 32-bit words for each counter: Philox4x32 of 10 rounds.

    Parameters
    ----------
    counter : array_like of uint32, (..., 4)
    key : array_like of uint32, (2,) or (..., 2)

    Returns
    -------
    array of uint32, (..., 4)

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
    section 3.3.

    Examples
    --------
    >>> [f"{word:08x}" for word in philox4x32([0, 0, 0, 0], key=[0, 0])]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    # 32-bit words in 64 bits: a product has a high and a low half.
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter, np.uint32).astype(np.uint64), -1, 0)
    k0, k1 = np.moveaxis(np.asarray(key, np.uint32).astype(np.uint64), -1, 0)
    for _ in range(ROUNDS):
        product_0, product_1 = MULTIPLIER_0 * c0, MULTIPLIER_1 * c2
        c0, c1 = (product_1 >> 32) ^ c1 ^ k0, product_1 & WORD
        c2, c3 = (product_0 >> 32) ^ c3 ^ k1, product_0 & WORD
        k0, k1 = (k0 + WEYL_0) & WORD, (k1 + WEYL_1) & WORD
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def block(seed: int, stream: int, index: npt.ArrayLike, attempt: int = 0) -> UInt32Array:
    """Return the four words of each element `index`.

    Parameters
    ----------
    seed : int, in [0, 2**64)
    stream : int, in [0, 2**32)
    index : array_like of int, in [0, 2**64), any shape
    attempt : int, in [0, 2**32), default 0
        Selects further words of an element, for methods that reject some.

    Returns
    -------
    array of uint32, (*index.shape, 4)

    Examples
    --------
    >>> block(seed=1, stream=2, index=[5, 6]).shape
    (2, 4)
    """
    index = np.asarray(index, np.uint64)
    counter = np.empty((*index.shape, 4), np.uint32)
    counter[..., 0] = index & WORD
    counter[..., 1] = index >> 32
    counter[..., 2] = attempt
    counter[..., 3] = stream
    return philox4x32(counter, key=[seed & WORD, seed >> 32])


def uniform(seed: int, stream: int, size: int) -> Float64Array:
    """Return uniformly distributed numbers in [0, 1), multiples of 2**-53.

    Parameters
    ----------
    seed, stream : int
        As in `block`.
    size : int

    Returns
    -------
    array of float64, (size,)
        Element i uses the first two words of block i.

    Examples
    --------
    >>> uniform(seed=0, stream=0, size=3).round(4)
    array([0.399 , 0.9722, 0.0194])
    """
    words = block(seed, stream, np.arange(size))
    return _fraction(words[:, 0], words[:, 1])


def normal(seed: int, stream: int, size: int) -> Float64Array:
    """Return normally distributed numbers of mean 0 and standard deviation 1.

    Marsaglia's polar method: a point (u, v) of the square [-1, 1)² that lies in the unit disc gives
    u √(-2 log(s) / s), where s = u² + v². A point outside is drawn again.

    Parameters
    ----------
    seed, stream : int
        As in `block`.
    size : int

    Returns
    -------
    array of float64, (size,)

    References
    ----------
    Marsaglia and Bray, "A convenient method for generating normal variables", SIAM Review 6(3),
    1964.

    Examples
    --------
    >>> normal(seed=0, stream=0, size=3).round(4)
    array([-0.6434,  1.4709,  0.6489])
    """
    return _polar(seed, stream, size, limit=np.inf)


def truncated_normal(seed: int, stream: int, size: int) -> Float64Array:
    """Return `normal` numbers between -2 and 2; an element outside is drawn again.

    Parameters
    ----------
    seed, stream : int
        As in `block`.
    size : int

    Returns
    -------
    array of float64, (size,)
        The standard deviation is 0.8796.

    References
    ----------
    Keras 3, ``keras.initializers.TruncatedNormal``.

    Examples
    --------
    >>> bool(abs(truncated_normal(seed=0, stream=0, size=1000)).max() < 2)
    True
    """
    return _polar(seed, stream, size, limit=2.0)


def permutation(seed: int, stream: int, size: int) -> npt.NDArray[np.int64]:
    """Return the numbers 0 … size - 1 in random order, by the Fisher-Yates shuffle.

    Element i, from the last to the second, is swapped with element j of 0 … i, where j is the high
    word of i + 1 times a random 64-bit word.

    Parameters
    ----------
    seed, stream : int
        As in `block`.
    size : int

    Returns
    -------
    array of int64, (size,)

    References
    ----------
    Knuth, "The Art of Computer Programming", volume 2, algorithm 3.4.2P; and for j, Lemire, "Fast
    random integer generation in an interval", ACM TOMACS 29(1), 2019, without its rejection: the
    bias is below size / 2**64.

    Examples
    --------
    >>> permutation(seed=0, stream=0, size=5)
    array([2, 1, 0, 3, 4])
    """
    words = block(seed, stream, np.arange(size)).tolist()
    order = list(range(size))
    for i in range(size - 1, 0, -1):
        high, low, *_ = words[i]
        j = (high << 32 | low) * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64)


def batch_bits(seed: int, step: int, rows: int, columns: int) -> UInt32Array:
    """Return 32 random bits for each element of a batch, as dropout and noise use them.

    The counter holds the row, a group of columns and the step. A group of 64 columns uses 16
    counters: their first words are those of the first 16 columns, and so on. The bits of an element
    don't depend on the batch size.

    Parameters
    ----------
    seed : int, in [0, 2**64)
    step : int, in [0, 2**64)
    rows, columns : int

    Returns
    -------
    array of uint32, (rows, columns)

    Examples
    --------
    >>> batch_bits(seed=4, step=0, rows=1, columns=4) >= 2**31
    array([[False,  True, False,  True]])
    """
    row, column = np.indices((rows, columns), np.uint32)
    counter = np.empty((rows, columns, 4), np.uint32)
    counter[..., 0] = row
    counter[..., 1] = column // 64 * 16 + column % 16
    counter[..., 2] = step & WORD
    counter[..., 3] = step >> 32
    words = philox4x32(counter, key=[seed & WORD, seed >> 32])
    word = (column // 16 % 4).astype(np.int64)
    return np.take_along_axis(words, word[..., np.newaxis], axis=-1)[..., 0]


def batch_normal(seed: int, step: int, rows: int, columns: int) -> Float64Array:
    """Return a normal number for each element of a batch, by the inverse distribution function.

    24 random bits b give u = (2b + 1) / 2**24 - 1, one of the odd multiples of 2**-24 in (-1, 1), and
    u gives √2 erf⁻¹(u).

    Parameters
    ----------
    seed, step, rows, columns : int
        As in `batch_bits`, of which these are the highest bits.

    Returns
    -------
    array of float64, (rows, columns)
        The C++ core computes them in float32, by polynomials.

    References
    ----------
    Giles, "Approximating the erfinv function", GPU Computing Gems 2, 2011.

    Examples
    --------
    >>> batch_normal(seed=1, step=0, rows=1, columns=3).round(2)
    array([[1.23, 0.03, 1.28]])
    """
    bits = batch_bits(seed, step, rows, columns) >> 8
    # (u + 1) / 2, which is exact.
    probabilities = (2 * bits.astype(np.float64) + 1) * 2.0**-25
    inverse = NormalDist().inv_cdf
    return np.array([inverse(p) for p in probabilities.flat]).reshape(rows, columns)


def _polar(seed: int, stream: int, size: int, limit: float) -> Float64Array:
    """Draw by the polar method; reject numbers whose magnitude is not below `limit`."""
    numbers = np.empty(size)
    pending, attempt = np.arange(size), 0
    while pending.size:
        words = block(seed, stream, pending, attempt)
        u = 2 * _fraction(words[:, 0], words[:, 1]) - 1
        v = 2 * _fraction(words[:, 2], words[:, 3]) - 1
        s = u * u + v * v
        with np.errstate(divide="ignore", invalid="ignore"):  # outside the disc, rejected below
            numbers[pending] = u * np.sqrt(-2 * np.log(s) / s)
        accepted = (s > 0) & (s < 1) & (np.abs(numbers[pending]) < limit)
        pending, attempt = pending[~accepted], attempt + 1
    return numbers


def _fraction(high: UInt32Array, low: UInt32Array) -> Float64Array:
    """Return the 53 highest bits of the 64-bit words high:low, as fractions in [0, 1)."""
    words = high.astype(np.uint64) << 32 | low
    return (words >> 11).astype(np.float64) * 2.0**-53
