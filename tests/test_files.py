"""Atomic writes: errors at every step, full disks, killed processes."""

from __future__ import annotations

import errno
import os
import random
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cnet import _files

OLD, NEW = b"old" * 1000, b"new" * 2000


def write(path: Path, content: bytes = NEW, overwrite: bool = True) -> None:
    half = len(content) // 2
    chunks = [memoryview(content)[:half], memoryview(content)[half:]]
    _files.write_atomically(path, chunks, overwrite=overwrite)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    before = os.umask(0o022)
    yield lambda mask: (os.umask(mask), None)[1]
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file(tmp_path: Path) -> None:
    write(tmp_path / "file", overwrite=False)
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == NEW


def test_replacing_a_file(file: Path) -> None:
    with file.open("rb") as reader:
        write(file)
        assert reader.read() == OLD  # an open file keeps its content
    assert file.read_bytes() == NEW
    assert names(file.parent) == ["file"]


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
def test_the_mode_of_a_new_file_follows_the_umask(
    tmp_path: Path, umask: Any, mask: int, expected: int
) -> None:
    umask(mask)
    write(tmp_path / "file")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == expected


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o640, 0o444])
def test_the_mode_of_the_replaced_file_is_kept(
    file: Path, umask: Any, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    umask(0o022)
    file.chmod(mode)
    seen = []

    def flush(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))

    monkeypatch.setattr(os, "fsync", flush)
    write(file)
    assert stat.S_IMODE(file.stat().st_mode) == mode == seen[0]


def test_a_private_file_is_never_readable_by_others(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o600)
    really_open, modes = os.open, []

    def open_(path: Any, flags: int, *mode: int) -> int:
        modes.extend(mode)
        return really_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", open_)
    write(file)
    assert modes == [0o600]


def test_links(file: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link"
    link.symlink_to("../file")
    write(link)
    assert link.is_symlink()
    assert file.read_bytes() == NEW
    assert names(tmp_path / "folder") == ["link"]

    dangling = tmp_path / "dangling"
    dangling.symlink_to("folder/fresh")
    write(dangling)
    assert dangling.is_symlink()
    assert (tmp_path / "folder" / "fresh").read_bytes() == NEW

    circle = tmp_path / "circle"
    circle.symlink_to("circle")
    with pytest.raises(OSError, match="circle") as raised:
        write(circle)
    assert raised.value.errno == errno.ELOOP
    assert circle.is_symlink()


def test_a_path_relative_to_the_working_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    write(Path("file"))
    assert file.read_bytes() == NEW


def test_a_name_of_maximal_length(tmp_path: Path) -> None:
    write(tmp_path / ("x" * 255))
    assert (tmp_path / ("x" * 255)).read_bytes() == NEW


def test_paths_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        write(tmp_path)
    with pytest.raises(FileNotFoundError, match="folder/file"):
        write(tmp_path / "folder" / "file")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"not a regular file: .*pipe"):
        write(tmp_path / "pipe")
    assert names(tmp_path) == ["pipe"]


def test_overwrite_false_refuses_an_existing_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileExistsError, match=str(file)):
        write(file, overwrite=False)
    # The same for a file that is created during the write.
    monkeypatch.setattr(_files, "_mode_of", lambda _: None)
    with pytest.raises(FileExistsError, match=str(file)):
        write(file, overwrite=False)
    assert file.read_bytes() == OLD
    assert names(file.parent) == ["file"]


def test_overwrite_false_is_checked_before_writing(file: Path) -> None:
    chunks = iter([memoryview(NEW)])
    with pytest.raises(FileExistsError):
        _files.write_atomically(file, chunks, overwrite=False)
    assert list(chunks) == [NEW]


@pytest.mark.parametrize("path", ["a.safetensors", Path("a", "{epoch}.b.safetensors")])
def test_names_of_model_files(path: Any) -> None:
    assert _files.as_model_path("save", path) == str(path)


@pytest.mark.parametrize(
    "name", ["m.keras", "m.weights.h5", "m", "m.safetensors.gz", ".safetensors"]
)
def test_names_that_model_files_cannot_have(name: str) -> None:
    expected = f"save: filepath: expected a name that ends in '.safetensors', got '{name}'"
    with pytest.raises(ValueError, match=rf"^{expected}") as raised:
        _files.as_model_path("save", name)
    assert ("Keras" in str(raised.value)) == name.endswith((".keras", ".h5"))


@pytest.mark.parametrize("wrong", [None, 3, b"m.safetensors"])
def test_objects_that_are_not_paths(wrong: Any) -> None:
    with pytest.raises(TypeError):
        _files.as_model_path("save", wrong)


# -- Errors at every step --------------------------------------------------------------------------

