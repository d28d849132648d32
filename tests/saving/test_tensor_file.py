"""Model files byte by byte: written files are restored, damaged or forged ones are refused."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cnet
from cnet.saving import tensor_file
from cnet.saving.tensor_file import TensorFile, write_tensor_file

TENSORS = {
    "dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3) - 0.5,
    "dense/bias": np.array([np.nan, -0.0, np.inf], np.float32),
    "top/kernel": np.linspace(0, 1, 12).reshape(3, 4),
}
DOCUMENT: dict[str, Any] = {"version": 1, "text": 'ü "quoted" \\ 雪', "numbers": [0.1, 1e300, -3]}


def read(path: Path) -> tuple[Any, dict[str, Any]]:
    with TensorFile(path) as file:
        return file.document, {name: file.read(name) for name in file.entries}


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name


def build(header: Any, data: bytes = b"") -> bytes:
    """Return the bytes of a file with a header given as text, bytes or data for JSON."""
    if not isinstance(header, (str, bytes)):
        header = json.dumps(header)
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header)) + header + data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def content(folder: Path) -> bytes:
    path = folder / "whole.safetensors"
    write_tensor_file(path, TENSORS, DOCUMENT, overwrite=True)
    return path.read_bytes()


def refused(path: Path, content: bytes) -> str:
    """Return the reason why a file of this content is refused."""
    path.write_bytes(content)
    with pytest.raises(cnet.FormatError) as raised:
        read(path)
    assert str(raised.value) == f"{path}: {raised.value.reason}"
    assert raised.value.path == str(path)
    return raised.value.reason


# -- Writing and reading ----------------------------------------------------------------------------------


def test_written_tensors_are_restored(tmp_path: Path) -> None:
    write_tensor_file(tmp_path / "file", TENSORS, DOCUMENT, overwrite=True)
    document, tensors = read(tmp_path / "file")
    assert document == DOCUMENT
    assert list(tensors) == list(TENSORS)
    assert_same(tensors, TENSORS)


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"": np.zeros((1, 1), np.float32)},
        {"a": np.zeros((0, 3), np.float32), "b": np.ones(2), "c": np.zeros((3, 0))},
        {"number": np.array(2.5)},
        {"ü/雪\n\"'\\": np.ones(3), "__metadata": np.ones(1)},
        {"strided": np.arange(24.0).reshape(4, 6)[::2, ::-3]},
        {"other way round": np.arange(3, dtype=">f4")},
    ],
)
def test_unusual_tensors(tmp_path: Path, tensors: dict[str, Any]) -> None:
    path = tmp_path / "file"
    write_tensor_file(path, tensors, {}, overwrite=True)
    expected = {n: a.astype(a.dtype.newbyteorder("<")) for n, a in tensors.items()}
    assert_same(read(path)[1], expected)
    assert_same(safetensors.numpy.load_file(path), expected)


def test_other_programs_can_read_the_file(content: bytes) -> None:
    assert_same(safetensors.numpy.load(content), TENSORS)
    assert len(content) % 8 == sum(array.nbytes for array in TENSORS.values()) % 8  # aligned


@pytest.mark.parametrize("metadata", [None, {"format": "pt", "x": "[[["}])
def test_files_of_other_programs(tmp_path: Path, metadata: Any) -> None:
    safetensors.numpy.save_file(TENSORS, tmp_path / "file", metadata)
    document, tensors = read(tmp_path / "file")
    assert document is None
    assert_same(tensors, {name: TENSORS[name] for name in tensors})


def test_the_same_model_gives_the_same_bytes(tmp_path: Path, content: bytes) -> None:
    write_tensor_file(tmp_path / "file", TENSORS, DOCUMENT, overwrite=True)
    assert (tmp_path / "file").read_bytes() == content


# -- Damage ------------------------------------------------------------------------------------------


def test_truncated_files(tmp_path: Path, content: bytes) -> None:
    for length in range(len(content)):
        refused(tmp_path / "file", content[:length])
    refused(tmp_path / "file", content + b"\0")


def test_every_flipped_bit_is_found(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    for bit in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        refused(path, bytes(damaged))


def test_a_file_truncated_while_it_is_read(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_tensor_file(path, {"large": np.ones(10**6)}, {}, overwrite=True)
    with TensorFile(path) as file:
        os.truncate(path, 7 * 10**6)
        with pytest.raises(cnet.FormatError, match=r"ended within 'large'"):
            file.read("large")
    status = os.stat_result((0o100644, 0, 0, 0, 0, 0, 1000, 0, 0, 0))
    monkeypatch.setattr(os, "fstat", lambda _: status)
    for length in (4, 100):
        assert "ended within its header" in refused(path, content[:length])


F32 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
ONE = json.dumps(F32)
DATA = b"\0" * 4


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        (b"", b"", "header is not valid"),
        ("[]", b"", "expected an object"),
        ("null", b"", "expected an object"),
        ("{", b"", "header is not valid"),
        ("{}x", b"", "header is not valid"),
        (b"\xff{}", b"", "not UTF-8"),
        ("\ufeff{}", b"", "header is not valid"),
        ({}, b"x", "occupy bytes 10 to 10, expected 10 to 11"),
        (f'{{"a": {ONE}, "a": {ONE}}}', DATA, "two are named 'a'"),
        ('{"a": {"dtype": "F32", "dtype": "F32"}}', DATA, "two are named 'dtype'"),
        ('{"__metadata__": {"x": "", "x": ""}}', b"", "two are named 'x'"),
        ({"__metadata__": {"x": 1}}, b"", "__metadata__ is not valid"),
        ({"__metadata__": []}, b"", "__metadata__ is not valid"),
        ({"__metadata__": {"cnet": "{}"}}, b"", "lacks some of cnet, checksums, checksum"),
        (f'{{"\\ud800": {ONE}}}', DATA, "header is not valid"),
        ({"a": 1}, DATA, "expected dtype, shape and data_offsets, found 1"),
        ({"a": F32 | {"x": 1}}, DATA, "expected dtype, shape and data_offsets"),
        ({"a": F32 | {"dtype": "F16"}}, DATA, "expected a dtype of F32, F64, found 'F16'"),
        ({"a": F32 | {"dtype": "BF16"}}, DATA, "expected a dtype"),
        ({"a": F32 | {"dtype": ["F32"]}}, DATA, "expected a dtype"),
        ({"a": F32 | {"shape": 1}}, DATA, "expected a shape"),
        ({"a": F32 | {"shape": [1.0]}}, DATA, "expected a shape"),
        ({"a": F32 | {"shape": [True]}}, DATA, "expected a shape"),
        ({"a": F32 | {"shape": [-1]}}, DATA, "expected a shape"),
        ({"a": F32 | {"shape": [2**63]}}, DATA, "expected a shape"),
        ({"a": F32 | {"shape": [1] * 9}}, DATA, "expected a shape"),
        ('{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 4]}}', DATA, "a shape"),
        ('{"a": {"dtype": "F32", "shape": [1e0], "data_offsets": [0, 4]}}', DATA, "a shape"),
        ({"a": F32 | {"shape": [2**62, 4]}}, DATA, f"takes {2**66} bytes"),
        ({"a": F32 | {"shape": [2**62] * 8}}, DATA, "bytes, its offsets are"),
        ({"a": F32 | {"shape": [2]}}, DATA, "takes 8 bytes, its offsets are [0, 4]"),
        ({"a": F32 | {"data_offsets": [0]}}, DATA, "expected two data_offsets"),
        ({"a": F32 | {"data_offsets": [0, 4, 8]}}, DATA, "expected two data_offsets"),
        ({"a": F32 | {"data_offsets": [4, 0]}}, DATA, "takes 4 bytes"),
        ({"a": F32 | {"data_offsets": [-4, 0]}}, DATA, "expected two data_offsets"),
        ({"a": F32 | {"data_offsets": [4, 8]}}, DATA * 2, "occupy bytes"),
        ({"a": F32, "b": F32}, DATA, "'a' and 'b' overlap, or leave a gap"),
        ({"a": F32, "b": F32 | {"data_offsets": [8, 12]}}, DATA * 3, "or leave a gap"),
        ({"a": F32 | {"shape": [2**40], "data_offsets": [0, 2**42]}}, DATA, "occupy bytes"),
        ("[" * 100_000, b"", "header is not valid"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, b"", "header is not valid"),
        ('{"a":' + "[" * 64 + "]" * 64 + "}", b"", "nested more than 64 deep"),
        ('{"a":[' + "[]," * 2**17 + "1]}", b"", "more than 131072 lists and objects"),
        (" " * (2**22 + 1), b"", "would have 4194305 bytes, the limit is 4194304"),
        ('{"a":' + "9" * 5000 + "}", b"", "its header|'a': expected"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_files_are_refused(tmp_path: Path, header: Any, data: bytes, message: str) -> None:
    reason = refused(tmp_path / "file", build(header, data))
    assert any(each in reason for each in message.split("|")), reason
    assert len(reason) < 600


@pytest.mark.parametrize("length", [0, 1, 2**22, 2**31, 2**62, 2**63, 2**64 - 8, 2**64 - 1])
def test_false_header_lengths(tmp_path: Path, length: int) -> None:
    refused(tmp_path / "file", struct.pack("<Q", length) + b"{}")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a": F32}, "'a' is not in both its tensors and its checksums"),
        ({}, "'b' is not in both"),
        ({"b": F32}, "'b': wrong checksum"),
    ],
)
def test_checksums_of_other_tensors(tmp_path: Path, tensors: Any, message: str) -> None:
    texts = ["{}", '{"b":"00000000"}']
    metadata = dict(zip(("cnet", "checksums"), texts, strict=True))
    metadata["checksum"] = tensor_file._checksum(memoryview("".join(texts).encode()))
    header = {"__metadata__": metadata, **tensors}
    assert message in refused(tmp_path / "file", build(header, DATA * len(tensors)))


def test_too_large_descriptions(tmp_path: Path) -> None:
    text = '{"a":[' + "[]," * (2**13 - 3) + "[]]}"
    for description, reason in (
        (text, None),
        (text.replace("[[", "[[],["), "its description holds more than 8192 lists and objects"),
    ):
        metadata = {"cnet": description, "checksums": "{}"}
        metadata["checksum"] = tensor_file._checksum((description + "{}").encode())
        content = build({"__metadata__": metadata})
        (tmp_path / "file").write_bytes(content)
        if reason is None:
            assert read(tmp_path / "file")[1] == {}
        else:
            assert reason in refused(tmp_path / "file", content)


def test_paths_that_are_not_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        TensorFile(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        TensorFile(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(cnet.FormatError, match="not a regular file"):
        TensorFile(tmp_path / "pipe")


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**40) + b"{}",
        build({"a": F32 | {"shape": [2**40], "data_offsets": [0, 2**42]}}, DATA),
        build('{"a":[' + "[]," * (2**22 // 3 - 10) + "1]}"),
        build('{"a":[' + '"",' * (2**22 // 3 - 10) + "1]}"),
        build("{" + ",".join(f'"{n:x}":0' for n in range(200_000)) + "}"),
    ],
    ids=["length", "shape", "lists", "texts", "names"],
)
def test_memory_is_bounded(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(cnet.FormatError):
            TensorFile(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The file, its text and the parsed header: the shortest entry, an empty name and a number, has eight
    # bytes and takes 32 times as much in a dict of strings that doubles as it grows.
    assert peak < 2**16 + 40 * len(content)


# -- Forged files -----------------------------------------------------------------------------------

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(max_size=5), inner)),
    max_leaves=10,
)
CONTENTS = st.one_of(
    st.binary(max_size=64),
    st.builds(build, st.one_of(JSON, st.binary(max_size=64)), st.binary(max_size=16)),
)


@st.composite
def nearly_valid(draw: st.DrawFn) -> bytes:
    """Return a file whose parts are consistent, except perhaps one."""
    header: dict[str, Any] = {}
    end = 0
    for name in draw(st.lists(st.text(max_size=3), unique=True, max_size=3)):
        code, size = draw(st.sampled_from([("F32", 4), ("F64", 8)]))
        shape = draw(st.lists(st.integers(0, 3), max_size=3))
        begin, end = end, end + int(np.prod(shape)) * size
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [begin, end]}
    header = dict(draw(st.permutations(list(header.items()))))
    if draw(st.booleans()):
        header["__metadata__"] = draw(st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
    if header and draw(st.booleans()):
        info = header[draw(st.sampled_from(sorted(header)))]
        if info:
            info[draw(st.sampled_from(sorted(info)))] = draw(JSON)
    length = max(0, end + draw(st.sampled_from([0, 0, 0, -1, 1])))
    return build(header, draw(st.binary(min_size=length, max_size=length)))


def test_made_up_files(tmp_path: Path) -> None:
    """Each file is refused or read; if it is read, safetensors reads the same numbers."""
    path, seen = tmp_path / "file", Counter[str]()

    @settings(max_examples=300)  # enough to count those that are read
    @given(content=st.one_of(CONTENTS, nearly_valid()))
    def try_one(content: bytes) -> None:
        seen["tried"] += 1
        path.write_bytes(content)
        try:
            _, tensors = read(path)
        except cnet.FormatError:
            return
        seen["read"] += 1
        assert_same(safetensors.numpy.load(content), tensors)

    try_one()
    assert seen["read"] > seen["tried"] / 10


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_files_with_replaced_parts(folder: Path, content: bytes, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(begin, min(len(content), begin + 16)))
    changed = content[:begin] + data.draw(st.binary(max_size=16)) + content[end:]
    if changed != content:
        refused(folder / "changed", changed)


# -- Errors of writing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensors", "document"),
    [
        ({"a" * 2**22: np.zeros(1)}, {}),
        ({}, {"x": [[]] * 2**13}),
        ({f"{n}": np.zeros(1) for n in range(2**17 // 3 + 1)}, {}),
        ({"\ud800": np.zeros(1)}, {}),
    ],
    ids=["long", "described", "many", "surrogate"],
)
def test_more_than_a_file_can_contain(tmp_path: Path, tensors: Any, document: Any) -> None:
    with pytest.raises(ValueError):
        write_tensor_file(tmp_path / "file", tensors, document, overwrite=True)
    assert not list(tmp_path.iterdir())


def test_expected_dtype_and_shape_of_a_tensor(folder: Path, content: bytes) -> None:
    path = folder / "asked.safetensors"
    path.write_bytes(content)
    with TensorFile(path) as file:
        file.check("dense/kernel", "float32", (2, 3))
        file.check("top/kernel", "float64", (3, 4))
        for name, dtype, shape, message in (
            ("dense", "float32", (2, 3), "there is no tensor 'dense'$"),
            (
                "dense/kernel",
                "float64",
                (2, 3),
                r"'dense/kernel': expected float64 \(2, 3\), found float32",
            ),
            (
                "dense/kernel",
                "float32",
                (3, 2),
                r"expected float32 \(3, 2\), found float32 \(2, 3\)$",
            ),
        ):
            with pytest.raises(cnet.FormatError, match=message):
                file.check(name, dtype, shape)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"1234567", "expected a header length of 8 bytes, the file has 7$"),
        (struct.pack("<Q", 9) + b"12345678", "its header would have 9 bytes, but the file has 16$"),
        (struct.pack("<Q", 8) + b"12345678", "its header is not valid: expected an object$"),
        (
            struct.pack("<Q", 2**63),
            f"would have {2**63} bytes, the limit is {tensor_file.MAX_HEADER}$",
        ),
        (struct.pack("<Q", tensor_file.MAX_HEADER), "bytes, but the file has 8$"),
    ],
)
def test_lengths_of_headers(folder: Path, start: bytes, message: str) -> None:
    path = folder / "short.safetensors"
    path.write_bytes(start)
    with pytest.raises(cnet.FormatError, match=message):
        TensorFile(path)


def test_error_messages_are_short() -> None:
    error = cnet.FormatError(Path("a/file"), "x" * 500)
    assert (error.path, error.reason, str(error)) == ("a/file", "x" * 500, f"a/file: {'x' * 500}")
    assert error.args == ("a/file", "x" * 500)
    assert cnet.FormatError("file", "x" * 501).reason == "x" * 500 + "…"
