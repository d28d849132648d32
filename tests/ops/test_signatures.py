"""One signature for each operation: in cnet.ops, in cnet.reference and in the compiled core."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from support.op_arguments import ALL_NAMES, PARAMETERS, draw

from cnet import _core, ops, reference


def test_the_reference_has_every_op_of_the_engine_in_the_module_of_that_name() -> None:
    assert len(set(ops.__all__)) == len(ops.__all__)
    assert set(ALL_NAMES) <= set(ops.__all__)
    for name in ALL_NAMES:
        modules = [getattr(module, name).__module__.rsplit(".", 1) for module in (ops, reference)]
        assert modules == [["cnet.ops", modules[1][1]], ["cnet.reference", modules[0][1]]]


@pytest.mark.parametrize("name", ALL_NAMES)
def test_ops_and_reference_have_the_same_signature(name: str) -> None:
    """Names, kinds, defaults and annotations."""
    op, formula = (inspect.signature(getattr(module, name)) for module in (ops, reference))
    assert op == formula
    assert getattr(ops, name).__doc__
    assert getattr(reference, name).__doc__


@pytest.mark.parametrize("name", ALL_NAMES)
def test_the_core_takes_the_same_parameters_by_position(name: str) -> None:
    """The error for an argument of the wrong type names its parameter."""
    good: dict[str, Any] = {"out": None, "parameters": {}, **draw(name, 3, 5, 5, np.float32)}
    parameters = list(PARAMETERS[name])
    if name in ("softmax", "log_softmax"):  # the core's are of rows
        parameters, good["logits"] = ["logits", "out"], good["x"]
    arguments = [good[key] for key in parameters]
    function = getattr(_core, name)
    function(*arguments)
    for count in (0, len(arguments) - 1, len(arguments) + 1):
        with pytest.raises(TypeError, match=f"expected {len(arguments)} arguments, got {count}"):
            function(*[*arguments, None][:count])
    for position, key in enumerate(parameters):
        bad = [*arguments[:position], object(), *arguments[position + 1 :]]
        with pytest.raises(TypeError, match=f"^{name}: {key}: "):
            function(*bad)
