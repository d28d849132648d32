"""Ending training at a loss that isn't finite."""

from __future__ import annotations

from .callback import Callback

__all__ = ["TerminateOnNaN"]


class TerminateOnNaN(Callback):
    """Ends `fit` instead of raising `FloatingPointError` if the loss is inf or NaN.

    In both cases the weights are not updated by that batch (in Keras they are). The loss in the logs of
    that epoch is NaN, as is the accuracy.

    Parameters
    ----------
    raise_error : bool, default False
        Whether to raise `RuntimeError` instead of ending `fit`, as in Keras.

    Examples
    --------
    >>> import numpy as np, cnet
    >>> model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax", name="dense")])
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> history = model.fit(np.full((4, 3), np.nan), [0, 1, 0, 1], epochs=5, verbose=0,
    ...                     callbacks=[cnet.callbacks.TerminateOnNaN()])
    fit: epoch 1: the loss is not finite at batch 1: the input is not finite in sample ...; training ends
    >>> history.history
    {'loss': [nan]}
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = bool(raise_error)

    def on_not_finite(self, error: FloatingPointError) -> None:
        """End training; called with the error for a loss that isn't finite."""
        if self.raise_error:
            raise RuntimeError(str(error)) from None
        print(f"{error}; training ends", flush=True)  # noqa: T201 # as in Keras
        self.model.stop_training = True
