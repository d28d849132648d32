"""Saving with a fault in every system call in turn: the file is the old one or the new one.

strace injects the faults: a kill, Ctrl-C, a full disk, a disk error, an interrupted call, and a disk that
fails from some call on.
"""

from __future__ import annotations

import builtins
import os
import random
import resource
import signal
import stat
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.forms import in_ci
from support.strace import Call, Outcome, TracedServer

import cnet
from cnet import layers, models

MODE = 0o640  # differs from 0o666 with any usual umask

SETUP = """
import cnet
old, new = map(cnet.models.load_model, ({old!r}, {new!r}))
checkpoint = cnet.callbacks.ModelCheckpoint({path!r})
checkpoint.set_model(new)
"""

# Commands, and True if the file exists before.
SAVES = {
    "save": ("new.save({path!r})", True),
    "save_weights": ("new.save_weights({path!r})", True),
    "a new file": ("new.save({path!r}, overwrite=False)", False),
    "through a link": ("new.save({link!r})", True),
    "checkpoint": ("checkpoint.on_epoch_end(0, {{}})", True),
}

FAULTS = {
    "SIGKILL": "signal=SIGKILL",
    "SIGINT": "signal=SIGINT",
    "ENOSPC": "error=ENOSPC",
    "EIO": "error=EIO",
    "EINTR": "error=EINTR",
}
# Calls whose error must be reported, and whose interruption must not.
MUST_SUCCEED = ("openat", "write", "fsync", "fchmod")
MUST_NOT_BE_IGNORED = (*MUST_SUCCEED, "rename", "link")
# A refused allocation raises `MemoryError`; the injected errors are those of files.
MEMORY = {"mmap", "munmap", "mremap", "brk", "madvise"}


def make(seed: int) -> Any:
    """Return a model that takes several writes, and whose bytes depend on the seed only: a chain or, for 1, a graph."""
    cnet.utils.set_random_seed(seed)
    x, first, second = (
        layers.Input((100,), name="x"),
        layers.Dense(100, name="a"),
        layers.Dense(90, name="b"),
    )
    if seed == 1:
        joined = layers.Concatenate(name="joined")([first(x), x])
        model: Any = cnet.Model(x, second(joined), name="net")
    else:
        model = cnet.Sequential([x, first, second], "net")
    model.compile("adam", "mse")
    return model


