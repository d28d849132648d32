"""Losses, by Keras's names.

Each has a class, which takes options and reduces to a number, and a function, which returns the loss of
each sample.
"""

from __future__ import annotations

from typing import Any

from .._absent import absent
from .._objects import deserializer, serialize
from .._serialization import get_by_name, named_object
from .binary import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
)
from .categorical import (
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    SparseCategoricalCrossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    sparse_categorical_crossentropy,
)
from .function import LossFunctionWrapper
from .loss import Loss, PointwiseLoss
from .regression import (
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SquaredHinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    squared_hinge,
)

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "PointwiseLoss",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]


def __dir__() -> list[str]:
    return __all__


# The function that belongs to each class.
_FUNCTIONS: dict[type[Loss], Any] = {
    SparseCategoricalCrossentropy: sparse_categorical_crossentropy,
    CategoricalCrossentropy: categorical_crossentropy,
    CategoricalFocalCrossentropy: categorical_focal_crossentropy,
    BinaryCrossentropy: binary_crossentropy,
    BinaryFocalCrossentropy: binary_focal_crossentropy,
    MeanSquaredError: mean_squared_error,
    MeanAbsoluteError: mean_absolute_error,
    MeanAbsolutePercentageError: mean_absolute_percentage_error,
    MeanSquaredLogarithmicError: mean_squared_logarithmic_error,
    Huber: huber,
    LogCosh: log_cosh,
    Poisson: poisson,
    KLDivergence: kl_divergence,
    Hinge: hinge,
    SquaredHinge: squared_hinge,
}
_ALIASES: dict[str, type[Loss]] = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_ALIASES |= {alias.upper(): cls for alias, cls in _ALIASES.items()}
_ALIASES |= {"logcosh": LogCosh, "kullback_leibler_divergence": KLDivergence}
_CLASSES = {function.__name__: cls for cls, function in _FUNCTIONS.items()}
_CLASSES |= {cls.__name__: cls for cls in _FUNCTIONS}


def get(identifier: Any) -> Loss:
    """Return a loss by its name, class, function or configuration, or the object itself.

    Parameters
    ----------
    identifier : str, type, function, dict or Loss
        Functions that aren't from `cnet.losses` become a `LossFunctionWrapper`. Short names are "mse",
        "mae", "mape", "msle", "kld", "bce" and "logcosh". A dict is ``{"class_name": …, "config": {…}}``.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` has another type.

    Examples
    --------
    >>> from cnet import losses
    >>> losses.get("mse").name, losses.get(losses.log_cosh).name
    ('mean_squared_error', 'log_cosh')
    """
    identifier = named_object(identifier)
    for cls, function in _FUNCTIONS.items():
        if identifier is function:
            return cls()
    if callable(identifier) and not isinstance(identifier, (Loss, type)):
        return LossFunctionWrapper(identifier)
    loss: Loss = get_by_name("loss", Loss, _CLASSES | _ALIASES, identifier)
    if not loss.in_engine and type(loss).call is Loss.call:
        raise TypeError(f"loss: {type(loss).__name__} doesn't define call(y_true, y_pred)")
    return loss


deserialize = deserializer(get)


def __getattr__(name: str) -> Any:
    """Return a function by its short name; explain names that only Keras has."""
    if name in _ALIASES:
        return _FUNCTIONS[_ALIASES[name]]
    return absent(__name__)(name)
