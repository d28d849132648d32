"""scikit-learn's checks of estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.base import clone
from support.estimator_checks import checks_of

from cnet.neural_network import MLPClassifier, MLPRegressor


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(
    ("estimator", "check"), checks_of(MLPClassifier(max_iter=100), MLPRegressor(max_iter=100))
)
def test_estimators(estimator: Any, check: Callable[[Any], None]) -> None:
    check(clone(estimator))