class Place:
    """A folder with a file to be overwritten, and its allowed contents afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "models"
        self.folder.mkdir()
        self.folder.chmod(0o700)
        self.path = self.folder / "model.safetensors"
        self.link = folder / "link.safetensors"
        self.link.symlink_to("models/model.safetensors")
        self.sources = [folder / name for name in ("old.safetensors", "new.safetensors")]
        for seed, path in enumerate(self.sources):
            make(seed).save(path)
        self.old, self.new = (path.read_bytes() for path in self.sources)
        assert self.old != self.new

    def setup(self) -> str:
        old, new = map(str, self.sources)
        return SETUP.format(old=old, new=new, path=str(self.path))

    def reset(self, exists: bool = True) -> None:
        """Restore the state before a save."""
        for path in self.folder.iterdir():
            path.unlink()
        if exists:
            self.path.write_bytes(self.old)
            self.path.chmod(MODE)

    def content(self) -> bytes | None:
        """Return the bytes of the file; its mode must be unchanged, and there must be no other file."""
        leftovers = [path.name for path in self.folder.iterdir() if path != self.path]
        assert not leftovers
        if not self.path.exists():
            return None
        assert stat.S_IMODE(self.path.stat().st_mode) == MODE
        return self.path.read_bytes()

    def remove_leftover(self) -> None:
        """Remove the single temporary file that a killed process may leave."""
        leftovers = [path for path in self.folder.iterdir() if path != self.path]
        assert len(leftovers) <= 1
        for path in leftovers:
            assert path.name.startswith(".cnet-")
            assert path.name.endswith(".tmp")
            path.unlink()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    umask = os.umask(0o777 & ~MODE)  # so that new files have the mode, too
    yield Place(tmp_path)
    os.umask(umask)


def saved(
    place: Place, traced: TracedServer, command: str, exists: bool
) -> tuple[list[Call], bytes]:
    """Return the system calls of a save without faults, and the written bytes."""
    place.reset(exists)
    calls = traced.record(command)
    content = place.content()
    assert content is not None
    return calls, content


def check(
    place: Place, outcome: Outcome, fault: str, call: Call, before: Any, after: bytes
) -> None:
    """Check the file and the error after a fault in a call."""
    if fault in ("SIGKILL", "gone"):  # the process cannot clean up
        place.remove_leftover()
    content = place.content()
    assert content in (before, after), "neither the old file nor the new one"
    assert outcome.killed == (fault == "SIGKILL")
    if outcome.killed:
        return
    if fault == "SIGINT":
        assert outcome.error == "KeyboardInterrupt"
    elif outcome.error:
        assert issubclass(getattr(builtins, outcome.error), OSError), outcome
        # A checkpoint also checks its folder.
        assert Path(outcome.filename) in (place.path, place.link, place.folder), outcome
    else:
        assert content == after
    if fault == "EINTR" and call.name in MUST_SUCCEED:
        assert not outcome.error
    if fault in ("EIO", "ENOSPC", "gone") and call.name.startswith(MUST_NOT_BE_IGNORED):
        assert outcome.error


@pytest.mark.parametrize("save", SAVES)
def test_a_fault_in_every_call(
    place: Place,
    save: str,
    amount: Callable[[int, int, int], int],
    report: Callable[[str], None],
) -> None:
    """By default every call has one fault, a different one in each way to save."""
    step, first = amount(len(FAULTS), 1, 1), list(SAVES).index(save)
    command, exists = SAVES[save]
    command = command.format(path=str(place.path), link=str(place.link))
    done: Counter[str] = Counter()
    with TracedServer(place.setup(), place.folder.parent) as traced:
        calls, after = saved(place, traced, command, exists)
        assert {"openat", "write", "fsync"} <= {call.name for call in calls}
        before = place.old if exists else None
        for number, call in enumerate(calls):
            faults = list(FAULTS.items())[(first + number) % step :: step]
            for fault, injection in faults:
                if call.name in MEMORY and injection.startswith("error"):
                    continue
                place.reset(exists)
                outcome = traced.fail(command, [f"{call.name}:{injection}:when={call.number}"])
                check(place, outcome, fault, call, before, after)
                done[fault] += 1
    assert min(done[fault] for fault in FAULTS) >= 15 // step
    report(f"{save}: {len(calls)} system calls, {done.total()} faults: {dict(done)}")


@pytest.mark.parametrize("save", ["save", *in_ci("a new file")])
def test_a_disk_that_fails_from_some_call_on(
    place: Place, save: str, report: Callable[[str], None]
) -> None:
    """Then the temporary file cannot be removed either; the reported error is the first one."""
    command, exists = SAVES[save]
    command = command.format(path=str(place.path), link=str(place.link))
    with TracedServer(place.setup(), place.folder.parent) as traced:
        calls, after = saved(place, traced, command, exists)
        before = place.old if exists else None
        first = dict.fromkeys(("unlink", "unlinkat"), 1) | {c.name: 1 for c in calls}
        for call in calls:
            if call.name not in MEMORY:
                gone = {**first, call.name: call.number}
                faults = [
                    f"{name}:error=EIO:when={n}+" for name, n in gone.items() if name not in MEMORY
                ]
                place.reset(exists)
                check(place, traced.fail(command, faults), "gone", call, before, after)
            first[call.name] = call.number + 1
    report(f"{save}: a disk that fails from each of {len(calls)} system calls on")


def test_old_and_new_files_can_be_loaded(place: Place) -> None:
    """The files that the tests compare as bytes are valid models."""
    for seed, path in enumerate(place.sources):
        read, made = models.load_model(path).get_weights(), make(seed).get_weights()
        assert all(a.tobytes() == b.tobytes() for a, b in zip(read, made, strict=True))


# A file that was opened but has not entered its `with` is closed by the garbage collector, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_any_moment(
    place: Place, amount: Callable[[int, int, int], int], report: Callable[[str], None]
) -> None:
    """Also between system calls, wherever the interpreter checks for signals."""
    model = models.load_model(place.sources[1])
    chance, seen = random.Random(5), Counter[str]()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(amount(150, 500, 20_000)):
            place.reset()
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, 6e-3))
                model.save(place.path)
                signal.setitimer(signal.ITIMER_REAL, 0)
                seen["done"] += 1
            except KeyboardInterrupt:
                seen["interrupted"] += 1
            content = place.content()
            assert content in (place.old, place.new)
            seen["new" if content == place.new else "old"] += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert min(seen["interrupted"], seen["old"], seen["new"]) > seen.total() / 100, seen
    report(f"Ctrl-C at random moments of saves: {dict(seen)}")


# -- Full disks and limits -----------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk, where that is allowed."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=120k", "cnet-test", str(path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def refuse_and_keep(path: Path, old: bytes) -> None:
    """Check that a save fails and changes nothing."""
    with pytest.raises(OSError, match=str(path)):
        make(1).save(path)
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk(disk: Path) -> None:
    path = disk / "model.safetensors"
    make(0).save(path)
    refuse_and_keep(path, path.read_bytes())  # no room for a second one


def test_a_read_only_disk(disk: Path) -> None:
    path = disk / "model.safetensors"
    make(0).save(path)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    refuse_and_keep(path, path.read_bytes())


def test_a_limit_of_the_file_size(tmp_path: Path) -> None:
    """As with a quota: a write is done only in part."""
    path = tmp_path / "model.safetensors"
    make(0).save(path)
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for size in np.linspace(1, len(old) - 1, 20).astype(int).tolist():
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
            refuse_and_keep(path, old)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    make(0).save(path)
    tmp_path.chmod(0o500)
    try:
        refuse_and_keep(path, path.read_bytes())
    finally:
        tmp_path.chmod(0o700)
