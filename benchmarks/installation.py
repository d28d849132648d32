"""Time the build: what `pip install .` costs from nothing, and each of the files that it compiles."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORD = "CNET_COMPILE_RECORD"  # names the file that this one, as a compiler's launcher, writes to


@dataclass(frozen=True)
class Installation:
    """Seconds that an installation took: of CPU, of the clock, and of CPU for each file compiled."""

    cpu: float
    wall: float
    files: dict[str, float]


def cpu_of_children() -> float:
    """Return the CPU seconds of all processes that this one has started and waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure_installation() -> Installation:
    """Install a copy of the sources into a new virtual environment, with no compiler's cache."""
    ignored = shutil.ignore_patterns("build", "dist", "env", "venv", ".*", "__pycache__", "*.so")
    with tempfile.TemporaryDirectory() as folder:
        source, environment, record = (Path(folder, name) for name in ("cnet", "venv", "record"))
        shutil.copytree(ROOT, source, ignore=ignored)
        venv.create(environment, with_pip=True)
        record.touch()
        settings = {
            "CMAKE_CXX_COMPILER_LAUNCHER": f"{sys.executable};-I;-S;{__file__}",
            RECORD: str(record),
            "CCACHE_DISABLE": "1",
            "CMAKE_ARGS": "",
        }
        cpu, wall = cpu_of_children(), time.perf_counter()
        subprocess.run(
            [environment / "bin/python", "-m", "pip", "install", "--quiet", source],
            check=True,
            env=os.environ | settings,
        )
        cpu, wall = cpu_of_children() - cpu, time.perf_counter() - wall
        files = dict(map(json.loads, record.read_text().splitlines()))
        if not files:
            raise RuntimeError("pip has compiled nothing: is there another compiler's launcher?")
        return Installation(cpu, wall, files)


def compile_file(command: list[str]) -> int:
    """Run a compiler, and record what it took under the name of the file that it made."""
    code = subprocess.call(command)
    if "-o" in command and "cmTC_" not in str(command):  # which are CMake's own trials
        name = command[command.index("-o") + 1].removeprefix("CMakeFiles/")
        with Path(os.environ[RECORD]).open("a") as record:
            record.write(json.dumps([name, cpu_of_children()]) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(compile_file(sys.argv[1:]))
