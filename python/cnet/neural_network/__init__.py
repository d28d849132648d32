"""scikit-learn's multi-layer perceptrons, computed by cnet's engine.

`MLPClassifier` and `MLPRegressor` have the parameters, attributes, warnings and errors of those in
``sklearn.neural_network``, so that a program runs with its import changed. This module needs
scikit-learn (``pip install "cnet[sklearn]"``); nothing else in cnet imports it.
"""

from __future__ import annotations

try:
    import sklearn as _sklearn  # noqa: F401 # for the message
except ImportError as error:
    raise ImportError(
        f'cnet.neural_network: {error}; pip install "cnet[sklearn]"', name=error.name
    ) from None

from ._classifier import MLPClassifier
from ._regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]


def __dir__() -> list[str]:
    return __all__
