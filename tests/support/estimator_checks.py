"""scikit-learn's checks of estimators, as parameters of tests."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator


def checks_of(*estimators: Any) -> list[Any]:
    """Return (estimator, check) for each check of each estimator."""
    # parametrize_with_checks would pass on a generator, which pytest 9 warns about.
    return [
        pytest.param(estimator, check, id=f"{type(estimator).__name__}-{number}-{name_of(check)}")
        for estimator in estimators
        for number, (_, check) in enumerate(estimator_checks_generator(estimator))
    ]


def name_of(check: Any) -> str:
    name: str = check.func.__name__
    return name
