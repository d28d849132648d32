"""Files that are the old one or the new one, whatever happens while they are written."""

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
    """Return where a model file is to be written, as text; raise unless it is named as one."""
    path = as_path(f"{call}: filepath", filepath)
    suffix = Path(path).suffix
    if suffix != SUFFIX:
        hint = "; cnet writes no files of Keras's" if suffix in (".keras", ".h5") else ""
        raise ValueError(
            f"{call}: filepath: expected a name that ends in {SUFFIX!r}, got {path!r}{hint}"
        )
    return path


def as_path(argument: str, value: Any) -> str:
    """Return a path as text; `TypeError` for all else, as a file's number, which `open` would take."""
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(path, str):
        raise TypeError(f"{argument}: expected text or a path, got {type(value).__name__}")
    if not path:
        raise ValueError(f"{argument}: expected a path, got empty text")
    return path


def write_atomically(path: StrPath, chunks: Iterable[memoryview], *, overwrite: bool) -> None:
    """Write a file so that at no moment, power loss included, it is anything but the old or the new.

    The chunks go to a file beside, which is flushed to disk and takes the old one's place; then the
    folder is flushed. After an error the old file is there (but for one of flushing the folder, which
    comes after the new one is in place) and the one beside isn't. Only a killed process leaves that:
    ``.cnet-….tmp``. No later save removes it, as no lock tells on every file system of a network whether
    its writer lives.

    Parameters
    ----------
    path : str or path
        Through a symbolic link what it points to is written. An old file's mode is kept, a new one's
        follows the umask; other links to the old file keep the old one.
    chunks : iterable of memoryview
    overwrite : bool
        Whether there may be an old file.

    Raises
    ------
    FileExistsError
        If there is one, and it may not.
    OSError
        If the file can't be written; names `path`.
    """
    with naming(path):
        target = _target_of(path)
        mode = _mode_of(target)
        if mode is not None and not overwrite:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        # Opened first: a folder that can't be flushed is found before anything is changed.
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        beside = target.parent / f".cnet-{secrets.token_hex(8)}.tmp"
        try:
            _write(beside, chunks, mode)
            if overwrite:
                beside.replace(target)
            else:
                os.link(
                    beside, target
                )  # which, unlike a rename, fails where there is a file by now
                beside.unlink()
            _flush(folder)
        except BaseException:
            with suppress(OSError):  # what happened first is what is told
                beside.unlink()
            raise
        finally:
            os.close(folder)


@contextmanager
def naming(path: StrPath) -> Iterator[None]:
    """Let every `OSError` from within name `path`: some name none, others a file beside it."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _target_of(path: StrPath) -> Path:
    """Return what a path leads to through symbolic links, whether it exists or not."""
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError:
        return Path(os.path.realpath(path))


def _mode_of(target: Path) -> int | None:
    """Return the mode of the file that is there, None if none is."""
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
            os.fchmod(file.fileno(), mode)  # of which the umask may have taken
        file.writelines(chunks)
        file.flush()
        _flush(file.fileno())


def _flush(descriptor: int) -> None:
    """Have the disk, not just the system, hold what was written."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS, where fsync stops at the disk's cache
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems know no flushing of folders, and need none.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
