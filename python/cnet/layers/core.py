"""What all layers have, and the head of a model."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, TypedDict

import numpy as np

from .. import _core, constraints, initializers, regularizers
from .._data import (
    Array,
    FloatArray,
    as_count,
    as_samples,
    as_shape,
    as_text,
    require_default,
    shape_text,
)
from .._errors import missing, reject_unknown_options, short_repr
from .._names import auto_name, snake_case
from .._serialization import Configurable
from .._tapes import is_recorded
from .._tracebacks import brief_traceback
from ..config import standardize_dtype
from . import building
from .chain import Chain
from .weight import HasWeights, Weight

__all__ = ["Input", "InputLayer", "Layer"]

Shape = tuple[int | None, ...]


class LayerOptions(TypedDict, total=False):
    """What every layer takes."""

    name: str | None
    trainable: bool
    dtype: str | None
    input_shape: tuple[int, ...] | None
    input_dim: int | None


class Layer(Configurable, HasWeights):
    """What all layers have: a name, a dtype, shapes, weights.

    Parameters
    ----------
    name : str, optional
        Default: the class's name in snake case, numbered.
    trainable : bool, default True
    dtype : {"float32", "float64"}, default `cnet.config.floatx()`
    input_shape : tuple of int, optional
        Shape of one sample, for the first layer of a model; `Input` says it as well.
    input_dim : int, optional
        ``input_shape=(input_dim,)``.
    activity_regularizer
        Not supported: leave it None.
    """

    _not_overridable: ClassVar = dict.fromkeys(
        ("call", "__call__"),
        "the engine computes cnet's layers; layers.Lambda takes a function instead",
    )
    #: Whether the engine computes it.
    in_engine = True
    #: Whether it is there for training, and hands on what it is given elsewhere.
    only_in_training = False
    #: Whether it is built for inputs of one shape, as what has weights is, and computes no others.
    has_one_shape = False
    #: Whether its output has the input's shape: an array of one dimension is taken for a row, as by Keras.
    keeps_shape = False
    _stored_as: ClassVar = dict.fromkeys(
        ("shape", "input_shape", "input_dim", "batch_shape"), "sample_shape"
    )

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
        input_shape: tuple[int, ...] | None = None,
        input_dim: int | None = None,
        activity_regularizer: None = None,
        **unknown: Any,
    ) -> None:
        reject_unknown_options(self, unknown)
        if input_dim is not None:
            call = type(self).__name__
            if input_shape is not None:
                raise ValueError(f"{call}: expected input_shape or input_dim, got both")
            input_shape = (as_count(f"{call}: input_dim", input_dim, least=1),)
        self.activity_regularizer = require_default(
            type(self).__name__, "activity_regularizer", activity_regularizer
        )
        self.name = (
            auto_name(snake_case(type(self).__name__))
            if name is None
            else as_text(f"{type(self).__name__}: name", name)
        )
        self.trainable = bool(trainable)
        self.dtype = standardize_dtype(dtype, type(self).__name__)
        self.sample_shape = None if input_shape is None else check_shape(input_shape, self.name)
        self.input_shape: Shape | None = None
        self.weights: list[Weight] = []
        self._parents: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def _state(self) -> frozenset[str]:
        return frozenset({"input_shape", "weights", "_parents"})

    @property
    def built(self) -> bool:
        """Whether the layer knows its input's shape."""
        return self.input_shape is not None

    @brief_traceback
    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of `input_shape`, (None, …); once.

        Raises
        ------
        ValueError
            If the layer cannot take such inputs, or was built for others.
        """
        call = f"{type(self).__name__} '{self.name}'"
        input_shape = (None, *as_batch_shape(call, input_shape)[1:])
        with building.lock():
            if self.input_shape != input_shape and not (self.built and self.has_one_shape):
                try:
                    self._make_weights(input_shape)
                except BaseException:
                    self.weights = []
                    raise
                self.input_shape = input_shape
        if self.input_shape != input_shape:
            raise ValueError(
                f"{type(self).__name__} '{self.name}': expected input of shape "
                f"{shape_text(self.input_shape or ())}, got {shape_text(input_shape)}"
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output, (None, …), for inputs of `input_shape`."""
        return input_shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, (None, …).

        Raises
        ------
        AttributeError
            Before the layer is built.
        """
        if self.input_shape is None:
            raise AttributeError(f"{type(self).__name__} '{self.name}' is not built yet")
        return self.compute_output_shape(self.input_shape)

    def add_weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: Any,
        regularizer: regularizers.Regularizer | None = None,
        constraint: constraints.Constraint | None = None,
        *,
        trainable: bool = True,
    ) -> Weight:
        """Make a weight of the layer, with its first values."""
        value = initializers.make(initializers.get(initializer), shape, self.dtype)
        weight = Weight(self, name, shape, trainable=trainable)
        weight.assign(value)
        weight.regulate(regularizer, constraint)
        self.weights = [*self.weights, weight]
        return weight

    @brief_traceback
    def __call__(self, x: Any, training: bool | None = None) -> FloatArray:
        """Return the layer's output for the samples `x`; builds the layer if need be.

        Parameters
        ----------
        x : array_like, (batch, …)
            Of an array of one dimension, taken for a row, comes one of its shape, but of `Flatten`, `Reshape`
            and `Lambda`, to which it is samples of one number; `Dense` refuses it.
        training : bool, default False
            Whether `x` is a batch of training: what `Dropout` and its like do to one is done, and
            `BatchNormalization` goes by it and remembers it.
        """
        training = bool(training)
        is_of_one_dimension = _is_of_one_dimension(x)
        if is_of_one_dimension and self.keeps_shape:
            from ..autodiff import reshape  # of arrays and tensors alike

            return reshape(self(reshape(x, (1, -1)), training), -1)  # type: ignore[no-any-return] # as x
        call = f"{type(self).__name__} '{self.name}'"
        samples = as_samples(x, call)
        if is_of_one_dimension and self.has_one_shape:
            raise ValueError(
                f"{call}: expected input of shape (batch, …), got {np.shape(x)}; for one sample give x[None]"
            )
        shape = (None, *samples.shape[1:])
        was_built = self.built
        if self.input_shape != shape:
            self.build(shape)
        try:
            if is_recorded(x):
                given = x.__tensor__() if hasattr(type(x), "__tensor__") else samples
                trainable = {self} if self.trainable else set()
                chain = Chain([self], shape, trainable, training=training)
                return chain.record(given)  # type: ignore[no-any-return] # a tensor
            return self._outputs(samples, shape, training=training)
        except BaseException:
            if not was_built:
                self.unbuild()
            raise

    def _outputs(self, samples: Array, shape: Shape, *, training: bool) -> FloatArray:
        network = _core.Network[self.dtype](sample_size(shape))
        self.add_to(network, trainable=self.trainable)
        output_shape = (len(samples), *self.compute_output_shape(shape)[1:])
        rows = samples.reshape(len(samples), sample_size(shape))
        outputs = network.predict_in_training(rows) if training else network.predict(rows, None)
        return outputs.reshape([size or 0 for size in output_shape])

    def __getstate__(self) -> dict[str, Any]:
        # For pickle and copy: all but the engine's, whose numbers go as arrays.
        state = {name: value for name, value in vars(self).items() if not isinstance(value, Weight)}
        return state | {"weights": self.get_weights(), "_parents": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _parents=weakref.WeakSet())
        shape, arrays = state["input_shape"], state["weights"]
        self.unbuild()
        if shape is not None:
            with initializers.override(np.zeros):
                self.build(shape)
            self.set_weights(arrays)

    def unbuild(self) -> None:
        """Forget the input's shape and the weights."""
        self.input_shape, self.weights = None, []

    def add_to(self, network: Any, *, trainable: bool = True) -> None:
        """Append to the engine's network what computes this layer."""
        raise NotImplementedError(missing(self, "add_to(network, trainable)"))

    def occurrence(self, number: int) -> Layer:  # noqa: ARG002 # others draw numbers
        """Return what computes the layer where a model has it again, for the `number`-th time."""
        return self

    def python_function(self, *, training: bool) -> Callable[[Any], Any] | None:  # noqa: ARG002 # others do
        """Return what computes the layer by itself, of arrays and tensors alike, None for the engine."""
        return None

    def _make_weights(self, input_shape: Shape) -> None:
        """Make the weights for inputs of `input_shape`, and check that it takes such."""

    def _update_from(self, attribute: str, other: Any) -> None:
        if attribute == "trainable":  # read when training begins
            super()._update_from(attribute, other)
            return
        if attribute == "name":
            self._check_name_is_free(other.name)
        ancestors = list(self._ancestors())
        for model in ancestors:
            model._refuse_if_in_use()
        if self.input_shape is not None:
            with initializers.override(np.zeros):
                other.build(self.input_shape)
            self._update_weight_rules(attribute, other)
        super()._update_from(attribute, other)
        for model in ancestors:
            model._rebuild_network()

    def _update_weight_rules(self, attribute: str, other: Any) -> None:
        """Regularize and constrain the weights as another layer's are; raise if it has not such weights."""

        def made(layer: Any) -> Any:
            weights = [(w.name, w.shape, w.dtype) for w in layer.weights]
            return weights, layer.dtype, layer.output_shape

        if made(self) != made(other):
            raise ValueError(
                f"{type(self).__name__} '{self.name}': {attribute}: the layer is built, with an output of "
                f"{self.dtype} {shape_text(self.output_shape)} and {self.count_params()} numbers in its "
                "weights, which can't change; make another layer"
            )
        for mine, its in zip(self.weights, other.weights, strict=True):
            mine.regulate(its.regularizer, its.constraint)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


