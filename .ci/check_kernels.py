"""Check the object files of the kernels.

They must export nothing but the tables of the families (``csrc/kernels/lanes.hpp`` says why), and the
largest register tiles of the float products must stay in registers.

Usage: ``python .ci/check_kernels.py BUILD``
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAMILIES = {path.stem for path in ROOT.glob("csrc/kernels/*.cpp")} - {"dispatch"}
TILES = ("product_tile", "kernel_gradient_tile")
WITH_TILES = ("avx2", "avx512")  # instruction sets whose assembly this script can parse

Instruction = tuple[int, str]  # address and text


def output_of(*command: str | Path) -> str:
    """Return the output of a command; raise if it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def exports_of(path: Path) -> dict[str, str]:
    """Return the symbols that the file exports, and the kind of each."""
    exported = {}
    for line in output_of("nm", "-C", "--defined-only", path).splitlines():
        _, kind, name = line.split(maxsplit=2)
        if kind.isupper() or kind in "uvw":  # global, unique or weak
            exported[name] = kind
    return exported


def functions(path: Path) -> Iterator[tuple[str, list[Instruction]]]:
    """Yield each function's name and instructions."""
    for block in output_of("objdump", "-d", "-C", "--no-show-raw-insn", path).split("\n\n"):
        head, _, body = block.strip().partition("\n")
        if match := re.fullmatch(r"[0-9a-f]+ <(.*)>:", head):
            lines = re.findall(r"^ *([0-9a-f]+):\t(.*)$", body, re.MULTILINE)
            yield match[1], [(int(address, 16), text) for address, text in lines]


def largest_tiles(path: Path) -> dict[str, list[Instruction]]:
    """Return the largest float tile of each kind of product."""
    found: dict[str, tuple[int, str, list[Instruction]]] = {}
    for name, body in functions(path):
        match = re.search(r"::(\w+)<float, (\d+), (\d+)>\(", name)
        if match and match[1] in TILES:
            kind, rows, panels = match[1], int(match[2]), int(match[3])
            if kind not in found or rows * panels > found[kind][0]:
                found[kind] = (rows * panels, f"{kind}<float, {rows}, {panels}>", body)
    assert found.keys() == set(TILES), f"{path}: expected {TILES}, found {set(found)}"
    return {label: body for _, label, body in found.values()}


def inner_loops(body: list[Instruction]) -> list[list[Instruction]]:
    """Return the innermost loops (from a jump's target to the jump back) that contain an fma."""
    ranges = []
    for address, text in body:
        match = re.match(r"j\w+ +([0-9a-f]+) ", text)
        if match and int(match[1], 16) <= address:
            loop = [i for i in body if int(match[1], 16) <= i[0] <= address]
            if any(text.startswith("vfm") for _, text in loop):
                ranges.append((loop[0][0], address, loop))
    return [
        loop
        for first, last, loop in ranges
        if not any(first <= f and l <= last and (f, l) != (first, last) for f, l, _ in ranges)
    ]


def spills(body: list[Instruction]) -> list[str]:
    """Return the instructions of inner loops that load a vector from the stack or store one there."""
    has_frame = any(re.match(r"mov +%rsp,%rbp", text) for _, text in body)
    stack = r"\(%r[sb]p[,)]" if has_frame else r"\(%rsp[,)]"
    loops = inner_loops(body)
    assert loops, "no loop of multiply-adds found"
    return [
        f"{address:x}: {text}"
        for loop in loops
        for address, text in loop
        if re.search(stack, text) and re.search(r"%[xyz]mm", text)
    ]


failures = []
folders = {
    path.name.removeprefix("kernels_").removesuffix(".dir"): path
    for path in Path(sys.argv[1], "CMakeFiles").glob("kernels_*.dir")
}
assert folders.keys() in ({"scalar", "neon"}, {"scalar", *WITH_TILES}), f"found {set(folders)}"
for isa, folder in sorted(folders.items()):
    tables = {
        f"cnet::kernels::{isa}::{f}_{dtype}" for f in FAMILIES for dtype in ("float", "double")
    }
    objects = sorted(folder.rglob("*.o"))
    exported = {name: kind for path in objects for name, kind in exports_of(path).items()}
    assert tables <= exported.keys(), f"{folder}: expected the tables {tables}, found {exported}"
    failures += [f"{isa}: exports {exported[name]} {name}" for name in exported.keys() - tables]
    if isa in WITH_TILES:
        for label, body in largest_tiles(folder / "csrc/kernels/products.cpp.o").items():
            found = spills(body)
            failures += [f"{isa}: {label} spills: {instruction}" for instruction in found]
            print(f"{isa}: {label}: {len(inner_loops(body))} inner loops, {len(found)} spills")
sys.exit("\n".join(failures) or None)
