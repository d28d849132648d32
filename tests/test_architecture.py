"""The direction of includes and imports, as docs/architecture.md shows it, read from the sources."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CSRC, PYTHON = ROOT / "csrc", ROOT / "python" / "cnet"

# A folder may include itself and folders to its right.
FOLDERS = ["bind", "train", "network", "ops", "kernels", "core"]

# A module may import modules of lower rows.
MODULES = [
    {"__init__"},
    {"neural_network", "wrappers"},
    {"backend"},
    {"utils"},
    {"models"},
    {"saving"},
    {"training"},
    {"plots"},
    {"callbacks"},
    {"layers", "_progress", "optimizers", "metrics", "datasets"},
    {"losses"},
    {"activations", "constraints", "initializers", "regularizers"},
    {"graph", "ops"},
    {"autodiff"},
    {"random"},
    {"_elementwise"},
    {"_objects"},
    {"_data", "_files", "_serialization", "_updates"},
    {"config", "_frames", "_input_errors", "_registry"},
    {"_core"},
    {
        "_absent",
        "_errors",
        "_float_errors",
        "_names",
        "_overrides",
        "_tapes",
        "_tracebacks",
        "_typing",
        "reference",
    },
]
RANK = {module: rank for rank, row in enumerate(MODULES) for module in row}

Edges = dict[str, set[str]]


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
    """The linker could keep the copy of a shared inline function that needs a newer CPU."""
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


def test_each_kernel_is_compared_with_the_scalar_table() -> None:
    table = (CSRC / "kernels" / "table.hpp").read_text()
    kernels = set(re.findall(r"\(\*(\w+)(?:\[\w+\])?\)\(", table)) - {"supported"}
    assert {"product", "sgd_update", "gather"} <= kernels
    tested = "".join(path.read_text() for path in ROOT.glob("tests/cpp/test_kernels*.cpp"))
    missing = kernels - set(re.findall(r"\w+", tested))
    assert not missing, f"tests/cpp/test_kernels*.cpp lacks {missing}"


def module_name(path: Path) -> str:
    parts = path.relative_to(PYTHON).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"


@cache
def imports() -> Edges:
    """Return what each module of cnet imports: at its head, in functions and for type checkers."""
    paths = {module_name(path): path for path in [*PYTHON.rglob("*.py"), PYTHON / "_core.pyi"]}
    edges: Edges = {}
    for module, path in paths.items():
        package = path.relative_to(PYTHON).parts[:-1]
        edges[module] = found = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            if not node.level:
                assert (node.module or "").split(".")[0] != "cnet", f"{path}: import it relatively"
                continue
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            for alias in node.names:
                names = [".".join(filter(None, [*base, *last])) for last in ([alias.name], [])]
                found.add(next(name or "__init__" for name in names if name in {*paths, ""}))
    return edges


def circles(edges: Edges) -> list[list[str]]:
    """Return the groups of nodes that reach each other."""
    reached = {node: set(targets) for node, targets in edges.items()}
    for middle in edges:
        for node in edges:
            if middle in reached[node]:
                reached[node] |= reached[middle]
    groups = {
        tuple(sorted(other for other in reached[node] if node in reached[other])) for node in edges
    }
    return sorted(map(list, groups - {()}))


def test_circles_are_found() -> None:
    edges = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": set[str]()}
    assert circles(edges) == [["a", "b", "c"]]


@pytest.mark.parametrize("module", sorted(imports()))
def test_imports_point_down(module: str) -> None:
    own = module.split(".")[0]
    for other in imports()[module]:
        imported = other.split(".")[0]
        assert imported == own or RANK[imported] > RANK[own], f"{module} imports {other}"


def test_imports_have_no_circles() -> None:
    assert circles(imports()) == []


def test_includes_have_no_circles() -> None:
    paths = {str(path.relative_to(CSRC)): path for path in CSRC.rglob("*.[ch]pp")}
    assert circles({name: {*includes(path)} & {*paths} for name, path in paths.items()}) == []


def test_every_module_has_a_row() -> None:
    assert {path.name for path in CSRC.iterdir()} == set(FOLDERS)
    found = {path.stem for path in PYTHON.iterdir() if path.suffix in (".py", ".pyi")}
    found |= {
        path.name for path in PYTHON.iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert found == set(RANK)


def test_the_reference_imports_no_other_module_of_cnet() -> None:
    for path in (PYTHON / "reference").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 1 or (node.module or "").split(".")[0] != "cnet", path
            if isinstance(node, ast.Import):
                assert not any(alias.name.split(".")[0] == "cnet" for alias in node.names), path
