"""Completion shows the public names of each module, and no others."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import cnet

ROOT = Path(cnet.__file__).parent
PRIVATE = {"training"}
MODULES = sorted(
    {
        f"cnet.{path.stem if path.is_file() else path.name}"
        for path in ROOT.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
        if not path.name.startswith("_") and path.name not in PRIVATE
    }
    | {"cnet.optimizers.schedules"}
    | {f"cnet.datasets.{name}" for name in ("fashion_mnist", "idx", "mnist")}
)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_lists_its_public_names(name: str) -> None:
    module = importlib.import_module(name)
    assert dir(module) == sorted(module.__all__)
    assert all(hasattr(module, public) for public in module.__all__)


def test_the_package_lists_its_public_names() -> None:
    public = [name for name in dir(cnet) if not name.startswith("_")]
    imported = {name for name in PRIVATE if name in vars(cnet)}
    assert set(public) - imported == set(cnet.__all__)