ERRORS = [OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken"), KeyboardInterrupt()]


def fail(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, call: int, error: BaseException
) -> None:
    """Make the nth call of a function raise, counted from 1."""
    function, calls = getattr(where, name), iter(range(1, 100))

    def failing(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            raise error
        return function(*args, **kwargs)

    monkeypatch.setattr(where, name, failing)


@pytest.mark.parametrize("error", ERRORS, ids=["ENOSPC", "EIO", "interrupt"])
@pytest.mark.parametrize(
    ("where", "name", "call", "kept"),
    [
        (os, "lstat", 1, OLD),  # the first folder of the path
        (Path, "stat", 1, OLD),
        (os, "open", 1, OLD),  # the folder
        (os, "open", 2, OLD),  # the temporary file
        (os, "fchmod", 1, OLD),
        (os, "fsync", 1, OLD),
        (Path, "replace", 1, OLD),
        (os, "fsync", 2, NEW),  # the folder, after the rename
    ],
)
def test_errors(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    name: str,
    call: int,
    kept: bytes,
    error: BaseException,
) -> None:
    descriptors = Path("/dev/fd")
    open_files = len(names(descriptors))
    with monkeypatch.context() as patch:
        fail(patch, where, name, call, error)
        with pytest.raises(type(error)) as raised:
            write(file)
    assert file.read_bytes() == kept
    assert names(file.parent) == ["file"]
    if isinstance(error, OSError):
        assert str(file) in str(raised.value)
    assert len(names(descriptors)) == open_files


@pytest.mark.parametrize("error", [*ERRORS, MemoryError()], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("overwrite", [True, False])
def test_errors_between_chunks(tmp_path: Path, error: BaseException, overwrite: bool) -> None:
    def chunks() -> Iterator[memoryview]:
        yield memoryview(NEW)
        raise error

    with pytest.raises(type(error)):
        _files.write_atomically(tmp_path / "file", chunks(), overwrite=overwrite)
    assert names(tmp_path) == []


def test_an_error_in_cleanup_does_not_hide_the_first_error(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, os, "fsync", 1, KeyboardInterrupt())
    fail(monkeypatch, Path, "unlink", 1, OSError(errno.EIO, "broken"))
    with pytest.raises(KeyboardInterrupt):
        write(file)
    assert file.read_bytes() == OLD


def test_an_error_without_errno(file: Path) -> None:
    with pytest.raises(OSError, match="of its own"), _files.naming(file):
        raise OSError("of its own")


def test_file_systems_that_cannot_flush_folders(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, os, "fsync", 2, OSError(errno.EINVAL, "not for folders"))
    write(file)
    assert file.read_bytes() == NEW


def test_full_fsync_is_used_where_it_exists(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    done: list[tuple[bool, int]] = []

    class Fcntl:
        F_FULLFSYNC = 51

        @staticmethod
        def fcntl(descriptor: int, command: int) -> None:
            done.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), command))

    monkeypatch.setattr(_files, "fcntl", Fcntl)
    write(file)
    assert done == [(False, 51), (True, 51)]


def test_the_order_of_flushes_and_rename(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    really_replace = Path.replace

    def flush(descriptor: int) -> None:
        status = os.fstat(descriptor)
        done.append("folder" if stat.S_ISDIR(status.st_mode) else f"{status.st_size} bytes")

    def replace(self: Path, target: Path) -> Path:
        done.append(f"rename to {target.name}")
        return really_replace(self, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", replace)
    write(file)
    assert done == [f"{len(NEW)} bytes", "rename to file", "folder"]


# -- Processes ---------------------------------------------------------------------------------------

SCRIPT = """
import resource, runpy, sys
write = runpy.run_path({module!r})["write_atomically"]
"""


def python(script: str, **arguments: Any) -> subprocess.Popen[str]:
    text = (SCRIPT + script).format(module=_files.__file__, **arguments)
    command = [sys.executable, "-c", text]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_full_disk(file: Path) -> None:
    """The kernel refuses to write beyond a size limit of the process."""
    process = python(
        """
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write({file!r}, [memoryview(b"new" * 100_000)], overwrite=True)
except OSError as error:
    print(error)
""",
        file=str(file),
    )
    output, errors = process.communicate(timeout=60)
    assert (output, errors) == (f"[Errno {errno.EFBIG}] File too large: '{file}'\n", "")
    assert file.read_bytes() == OLD
    assert names(file.parent) == ["file"]


def test_killed_processes(tmp_path: Path) -> None:
    """Whenever the process dies, the file is complete, from a single write."""
    file = tmp_path / "file"
    chance = random.Random(0)
    seen = set()
    for _ in range(20):
        process = python(
            """
for n in range(10**6):
    write({file!r}, [memoryview(bytes([n % 256]) * 200_000)] * 3, overwrite=True)
    if n == 0:
        print("begun", flush=True)
""",
            file=str(file),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(chance.random() / 50)
        process.kill()
        process.communicate()
        content = file.read_bytes()
        assert len(content) == 600_000
        assert len(set(content)) == 1
        seen.add(content[0])
        for leftover in tmp_path.glob(".cnet-*.tmp"):
            leftover.unlink()
        assert names(tmp_path) == ["file"]
    assert len(seen) > 1  # they were killed at different moments


class Bytes(os.PathLike[bytes]):
    def __fspath__(self) -> bytes:
        return b"file"


def test_paths() -> None:
    assert (
        _files.as_path("call: path", "a/b") == _files.as_path("call: path", Path("a", "b")) == "a/b"
    )
    for wrong in (3, b"a", None, Bytes()):
        with pytest.raises(TypeError, match=r"^call: path: expected text or a path, got "):
            _files.as_path("call: path", wrong)
