"""read_idx returns the array or names the fault, and allocates no memory for false sizes."""

from __future__ import annotations

import errno
import gzip
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnet.datasets.idx import read_idx

Array = npt.NDArray[np.uint8]
Pack = Callable[[bytes], bytes]

MATRIX = np.array([[0, 1, 2], [253, 254, 255]], np.uint8)
IDX = bytes.fromhex("00000802 00000002 00000003") + MATRIX.tobytes()
HUGE = bytes.fromhex("00000803 00100000 00100000 00100000") + bytes(6)
PACKS = [pytest.param(bytes, id="plain"), pytest.param(gzip.compress, id="gzip")]


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (4, 28, 28), (2000, 28, 28)])
def test_round_trip(
    tmp_path: Path, encode: Callable[[Array], bytes], shape: tuple[int, ...], pack: Pack
) -> None:
    array = (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)
    path = tmp_path / "file"
    path.write_bytes(pack(encode(array)))
    for name in (path, str(path)):
        read = read_idx(name)
        assert read.dtype == np.uint8
        assert read.flags.writeable
        np.testing.assert_array_equal(read, array, strict=True)


def test_gzip_is_recognized_by_content_not_name(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(IDX)
    (tmp_path / "gzipped").write_bytes(gzip.compress(IDX))
    np.testing.assert_array_equal(read_idx(tmp_path / "plain.gz"), MATRIX)
    np.testing.assert_array_equal(read_idx(tmp_path / "gzipped"), MATRIX)


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected IDX of unsigned bytes (type 0x08) with 1 to 3 dimensions, got the magic"),
        (b"\x00\x00\x08", "got the magic bytes [00 00 08]"),
        (b"\x89PNG" + IDX[4:], "got the magic bytes [89 50 4e 47]"),
        (b"\x00\x00\x0d\x02" + IDX[4:], "got the magic bytes [00 00 0d 02]"),
        (b"\x00\x00\x08\x00" + IDX[4:], "got the magic bytes [00 00 08 00]"),
        (b"\x00\x00\x08\x04" + IDX[4:], "got the magic bytes [00 00 08 04]"),
        (IDX[:4], "expected a header of 12 bytes, file holds 4"),
        (IDX[:11], "expected a header of 12 bytes, file holds 11"),
        (IDX[:12], "expected 18 bytes for shape (2, 3), file holds 12"),
        (IDX[:-1], "expected 18 bytes for shape (2, 3), file holds 17"),
        (IDX[:7] + b"\x00" + IDX[8:], "expected dimensions of at least 1, got (0, 3)"),
        (HUGE, f"expected {2**60 + 16} bytes for shape {(2**20,) * 3}, file holds 22"),
    ],
)
def test_malformed(tmp_path: Path, content: bytes, message: str, pack: Pack) -> None:
    path = tmp_path / "bad-ubyte"
    path.write_bytes(pack(content))
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        read_idx(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (IDX + b"!", "expected 18 bytes for shape (2, 3), file holds 19"),
        (gzip.compress(IDX + b"!", mtime=0), "expected 18 bytes for shape (2, 3), file holds more"),
        (gzip.compress(IDX, mtime=0) + b"!", "corrupt gzip data: Not a gzipped file"),
        (gzip.compress(IDX, mtime=0)[:-9], "corrupt gzip data: Compressed file ended"),
        (gzip.compress(IDX, mtime=0)[:-8] + bytes(8), "corrupt gzip data: CRC check failed"),
        (gzip.compress(IDX, mtime=0)[:10] + b"\xff" * 20, "corrupt gzip data: Error -3"),
        (b"\x1f\x8b", "corrupt gzip data: "),
    ],
)
def test_trailing_bytes_and_corrupt_gzip(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {re.escape(message)}"):
        read_idx(path)


def peak_memory_of_a_refusal(path: Path) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"expected .* bytes for shape"):
            read_idx(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


MIB = 1 << 20


@pytest.mark.parametrize("pack", PACKS)
def test_a_large_size_in_a_header_allocates_no_memory(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "claim"
    path.write_bytes(pack(HUGE))
    assert peak_memory_of_a_refusal(path) < 2 * MIB


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(IDX + bytes(64 * MIB), compresslevel=1))
    assert peak_memory_of_a_refusal(path) < 2 * MIB


def test_a_truncated_gzip_allocates_only_its_content(tmp_path: Path) -> None:
    path = tmp_path / "truncated.gz"
    path.write_bytes(gzip.compress(HUGE + bytes(16 * MIB), compresslevel=1))
    assert peak_memory_of_a_refusal(path) < 2 * 16 * MIB


def test_a_truncated_plain_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "truncated"
    path.write_bytes(HUGE + bytes(16 * MIB))
    assert peak_memory_of_a_refusal(path) < 2 * MIB


def test_file_system_errors_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "absent-ubyte"
    with pytest.raises(FileNotFoundError, match="absent-ubyte"):
        read_idx(path)
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        read_idx(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path.write_bytes(gzip.compress(IDX))
    monkeypatch.setattr(gzip, "open", fail)
    with pytest.raises(OSError, match=r"Input/output error: .*absent-ubyte"):
        read_idx(path)


def damage(data: st.DataObject, content: bytes) -> bytes:
    damaged = bytearray(content)
    for index in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        damaged[index] = data.draw(st.integers(0, 255))
    return bytes(damaged[: data.draw(st.integers(0, len(content)))])


def read_or_refuse(path: Path) -> Array | None:
    try:
        return read_idx(path)
    except ValueError as error:
        if not str(error).startswith(f"{path}: "):
            raise
        return None


@given(data=st.data())
def test_damaged_plain_files(
    tmp_path_factory: pytest.TempPathFactory, encode: Callable[[Array], bytes], data: st.DataObject
) -> None:
    """IDX has no checksum: what is read corresponds to the damaged bytes exactly."""
    damaged = damage(data, IDX)
    path = tmp_path_factory.getbasetemp() / "damaged-plain"
    path.write_bytes(damaged)
    array = read_or_refuse(path)
    assert array is None or encode(array) == damaged


@given(data=st.data())
def test_damaged_gzip_files(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged-gzip"
    path.write_bytes(damage(data, gzip.compress(IDX)))
    array = read_or_refuse(path)
    assert array is None or array.tolist() == MATRIX.tolist()
