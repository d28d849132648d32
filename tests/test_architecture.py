"""The direction of includes and imports: the house of CONTRIBUTING.md, read from the sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CSRC, PYTHON = ROOT / "csrc", ROOT / "python" / "cnet"

# A folder may include itself and what stands to the right of it.
FOLDERS = ["bind", "train", "network", "ops", "kernels", "core"]

# A module may import what stands in a lower row.
MODULES = [
    {"__init__"},
    {"models"},
    {"saving"},
    {"trainer"},
    {"backend"},
    {"layers", "callbacks", "_progress", "optimizers", "metrics", "utils", "datasets"},
    {"losses", "plots"},
    {"activations", "constraints", "initializers", "regularizers"},
    {"graph"},
    {"autodiff"},
    {"ops"},
    {"random"},
    {"_elementwise"},
    {"_data", "_files", "_serialization"},
    {"config", "_frames", "_input_errors"},
    {"_absent", "_core", "_errors", "_overrides", "_names", "_tapes", "_tracebacks", "reference"},
]
RANK = {module: rank for rank, row in enumerate(MODULES) for module in row}


def includes(path: Path) -> list[str]:
    return re.findall(r'^#include ["<]([^">]+)[">]', path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", sorted(CSRC.rglob("*.[ch]pp")), ids=lambda p: p.name)
def test_includes_point_to_the_right(path: Path) -> None:
    own = path.relative_to(CSRC).parts[0]
    for included in includes(path):
        folder = included.split("/")[0]
        if folder in FOLDERS:
            assert FOLDERS.index(folder) >= FOLDERS.index(own), f"{path} includes {included}"
        assert "pybind11" not in included or own == "bind", f"{path} includes {included}"


def test_kernels_use_no_standard_library() -> None:
    """An inline function shared with other files could be kept in a copy for a newer CPU."""
    allowed = {"immintrin.h", "arm_neon.h"}
    others = {"dispatch.cpp", "table.hpp"}
    paths = {path for path in (CSRC / "kernels").rglob("*.*") if path.name not in others}
    assert {"products.cpp", "lanes.hpp", "avx2.hpp"} <= {path.name for path in paths}
    for path in paths:
        foreign = {name for name in includes(path) if not name.startswith("kernels/")} - allowed
        assert not foreign, f"{path} includes {foreign}"
        assert "std::" not in path.read_text(), path
    assert includes(CSRC / "kernels" / "table.hpp") == ["core/types.hpp"]
    assert includes(CSRC / "core" / "types.hpp") == ["cstddef"]


def imported_modules(path: Path, package: list[str]) -> set[str]:
    """Return the modules of cnet that a file imports when it is imported, by their first name."""
    modules = set()
    tree = ast.parse(path.read_text())
    for node in tree.body:  # not those under `if TYPE_CHECKING`, nor in functions
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            names = [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
            modules |= {base[0]} if base else set(names)
    return modules


@pytest.mark.parametrize(
    "path", sorted(PYTHON.rglob("*.py")), ids=lambda p: str(p.relative_to(PYTHON))
)
def test_imports_point_down(path: Path) -> None:
    parts = list(path.relative_to(PYTHON).with_suffix("").parts)
    own = parts[0]
    for module in imported_modules(path, parts[:-1]) - {own}:
        assert RANK[module] > RANK[own], f"{path} imports {module}"


def test_the_house_is_complete() -> None:
    assert {path.name for path in CSRC.iterdir()} == set(FOLDERS)
    found = {path.stem for path in PYTHON.iterdir() if path.suffix in (".py", ".pyi")}
    found |= {
        path.name for path in PYTHON.iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert found == set(RANK)


def test_the_reference_stands_alone() -> None:
    for path in (PYTHON / "reference").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 1 or (node.module or "").split(".")[0] != "cnet", path
            if isinstance(node, ast.Import):
                assert not any(alias.name.split(".")[0] == "cnet" for alias in node.names), path
