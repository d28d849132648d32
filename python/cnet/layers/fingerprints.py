"""Hashes of byte strings, vectorized over the strings: FarmHash's Fingerprint64 and SipHash-2-4.

Keras's layers choose bins by them, so their bits must be the same everywhere. All arithmetic is modulo 2⁶⁴.

References
----------
Pike and Alakuijala, "FarmHash" (farmhashna, the part that is called Fingerprint64), 2014.
Aumasson and Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["combine_fingerprints", "fingerprint64", "siphash24"]

Words = npt.NDArray[Any]  # of uint64
Positions = npt.NDArray[np.int64]

_K0, _K1, _K2 = (np.uint64(k) for k in (0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F))
_COMBINE = np.uint64(0xC6A4A7935BD1E995)
_SEED = 81  # of FarmHash's long strings
_BLOCK = 64
_MASK = 2**64 - 1


class _Strings:
    """Byte strings in one buffer, and the words at any of its positions."""

    def __init__(self, strings: Sequence[bytes]) -> None:
        self.lengths: Positions = np.fromiter(map(len, strings), np.int64, len(strings))
        self.starts: Positions = np.cumsum(self.lengths) - self.lengths
        self._buffer = b"".join([*strings, bytes(_BLOCK)])  # words may reach beyond the end

    def bytes_at(self, positions: Positions) -> Words:
        found: Words = np.frombuffer(self._buffer, np.uint8)[positions].astype(np.uint64)
        return found

    def words_at(self, positions: Positions, kind: str = "<u8") -> Words:
        """Return the little-endian words that begin at any positions, which needn't be aligned."""
        count = len(self._buffer) - np.dtype(kind).itemsize + 1
        words = np.ndarray((count,), kind, self._buffer, strides=(1,))
        found: Words = words[positions].astype(np.uint64)
        return found


