"""Keras's names that cnet lacks."""

from __future__ import annotations

import importlib

import pytest

from cnet import _absent

NAMES = [
    (module, name, reason)
    for module, reasons in _absent._ALTERNATIVES.items()
    for reason, names in reasons.items()
    for name in names.split()
]


def test_no_listed_name_exists() -> None:
    listed = {(module, name) for module, name, _ in NAMES}
    assert [each for each in listed if hasattr(importlib.import_module(each[0]), each[1])] == []


@pytest.mark.parametrize("module", _absent._ALTERNATIVES)
def test_each_module_names_the_alternative_to_a_missing_name(module: str) -> None:
    for of, name, reason in NAMES:
        if of == module:
            message = f"module '{module}' has no attribute '{name}': {reason}"
            with pytest.raises(AttributeError) as raised:
                getattr(importlib.import_module(module), name)
            assert str(raised.value) == message
    with pytest.raises(AttributeError, match=f"^module '{module}' has no attribute 'nothing'$"):
        importlib.import_module(module).nothing  # noqa: B018 # it raises


def test_no_missing_name_is_listed_twice() -> None:
    assert len({(module, name) for module, name, _ in NAMES}) == len(NAMES)
