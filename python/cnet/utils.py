"""Utilities around models and training."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _names, random
from ._absent import absent
from ._data import as_array, as_count, as_ids
from ._errors import missing, short_repr
from ._objects import deserialize_keras_object, serialize_keras_object
from ._registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from .config import floatx
from .models._dot import model_to_dot, plot_model
from .training.step_engine import pack_x_y_sample_weight, unpack_x_y_sample_weight

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "model_to_dot",
    "pack_x_y_sample_weight",
    "plot_model",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


def __dir__() -> list[str]:
    return __all__


class PyDataset:
    """Base class of data sets that create each batch on demand.

    A subclass defines ``__getitem__(index)``, which returns a batch (x,), (x, y) or
    (x, y, sample_weight), and ``__len__()``, the number of batches; or a property `num_batches`, None
    if there is no end.

    Parameters
    ----------
    workers : int, default 1
    use_multiprocessing : bool, default False
        Other values are not supported. Batches are created in the calling thread.
    max_queue_size : int, default 10
        Ignored, as there is no queue.

    Raises
    ------
    ValueError
        If several workers or processes are requested.

    Examples
    --------
    >>> import numpy as np, cnet
    >>> class Squares(cnet.utils.PyDataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         x = np.arange(8 * index, 8 * (index + 1))[:, np.newaxis] / 32
    ...         return x, x**2
    >>> model = cnet.Sequential([cnet.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> model.fit(Squares(), epochs=2, verbose=0).epoch
    [0, 1]
    """

    max_queue_size = 10
    workers = 1
    use_multiprocessing = False

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        if workers not in (0, 1) or use_multiprocessing:
            raise ValueError(
                f"{type(self).__name__}: expected workers=1 and use_multiprocessing=False, got "
                f"{short_repr(workers)} and {short_repr(use_multiprocessing)}: batches are created in the calling "
                "thread"
            )
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Return batch number `index`."""
        raise NotImplementedError(missing(self, "__getitem__(index)"))

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of one pass."""
        batches = self.num_batches
        return (self[index] for index in (itertools.count() if batches is None else range(batches)))

    @property
    def num_batches(self) -> int | None:
        """Number of batches, None if there is no end."""
        if not hasattr(self, "__len__"):
            raise NotImplementedError(missing(self, "__len__()"))
        return len(self)

    def on_epoch_begin(self) -> None:
        """Do nothing; called before the batches of an epoch."""

    def on_epoch_end(self) -> None:
        """Do nothing; called after the batches of an epoch."""


Sequence = PyDataset  # Keras's older name


def clear_session(free_memory: bool = True) -> None:
    """Restart the numbering of default names of layers, models and optimizers: "dense", "dense_1", ….

    Parameters
    ----------
    free_memory : bool, default True
        Ignored: memory is freed as soon as it is unused.

    Examples
    --------
    >>> import cnet
    >>> cnet.utils.clear_session()
    >>> [cnet.layers.Dense(1).name for _ in range(2)]
    ['dense', 'dense_1']
    """
    del free_memory
    _names.clear()


def set_random_seed(seed: int) -> None:
    """Set the seed of all later random numbers: initial weights, shuffles, dropout and noise.

    The generators of NumPy and Python are not affected; cnet uses neither.

    Parameters
    ----------
    seed : int in [0, 2⁶⁴)

    Raises
    ------
    TypeError, ValueError
        If `seed` is not such an integer.

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
        If `num_classes` is not a count, or an id is outside [0, num_classes).
    MemoryError
        If the largest id is too large for rows of that length.

    Notes
    -----
    Keras always returns float64.

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
    one_hot.reshape(-1, max(classes, 1))[np.arange(ids.size), ids.reshape(-1)] = 1
    return one_hot


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
