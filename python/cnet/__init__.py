"""Train and serve dense neural networks on CPUs: Keras's words, NumPy arrays in and out."""

from __future__ import annotations

import sys as _sys

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
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    reference,
    utils,
)
from .layers import Input
from .models import Sequential

if hasattr(_sys.modules.get("threadpoolctl"), "register"):
    config.register_threadpoolctl()

__version__: str = build_info()["version"]

__all__ = [
    "Input",
    "Sequential",
    "activations",
    "build_info",
    "callbacks",
    "config",
    "datasets",
    "get_num_threads",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "reference",
    "set_num_threads",
    "utils",
]