def fingerprint64(strings: Sequence[bytes]) -> Words:
    """Return FarmHash's Fingerprint64 of each string."""
    data = _Strings(strings)
    lengths = data.lengths
    hashes = np.empty(len(lengths), np.uint64)
    classes = (
        (0, 0, _hash_empty),
        (1, 3, _hash_up_to_3),
        (4, 7, _hash_up_to_7),
        (8, 16, _hash_up_to_16),
        (17, 32, _hash_up_to_32),
        (33, 64, _hash_up_to_64),
    )
    for least, most, function in classes:
        chosen = np.flatnonzero((least <= lengths) & (lengths <= most))
        if chosen.size:
            hashes[chosen] = function(data, data.starts[chosen], lengths[chosen])
    for blocks, chosen in _groups((lengths - 1) // _BLOCK, np.flatnonzero(lengths > _BLOCK)):
        hashes[chosen] = _hash_long(data, data.starts[chosen], lengths[chosen], blocks)
    return hashes


def combine_fingerprints(first: Words, second: Words) -> Words:
    """Return the fingerprint of two concatenated values from the fingerprints of both."""
    hashes = first ^ _COMBINE
    hashes ^= _fold(second * _COMBINE) * _COMBINE
    hashes *= _COMBINE
    return _fold(_fold(hashes) * _COMBINE)


def siphash24(strings: Sequence[bytes], key: tuple[int, int]) -> Words:
    """Return SipHash-2-4 of each string with a key of two 64-bit integers."""
    data = _Strings(strings)
    hashes = np.empty(len(data.lengths), np.uint64)
    for words, chosen in _groups(data.lengths // 8, np.arange(len(data.lengths))):
        hashes[chosen] = _siphash(data, data.starts[chosen], data.lengths[chosen], words, key)
    return hashes


def _groups(counts: Positions, members: Positions) -> Iterator[tuple[int, Positions]]:
    """Yield each count, and the members that have it."""
    if members.size:
        order = members[np.argsort(counts[members], kind="stable")]
        found, starts = np.unique(counts[order], return_index=True)
        yield from zip(found.tolist(), np.split(order, starts[1:]), strict=True)


def _rotate_right(x: Words, bits: int) -> Words:
    rotated: Words = (x >> np.uint64(bits)) | (x << np.uint64(64 - bits))
    return rotated


def _rotate_left(x: Words, bits: int) -> Words:
    return _rotate_right(x, 64 - bits)


def _fold(x: Words) -> Words:
    folded: Words = x ^ (x >> np.uint64(47))
    return folded


def _mix(low: Words, high: Words, factor: Words) -> Words:
    """Return a hash of 128 bits."""
    a = _fold((low ^ high) * factor)
    mixed: Words = _fold((high ^ a) * factor) * factor
    return mixed


def _factor(lengths: Positions) -> Words:
    factors: Words = _K2 + lengths.astype(np.uint64) * np.uint64(2)
    return factors


# -- FarmHash: one function for each class of lengths -----------------------------------------------


def _hash_empty(data: _Strings, starts: Positions, lengths: Positions) -> Words:  # noqa: ARG001 # as the others
    return np.full(len(starts), _K2)


def _hash_up_to_3(data: _Strings, starts: Positions, lengths: Positions) -> Words:
    first, middle, last = (
        data.bytes_at(starts + offset) for offset in (0, lengths // 2, lengths - 1)
    )
    y = first + (middle << np.uint64(8))
    z = lengths.astype(np.uint64) + (last << np.uint64(2))
    hashes: Words = _fold(y * _K2 ^ z * _K0) * _K2
    return hashes


def _hash_up_to_7(data: _Strings, starts: Positions, lengths: Positions) -> Words:
    first, last = (data.words_at(starts + offset, "<u4") for offset in (0, lengths - 4))
    return _mix(lengths.astype(np.uint64) + (first << np.uint64(3)), last, _factor(lengths))


def _hash_up_to_16(data: _Strings, starts: Positions, lengths: Positions) -> Words:
    factor = _factor(lengths)
    a = data.words_at(starts) + _K2
    b = data.words_at(starts + lengths - 8)
    c = _rotate_right(b, 37) * factor + a
    d = (_rotate_right(a, 25) + b) * factor
    return _mix(c, d, factor)


def _hash_up_to_32(data: _Strings, starts: Positions, lengths: Positions) -> Words:
    factor, ends = _factor(lengths), starts + lengths
    a = data.words_at(starts) * _K1
    b = data.words_at(starts + 8)
    c = data.words_at(ends - 8) * factor
    d = data.words_at(ends - 16) * _K2
    low = _rotate_right(a + b, 43) + _rotate_right(c, 30) + d
    return _mix(low, a + _rotate_right(b + _K2, 18) + c, factor)


def _hash_up_to_64(data: _Strings, starts: Positions, lengths: Positions) -> Words:
    factor, ends = _factor(lengths), starts + lengths
    a = data.words_at(starts) * _K2
    b = data.words_at(starts + 8)
    c = data.words_at(ends - 8) * factor
    d = data.words_at(ends - 16) * _K2
    y = _rotate_right(a + b, 43) + _rotate_right(c, 30) + d
    z = _mix(y, a + _rotate_right(b + _K2, 18) + c, factor)
    e = data.words_at(starts + 16) * factor
    f = data.words_at(starts + 24)
    g = (y + data.words_at(ends - 32)) * factor
    h = (z + data.words_at(ends - 24)) * factor
    low = _rotate_right(e + f, 43) + _rotate_right(g, 30) + h
    return _mix(low, e + _rotate_right(f + a, 18) + g, factor)


def _hash_long(data: _Strings, starts: Positions, lengths: Positions, blocks: int) -> Words:
    """Hash strings of more than 64 bytes: whole blocks of 64, then the last 64 bytes."""
    count = len(starts)
    x = np.full(count, _SEED, np.uint64) * _K2 + data.words_at(starts)
    y = np.full(count, (_SEED * int(_K1) + 113) & _MASK, np.uint64)
    z = _fold(y * _K2 + np.uint64(113)) * _K2
    v = w = (np.zeros(count, np.uint64), np.zeros(count, np.uint64))
    for block in range(blocks):
        at = starts + block * _BLOCK
        x, y = (
            _rotate_right(x + y + v[0] + data.words_at(at + 8), 37) * _K1,
            _rotate_right(y + v[1] + data.words_at(at + 48), 42) * _K1,
        )
        x ^= w[1]
        y += v[0] + data.words_at(at + 40)
        z = _rotate_right(z + w[0], 33) * _K1
        v = _mix_32(data, at, v[1] * _K1, x + w[0])
        w = _mix_32(data, at + 32, z + w[1], y + data.words_at(at + 16))
        x, z = z, x
    factor = _K1 + ((z & np.uint64(255)) << np.uint64(1))
    at = starts + lengths - _BLOCK
    first = w[0] + ((lengths - 1) % _BLOCK).astype(np.uint64)
    v = (v[0] + first, v[1])
    w = (first + v[0], w[1])
    x, y = (
        _rotate_right(x + y + v[0] + data.words_at(at + 8), 37) * factor,
        _rotate_right(y + v[1] + data.words_at(at + 48), 42) * factor,
    )
    x ^= w[1] * np.uint64(9)
    y += v[0] * np.uint64(9) + data.words_at(at + 40)
    z = _rotate_right(z + w[0], 33) * factor
    v = _mix_32(data, at, v[1] * factor, x + w[0])
    w = _mix_32(data, at + 32, z + w[1], y + data.words_at(at + 16))
    x, z = z, x
    low = _mix(v[0], w[0], factor) + _fold(y) * _K0 + z
    return _mix(low, _mix(v[1], w[1], factor) + x, factor)


def _mix_32(data: _Strings, at: Positions, a: Words, b: Words) -> tuple[Words, Words]:
    """Return two words that depend on 32 bytes and two seeds."""
    first, second, third, last = (data.words_at(at + offset) for offset in (0, 8, 16, 24))
    a = a + first
    b = _rotate_right(b + a + last, 21)
    low = a + second + third
    return low + last, b + _rotate_right(low, 44) + a


# -- SipHash ---------------------------------------------------------------------------------------


def _siphash(
    data: _Strings, starts: Positions, lengths: Positions, words: int, key: tuple[int, int]
) -> Words:
    """Hash strings that have the same number of whole words."""
    initial = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    state = [
        np.full(len(starts), constant ^ (part & _MASK), np.uint64)
        for constant, part in zip(initial, (*key, *key), strict=True)
    ]
    rest = (lengths % 8).astype(np.uint64)
    kept = (np.uint64(1) << (np.uint64(8) * rest)) - np.uint64(1)
    last = data.words_at(starts + 8 * words) & kept
    last |= lengths.astype(np.uint64) << np.uint64(56)
    for word in range(words + 1):
        message = data.words_at(starts + 8 * word) if word < words else last
        state[3] ^= message
        state = _rounds(state, 2)
        state[0] ^= message
    state[2] ^= np.uint64(255)
    a, b, c, d = _rounds(state, 4)
    return a ^ b ^ c ^ d


def _rounds(state: list[Words], count: int) -> list[Words]:
    a, b, c, d = state
    for _ in range(count):
        a = a + b
        b = _rotate_left(b, 13) ^ a
        a = _rotate_left(a, 32)
        c = c + d
        d = _rotate_left(d, 16) ^ c
        a = a + d
        d = _rotate_left(d, 21) ^ a
        c = c + b
        b = _rotate_left(b, 17) ^ c
        c = _rotate_left(c, 32)
    return [a, b, c, d]
