"""Small tools around training."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import random
from ._data import as_array, as_count, as_ids
from .config import floatx

__all__ = ["set_random_seed", "to_categorical"]


def set_random_seed(seed: int) -> None:
    """Make everything that is random from here on (weights, shuffles) depend on `seed` alone.

    NumPy's and Python's own random numbers are left as they are; cnet uses neither.

    Parameters
    ----------
    seed : int in [0, 2⁶⁴)

    Raises
    ------
    TypeError, ValueError
        If `seed` isn't one.

    Examples
    --------
    >>> import cnet
    >>> cnet.utils.set_random_seed(7)
    >>> first = cnet.random.uniform((3,))
    >>> cnet.utils.set_random_seed(7)
    >>> bool((cnet.random.uniform((3,)) == first).all())
    True
    """
    random.set_global_seed(random.check_seed(seed))


def to_categorical(
    x: npt.ArrayLike, num_classes: int | None = None
) -> npt.NDArray[np.floating[Any]]:
    """Return class ids as one-hot rows.

    Parameters
    ----------
    x : array_like of int, any shape (…)
        Class ids; a last axis of size 1 is dropped.
    num_classes : int, optional
        Default: the largest id plus one.

    Returns
    -------
    array (…, num_classes) of `cnet.config.floatx()`

    Raises
    ------
    TypeError, ValueError
        If `num_classes` is no number of classes, or an id is outside [0, num_classes).

    Notes
    -----
    Keras's array is of float64, whatever its `floatx`.

    Examples
    --------
    >>> import cnet
    >>> cnet.utils.to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    ids = as_ids(as_array(x, "to_categorical: x"), "to_categorical: x").astype(np.int64)
    if ids.ndim > 1 and ids.shape[-1] == 1:
        ids = ids[..., 0]
    if num_classes is None:
        classes = int(ids.max(initial=-1)) + 1
    else:
        classes = as_count("to_categorical: num_classes", num_classes)
    if ids.size and (ids.min() < 0 or ids.max() >= classes):
        raise ValueError(
            f"to_categorical: ids from {ids.min()} to {ids.max()} are not all in [0, {classes})"
        )
    one_hot = np.zeros((*ids.shape, classes), dtype=floatx())
    np.put_along_axis(one_hot, ids[..., np.newaxis], 1, axis=-1)
    return one_hot
