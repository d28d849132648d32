"""Atomic writing of files."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["SUFFIX", "as_model_path", "as_path", "naming", "write_atomically"]

StrPath = str | os.PathLike[str]

SUFFIX = ".safetensors"


def as_model_path(call: str, filepath: StrPath) -> str:
    """Return the path of a model file as text; raise unless it ends in ".safetensors"."""
    path = as_path(f"{call}: filepath", filepath)
    suffix = Path(path).suffix
    if suffix != SUFFIX:
        hint = "; cnet can't write Keras's file formats" if suffix in (".keras", ".h5") else ""
        raise ValueError(
            f"{call}: filepath: expected a name that ends in {SUFFIX!r}, got {path!r}{hint}"
        )
    return path


def as_path(argument: str, value: Any) -> str:
    """Return a path as text; `TypeError` for anything else, such as a file descriptor."""
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(path, str):
        raise TypeError(f"{argument}: expected text or a path, got {type(value).__name__}")
    if not path:
        raise ValueError(f"{argument}: expected a path, got empty text")
    return path


def write_atomically(path: StrPath, chunks: Iterable[memoryview], *, overwrite: bool) -> None:
    """Write a file atomically: it is always the old or the new one, even after a power loss.

    The chunks go to a temporary file in the same folder, which is flushed to disk and renamed; then the
    folder is flushed. After an error the old file is unchanged (unless flushing the folder failed, which
    comes after the rename) and the temporary file is deleted. Only a killed process leaves it behind, as
    ``.cnet-….tmp``. Later saves don't delete it, since no lock works on every network file system to
    tell whether its writer is alive.

    Parameters
    ----------
    path : str or path
        Symbolic links are followed. The mode of an old file is kept, that of a new one follows the
        umask. Other hard links to the old file keep its contents.
    chunks : iterable of memoryview
    overwrite : bool
        Whether to replace an existing file.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    OSError
        If the file can't be written. The error names `path`.
    """
    with naming(path):
        target = _target_of(path)
        mode = _mode_of(target)
        if mode is not None and not overwrite:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        # Opened first, to find out whether it can be flushed before anything changes.
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        temporary = target.parent / f".cnet-{secrets.token_hex(8)}.tmp"
        try:
            _write(temporary, chunks, mode)
            if overwrite:
                temporary.replace(target)
            else:
                os.link(temporary, target)  # unlike rename, fails if the file exists by now
                temporary.unlink()
            _flush(folder)
        except BaseException:
            with suppress(OSError):  # report the first error
                temporary.unlink()
            raise
        finally:
            os.close(folder)


@contextmanager
def naming(path: StrPath) -> Iterator[None]:
    """Make every `OSError` raised within name `path` rather than a temporary file or nothing."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _target_of(path: StrPath) -> Path:
    """Return a path with symbolic links resolved; the file need not exist."""
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError:
        return Path(os.path.realpath(path))


def _mode_of(target: Path) -> int | None:
    """Return the mode of an existing file, None if there is none."""
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return stat.S_IMODE(status.st_mode)


def _write(path: Path, chunks: Iterable[memoryview], mode: int | None) -> None:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, 0o666 if mode is None else mode)

    with open(path, "xb", opener=opener) as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)  # bits that the umask has cleared
        file.writelines(chunks)
        file.flush()
        _flush(file.fileno())


def _flush(descriptor: int) -> None:
    """Flush a file's data to the disk, past the system's and the disk's caches."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS, where fsync stops at the disk's cache
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems don't support fsync of folders, and don't need it.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
