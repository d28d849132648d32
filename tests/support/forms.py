"""Parameters of tests that only --ci and --long try."""

from __future__ import annotations

from typing import Any

import pytest


def in_ci(*values: Any) -> list[Any]:
    """Return values of a parameter that the default form leaves out."""
    return [pytest.param(value, marks=pytest.mark.ci) for value in values]
