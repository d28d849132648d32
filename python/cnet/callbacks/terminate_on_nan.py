"""The end of training where the loss is no number."""

from __future__ import annotations

from .callback import Callback

__all__ = ["TerminateOnNaN"]


class TerminateOnNaN(Callback):
    """End `fit`, rather than raise `FloatingPointError`, when the loss is inf or NaN.

    In both cases the update that such a loss would have led to is not made: the weights are those
    of the step before (Keras has updated them). That epoch's logs have a loss of NaN; so is what the
    engine counts with it, the accuracy.

    Parameters
    ----------
    raise_error : bool, default False
        Raise `RuntimeError` instead of ending `fit`, as Keras does.

    Examples
    --------
    >>> import numpy as np, cnet
    >>> model = cnet.Sequential([cnet.layers.Dense(2, activation="softmax", name="dense")])
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> history = model.fit(np.full((4, 3), np.nan), [0, 1, 0, 1], epochs=5, verbose=0,
    ...                     callbacks=[cnet.callbacks.TerminateOnNaN()])
    fit: epoch 1: the loss is not finite at batch 1: the input is not finite, in sample ...; training ends
    >>> history.history
    {'loss': [nan]}
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = bool(raise_error)

    def on_not_finite(self, error: FloatingPointError) -> None:
        """Receive what the engine says of a loss that is not finite; end training."""
        if self.raise_error:
            raise RuntimeError(str(error)) from None
        print(f"{error}; training ends", flush=True)  # noqa: T201 # as Keras says it
        self.model.stop_training = True