class InputLayer(Layer):
    """The shape of one sample, at the head of a model; `Input` makes one."""

    has_one_shape = True

    def __init__(
        self,
        shape: tuple[int, ...] | None = None,
        batch_size: None = None,
        dtype: str | None = None,
        sparse: None = None,
        ragged: None = None,
        batch_shape: tuple[int | None, ...] | None = None,
        input_tensor: None = None,
        optional: bool = False,
        name: str | None = None,
        trainable: bool = True,
        input_shape: tuple[int, ...] | None = None,
    ) -> None:
        shape = _only_shape(shape, input_shape, batch_shape)
        self.batch_size = require_default("Input", "batch_size", batch_size)
        self.sparse = require_default("Input", "sparse", sparse)
        self.ragged = require_default("Input", "ragged", ragged)
        self.input_tensor = require_default("Input", "tensor", input_tensor)
        self.optional = require_default("Input", "optional", optional, default=False)
        sample_shape = check_shape(shape, "Input" if name is None else as_text("Input: name", name))
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=sample_shape)
        self.build((None, *sample_shape))

    def add_to(self, network: Any, *, trainable: bool = True) -> None:
        pass


def Input(
    shape: tuple[int, ...] | None = None,
    batch_size: None = None,
    dtype: str | None = None,
    sparse: None = None,
    ragged: None = None,
    batch_shape: tuple[int | None, ...] | None = None,
    name: str | None = None,
    tensor: None = None,
    optional: bool = False,
) -> InputLayer:
    """Return the head of a model whose samples have `shape`.

    Parameters
    ----------
    shape : tuple of int
        Of one sample.
    batch_shape : tuple, optional
        The same behind a None: (None, 4).
    dtype, name : str, optional
        See `Layer`.
    batch_size, sparse, ragged, tensor, optional
        Not supported: leave them as they are. A model takes batches of any size.

    Raises
    ------
    TypeError, ValueError
        If `shape` isn't one, or another argument is not supported.

    Examples
    --------
    >>> from cnet import Input, Sequential, layers
    >>> model = Sequential([Input(shape=(4,)), layers.Dense(3)])
    >>> model.output_shape
    (None, 3)
    """
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)


