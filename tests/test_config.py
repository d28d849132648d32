"""The default floating-point type, and threadpoolctl."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnet import _core, config, initializers, layers, random, utils


@pytest.fixture(autouse=True)
def _restore_floatx() -> Iterator[None]:
    floatx = config.floatx()
    yield
    config.set_floatx(floatx)


def test_floatx_is_float32_by_default() -> None:
    assert config.floatx() == "float32"
    config.set_floatx("float64")
    assert config.floatx() == "float64"


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_floatx_is_used_where_no_dtype_is_given(floatx: str) -> None:
    config.set_floatx(floatx)
    dense = layers.Dense(2)
    assert dense.dtype == floatx
    for array in (
        dense([[1.0]]),
        initializers.Ones()((2,)),
        random.uniform((2,)),
        utils.to_categorical([1]),
    ):
        assert array.dtype == floatx


def test_a_dtype_argument_overrides_floatx() -> None:
    config.set_floatx("float64")
    assert layers.Dense(2, dtype="float32")([[1.0]]).dtype == np.float32
    assert initializers.Ones()((2,), dtype="float32").dtype == np.float32
    assert random.uniform((2,), dtype="float32").dtype == np.float32


def test_layers_keep_the_floatx_of_their_construction() -> None:
    dense = layers.Dense(2)
    config.set_floatx("float64")
    assert dense([[1.0]]).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float64, np.dtype("float64")])
def test_numpy_dtypes_are_accepted(dtype: Any) -> None:
    dense = layers.Dense(2, dtype=dtype)
    assert dense.dtype == "float64"
    assert dense([[1.0]]).dtype == np.float64


@pytest.mark.parametrize("value", ["float16", "double", "", 32, None])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"set_floatx: expected .*'float32' or 'float64', got"):
        config.set_floatx(value)
    assert config.floatx() == "float32"


@pytest.mark.parametrize("dtype", ["float16", "int32", np.float16])
def test_layers_of_other_types_are_refused(dtype: Any) -> None:
    with pytest.raises(ValueError, match=r"Dense: expected dtype 'float32' or 'float64', got"):
        layers.Dense(2, dtype=dtype)


# -- threadpoolctl ---------------------------------------------------------------------------------

LIMITED = """
cnet.set_num_threads(3)

def listed():
    return [info for info in threadpool_info() if info["user_api"] == "cnet"]

(info,) = listed()
assert info["version"] == cnet.__version__, info
assert info["filepath"] == os.path.realpath(cnet._core.__file__), info
assert info["num_threads"] == 3, info
for options in ({}, {"user_api": "cnet"}):
    with threadpool_limits(1, **options):
        assert cnet.get_num_threads() == listed()[0]["num_threads"] == 1
        with threadpool_limits({"cnet": 2}):
            assert cnet.get_num_threads() == 2
        assert cnet.get_num_threads() == 1
    assert cnet.get_num_threads() == 3
with threadpool_limits(1, user_api="blas"):
    assert cnet.get_num_threads() == 3
cnet.config.register_threadpoolctl()
assert len(listed()) == 1
"""
THREADPOOLCTL_FIRST = "from threadpoolctl import threadpool_info, threadpool_limits\nimport cnet\n"
CNET_FIRST = """
import cnet
from threadpoolctl import threadpool_info, threadpool_limits
threadpool_info()  # threadpoolctl has cached cnet's file before
cnet.config.register_threadpoolctl()
"""


def run(program: str) -> None:
    command = [sys.executable, "-c", f"import os, sys\n{program}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("imports", [THREADPOOLCTL_FIRST, CNET_FIRST], ids=["before", "after"])
def test_threadpoolctl_limits_cnet(imports: str) -> None:
    run(imports + LIMITED)


def test_importing_cnet_does_not_import_threadpoolctl() -> None:
    run("import cnet; assert 'threadpoolctl' not in sys.modules")


@pytest.mark.parametrize("old", ["types.ModuleType('threadpoolctl')", "None"])
def test_a_threadpoolctl_without_registration_is_ignored(old: str) -> None:
    run(f"import types; sys.modules['threadpoolctl'] = {old}; import cnet")


def test_the_core_of_another_package_is_not_mistaken_for_cnets(tmp_path: Path) -> None:
    other = shutil.copy(_core.__file__, tmp_path)
    load = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("_core", {other!r})
other = importlib.util.module_from_spec(spec)
"""
    run(load + THREADPOOLCTL_FIRST + LIMITED)
