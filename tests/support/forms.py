"""Test parameters that run only with --ci and --long."""

from __future__ import annotations

from typing import Any

import pytest


def in_ci(*values: Any) -> list[Any]:
    """Mark parameter values that the default form skips."""
    return [pytest.param(value, marks=pytest.mark.ci) for value in values]
