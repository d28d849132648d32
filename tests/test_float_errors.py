"""Ignoring floating-point warnings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnet import _float_errors, autodiff, graph, ops

HUGE = np.float32([3e38])


def test_they_are_ignored_until_restored() -> None:
    with np.errstate(over="raise", invalid="print"):
        before = np.geterr()
        token = _float_errors.ignore_float_errors()
        assert set(np.geterr().values()) == {"ignore"}
        assert _float_errors.float_errors() is _float_errors.IGNORED
        _float_errors.restore_float_errors(token)
        assert np.geterr() == before
        assert _float_errors.float_errors() is not _float_errors.IGNORED


def test_without_the_context_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_float_errors, "copy_context", dict)
    ignored, current, ignore, restore = _float_errors._functions()
    before = np.geterr()
    token = ignore()
    assert set(np.geterr().values()) == {"ignore"}
    assert current() is not ignored
    restore(token)
    assert np.geterr() == before


def gradient_at_zero() -> Any:
    x = autodiff.Variable([0.0, 1.0])
    with autodiff.GradientTape() as tape:
        y = ops.sum(ops.sqrt(x))
    return tape.gradient(y, x)


@pytest.mark.parametrize(
    "call",
    [
        lambda: autodiff.exp(HUGE),
        lambda: ops.exp(HUGE),
        lambda: ops.log([-1.0]),
        lambda: ops.add(HUGE, HUGE),
        lambda: ops.cast(1e300, "float32"),
        lambda: ops.cast([np.nan], "int32"),
        lambda: ops.mean(np.zeros((0, 3))),
        lambda: ops.linspace(-np.inf, 0, 3),
        lambda: autodiff.constant(HUGE) * 10,
        gradient_at_zero,
        lambda: graph.Session().run(graph.constant(HUGE) * 10),
    ],
)
def test_operations_do_not_warn(call: Callable[[], Any]) -> None:
    """Warnings are errors in the tests."""
    with np.errstate(all="warn"):
        before = np.geterr()
        assert not np.isfinite(np.asarray(call(), np.float64)).all() or call().dtype.kind == "i"
        assert np.geterr() == before
    with np.errstate(all="raise"):
        call()


def test_errors_restore_them() -> None:
    before = np.geterr()
    for call in (
        lambda: autodiff.add(np.ones(2), np.ones(3)),
        lambda: ops.reshape(np.ones(2), 3),
        lambda: autodiff.constant([1.0, 2.0]) + np.ones(3),
    ):
        with pytest.raises(ValueError, match=r"shape|size"):
            call()
        assert np.geterr() == before


def test_another_thread_keeps_its_own() -> None:
    code = """
import threading, warnings
import numpy as np
from cnet import _float_errors
warnings.simplefilter("error")
token = _float_errors.ignore_float_errors()
found = []
thread = threading.Thread(target=lambda: found.append(np.geterr()["over"]))
thread.start(); thread.join()
assert found == ["warn"], found
"""
    subprocess.run([sys.executable, "-c", code], check=True)