def _is_of_one_dimension(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return len(x) > 0 and np.isscalar(x[0])
    return getattr(x, "ndim", 0) == 1 and len(x) > 0


def _only_shape(shape: Any, input_shape: Any, batch_shape: Any) -> Any:
    """Return the shape of a sample, which one of the three ways gives."""
    given = [each for each in (shape, input_shape, batch_shape) if each is not None]
    if len(given) != 1:
        raise ValueError(
            f"Input: expected a shape or a batch_shape, got {len(given) or 'none'} of them"
        )
    if batch_shape is None:
        return given[0]
    if (
        not isinstance(batch_shape, (tuple, list))
        or len(batch_shape) < 2
        or batch_shape[0] is not None
    ):
        raise ValueError(
            "Input: batch_shape: expected (None, …), as models take batches of any size, got "
            f"{short_repr(batch_shape)}"
        )
    return tuple(batch_shape[1:])


def check_shape(shape: Any, layer: str) -> tuple[int, ...]:
    """Return the shape of a sample as a tuple of positive integers; raise if it isn't one."""
    sizes = as_shape(f"'{layer}'", shape, least=1)
    if not sizes:
        raise ValueError(f"'{layer}': expected a shape of positive sizes, got {sizes}")
    return sizes


def as_batch_shape(call: str, shape: Any) -> Shape:
    """Return the shape of a batch, whose samples' sizes are known and positive."""
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"{call}: expected an input_shape (None, …), got {short_repr(shape)}")
    if len(shape) < 2 or any(size is None for size in shape[1:]):
        raise ValueError(
            f"{call}: expected an input_shape (None, …) of known sizes, got {short_repr(shape)}"
        )
    batch = None if shape[0] is None else as_count(f"{call}: input_shape", shape[0])
    return (batch, *as_shape(f"{call}: input_shape", shape[1:], least=1))


def expect_features(layer: Layer, input_shape: Shape) -> int:
    """Return how many features a batch of this shape has; raise if it is no (batch, features)."""
    if len(input_shape) != 2 or input_shape[1] is None:
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}': expected input of shape (batch, features), got "
            f"{shape_text(input_shape)}; add layers.Flatten() before it"
        )
    return input_shape[1]


def sample_size(shape: Shape) -> int:
    """Return how many numbers a sample of a batch's shape (None, …) has."""
    return math.prod(size or 0 for size in shape[1:])
