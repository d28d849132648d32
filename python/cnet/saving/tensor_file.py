"""Model files: named tensors and a JSON document in the safetensors format, checked before use.

A file holds the length of the header (eight bytes, little-endian), the header (JSON), and the bytes of
the tensors. The header maps names to dtype, shape and offsets, and "__metadata__" to texts. cnet writes
three of these:

- "cnet": the document;
- "checksums": the CRC-32 of each tensor's bytes by name, in the order of the model;
- "checksum": the CRC-32 of these two texts.

A CRC-32 detects every flipped bit and every burst of up to 32. A checksum in the file itself cannot
protect against intent, so a cryptographic one would only cost time; no content of a file is executed.

The package safetensors writes metadata in random order and builds the file in memory; it accepts
duplicate names and dies (SIGBUS) if a file is truncated while it is mapped. So cnet has its own reader
and writer; tests compare them with the package.
"""

from __future__ import annotations

import json
import math
import os
import stat
import struct
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import numpy as np

from .._data import Array
from .._files import StrPath, naming, write_atomically

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FormatError", "TensorFile", "as_json", "write_tensor_file"]

# Limits far above any valid file.
MAX_HEADER = 2**22
MAX_CONTAINERS = 2**17
# In the document: a layer takes two to eight; its checks take time in proportion to the layers before it.
MAX_DESCRIBED = 2**13
MAX_DEPTH = 64
MAX_DIMENSIONS = 8
MAX_SIZE = 2**63

DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
_CODES = {dtype: code for code, dtype in DTYPES.items()}
_TEXTS = ("cnet", "checksums", "checksum")


class FormatError(ValueError):
    """Raised for an invalid or damaged model file.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        What is wrong with the file.
    """

    def __init__(self, path: StrPath, reason: str) -> None:
        # A reason may quote the file at length.
        reason = reason if len(reason) <= 500 else f"{reason[:500]}…"
        super().__init__(os.fspath(path), reason)
        self.path, self.reason = os.fspath(path), reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class Entry:
    """A tensor as the header describes it; its bytes are those from `begin` to `end` of the file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def write_tensor_file(
    path: StrPath, tensors: Mapping[str, Array], document: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Write a model file, atomically; the same tensors and document always give the same bytes.

    Raises
    ------
    ValueError
        If the document or the names exceed a limit, or cannot be encoded in UTF-8.
    OSError
        See `write_atomically`.
    """
    arrays = {
        name: np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        for name, array in tensors.items()
    }
    checksums = {name: _checksum(_bytes(array)) for name, array in arrays.items()}
    texts = [json.dumps(each, separators=(",", ":")) for each in (document, checksums)]
    metadata = dict(zip(_TEXTS, [*texts, _checksum("".join(texts).encode())], strict=True))
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        code = _CODES[array.dtype]
        header[name] = {"dtype": code, "shape": array.shape, "data_offsets": (begin, end)}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
    content = text.encode()  # a UnicodeEncodeError is a ValueError
    content += b" " * (-len(content) % 8)  # so that the tensors are aligned
    too_many = _containers(text) > MAX_CONTAINERS or _containers(texts[0]) > MAX_DESCRIBED
    if len(content) > MAX_HEADER or too_many:
        raise ValueError(f"{os.fspath(path)}: the model has more layers than a file may hold")
    start = struct.pack("<Q", len(content)) + content
    write_atomically(path, [memoryview(start), *map(_bytes, arrays.values())], overwrite=overwrite)


