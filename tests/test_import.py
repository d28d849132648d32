"""The modules that importing cnet loads, and its public names."""

from __future__ import annotations

import pytest
from support.subprocesses import run_program

import cnet

LOADED = """
import json, sys
import numpy
before = set(sys.modules)
import cnet
print(json.dumps(sorted(name for name in set(sys.modules) - before if "." not in name or name[:4] == "cnet")))
"""

IN_A_SUBINTERPRETER = """
import json
try:
    import _interpreters as interpreters  # of Python 3.13
except ImportError:
    import _xxsubinterpreters as interpreters
interpreters.run_string(interpreters.create(), '''
import json
try:
    import cnet
except ImportError as error:
    print(json.dumps(str(error)), flush=True)
''')
import cnet  # works in the main interpreter
"""


def test_importing_in_a_subinterpreter_raises() -> None:
    message = "cnet works in the main interpreter only, not in subinterpreters"
    assert run_program(IN_A_SUBINTERPRETER, timeout=60) == message


def test_importing_cnet_loads_the_compiled_module_only() -> None:
    loaded = set(run_program(LOADED, timeout=60))
    assert {name for name in loaded if name.startswith("cnet")} == {"cnet", "cnet._core"}
    assert not loaded & {"tqdm", "matplotlib", "scipy", "sklearn", "pooch", "tensorboard"}


def test_a_misspelt_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'cnet' has no attribute 'Sequental'"):
        cnet.Sequental  # type: ignore[attr-defined] # noqa: B018 # mypy, which reads this file, sees it


def test_every_public_name_is_there() -> None:
    assert all(hasattr(cnet, name) for name in cnet.__all__)
    assert cnet.Sequential is cnet.models.Sequential


def test_completion_lists_every_public_name() -> None:
    assert set(cnet.__all__) <= set(dir(cnet))
