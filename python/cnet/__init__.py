"""Train and serve dense neural networks on CPUs: Keras's words, NumPy arrays in and out."""

from __future__ import annotations

import importlib as _importlib
import sys as _sys
from typing import TYPE_CHECKING
from typing import Any as _Any

try:
    from ._core import build_info, get_num_threads, set_num_threads
except ModuleNotFoundError as error:
    if error.name != "cnet._core":
        raise
    raise ImportError(
        "cnet: the compiled module cnet._core is missing. Build it by installing cnet from its "
        "folder (pip install .), and do not run Python from inside python/."
    ) from error

if TYPE_CHECKING:
    from . import (
        activations,
        autodiff,
        backend,
        callbacks,
        config,
        constraints,
        datasets,
        graph,
        initializers,
        layers,
        losses,
        metrics,
        models,
        neural_network,
        ops,
        optimizers,
        plots,
        random,
        reference,
        regularizers,
        saving,
        utils,
        wrappers,
    )
    from .layers import Input
    from .models import Model, Sequential
    from .saving.tensor_file import FormatError

__version__: str = build_info()["version"]

# Where the names that are no modules come from.
_ORIGINS = {
    "FormatError": "saving.tensor_file",
    "Input": "layers",
    "Model": "models",
    "Sequential": "models",
}


if not TYPE_CHECKING:  # which would take every name for one of cnet's

    def __getattr__(name: str) -> _Any:
        """Import a public name when it is first asked for, so that importing cnet takes no time."""
        if name not in __all__:
            from ._absent import absent

            return absent("cnet")(name)
        module = _importlib.import_module(f"cnet.{_ORIGINS.get(name, name)}")
        value = getattr(module, name) if name in _ORIGINS else module
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"TYPE_CHECKING", "annotations"})


if hasattr(_sys.modules.get("threadpoolctl"), "register"):
    from .config import register_threadpoolctl as _register_threadpoolctl

    _register_threadpoolctl()

__all__ = [
    "FormatError",
    "Input",
    "Model",
    "Sequential",
    "activations",
    "autodiff",
    "backend",
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
    "neural_network",
    "ops",
    "optimizers",
    "plots",
    "random",
    "reference",
    "regularizers",
    "saving",
    "set_num_threads",
    "utils",
    "wrappers",
]
