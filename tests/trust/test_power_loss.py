"""Power loss during a save: the disk always contains the old file or the new one.

strace records the system calls of a save, and they are repeated on a model of a disk. The disk may lose
whatever was not flushed, partly or completely, and may apply it in any order.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, permutations
from typing import Any

import pytest
from support.strace import Call, TracedServer

import cnet
from cnet import layers

BLOCK = 128  # smaller than on any disk, so that a small file has several blocks
MODE, UMASK = (
    0o664,
    0o022,
)  # the mode differs from the default by the umask, so that a separate call sets it
# System calls that change nothing on a disk.
HARMLESS = {
    *("close", "stat", "fstat", "lstat", "newfstatat", "statx", "readlink", "readlinkat", "lseek"),
    *(
        "ioctl",
        "fcntl",
        "getrandom",
        "mmap",
        "munmap",
        "mremap",
        "brk",
        "madvise",
        "futex",
        "mkdir",
    ),
}


@dataclass(frozen=True)
class Step:
    """A change of a file or, if it has a path, of the folder."""

    kind: str  # create, write, mode, flush, rename, link, unlink, flush folder
    file: int = -1
    path: str = ""
    old_path: str = ""
    data: bytes = b""
    offset: int = 0
    mode: int = 0


@dataclass
class File:
    content: bytes = b""
    mode: int = 0


@dataclass
class Disk:
    """The flushed state, and the pending steps."""

    files: dict[int, File] = field(default_factory=dict)
    folder: dict[str, int] = field(default_factory=dict)
    pending: list[Step] = field(default_factory=list)

    def do(self, step: Step) -> None:
        if step.kind == "create":
            self.files[step.file] = File(mode=step.mode)
        if step.kind == "flush":
            self._settle(lambda other: not other.path and other.file == step.file)
        elif step.kind == "flush folder":
            self._settle(lambda other: bool(other.path))
        else:
            self.pending.append(step)

    def _settle(self, flushed: Callable[[Step], bool]) -> None:
        for step in filter(flushed, self.pending):
            if step.path:
                self.folder = in_folder(self.folder, step)
            else:
                self.files[step.file] = in_file(self.files[step.file], step)
        self.pending = [step for step in self.pending if not flushed(step)]

    def after_power_loss(self, path: str) -> Iterator[File | None]:
        """Yield every possible file at a path after a power loss."""
        moves = [step for step in self.pending if step.path]
        for order in chain.from_iterable(permutations(moves, n) for n in range(len(moves) + 1)):
            folder = self.folder
            for step in order:
                folder = in_folder(folder, step)
            if path not in folder:
                yield None
                continue
            yield from self._states_of(folder[path])

    def _states_of(self, number: int) -> Iterator[File]:
        changes = [step for step in self.pending if not step.path and step.file == number]
        for some in subsets(changes):
            file = self.files[number]
            for step in some:
                file = in_file(file, step)
            yield file
            if any(step.kind == "write" for step in some):
                yield from partly_written(file)


def in_folder(folder: dict[str, int], step: Step) -> dict[str, int]:
    gone = {"rename": step.old_path, "unlink": step.path}.get(step.kind)
    found = {path: number for path, number in folder.items() if path != gone}
    return found if step.kind == "unlink" else found | {step.path: step.file}


def in_file(file: File, step: Step) -> File:
    if step.kind == "mode":
        return replace(file, mode=step.mode)
    content = file.content.ljust(step.offset, b"\0")
    end = step.offset + len(step.data)
    return replace(file, content=content[: step.offset] + step.data + content[end:])


def partly_written(file: File) -> Iterator[File]:
    """Yield versions of a file that lack any of its blocks, or its end."""
    for length in range(len(file.content)):
        yield replace(file, content=file.content[:length])
    for lost in subsets(range(0, len(file.content), BLOCK)):
        content = bytearray(file.content)
        for begin in lost:
            content[begin : begin + BLOCK] = bytes(len(content[begin : begin + BLOCK]))
        yield replace(file, content=bytes(content))


def subsets(things: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    everything = list(things)
    return chain.from_iterable(combinations(everything, n) for n in range(len(everything) + 1))


def steps_of(calls: list[Call]) -> list[Step]:
    """Return the disk steps of system calls."""
    steps: list[Step] = []
    paths: dict[str, int] = {}  # existing files, and deleted ones
    opened: dict[int, Step] = {}  # by descriptor
    written: Counter[int] = Counter()
    for call in calls:
        texts = [text.strip('"') for text in call.arguments]
        descriptor = int(re.match(r"\d*", texts[0])[0] or -1)  # matches always
        if call.name == "openat" and "O_CREAT" in texts[2]:
            number = paths[texts[1]] = len(paths) + 1
            step = Step("create", number, texts[1], mode=int(texts[3], 8) & ~UMASK)
            opened[call.result] = step
            steps.append(step)
        elif call.name == "openat":
            opened[call.result] = Step("flush folder", path=texts[1])
        elif call.name == "write":
            data = call.arguments[1][1:-1].encode("latin-1")
            assert len(data) == call.result
            number = opened[descriptor].file
            steps.append(Step("write", number, data=data, offset=written[number]))
            written[number] += len(data)
        elif call.name == "fchmod":
            steps.append(Step("mode", opened[descriptor].file, mode=int(texts[1], 8)))
        elif call.name == "fsync":
            step = opened[descriptor]
            steps.append(step if step.kind == "flush folder" else Step("flush", step.file))
        elif call.name.startswith(("rename", "link", "unlink")):
            kind = call.name.removesuffix("at").removesuffix("at2")
            names = [text for text in texts if text.startswith("/")]
            number = paths[names[0]]
            old = names[0] if kind == "rename" else ""
            paths[names[-1]] = number
            steps.append(Step(kind, number, names[-1], old))
        else:
            assert call.name in HARMLESS, f"unknown effect of {call.name} on a disk"
    return steps


def states(steps: list[Step], path: str, old: File | None, new: File) -> int:
    """Check and count the possible states after a power loss at any moment of a save."""
    disk, count = Disk(), 0
    if old is not None:
        disk.files[0], disk.folder[path] = old, 0
    for step in [None, *steps]:
        if step is not None:
            disk.do(step)
        for found in disk.after_power_loss(path):
            assert found in (old, new), f"after {step}: neither the old file nor the new one"
            count += 1
    assert list(disk.after_power_loss(path)) == [new], "saved, but not on the disk"
    return count


@dataclass
class Saved:
    """The recorded steps of a save."""

    steps: list[Step]
    path: str
    old: File | None
    new: File

    def states(self, steps: list[Step] | None = None) -> int:
        return states(self.steps if steps is None else steps, self.path, self.old, self.new)


SAVES = {
    "save": ("model.save(path)", True),
    "save_weights": ("model.save_weights(path)", True),
    "a new file": ("model.save(path, overwrite=False)", False),
    "checkpoint": ("checkpoint.on_epoch_end(0, {})", True),
}
SETUP = """
import cnet
path = {path!r}
model = cnet.models.load_model(path)
checkpoint = cnet.callbacks.ModelCheckpoint(path)
checkpoint.set_model(model)
if not {exists}:
    os.unlink(path)
