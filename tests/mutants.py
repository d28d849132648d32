"""Mutation testing: break a module in one place at a time, run tests, and list undetected changes.

Usage: python tests/mutants.py MODULE TESTS...
       python tests/mutants.py python/cnet/_files.py tests/test_files.py

Mutants change the limit or the sense of a comparison, make a condition true or false, remove an operand of
and/or, or delete a raise or a call whose result is not used. The script works on copies; cnet must be
installed, and not in editable mode. TESTS may begin with options of pytest, such as --ci.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import cnet

ROOT = Path(__file__).parents[1]
REPLACEMENTS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.Gt: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.In: ast.NotIn,
    ast.Is: ast.IsNot,
}
REPLACEMENTS |= {value: key for key, value in REPLACEMENTS.items()}


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line of each change, its description, and the changed source."""
    tree = ast.parse(source)
    for node in list(ast.walk(tree)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Compare):
            for n, operator in enumerate(node.ops):
                node.ops[n] = REPLACEMENTS[type(operator)]()
                yield line, "changed operator", ast.unparse(tree)
                node.ops[n] = operator
        if isinstance(node, (ast.If, ast.IfExp, ast.While)):
            test = node.test
            if ast.unparse(test) == "TYPE_CHECKING":
                continue
            for value in (True, False):
                node.test = ast.Constant(value)
                yield line, f"always {value}", ast.unparse(tree)
            node.test = test
        if isinstance(node, ast.BoolOp):
            values = node.values
            for n in range(len(values)):
                node.values = values[:n] + values[n + 1 :]
                yield line, f"without part {n + 1}", ast.unparse(tree)
            node.values = values
        for body in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            for n, statement in enumerate(body if isinstance(body, list) else []):
                is_call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
                if is_call or isinstance(statement, ast.Raise):
                    body[n] = ast.copy_location(ast.Pass(), statement)
                    yield statement.lineno, "deleted", ast.unparse(tree)
                    body[n] = statement


def copy_into(folder: Path) -> Path:
    """Copy the package, its compiled module and the tests into a folder."""
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "python" / "cnet", folder / "cnet", ignore=leave)
    shutil.copy(cnet._core.__file__, folder / "cnet")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def passes(folder: Path, tests: list[str], seconds: float | None) -> bool:
    """Return True if the tests pass within a time."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", *tests]
    paths = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "CNET_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | paths,
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main(module: str, *tests: str) -> int:
    """List the surviving mutants, and return their number."""
    source = (ROOT / module).read_text()
    within = Path(module).relative_to("python")
    broken = list(mutants(source))
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(workers) as pool:
        folders: Queue[Path] = Queue()
        for n in range(workers):
            folders.put(copy_into(Path(scratch, str(n))))
        found = [sys.executable, "-c", "import cnet; print(cnet.__file__)"]
        paths = os.environ | {"PYTHONPATH": str(Path(scratch, "0"))}
        if scratch not in subprocess.check_output(found, env=paths, text=True):
            sys.exit("cnet is installed in editable mode: its copies would not be found")
        start = time.monotonic()
        if not passes(Path(scratch, "0"), list(tests), None):
            sys.exit("the tests fail without a change")
        limit = 60 + 5 * (time.monotonic() - start)

        def survives(mutant: tuple[int, str, str]) -> bool:
            folder = folders.get()
            (folder / within).write_text(mutant[2])
            try:
                return passes(folder, list(tests), limit)
            finally:
                (folder / within).write_text(source)
                folders.put(folder)

        survivors = [
            m for m, alive in zip(broken, pool.map(survives, broken), strict=True) if alive
        ]
    lines = source.splitlines()
    for line, change, _ in survivors:
        sys.stdout.write(f"{module}:{line}: {change}: {lines[line - 1].strip()}\n")
    sys.stdout.write(f"{module}: {len(broken)} mutants, {len(survivors)} survive\n")
    return len(survivors)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]) > 0)
