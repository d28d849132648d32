"""Masks: which steps of a sample count. ``Embedding(mask_zero=True)`` masks those of id 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._data import Array, FloatArray, shape_text
from .._typing import Shape
from .pieces import PythonStep

__all__ = ["StepWeights", "mask_of_ids", "merged_mask", "step_weights"]


def mask_of_ids(ids: Sequence[Any]) -> Array:
    """Return whether each step counts: an id there, of several arrays of ids, is not 0."""
    mask: Array = np.any([np.not_equal(getattr(each, "value", each), 0) for each in ids], axis=0)
    return mask


def step_weights(mask: Array, dtype: str) -> FloatArray:
    """Return a factor for each step, (batch, steps, 1), with which a mean over steps is that of the unmasked ones.

    It is NaN for a sample without such steps, as in Keras.
    """
    count = mask.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights: FloatArray = (mask * (mask.shape[1] / count)).astype(dtype)
    return weights[..., np.newaxis]


def merged_mask(layer: Any, masks: Sequence[Any]) -> Any:
    """Return the mask of the result of a layer, given those of its inputs, each a tuple of parts or None.

    A step counts if it does in any part.

    Raises
    ------
    ValueError
        If the layer would compute with a mask.
    """
    if all(mask is None for mask in masks):
        return None
    if layer.refuses_mask:
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}': an input has a mask, of an Embedding with mask_zero=True, which "
            "the layer doesn't support"
        )
    if not layer.supports_masking or any(mask is None for mask in masks):
        return None  # an input without a mask counts everywhere
    return tuple({id(part): part for mask in masks for part in mask}.values())


class StepWeights(PythonStep):
    """`step_weights` for the ids of embeddings; `name` and `dtype` are those of the layer that averages."""

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return (None, steps, 1) for ids of (None, steps), or several of them."""
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        if any(len(shape) != 2 or shape != shapes[0] for shape in shapes):
            given = " and ".join(map(shape_text, shapes))
            raise ValueError(f"'{self.name}': expected a mask of shape (batch, steps), got {given}")
        return (*shapes[0], 1)

    def python_function(self, *, training: bool) -> Callable[[Any], Any]:  # noqa: ARG002 # as of Layer
        """Return the computation, which the engine does not know."""
        return self._compute

    def _compute(self, x: Any) -> Any:
        from ..autodiff.tensor import Tensor

        ids = x if isinstance(x, list) else [x]
        weights = step_weights(mask_of_ids(ids), self.dtype)
        return weights if isinstance(ids[0], np.ndarray) else Tensor(weights)
