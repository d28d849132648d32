"""Each public name of Keras exists in cnet, or its error names an alternative."""

from __future__ import annotations

import importlib

import pytest

from cnet import _absent

pytest.importorskip("keras", reason="Keras is not installed")


@pytest.mark.parametrize("module", _absent._ALTERNATIVES)
def test_every_public_name_of_keras_is_known(module: str) -> None:
    keras = importlib.import_module(module.replace("cnet", "keras", 1))
    ours = importlib.import_module(module)
    unknown = []
    for name in dir(keras):
        if name.startswith("_") or name == "src" or hasattr(ours, name):
            continue  # "src" is private to Keras
        with pytest.raises(AttributeError) as raised:
            getattr(ours, name)
        if str(raised.value).endswith(repr(name)):
            unknown.append(name)
    assert not unknown
