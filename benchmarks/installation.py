"""Time `pip install .` from source, and the compilation of each file.

A compiler's CPU time depends on what else the machine does, by half and more. So a file that does not change, the
yardstick, is compiled before and after, on all CPUs at once as in an installation: bounds are multiples of its time.
"""

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
YARDSTICK = """
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <variant>

std::map<std::string, std::variant<int, std::string>> table;
std::map<std::string, std::function<bool(const std::string&)>> functions;

bool matches(const std::string& text, const std::string& pattern) {
  functions[pattern] = [pattern](const std::string& other) { return std::regex_search(other, std::regex(pattern)); };
  table[text] = std::regex_replace(text, std::regex(pattern), "");
  return functions.at(pattern)(text);
}
"""
RECORD = "CNET_COMPILE_RECORD"  # the file that this script, as the compiler launcher, writes to


@dataclass(frozen=True)
class Installation:
    """Seconds of an installation: CPU time, wall time, and CPU time of each compiled file and of the yardstick."""

    cpu: float
    wall: float
    files: dict[str, float]
    yardstick: float


def cpu_of_children() -> float:
    """Return the CPU seconds of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure_yardstick() -> float:
    """Return the CPU seconds of compiling the yardstick, on each CPU at once."""
    compiler = os.environ.get("CXX", "c++")
    cpus = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "yardstick.cpp")
        source.write_text(YARDSTICK)
        command = [compiler, "-std=c++17", "-O2", "-c", source, "-o"]
        before = cpu_of_children()
        processes = [subprocess.Popen([*command, f"{folder}/{n}.o"]) for n in range(cpus)]
        codes = [process.wait() for process in processes]
        if any(codes):
            raise RuntimeError(f"{compiler} cannot compile the yardstick")
        return (cpu_of_children() - before) / cpus


def measure_installation() -> Installation:
    """Install a copy of the sources into a new virtual environment, without a compiler cache."""
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
        yardstick = measure_yardstick()
        cpu, wall = cpu_of_children(), time.perf_counter()
        subprocess.run(
            [environment / "bin/python", "-m", "pip", "install", "--quiet", source],
            check=True,
            env=os.environ | settings,
        )
        cpu, wall = cpu_of_children() - cpu, time.perf_counter() - wall
        files = dict(map(json.loads, record.read_text().splitlines()))
        if not files:
            raise RuntimeError("pip compiled nothing: is another compiler launcher set?")
        return Installation(cpu, wall, files, (yardstick + measure_yardstick()) / 2)


def compile_file(command: list[str]) -> int:
    """Run a compiler, and record its CPU time under the name of its output."""
    code = subprocess.call(command)
    if "-o" in command and "cmTC_" not in str(command):  # CMake's own checks
        name = command[command.index("-o") + 1].removeprefix("CMakeFiles/")
        with Path(os.environ[RECORD]).open("a") as record:
            record.write(json.dumps([name, cpu_of_children()]) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(compile_file(sys.argv[1:]))
