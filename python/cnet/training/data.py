"""Adapts user data once, where it enters: checked arrays, or a source of batches that checks each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    as_type,
    as_weights,
    is_dataset,
    shape_text,
    unwrap_single_input,
    yields_batches,
)
from .._errors import short_repr
from .._frames import column_names
from .._input_errors import describe_non_array
from .._typing import ModelProtocol, Shape
from ..autodiff.nested import leaves_of, map_leaves
from ..layers.tokens import as_text_samples
from .labels import classes_of, labels_of_rows, weights_of_rows
from .output import Output
from .setup import Setup
from .sources import Arrays, Batches, Data, DatasetBatches, Shuffles, Source
from .structures import is_dict, keys_of, parts_of, unnested

__all__ = ["Adapter", "as_rows", "validation_parts"]

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
    has_own_step : bool, default False
        Whether a step of the user predicts, which takes the model's inputs as they are given.
    """

    model: ModelProtocol
    setup: Setup | None = None
    class_weight: Mapping[int, float] | None = None
    has_own_step: bool = False

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
        if isinstance(x, Data) or not yields_batches(x):
            data = x if isinstance(x, Data) else self.adapt(call, x, y, sample_weight)
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

    def split(self, x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[Data, Data]:
        """Return the data for training and, from its end, for validation, where class weights don't count."""
        if not 0 < fraction < 1:
            raise ValueError(f"fit: validation_split: expected a number in [0, 1), got {fraction}")
        if yields_batches(x):
            raise ValueError(
                f"fit: validation_split: expected arrays to split, got batches of {type(x).__name__}"
            )
        data = held_out = self.adapt("fit", x, y, sample_weight)
        at = math.floor(len(data) * (1 - fraction))
        if at in (0, len(data)):
            raise ValueError(
                f"fit: validation_split={fraction} of {len(data)} samples leaves one side empty"
            )
        if self.class_weight is not None:
            held_out = replace(self, class_weight=None).adapt("fit", x, y, sample_weight)
        return data[:at], held_out[at:]

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
        if setup.has_steps:
            return self._as_given(call, x, y, sample_weight)
        setup.require_loss(call)
        if y is None:
            _raise_without_labels(call, x, model.input_names)
        samples = self.samples(f"{call}: x", x)
        count = len(samples[0])
        outputs = self._outputs(f"{call}: y", y)
        weights = self._weights_of_outputs(f"{call}: sample_weight", sample_weight)
        all_labels, all_weights = [], []
        for output, number, given in outputs:
            name = "" if len(setup.outputs) == 1 else f"['{output.name}']"
            labels = self._labels(f"{call}: y{name}", given, count, output, number)
            if len(labels) != count:
                raise ValueError(f"{call}: x has {count} samples, y{name} has {len(labels)}")
            if count == 0:
                raise ValueError(f"{call}: x holds no samples")
            output.resolve_metrics(labels.shape, model.output_shapes[number])
            all_labels.append(labels)
            all_weights.append(self._weights(call, name, labels, weights[number], output, number))
        data = Data(
            samples,
            tuple(all_labels),
            None if all(each is None for each in all_weights) else tuple(all_weights),
        )
        if any(loss.sparse for loss in setup.losses) or model.takes_ids:
            engine = setup.engine_for(model)
            try:
                engine.check(data.x, data.y)
            except ValueError as error:
                argument = "x" if str(error).startswith("ids ") else "y"
                raise ValueError(f"{call}: {argument}: {error}") from None
        setup.try_metrics(model, data[:DEFAULT_BATCH_SIZE])
        model._feature_names = model._feature_names or column_names(x)
        return data

    def _as_given(self, call: str, x: Any, y: Any, sample_weight: Any) -> Data:
        """Return data for steps of the user: labels and weights are as they were given."""
        samples = self.samples(f"{call}: x", x)
        parts, nesting = [], []
        for name, given in (("y", y), ("sample_weight", sample_weight)):
            is_nested = is_dict(given) or (
                isinstance(given, (list, tuple)) and all(hasattr(each, "ndim") for each in given)
            )
            leaves = [] if given is None else (leaves_of(given) if is_nested else [given])
            arrays = tuple(np.atleast_1d(as_array(leaf, f"{call}: {name}")) for leaf in leaves)
            for array in arrays:
                if len(array) != len(samples[0]):
                    raise ValueError(
                        f"{call}: x has {len(samples[0])} samples, {name} has {len(array)}"
                    )
            parts.append(
                tuple(as_type(a, self.model.dtype) if a.dtype.kind == "f" else a for a in arrays)
            )
            none = None if given is None else 0
            nesting.append(map_leaves(lambda _: 0, given) if is_nested else none)
        if len(samples[0]) == 0:
            raise ValueError(f"{call}: x holds no samples")
        labels, weights = parts
        return Data(samples, labels, weights or None, tuple(nesting))

    def samples(self, argument: str, x: Any) -> tuple[Array, ...]:
        """Return samples as rows of numbers for each input of the engine, building the model if necessary."""
        parts = self.parts(argument, x)
        arrays = [
            as_rows(part, name, shape, dtype)
            for (name, part, shape), dtype in zip(parts, self.model.input_dtypes, strict=True)
        ]
        if len({len(array) for array in arrays}) > 1:
            names = self.model.input_names
            counts = ", ".join(f"'{name}' {len(a)}" for name, a in zip(names, arrays, strict=True))
            raise ValueError(f"{argument}: expected as many samples in each input, got {counts}")
        if self._takes_inputs_as_given:
            self.model._check_ids(arrays, argument)
            return tuple(arrays)
        return self.model._engine_inputs(arrays, argument)

    @property
    def _takes_inputs_as_given(self) -> bool:
        """Whether a tape, or a step of the user, takes the model's inputs, not those of the engine's network."""
        if self.setup is None:
            return self.has_own_step
        return self.setup.has_steps or not self.model.trains_in_engine

    def parts(self, argument: str, x: Any) -> list[tuple[str, Any, Shape]]:
        """Return the name for errors, the data as given and the shape, (None, …), of each input.

        Builds the model if necessary.
        """
        model = self.model
        _check_feature_names(model, argument, x)
        if not model.built:
            model._build_from(argument, x)
        names, shapes, keys = model.input_names, model.input_shapes, keys_of(model.input_structure)
        x = unnested(model.input_structure, x)
        if len(names) == 1 and keys is None and not _is_keyed(x, names):
            return [(argument, unwrap_single_input(x, len(shapes[0])), shapes[0])]
        parts = parts_of(argument, x, names, keys)
        labels = [f"{argument}['{name}']" for name in names]
        return list(zip(labels, parts, shapes, strict=True))

    def _outputs(self, argument: str, y: Any) -> list[tuple[Output, int, Any]]:
        """Return each output with a loss, its number and its labels."""
        assert self.setup is not None
        outputs = self.setup.outputs
        numbered = [(output, n) for n, output in enumerate(outputs) if output.loss is not None]
        keys = keys_of(self.model.output_structure)
        y = unnested(self.model.output_structure, y)
        if len(outputs) == 1 and keys is None and not _is_keyed(y, [outputs[0].name]):
            return [(outputs[0], 0, y)]
        names = [output.name for output in outputs]
        if is_dict(y):  # needs no labels of outputs without a loss
            wanted = names if keys is None or not set(keys) & set(y) else keys
            parts = parts_of(argument, y, [wanted[n] for _, n in numbered], None)
            return [(output, n, part) for (output, n), part in zip(numbered, parts, strict=True)]
        if isinstance(y, (list, tuple)) and len(y) == len(numbered) < len(outputs):
            return [(output, n, part) for (output, n), part in zip(numbered, y, strict=True)]
        parts = parts_of(argument, y, names, keys)
        return [(output, n, parts[n]) for output, n in numbered]

    def _weights_of_outputs(self, argument: str, sample_weight: Any) -> list[Any]:
        """Return the weights of the samples for each output: one array is for all."""
        names = self.model.output_names
        sample_weight = unnested(self.model.output_structure, sample_weight)
        if len(names) == 1 and not _is_keyed(sample_weight, names):
            return [sample_weight]
        if is_dict(sample_weight):
            keys = keys_of(self.model.output_structure)
            wanted = names if keys is None or not set(keys) & set(sample_weight) else keys
            return [sample_weight.get(name) for name in wanted]
        if isinstance(sample_weight, (list, tuple)):
            return parts_of(argument, sample_weight, names, None)
        return [sample_weight] * len(names)

    def _labels(self, argument: str, y: Any, samples: int, output: Output, number: int) -> Array:
        if isinstance(y, (list, tuple)) and len(y) == 1 and np.ndim(y[0]) and len(y[0]) == samples:
            y = y[0]  # as Keras passes the labels of a model's one output
        loss = output.loss
        assert loss is not None
        if not loss.in_engine:  # of any shape, as its function takes them
            return np.atleast_1d(as_array(y, argument))
        sizes = self.model.output_shapes[number][1:]
        if len(sizes) != 1:
            return labels_of_rows(argument, y, sizes, sparse=loss.sparse)
        are_classes = not isinstance(loss, losses.PointwiseLoss)
        classes = self.model.output_shapes[number][-1] or 0
        return as_labels(y, argument, classes, sparse=loss.sparse, are_classes=are_classes)

    def _weights(
        self, call: str, name: str, labels: Array, sample_weight: Any, output: Output, number: int
    ) -> Any:
        """Return the weight of each sample, None if all count alike."""
        dtype, weights = self.model.dtype, None
        loss = output.loss
        assert loss is not None
        sizes = self.model.output_shapes[number][1:]
        has_rows = loss.in_engine and len(sizes) > 1
        if sample_weight is not None:
            argument = f"{call}: sample_weight{name}"
            if has_rows:
                of_losses = labels.shape[: len(sizes)]
                weights = weights_of_rows(argument, sample_weight, of_losses, dtype)
            else:
                weights = as_weights(sample_weight, argument, len(labels), dtype)
        if self.class_weight is not None and has_rows:
            raise ValueError(
                f"{call}: class_weight: expected an output of shape (batch, classes), got "
                f"{shape_text((None, *sizes))}; use sample_weight"
            )
        if self.class_weight is not None:
            if name:
                raise ValueError(
                    f"{call}: class_weight is for models with one output; use sample_weight"
                )
            rows = as_samples(labels, f"{call}: y")
            are_ids = loss.sparse or (not loss.in_engine and rows.shape[1:] == (1,))
            classes, count = classes_of(
                rows, self.model.output_shapes[number][-1] or 0, sparse=are_ids
            )
            by_class = as_class_weights(
                self.class_weight, f"{call}: class_weight", classes, count, dtype
            )
            weights = by_class if weights is None else by_class * weights
        return weights


def as_rows(value: Any, argument: str, shape: Shape, dtype: str) -> Array:
    """Return the samples of an input, numbers or text, as `samples_in_shape` does."""
    convert = as_text_samples if dtype == "string" else as_samples
    return convert(value, argument, shape[1:])


def _is_keyed(value: Any, names: Sequence[str]) -> bool:
    """Return True for a dict with these keys."""
    return is_dict(value) and set(names) <= set(value)


def _check_feature_names(model: ModelProtocol, argument: str, x: Any) -> None:
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


def validation_parts(data: Any) -> tuple[Any, ...]:
    """Return `validation_data` as x, y and weights."""
    if isinstance(data, Data) or yields_batches(data):
        return (data,)
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ValueError(
            "fit: validation_data: expected a tuple (x, y) or (x, y, sample_weight), or batches, "
            f"got {type(data).__name__}"
        )
    return tuple(data)


def _raise_without_labels(call: str, x: Any, inputs: Sequence[str]) -> NoReturn:
    """Raise the error for samples without labels, with a hint at what may have been meant."""
    kind = type(x).__name__
    if not _is_keyed(x, inputs) and (what := describe_non_array(x)):
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
