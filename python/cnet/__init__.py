"""Train and serve dense neural networks on CPUs: Keras's words, NumPy arrays in and out."""

from __future__ import annotations

import importlib as _importlib
import sys as _sys
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING

try:
    from ._core import build_info, get_num_threads, set_num_threads
except ModuleNotFoundError as error:
    if error.name != "cnet._core":
        raise
    raise ImportError(
        "cnet: the compiled module cnet._core is missing. Build it by installing cnet from its "
        "folder (pip install .), and do not run Python from inside python/."
    ) from error

from . import (
    activations,
    callbacks,
    config,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    utils,
)
from .layers import Input
from .models import Sequential
from .saving import FormatError

if hasattr(_sys.modules.get("threadpoolctl"), "register"):
    config.register_threadpoolctl()

if TYPE_CHECKING:
    from . import autodiff, datasets, graph, plots, reference

__version__: str = build_info()["version"]


def __getattr__(name: str) -> _ModuleType:
    """Import what not every program needs when it is first asked for."""
    if name in ("autodiff", "datasets", "graph", "plots", "reference"):
        return _importlib.import_module(f"cnet.{name}")
    raise AttributeError(f"module 'cnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "FormatError",
    "Input",
    "Sequential",
    "activations",
    "autodiff",
    "build_info",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "get_num_threads",
    "graph",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "plots",
    "random",
    "reference",
    "regularizers",
    "set_num_threads",
    "utils",
]
