"""The IDX format of MNIST and similar data sets.

An IDX file consists of two zero bytes, a byte for the type of the values, a byte for the number of
dimensions, the length of each dimension as a big-endian uint32, and the values in C order.
Source: http://yann.lecun.com/exdb/mnist/, "The IDX file format".
"""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .._files import as_path

__all__ = ["read_idx"]


def __dir__() -> list[str]:
    return __all__


_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or not.

    Memory is allocated for the values actually read, not for those that the header claims.

    Parameters
    ----------
    path
        The file. Its first two bytes, not its name, determine whether it is gzipped.

    Returns
    -------
    ndarray of uint8
        The values in the shape of the file's header, with 1 to 3 dimensions.

    Raises
    ------
    ValueError
        If the file is not IDX, has values other than unsigned bytes, more than three dimensions, no
        values, too few or too many bytes, or is corrupt gzip.
    OSError
        If the file is missing or can't be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes.fromhex("00000801 00000003 050004"))
    ...     read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    path = as_path("read_idx: path", path)
    try:
        with Path(path).open("rb") as file:
            if file.peek(2)[:2] == _GZIP_MAGIC:
                with gzip.open(file) as stream:
                    return _read(stream, path, size=None)
            return _read(file, path, size=os.fstat(file.fileno()).st_size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: corrupt gzip data: {error}") from error
    except OSError as error:
        error.filename = path  # errors of read, unlike those of open, don't name the file
        raise


def _read(
    stream: io.BufferedIOBase, path: str | os.PathLike[str], size: int | None
) -> npt.NDArray[np.uint8]:
    """Read IDX from a stream of `size` bytes, None if unknown."""
    magic = stream.read(4)
    if magic[:3] != b"\x00\x00\x08" or magic[3:] not in (b"\x01", b"\x02", b"\x03"):
        raise ValueError(
            f"{path}: expected IDX of unsigned bytes (type 0x08) with 1 to 3 dimensions, "
            f"got the magic bytes [{magic.hex(' ')}]"
        )
    ndim = magic[3]
    header = 4 + 4 * ndim
    lengths = stream.read(4 * ndim)
    if len(lengths) != 4 * ndim:
        raise ValueError(
            f"{path}: expected a header of {header} bytes, file holds {4 + len(lengths)}"
        )
    shape = struct.unpack(f">{ndim}I", lengths)
    if 0 in shape:
        raise ValueError(f"{path}: expected dimensions of at least 1, got {shape}")

    count = math.prod(shape)
    if size is not None and size != header + count:
        raise ValueError(
            f"{path}: expected {header + count} bytes for shape {shape}, file holds {size}"
        )
    data = bytearray()
    while chunk := stream.read(min(_CHUNK, count + 1 - len(data))):
        data += chunk
    if len(data) != count:
        held = "more" if len(data) > count else header + len(data)
        raise ValueError(
            f"{path}: expected {header + count} bytes for shape {shape}, file holds {held}"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)