"""


@pytest.fixture(params=SAVES, scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Saved:
    command, exists = SAVES[request.param]
    folder = tmp_path_factory.mktemp("saved")
    path = folder / "models" / "model.safetensors"
    path.parent.mkdir()
    model = cnet.Sequential([layers.Input((3,)), layers.Dense(2, name="top")], "net")
    model.save(path)
    path.chmod(MODE)
    old = File(path.read_bytes(), MODE) if exists else None
    umask = os.umask(UMASK)
    try:
        with TracedServer(SETUP.format(path=str(path), exists=exists), folder) as traced:
            calls = traced.record(command)
    finally:
        os.umask(umask)
    new = File(path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    if old is not None:  # a file equal to the new one would hide losses
        old = replace(old, content=old.content[::-1])
    return Saved(steps_of(calls), str(path), old, new)


def test_every_state_after_a_power_loss(
    saved: Saved, report: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    kinds = [step.kind for step in saved.steps]
    last = ["rename"] if saved.old is not None else ["link", "unlink"]
    mode = ["mode"] if saved.old is not None else []
    assert kinds == ["create", *mode, "write", "flush", *last, "flush folder"]
    disk = Disk({}, {})
    for step in saved.steps:
        disk.do(step)
    assert disk.files[disk.folder[saved.path]] == saved.new  # the model agrees with the kernel
    count = saved.states()
    assert count >= len(saved.steps)
    report(f"{request.node.name}: {count} states after a power loss")


def without(steps: list[Step], kind: str) -> list[Step]:
    return [step for step in steps if step.kind != kind]


def flushed_too_late(steps: list[Step]) -> list[Step]:
    flush = [step for step in steps if step.kind == "flush"]
    return [*without(steps, "flush"), *flush, steps[-1]]


def in_place(steps: list[Step]) -> list[Step]:
    return [replace(s, file=0) for s in steps if s.kind in ("mode", "write", "flush")]


CARELESS: dict[str, Callable[[list[Step]], list[Step]]] = {
    "the file is not flushed": lambda steps: without(steps, "flush"),
    "the folder is not flushed": lambda steps: without(steps, "flush folder"),
    "the file is flushed after the rename": flushed_too_late,
    "the file doesn't take the old one's place": lambda steps: without(
        without(steps, "rename"), "link"
    ),
    "something is not written": lambda steps: without(steps, "write"),
}
CARELESS_WITH_OLD_ONES = CARELESS | {
    "the mode is not kept": lambda steps: without(steps, "mode"),
    "the mode is set after the flush": lambda steps: (
        [*without(without(steps, "mode"), "flush folder"), steps[1], steps[-1]]
    ),
    "the old file is written to": in_place,
}


def test_less_careful_saves_are_detected(saved: Saved) -> None:
    """The model detects a save that omits any step, or changes the order."""
    for change in (CARELESS_WITH_OLD_ONES if saved.old is not None else CARELESS).values():
        with pytest.raises(AssertionError, match=r"neither the old file|not on the disk"):
            saved.states(change(saved.steps))
