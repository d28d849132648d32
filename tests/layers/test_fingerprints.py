"""Hashes of strings: published and independent values, over the limits of each class of lengths."""

from __future__ import annotations

import numpy as np
import pytest

from cnet.layers.fingerprints import fingerprint64, siphash24

TEXT = bytes(97 + n % 26 for n in range(400))
KEY = (int.from_bytes(b"01234567", "little"), int.from_bytes(b"89abcdef", "little"))
# By length of the text, from the packages pyfarmhash 0.5.1 and siphashc 2.9.1.
HASHES = {
    0: (0x9AE16A3B2F90404F, 0xAE32C38AD4DD9EB8),
    1: (0xB3454265B6DF75E3, 0xC686137E7F916674),
    2: (0xAA8D6E5242ADA51E, 0x91DA6348FCA9C08B),
    3: (0x24A5B3A074E7F369, 0x0D8E287E485A331D),
    4: (0x1A5502DE4A1F8101, 0xCE0B6A9DDC28AE56),
    7: (0x3C40C92B1CCB7355, 0x7188FBC86488A848),
    8: (0xFEE9D22990C82909, 0x8FD7EF2B0B157B19),
    16: (0x54630BAD7705CEBD, 0xAADCBB209E462629),
    17: (0x9E2106C72D7793A8, 0xB26711F65A18D7C2),
    32: (0xFF96B8A54087359A, 0x770B8BB4C8D28666),
    33: (0x1BD257E2FC3DA812, 0x5A7FF48260FEC21D),
    64: (0x9C4A595C23BB9BFA, 0x5E56EA28B0CAA988),
    65: (0x2434D8917886FE2A, 0x215D5BA5F4DDB839),
    128: (0xC3244D5EC8A4474A, 0xB53F63E299DFDB79),
    129: (0x9B1CA0571B8CEFD4, 0x566D8FC58C44D40C),
    300: (0x93480430F4019A90, 0x26A24B5EA21D9AFB),
}


def test_known_hashes() -> None:
    strings = [TEXT[:length] for length in HASHES]
    expected = np.array(list(HASHES.values()), np.uint64)
    np.testing.assert_array_equal(fingerprint64(strings), expected[:, 0], strict=True)
    np.testing.assert_array_equal(siphash24(strings, KEY), expected[:, 1], strict=True)


def test_the_example_of_siphash() -> None:
    """Of the paper, appendix A."""
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    assert siphash24([bytes(range(15))], key).tolist() == [0xA129CA6149BE45E5]


def test_other_strings_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    strings = [rng.bytes(length) for length in rng.integers(0, 300, 500)]
    together = fingerprint64(strings), siphash24(strings, KEY)
    for n in range(0, 500, 7):
        assert fingerprint64(strings[n : n + 1])[0] == together[0][n]
        assert siphash24(strings[n : n + 1], KEY)[0] == together[1][n]


@pytest.mark.parametrize("strings", [[], [b""], [b"\0"], [b"", b"\0\0"]])
def test_short_inputs(strings: list[bytes]) -> None:
    assert len(fingerprint64(strings)) == len(siphash24(strings, (0, 0))) == len(strings)
    assert len(set(fingerprint64(strings).tolist())) == len(strings)
