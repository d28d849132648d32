"""Every public call with invalid arguments raises documented exceptions, nothing else.

The calls are made in separate processes, so that the number of a crashing call is known.
"""

from __future__ import annotations

import itertools
import json
import os
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trust.public_calls import CALLS, MODULES

SEED = 1
PROCESSES = 2
#: A process without a new call for this time counts as hanging.
PATIENCE = 60


class Run:
    """A process that makes the calls [first, last)."""

    def __init__(self, folder: Path, seed: int, first: int, last: int) -> None:
        self.folder, self.last = folder, last
        self._seen, self._since = -1, time.monotonic()
        folder.mkdir()
        with (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "trust.malformed_calls",
                    folder,
                    *map(str, (seed, first, last)),
                ],
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    @property
    def number(self) -> int:
        """The number of the current call, or of the last one if the process died."""
        content = (
            (self.folder / "number").read_bytes() if (self.folder / "number").exists() else b""
        )
        return int(struct.unpack("<q", content)[0]) if len(content) == 8 else -1

    def wait(self) -> str:
        """Return what went wrong, or nothing if all calls were made."""
        while self.process.poll() is None:
            time.sleep(0.1)
            if self.number != self._seen:
                self._seen, self._since = self.number, time.monotonic()
            elif time.monotonic() - self._since > PATIENCE:
                self.process.kill()
                self.process.wait()
                return f"call {self.number} hangs"
        if self.process.returncode == 0:
            return ""
        errors = (self.folder / "errors").read_text()[-2000:]
        return f"call {self.number} ends the process ({self.process.returncode}): {errors}"


def test_malformed_calls_raise_what_is_documented(
    tmp_path: Path, amount: Callable[[int, int, int], int], report: Callable[[str], None]
) -> None:
    calls = amount(10_000, 100_000, 1_000_000)
    start = time.monotonic()
    bounds = [calls * n // PROCESSES for n in range(PROCESSES + 1)]
    runs = [
        Run(tmp_path / str(first), SEED, first, last) for first, last in itertools.pairwise(bounds)
    ]
    crashes = [told for told in [run.wait() for run in runs] if told]
    assert not crashes
    outcomes: Counter[str] = Counter()
    findings: list[Any] = []  # of each process: two may have the same finding
    for run in runs:
        result = json.loads((run.folder / "result.json").read_text())
        outcomes.update(result["outcomes"])
        findings += result["findings"].values()
    raised = calls - outcomes["succeeded"]
    wrong = sum(count for count, *_ in findings)
    report(
        f"{calls} malformed calls of {len(CALLS)} kinds in {time.monotonic() - start:.0f} s: 0 crashes, "
        f"{raised} exceptions, {wrong} findings ({dict(outcomes)})"
    )
    assert not findings, json.dumps(findings, indent=1)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_called(module: str) -> None:
    names = {call.name for call in CALLS}
    for name in MODULES[module].__all__:
        if callable(getattr(MODULES[module], name)) and name != "register_threadpoolctl":
            assert f"{module}.{name}" in names


def test_every_required_argument_has_a_good_value() -> None:
    assert [call.name for call in CALLS if not set(call.required) <= set(call.good)] == []
