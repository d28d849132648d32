"""What all layers have, and the head of a model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypedDict

import numpy as np
import numpy.typing as npt

from .. import _core, constraints, initializers, regularizers
from .._data import (
    Array,
    FloatArray,
    as_array,
    as_count,
    as_samples,
    as_shape,
    as_text,
    as_type,
    refuse,
    shape_text,
)
from .._errors import missing, refuse_unknown, shown
from .._serialization import Configurable
from .._tapes import is_recorded
from ..config import standardize_dtype
from . import building
from .chain import Chain

__all__ = ["Input", "InputLayer", "Layer", "Weight"]

Shape = tuple[int | None, ...]
_names: Counter[str] = Counter()


def auto_name(prefix: str) -> str:
    """Return `prefix` for its first use in the process, then prefix_1, prefix_2, …, as Keras."""
    count = _names[prefix]
    _names[prefix] += 1
    return prefix if count == 0 else f"{prefix}_{count}"


class LayerOptions(TypedDict, total=False):
    """What every layer takes."""

    name: str | None
    trainable: bool
    dtype: str | None
    input_shape: tuple[int, ...] | None


class Weight:
    """One array of numbers that a layer holds; they live in the engine.

    ``numpy()`` and ``np.asarray(weight)`` give copies, ``assign(value)`` puts numbers back.

    Attributes
    ----------
    name : str
    path : str
        The layer's name, a slash, and the weight's.
    shape : tuple of int
    dtype : str
    learnable : bool
        Whether it is made for training, be the layer trainable or not.
    regularizer : Regularizer or None
    variable
        The engine's.
    """

    def __init__(
        self, layer: Layer, name: str, shape: tuple[int, ...], *, trainable: bool = True
    ) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"Weight: layer: expected a Layer, got {shown(layer)}")
        self.name = as_text("Weight: name", name)
        self.path = f"{layer.name}/{name}"
        self.shape = as_shape("Weight: shape", shape, least=1)
        self.dtype = layer.dtype
        self.variable = _core.Variable[layer.dtype](list(shape))
        self.learnable = trainable
        self.regularizer: regularizers.Regularizer | None = None
        self._layer = layer

    @property
    def trainable(self) -> bool:
        """Whether training changes it: if it is made for that, what its layer says."""
        return self.learnable and self._layer.trainable

    def numpy(self) -> FloatArray:
        """Return a copy of the numbers."""
        return self.variable.numpy()

    def checked(self, value: npt.ArrayLike) -> FloatArray:
        """Return `value` as the engine takes it; `ValueError` unless it has the weight's shape."""
        argument = f"{type(self._layer).__name__}.{self.name}"
        array = as_array(value, argument)
        if array.shape != self.shape:
            raise ValueError(
                f"{argument}: expected {self.dtype} {self.shape}, got {array.dtype} {array.shape}"
            )
        return as_type(array, self.dtype)

    def assign(self, value: npt.ArrayLike) -> None:
        """Put numbers of the same shape in; other types are rounded to the weight's dtype."""
        self.variable.assign(self.checked(value))

    def assign_add(self, delta: npt.ArrayLike) -> None:
        """Add numbers of the weight's shape."""
        self.assign(self.numpy() + self.checked(delta))

    def assign_sub(self, delta: npt.ArrayLike) -> None:
        """Subtract numbers of the weight's shape."""
        self.assign(self.numpy() - self.checked(delta))

    def __tensor__(self) -> Any:
        """Return the numbers of now for an operation of `cnet.autodiff`; a tape knows whose they are."""
        from ..autodiff import recording
        from ..autodiff.tensor import Tensor

        tensor = Tensor(self.numpy())
        recording.read(self, tensor)
        return tensor

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(f"{self.path}: the engine's numbers can only be copied")
        return self.numpy().astype(dtype or self.dtype, copy=False)

    def __repr__(self) -> str:
        return f"<Weight {self.path}, shape={self.shape}, dtype={self.dtype}>"