class TensorFile:
    """An open model file whose header has been checked; a context manager.

    Every size is checked against the size of the file before memory is allocated for it.

    Parameters
    ----------
    path : str or path

    Attributes
    ----------
    entries : dict of str to Entry
        The tensors, in the order of the checksums if there are any.
    document : dict or None
        None if another program wrote the file.

    Raises
    ------
    FormatError
        If the file is invalid.
    OSError
        If the file cannot be read.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = os.fspath(path)
        self._checksums: dict[str, Any] = {}
        self.document: dict[str, Any] | None = None
        with naming(path):
            if not stat.S_ISREG(Path(path).stat().st_mode) and not Path(path).is_dir():
                self.refuse("not a regular file")  # reading a pipe or device may block or never end
            self._file: BinaryIO = Path(path).open("rb")  # noqa: SIM115 # closed on leaving
            try:
                header = self._read_header()
                self._read_metadata(header.pop("__metadata__", {}))
                self.entries = self._read_entries(header)
            except BaseException:
                self._file.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def refuse(self, reason: str, cause: BaseException | None = None) -> NoReturn:
        """Raise a `FormatError` for this file."""
        raise FormatError(self.path, reason) from cause

    def check(self, name: str, dtype: str, shape: tuple[int, ...]) -> None:
        """Raise unless the file has a tensor of this name, dtype and shape."""
        if name not in self.entries:
            self.refuse(f"there is no tensor '{name}'")
        entry = self.entries[name]
        if entry.dtype != np.dtype(dtype).newbyteorder("<") or entry.shape != shape:
            found = f"{entry.dtype.name} {entry.shape}"
            self.refuse(f"'{name}': expected {dtype} {shape}, found {found}")

    def read(self, name: str) -> Array:
        """Return a tensor; raise if its checksum is wrong."""
        entry = self.entries[name]
        array = np.empty(entry.shape, entry.dtype)
        with naming(self.path):
            self._file.seek(entry.begin)
            # A read may return fewer bytes than asked for.
            view = _bytes(array)
            while view:
                count = self._file.readinto(view)  # type: ignore[attr-defined] # open() gives such
                if not count:
                    self.refuse(f"the file ended within '{name}': it was truncated during reading")
                view = view[count:]
        if self._checksums and self._checksums[name] != _checksum(_bytes(array)):
            self.refuse(f"'{name}': wrong checksum: the file is damaged")
        return array

    def parse(self, text: str, what: str, most: int = MAX_CONTAINERS) -> dict[str, Any]:
        """Return a JSON object; raise if it has duplicate names, or is too deep or too large."""
        if _containers(text) > most:
            self.refuse(f"{what} holds more than {most} lists and objects")
        try:
            value = json.loads(text, object_pairs_hook=_without_duplicates)
            if (
                "\\u" in text
            ):  # an escape may be half of a surrogate pair, which UTF-8 cannot encode
                as_json(value).encode()
        except (ValueError, RecursionError) as error:
            self.refuse(f"{what} is not valid: {error}", error)
        if not isinstance(value, dict):
            self.refuse(f"{what} is not valid: expected an object")
        if _is_deep(value):
            self.refuse(f"{what} is nested more than {MAX_DEPTH} deep")
        return value

    def _read_header(self) -> dict[str, Any]:
        self._size = os.fstat(self._file.fileno()).st_size
        if self._size < 8:
            self.refuse(f"expected a header length of 8 bytes, the file has {self._size}")
        (length,) = struct.unpack("<Q", self._exactly(8))
        if length > MAX_HEADER:
            self.refuse(f"its header would have {length} bytes, the limit is {MAX_HEADER}")
        self._begin = 8 + length
        if self._begin > self._size:
            self.refuse(f"its header would have {length} bytes, but the file has {self._size}")
        try:
            text = self._exactly(length).decode()
        except UnicodeDecodeError as error:
            self.refuse(f"its header is not UTF-8: {error}", error)
        return self.parse(text, "its header")

    def _exactly(self, length: int) -> bytes:
        content = self._file.read(length)
        if len(content) < length:
            self.refuse("the file ended within its header: it was truncated during reading")
        return content

    def _read_metadata(self, texts: Any) -> None:
        if not isinstance(texts, dict) or not all(isinstance(each, str) for each in texts.values()):
            self.refuse("its __metadata__ is not valid: expected texts by name")
        if not texts.keys() & set(_TEXTS):
            return
        if not texts.keys() >= set(_TEXTS):
            self.refuse(f"its __metadata__ lacks some of {', '.join(_TEXTS)}")
        document, checksums, checksum = (texts[name] for name in _TEXTS)
        if checksum != _checksum((document + checksums).encode()):
            self.refuse("its __metadata__ has a wrong checksum: the file is damaged")
        self.document = self.parse(document, "its description", MAX_DESCRIBED)
        self._checksums = self.parse(checksums, "its list of checksums")

    def _read_entries(self, header: dict[str, Any]) -> dict[str, Entry]:
        entries = {name: self._entry(name, info) for name, info in header.items()}
        in_order = sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end))
        for (name, one), (other, next_one) in pairwise(in_order):
            if one.end != next_one.begin:
                self.refuse(f"'{name}' and '{other}' overlap, or leave a gap")
        begin = in_order[0][1].begin if in_order else self._begin
        end = in_order[-1][1].end if in_order else self._begin
        if begin != self._begin or end != self._size:
            self.refuse(
                f"its tensors occupy bytes {begin} to {end}, expected {self._begin} to {self._size}"
            )
        if self.document is None:
            return entries
        if entries.keys() != self._checksums.keys():
            one_side = entries.keys() ^ self._checksums.keys()
            self.refuse(f"'{min(one_side)}' is not in both its tensors and its checksums")
        return {name: entries[name] for name in self._checksums}

    def _entry(self, name: str, info: Any) -> Entry:
        if not isinstance(info, dict) or info.keys() != {"dtype", "shape", "data_offsets"}:
            self.refuse(f"'{name}': expected dtype, shape and data_offsets, found {info!r}")
        code, shape, offsets = info["dtype"], info["shape"], info["data_offsets"]
        if not isinstance(code, str) or code not in DTYPES:
            self.refuse(f"'{name}': expected a dtype of {', '.join(DTYPES)}, found {code!r}")
        if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS:
            self.refuse(f"'{name}': expected a shape, found {shape!r}")
        if not _are_sizes(offsets) or len(offsets) != 2:
            self.refuse(f"'{name}': expected two data_offsets, found {offsets!r}")
        begin, end = offsets
        size = math.prod(shape) * DTYPES[code].itemsize  # Python integers do not overflow
        if end - begin != size:
            self.refuse(f"'{name}': {code} {shape} takes {size} bytes, its offsets are {offsets}")
        return Entry(DTYPES[code], tuple(shape), self._begin + begin, self._begin + end)


def as_json(value: Any) -> str:
    """Return JSON without escapes for non-ASCII characters."""
    return json.dumps(value, ensure_ascii=False)


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _checksum(content: bytes | memoryview) -> str:
    return f"{zlib.crc32(content):08x}"


def _containers(text: str) -> int:
    return text.count("[") + text.count("{")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"two are named {name!r}")
    return found


def _is_deep(value: Any) -> bool:
    """Whether lists and objects are nested deeper than allowed, found without recursion."""
    level, depth = [value], 0
    while nested := [each for each in level if isinstance(each, (dict, list))]:
        if depth == MAX_DEPTH:
            return True
        depth += 1
        level = [x for each in nested for x in (each.values() if isinstance(each, dict) else each)]
    return False


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < MAX_SIZE for value in values
    )
