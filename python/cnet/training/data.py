"""Adapts user data once, where it enters: checked arrays, or a source of batches that checks each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from .. import losses
from .._data import (
    Array,
    as_array,
    as_class_weights,
    as_labels,
    as_samples,
    as_weights,
    is_dataset,
    unwrap_single_input,
    yields_batches,
)
from .._errors import short_repr
from .._frames import column_names
from .._input_errors import describe_non_array
from .._typing import ModelProtocol
from ..layers.batch_shapes import sample_sizes
from .setup import Setup
from .sources import Arrays, Batches, Data, DatasetBatches, Shuffles, Source

__all__ = ["Adapter", "check_feature_names", "split", "validation_parts"]

DEFAULT_BATCH_SIZE = 32


@dataclass(frozen=True)
class Adapter:
    """Turns user data into the arrays that a model's engine takes.

    Parameters
    ----------
    model : ModelProtocol
        Is built from the first samples.
    setup : Setup, optional
        Its loss says what labels are. Without one the data is samples alone.
    class_weight : dict of int to float, optional
    """

    model: ModelProtocol
    setup: Setup | None = None
    class_weight: Mapping[int, float] | None = None

    def source(
        self,
        call: str,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int | None,
        steps: int | None = None,
        shuffles: Shuffles | None = None,
        shuffle: bool = False,
    ) -> Source:
        """Return the source of the batches.

        Raises
        ------
        TypeError, ValueError
            If arrays do not fit the model; if `x` yields batches, and labels or weights are passed as well, or
            it uses workers.
        """
        if not yields_batches(x):
            data = self.adapt(call, x, y, sample_weight)
            if batch_size is None:
                batch_size = math.ceil(len(data) / steps) if steps else DEFAULT_BATCH_SIZE
            return Arrays(data, max(batch_size, 1), shuffles, shuffle=shuffle)
        for name, other in (("y", y), ("sample_weight", sample_weight)):
            if other is not None:
                raise ValueError(
                    f"{call}: {name}: expected None, as x is a {type(x).__name__} of batches (x, y, sample_weight), "
                    f"got {type(other).__name__}"
                )
        if not is_dataset(x):
            return Batches(x, self.adapt, shuffles)
        for name, wanted in (("workers", 1), ("use_multiprocessing", False)):
            if getattr(x, name, wanted) not in (wanted, 0):
                raise ValueError(
                    f"{call}: x: {name}: expected {wanted}, as batches are made where they are used, "
                    f"got {short_repr(getattr(x, name))}"
                )
        return DatasetBatches(x, self.adapt, shuffles, shuffle=shuffle)

    def adapt(
        self,
        call: str,
        x: Any,
        y: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Data:
        """Return samples, labels and weights as the engine takes them; all labels are checked."""
        model, setup = self.model, self.setup
        if setup is None:
            return Data(self.samples(f"{call}: x", x))
        loss = setup.require_loss(call)
        if y is None:
            _raise_without_labels(call, x)
        samples = self.samples(f"{call}: x", x)
        labels = self._labels(f"{call}: y", y, len(samples[0]), loss)
        if len(samples[0]) != len(labels):
            raise ValueError(f"{call}: x has {len(samples[0])} samples, y has {len(labels)}")
        if len(labels) == 0:
            raise ValueError(f"{call}: x holds no samples")
        setup.resolve_metrics(labels.shape, model.output_shape)
        if loss.sparse:
            engine = setup.engine_for(model)
            try:
                engine.check(samples, [labels])
            except ValueError as error:
                raise ValueError(f"{call}: y: {error}") from None
        weights = self._weights(call, labels, sample_weight, loss)
        data = Data(samples, (labels,), None if weights is None else (weights,))
        setup.try_metrics(model, data[:DEFAULT_BATCH_SIZE])
        model._feature_names = model._feature_names or column_names(x)
        return data

    def samples(self, argument: str, x: Any) -> tuple[Array, ...]:
        """Return samples as rows of numbers for each input of the engine, building the model if necessary."""
        model = self.model
        check_feature_names(model, argument, x)
        if not model.built:
            x = as_samples(unwrap_single_input(x), argument)
            model.build((None, *x.shape[1:]))
        sample_shape = sample_sizes(model.input_shape)
        samples = as_samples(unwrap_single_input(x, 1 + len(sample_shape)), argument, sample_shape)
        return model._engine_inputs([samples])

    def _labels(self, argument: str, y: Any, samples: int, loss: losses.Loss) -> Array:
        if isinstance(y, (list, tuple)) and len(y) == 1 and np.ndim(y[0]) and len(y[0]) == samples:
            y = y[0]  # as Keras passes the labels of a model's one output
        if not loss.in_engine:  # of any shape, as its function takes them
            return np.atleast_1d(as_array(y, argument))
        are_classes = not isinstance(loss, losses.PointwiseLoss)
        return as_labels(y, argument, self._outputs, sparse=loss.sparse, are_classes=are_classes)

    def _weights(
        self, call: str, labels: Array, sample_weight: npt.ArrayLike | None, loss: losses.Loss
    ) -> Any:
        """Return the weight of each sample, None if all count alike."""
        dtype, weights = self.model.dtype, None
        if sample_weight is not None:
            weights = as_weights(sample_weight, f"{call}: sample_weight", len(labels), dtype)
        if self.class_weight is not None:
            rows = as_samples(labels, f"{call}: y")
            are_ids = loss.sparse or (not loss.in_engine and rows.shape[1:] == (1,))
            classes, number = _classes_of(rows, self._outputs, sparse=are_ids)
            by_class = as_class_weights(
                self.class_weight, f"{call}: class_weight", classes, number, dtype
            )
            weights = by_class if weights is None else by_class * weights
        return weights

    @property
    def _outputs(self) -> int:
        return self.model.output_shape[-1] or 0


def check_feature_names(model: ModelProtocol, argument: str, x: Any) -> None:
    """Raise `ValueError` if the columns of a data frame are not those that the model was fitted on."""
    known, given = model._feature_names, column_names(x)
    if known is None or given is None or given == known:
        return
    differences = [
        f"{what} {', '.join(map(short_repr, names[:12]))}{', …' if len(names) > 12 else ''}"
        for what, names in (
            ("without", [name for name in known if name not in given]),
            ("with", [name for name in given if name not in known]),
        )
        if names
    ]
    raise ValueError(
        f"{argument}: expected the columns that the model was fitted on, got them "
        f"{' and '.join(differences) or 'in another order'}"
    )


def split(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[tuple[Any, ...], ...]:
    """Split off the last part of the data for validation."""
    if not 0 < fraction < 1:
        raise ValueError(f"fit: validation_split: expected a number in [0, 1), got {fraction}")
    if yields_batches(x):
        raise ValueError(
            f"fit: validation_split: expected arrays to split, got batches of {type(x).__name__}"
        )
    if y is None:
        _raise_without_labels("fit", x)
    samples, labels = as_samples(unwrap_single_input(x), "fit: x"), as_samples(y, "fit: y")
    if len(samples) != len(labels):
        raise ValueError(f"fit: x has {len(samples)} samples, y has {len(labels)}")
    at = math.floor(len(samples) * (1 - fraction))
    if at in (0, len(samples)):
        raise ValueError(
            f"fit: validation_split={fraction} of {len(samples)} samples leaves one side empty"
        )
    weights: Array | None = None
    if sample_weight is not None:
        weights = as_weights(sample_weight, "fit: sample_weight", len(samples), "float64")
    return tuple(
        (samples[side], labels[side], None if weights is None else weights[side])
        for side in (slice(at), slice(at, None))
    )


def validation_parts(data: Any) -> tuple[Any, ...]:
    """Return `validation_data` as x, y and weights."""
    if yields_batches(data):
        return (data,)
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ValueError(
            "fit: validation_data: expected a tuple (x, y) or (x, y, sample_weight), or batches, "
            f"got {type(data).__name__}"
        )
    return tuple(data)


def _raise_without_labels(call: str, x: Any) -> NoReturn:
    """Raise the error for samples without labels, with a hint at what may have been meant."""
    kind = type(x).__name__
    if what := describe_non_array(x):
        raise TypeError(f"{call}: x: expected numbers, or batches of them, got {what}")
    if isinstance(x, (tuple, list)) and len(x) in (2, 3) and hasattr(x[0], "shape"):
        parts = "x, y" if len(x) == 2 else "x, y, sample_weight"
        raise ValueError(
            f"{call}: y: expected labels, and x is a {kind} of {len(x)} arrays; give them one by one: "
            f"{call.split(':')[0]}({parts})"
        )
    if isinstance(x, (tuple, list)) and x and all(isinstance(each, (tuple, list)) for each in x):
        raise ValueError(
            f"{call}: y: expected labels, and x is a {kind}, which is taken for samples; if it holds batches "
            "(x, y), join their arrays by numpy.concatenate, or give a generator of them"
        )
    shape = f" of shape {np.shape(x)}" if hasattr(x, "shape") else ""
    raise ValueError(
        f"{call}: y: expected labels for x ({kind}{shape}), got None; batches contain them: (x, y)"
    )


def _classes_of(labels: Array, outputs: int, *, sparse: bool) -> tuple[Array, int | None]:
    """Return the class of each sample, and the number of classes, None if unknown."""
    if sparse:
        return labels[:, 0], outputs
    if outputs > 1:
        return labels.argmax(axis=1), outputs
    # A single output is 0 or 1, or −1 or 1: rounded, as in Keras.
    with np.errstate(invalid="ignore"):
        return np.round(labels[:, 0]).astype(np.int64), None