class Layer(Configurable):
    """What all layers have: a name, a dtype, shapes, weights.

    Parameters
    ----------
    name : str, optional
        Default: the class's name in snake case, numbered.
    trainable : bool, default True
    dtype : {"float32", "float64"}, default `cnet.config.floatx()`
    input_shape : tuple of int, optional
        Shape of one sample, for the first layer of a model; `Input` says it as well.
    activity_regularizer
        Not supported: leave it None.
    """

    _prefix = "layer"
    #: Whether the engine computes it.
    in_engine = True
    #: Whether it is there for training, and hands on what it is given elsewhere.
    only_in_training = False
    _kept_in: ClassVar = {"input_shape": "sample_shape", "shape": "sample_shape"}

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
        input_shape: tuple[int, ...] | None = None,
        activity_regularizer: None = None,
        **unknown: Any,
    ) -> None:
        refuse_unknown(self, unknown)
        self.activity_regularizer = refuse(
            type(self).__name__, "activity_regularizer", activity_regularizer
        )
        self.name = (
            auto_name(self._prefix)
            if name is None
            else as_text(f"{type(self).__name__}: name", name)
        )
        self.trainable = bool(trainable)
        self.dtype = standardize_dtype(dtype, type(self).__name__)
        self.sample_shape = None if input_shape is None else check_shape(input_shape, self.name)
        self.input_shape: Shape | None = None
        self.weights: list[Weight] = []

    @property
    def built(self) -> bool:
        """Whether the layer knows its input's shape."""
        return self.input_shape is not None

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
            if self.input_shape is None:
                try:
                    self._make_weights(input_shape)
                except BaseException:
                    self.weights = []
                    raise
                self.input_shape = input_shape
        if self.input_shape != input_shape:
            raise ValueError(
                f"{type(self).__name__} '{self.name}': expected input of shape "
                f"{shape_text(self.input_shape)}, got {shape_text(input_shape)}"
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

    @property
    def trainable_weights(self) -> list[Weight]:
        """The weights that training changes."""
        return [weight for weight in self.weights if weight.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The weights that training leaves alone."""
        return [weight for weight in self.weights if not weight.trainable]

    def get_weights(self) -> list[FloatArray]:
        """Return copies of the weights: for a dense layer, kernel and bias."""
        return read_all(self.weights)

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Put all weights back, in the order of `get_weights`; all of them or, on an error, none."""
        assign_all(self.weights, weights, f"{type(self).__name__}.set_weights")

    def count_params(self) -> int:
        """Return how many numbers the weights hold."""
        return sum(math.prod(weight.shape) for weight in self.weights)

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
        if regularizer is not None:
            weight.regularizer = regularizer
            weight.variable.regularize(regularizer.l1, regularizer.l2)
        if constraint is not None:
            weight.variable.constrain(*constraint.engine_constraint())
        self.weights = [*self.weights, weight]
        return weight

    def __call__(self, x: Any, training: bool | None = None) -> FloatArray:
        """Return the layer's output for the samples `x`; builds the layer if need be.

        Parameters
        ----------
        x : array_like, (batch, …)
        training : bool, default False
            Whether `x` is a batch of training: what `Dropout` and its like do to one is done, and
            `BatchNormalization` goes by it and remembers it.
        """
        training = bool(training)
        samples = as_samples(x, f"{type(self).__name__} '{self.name}'")
        shape = (None, *samples.shape[1:])
        was_built = self.built
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
        return state | {"weights": self.get_weights()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        shape, arrays = state["input_shape"], state["weights"]
        self.unbuild()
        if shape is not None:
            with initializers.replaced(np.zeros):
                self.build(shape)
            self.set_weights(arrays)

    def unbuild(self) -> None:
        """Forget the input's shape and the weights."""
        self.input_shape, self.weights = None, []

    def add_to(self, network: Any, *, trainable: bool = True) -> None:
        """Append to the engine's network what computes this layer."""
        raise NotImplementedError(missing(self, "add_to(network, trainable)"))

    def apart(self, *, training: bool) -> Callable[[Any], Any] | None:  # noqa: ARG002 # others do
        """Return what computes the layer by itself, of arrays and tensors alike, None for the engine."""
        return None

    def _make_weights(self, input_shape: Shape) -> None:
        """Make the weights for inputs of `input_shape`, and check that it takes such."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


class InputLayer(Layer):
    """The shape of one sample, at the head of a model; `Input` makes one."""

    _prefix = "input_layer"

    def __init__(
        self,
        shape: tuple[int, ...],
        batch_size: None = None,
        dtype: str | None = None,
        sparse: None = None,
        ragged: None = None,
        batch_shape: None = None,
        input_tensor: None = None,
        optional: bool = False,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        self.batch_size = refuse("Input", "batch_size", batch_size)
        self.sparse = refuse("Input", "sparse", sparse)
        self.ragged = refuse("Input", "ragged", ragged)
        self.batch_shape = refuse("Input", "batch_shape", batch_shape)
        self.input_tensor = refuse("Input", "tensor", input_tensor)
        self.optional = refuse("Input", "optional", optional, default=False)
        sample_shape = check_shape(shape, "Input" if name is None else as_text("Input: name", name))
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=sample_shape)
        self.build((None, *sample_shape))

    def add_to(self, network: Any, *, trainable: bool = True) -> None:
        pass


def Input(
    shape: tuple[int, ...],
    batch_size: None = None,
    dtype: str | None = None,
    sparse: None = None,
    ragged: None = None,
    batch_shape: None = None,
    name: str | None = None,
    tensor: None = None,
    optional: bool = False,
) -> InputLayer:
    """Return the head of a model whose samples have `shape`.

    Parameters
    ----------
    shape : tuple of int
        Of one sample.
    dtype, name : str, optional
        See `Layer`.
    batch_size, sparse, ragged, batch_shape, tensor, optional
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


def check_shape(shape: Any, layer: str) -> tuple[int, ...]:
    """Return the shape of a sample as a tuple of positive integers; raise if it isn't one."""
    sizes = as_shape(f"'{layer}'", shape, least=1)
    if not sizes:
        raise ValueError(f"'{layer}': expected a shape of positive sizes, got {sizes}")
    return sizes


def as_batch_shape(call: str, shape: Any) -> Shape:
    """Return the shape of a batch, whose samples' sizes are known and positive."""
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"{call}: expected an input_shape (None, …), got {shown(shape)}")
    if len(shape) < 2 or any(size is None for size in shape[1:]):
        raise ValueError(
            f"{call}: expected an input_shape (None, …) of known sizes, got {shown(shape)}"
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


def read_all(weights: list[Weight]) -> list[FloatArray]:
    """Return copies of all weights, as they are at one moment."""
    if not weights:
        return []
    variables = [weight.variable for weight in weights]
    return _core.Variable[weights[0].dtype].all_numpy(variables)


def assign_all(weights: list[Weight], values: Iterable[npt.ArrayLike], call: str) -> None:
    """Assign every value to its weight at one moment, once all of them have been found fit."""
    if not isinstance(values, Iterable):
        raise TypeError(f"{call}: expected a list of arrays, got {shown(values)}")
    values = list(values)
    if len(values) != len(weights):
        raise ValueError(f"{call}: expected {len(weights)} arrays, got {len(values)}")
    checked = [weight.checked(value) for weight, value in zip(weights, values, strict=True)]
    if weights:
        variables = [weight.variable for weight in weights]
        _core.Variable[weights[0].dtype].assign_all(variables, checked)
