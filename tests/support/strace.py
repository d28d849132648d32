"""Record the system calls of a program with strace, and inject faults into them.

A server imports cnet once and forks a process for each command; strace is attached to that process
alone, so that hundreds of faults take seconds.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing_extensions import Self

# The forked process waits for a line, runs the command between two marker calls, and reports its exception
# in shared memory, because any system call may be made to fail.
SERVER = r"""
import ctypes, mmap, os
{setup}
answer = mmap.mmap(-1, 65536)

def line():
    text = b""
    while not text.endswith(b"\n"):
        text += os.read(0, 1)
    return text.decode().strip()

def do(command):
    try:
        os.access("marker-begin", 0)
        exec(command)
    except BaseException as error:
        texts = type(error).__name__, str(error), str(getattr(error, "filename", None))
        text = "\t".join(texts).encode()
        answer[:len(text)] = text
    os.access("marker-end", 0)

while command := line():
    answer[:] = bytes(len(answer))
    child = os.fork()
    if not child:
        try:
            ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # any process may trace this one
            os.write(1, f"{{os.getpid()}}\n".encode())
            line()
            do(command)
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    killed = f"killed by {{os.WTERMSIG(status)}}" if os.WIFSIGNALED(status) else ""
    os.write(1, (killed or answer[:].rstrip(b"\0").decode()).encode() + b"\n")
"""

_CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\w+)(.*)$")


@dataclass(frozen=True)
class Call:
    """A system call; `number` counts the calls of the same name, from 1."""

    name: str
    number: int
    arguments: tuple[str, ...]
    result: int


@dataclass(frozen=True)
class Outcome:
    """How the process ended: killed, with an exception, or normally."""

    killed: bool
    error: str = ""
    message: str = ""
    filename: str = ""


class TracedServer:
    """A server that runs commands under strace; a context manager.

    Parameters
    ----------
    setup : str
        Python code that the server runs first.
    folder : path
        Folder for the output of strace.
    """

    def __init__(self, setup: str, folder: Path) -> None:
        expect_strace()
        self._log = folder / "strace"
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER.format(setup=setup)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"CNET_NUM_THREADS": "1"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._send("")
        self._server.wait(timeout=60)
        self._server.stdin.close()
        self._server.stdout.close()

    def record(self, command: str) -> list[Call]:
        """Return the system calls of a line of Python."""
        outcome = self._run(command, ["-y", "-xx", "-s", "10000000"])
        assert outcome == Outcome(killed=False), outcome
        calls: list[Call] = []
        count: dict[str, int] = {}
        begin = end = 0
        for line in self._log.read_text().splitlines():
            match = _CALL.match(line)
            if match is None:
                continue  # the exit of the process
            name, arguments, result, _ = match.groups()
            count[name] = count.get(name, 0) + 1
            parts = tuple(map(_unescaped, arguments.split(", ")))
            calls.append(Call(name, count[name], parts, int(result, 0)))
            if '"marker-begin"' in parts:
                begin = len(calls)
            if '"marker-end"' in parts:
                end = len(calls) - 1
        assert 0 < begin < end
        return calls[begin:end]

    def fail(self, command: str, faults: Iterable[str]) -> Outcome:
        """Run a line of Python with faults, in the notation of strace, in its system calls."""
        options = [option for fault in faults for option in ("-e", f"inject={fault}")]
        outcome = self._run(command, options)
        log = self._log.read_text()
        assert outcome.killed or "INJECTED" in log or "--- SIG" in log, "no fault was injected"
        return outcome

    def _run(self, command: str, options: list[str]) -> Outcome:
        self._send(command)
        process = int(self._receive())
        command_line = ["strace", "-p", str(process), "-o", str(self._log), *options]
        tracer = subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        first = tracer.stderr.readline()
        self._send("go")
        answer = self._receive()
        tracer.communicate(timeout=60)
        if "attached" not in first:
            if "Operation not permitted" in first:
                pytest.skip("this system does not allow tracing")
            raise AssertionError(first)
        if answer.startswith("killed by "):
            assert answer == "killed by 9", answer
            return Outcome(killed=True)
        return Outcome(False, *answer.split("\t"))  # empty if nothing was raised

    def _send(self, text: str) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(f"{text}\n".encode())
        self._server.stdin.flush()

    def _receive(self) -> str:
        assert self._server.stdout is not None
        ready, _, _ = select.select([self._server.stdout], [], [], 60)
        assert ready, "no answer within a minute"
        return self._server.stdout.readline().decode().rstrip("\n")


def expect_strace() -> None:
    """Skip the test on systems without strace; fail if it is not installed."""
    if sys.platform != "linux":
        pytest.skip("strace exists only on Linux")
    if which("strace") is None:
        pytest.fail("strace is missing: apt-get install strace")


def _unescaped(text: str) -> str:
    r"""Decode bytes that strace writes as \x61, one character a byte."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), text)
