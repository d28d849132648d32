"""Losses, by Keras's names: what training makes small."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from . import ops
from ._data import as_labels, as_samples

__all__ = ["CategoricalCrossentropy", "Loss", "SparseCategoricalCrossentropy", "get"]


class Loss:
    """A loss; ``loss(y_true, y_pred)`` is its mean over the batch.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits, not probabilities. With probabilities that a final softmax
        made, the engine goes back to the logits by itself, as Keras does.
    reduction : str, default "sum_over_batch_size"
        The mean over the batch, the only one there is.
    name : str, optional

    Notes
    -----
    Probabilities that don't sum to one are normalized and then kept 1e-7 away from 0 and 1, for
    class ids as for one-hot labels (Keras's backends differ from each other here).
    """

    name = "loss"
    sparse = False

    def __init__(
        self,
        from_logits: bool = False,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        if reduction != "sum_over_batch_size":
            raise ValueError(
                f"{type(self).__name__}: reduction {reduction!r} is not supported, only "
                "'sum_over_batch_size'"
            )
        self.from_logits = bool(from_logits)
        self.reduction = reduction
        if name is not None:
            self.name = str(name)

    def __call__(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
        """Return the mean loss of predictions (batch, classes)."""
        call = type(self).__name__
        predictions = as_samples(y_pred, f"{call}: y_pred")
        labels = as_labels(y_true, f"{call}: y_true", predictions.shape[-1], sparse=self.sparse)
        labels = labels[:, 0] if self.sparse else labels
        if self.from_logits:
            return ops.softmax_cross_entropy_forward(predictions, labels)[0]
        return ops.cross_entropy_forward(predictions, labels)


class SparseCategoricalCrossentropy(Loss):
    """−log of the probability of the true class, given as an integer id. See `Loss`.

    Examples
    --------
    >>> from cnet import losses
    >>> round(losses.SparseCategoricalCrossentropy()([1], [[0.2, 0.8]]), 4)
    0.2231
    """

    name = "sparse_categorical_crossentropy"
    sparse = True


class CategoricalCrossentropy(Loss):
    """−Σ y log p over the classes, for one-hot or soft labels y. See `Loss`.

    Examples
    --------
    >>> from cnet import losses
    >>> round(losses.CategoricalCrossentropy(from_logits=True)([[0, 1]], [[0.0, 0.0]]), 4)
    0.6931
    """

    name = "categorical_crossentropy"


_CLASSES: dict[str, type[Loss]] = {
    cls.name: cls for cls in (SparseCategoricalCrossentropy, CategoricalCrossentropy)
}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


def get(identifier: Any) -> Loss:
    """Return a loss from its name, its class, or itself.

    Raises
    ------
    ValueError
        If there is no such loss.
    """
    if isinstance(identifier, str) and identifier in _CLASSES:
        return _CLASSES[identifier]()
    # Exactly these: of a subclass's own formula the engine would know nothing.
    if identifier in _CLASSES.values():
        return identifier()  # type: ignore[no-any-return] # a class of that table
    if isinstance(identifier, Loss) and type(identifier) in _CLASSES.values():
        return identifier
    known = ", ".join(name for name in _CLASSES if name.islower())
    raise ValueError(f"loss: expected one of {known}, or a Loss, got {identifier!r}")
