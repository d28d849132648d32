"""What all layers have, and those that are no activation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import numpy as np
import numpy.typing as npt

from .. import _core, activations, initializers
from .._data import FloatArray, as_array, as_count, as_number, as_samples, shape_text
from .._serialization import Configurable
from ..config import standardize_dtype

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "Dense",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "Rescaling",
    "Weight",
]

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
    """One array of numbers that a layer learns; the engine holds it.

    ``numpy()`` and ``np.asarray(weight)`` give copies, ``assign(value)`` puts numbers back.
    """

    def __init__(
        self,
        layer: Layer,
        name: str,
        shape: tuple[int, ...],
        read: Callable[[], FloatArray],
        write: Callable[[FloatArray], None],
    ) -> None:
        self.name = name
        self.path = f"{layer.name}/{name}"
        self.shape = shape
        self.dtype = layer.dtype
        self._layer = layer
        self._read = read
        self._write = write

    @property
    def trainable(self) -> bool:
        """Whether training changes it: what its layer says."""
        return self._layer.trainable

    def numpy(self) -> FloatArray:
        """Return a copy of the numbers."""
        return self._read()

    def checked(self, value: npt.ArrayLike) -> FloatArray:
        """Return `value` as the engine takes it; `ValueError` unless it has the weight's shape."""
        argument = f"{type(self._layer).__name__}.{self.name}"
        array = as_array(value, argument)
        if array.shape != self.shape:
            raise ValueError(
                f"{argument}: expected {self.dtype} {self.shape}, got {array.dtype} {array.shape}"
            )
        return np.require(array, dtype=np.dtype(self.dtype), requirements=["C", "A"])

    def assign(self, value: npt.ArrayLike) -> None:
        """Put numbers of the same shape in; other types are rounded to the weight's dtype."""
        self._write(self.checked(value))

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
    """

    _prefix = "layer"
    _kept_in: ClassVar = {"input_shape": "sample_shape", "shape": "sample_shape"}

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
        input_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.name = auto_name(self._prefix) if name is None else str(name)
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
        if self.input_shape is None:
            self._make_weights(input_shape)
            self.input_shape = tuple(input_shape)
        elif self.input_shape != tuple(input_shape):
            raise ValueError(
                f"{type(self).__name__} '{self.name}': expected input of shape "
                f"{shape_text(self.input_shape)}, got {shape_text(tuple(input_shape))}"
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
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Put all weights back, in the order of `get_weights`; all of them or, on an error, none."""
        assign_all(self.weights, weights, f"{type(self).__name__}.set_weights")

    def count_params(self) -> int:
        """Return how many numbers the weights hold."""
        return sum(math.prod(weight.shape) for weight in self.weights)

    def __call__(self, x: Any) -> FloatArray:
        """Return the layer's output for the samples `x`; builds the layer if need be."""
        samples = as_samples(x, f"{type(self).__name__} '{self.name}'")
        shape = (None, *samples.shape[1:])
        self.build(shape)
        network = _core.Network[self.dtype](sample_size(shape))
        self.add_to(network)
        output_shape = (len(samples), *self.compute_output_shape(shape)[1:])
        rows = samples.reshape(len(samples), sample_size(shape))
        outputs: FloatArray = network.predict(rows, None)
        return outputs.reshape([size or 0 for size in output_shape])

    def __getstate__(self) -> dict[str, Any]:
        # For pickle and copy: all but the engine's, whose numbers go as arrays.
        state = vars(self) | {"weights": self.get_weights()}
        state.pop("_parameters", None)
        return state

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
        raise NotImplementedError

    def _make_weights(self, input_shape: Shape) -> None:
        pass

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


class InputLayer(Layer):
    """The shape of one sample, at the head of a model."""

    _prefix = "input_layer"

    def __init__(self, shape: tuple[int, ...], **options: Unpack[LayerOptions]) -> None:
        super().__init__(input_shape=shape, **options)  # type: ignore[misc] # one input_shape
        assert self.sample_shape is not None
        self.build((None, *self.sample_shape))

    def add_to(self, network: Any, *, trainable: bool = True) -> None:
        pass


def Input(shape: tuple[int, ...], **options: Unpack[LayerOptions]) -> InputLayer:
    """Return the head of a model whose samples have `shape`.

    Examples
    --------
    >>> from cnet import Input, Sequential, layers
    >>> model = Sequential([Input(shape=(4,)), layers.Dense(3)])
    >>> model.output_shape
    (None, 3)
    """
    return InputLayer(shape, **options)


class Dense(Layer):
    """``activation(x @ kernel + bias)``: every output sees every input.

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str or function, optional
        One of `cnet.activations`, or its name; None is "linear".
    use_bias : bool, default True
    kernel_initializer : str or Initializer, default "glorot_uniform"
    bias_initializer : str or Initializer, default "zeros"
    **options
        `name`, `trainable`, `dtype`, `input_shape`: see `Layer`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of its kind.

    Notes
    -----
    Takes (batch, features) and gives (batch, units). Inputs of more dimensions, which Keras would
    multiply along the last, are refused: put a `Flatten` before.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Dense(2, kernel_initializer="ones")([[1.0, 2.0, 3.0]])
    array([[6., 6.]], dtype=float32)
    """

    _prefix = "dense"

    def __init__(
        self,
        units: int,
        activation: str | activations.ActivationFunction | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Unpack[LayerOptions],
    ) -> None:
        units = as_count("Dense: units", units, least=1)
        super().__init__(**options)
        self.units = units
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def _make_weights(self, input_shape: Shape) -> None:
        if len(input_shape) != 2 or input_shape[1] is None:
            raise ValueError(
                f"Dense '{self.name}': expected input of shape (batch, features), got "
                f"{shape_text(input_shape)}; add layers.Flatten() before it"
            )
        shape = (input_shape[1], self.units)
        kernel = initializers.make(self.kernel_initializer, shape, self.dtype)
        parameters = _core.DenseParameters[self.dtype](*shape, self.use_bias)
        parameters.set_kernel(kernel)
        weights = [Weight(self, "kernel", shape, parameters.kernel, parameters.set_kernel)]
        if self.use_bias:
            parameters.set_bias(initializers.make(self.bias_initializer, shape[1:], self.dtype))
            weights.append(Weight(self, "bias", shape[1:], parameters.bias, parameters.set_bias))
        self._parameters, self.weights = parameters, weights

    @property
    def kernel(self) -> FloatArray:
        """A copy of the kernel, (inputs, units); assignment puts one in."""
        return self._weight(0).numpy()

    @kernel.setter
    def kernel(self, value: npt.ArrayLike) -> None:
        self._weight(0).assign(value)

    @property
    def bias(self) -> FloatArray | None:
        """A copy of the bias, (units,), None without one; assignment puts one in."""
        return self._weight(1).numpy() if self.use_bias else None

    @bias.setter
    def bias(self, value: npt.ArrayLike) -> None:
        if not self.use_bias:
            raise AttributeError(f"Dense '{self.name}' has no bias (use_bias=False)")
        self._weight(1).assign(value)

    def _weight(self, index: int) -> Weight:
        if not self.built:
            raise AttributeError(f"Dense '{self.name}' has no weights yet: it is not built")
        return self.weights[index]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def add_to(self, network: Any, *, trainable: bool = True) -> None:
        network.add_dense(self.name, self._parameters, trainable)
        activations.add_to(network, self.activation, self.name)


class Flatten(Layer):
    """(batch, a, b, …) to (batch, a·b·…). See `Layer` for the options.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Flatten()([[[1, 2], [3, 4]]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """

    _prefix = "flatten"

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], sample_size(input_shape))

    def add_to(self, network: Any, *, trainable: bool = True) -> None:
        pass  # the engine sees samples as rows of numbers, whatever their shape


class Rescaling(Layer):
    """``x * scale + offset``; at the head of a model, a part of reading the data.

    Integer images go through it without a float copy of the data set.

    Parameters
    ----------
    scale : float
    offset : float, default 0
    **options
        See `Layer`.
    """

    _prefix = "rescaling"

    def __init__(self, scale: float, offset: float = 0.0, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.scale = as_number("Rescaling: scale", scale)
        self.offset = as_number("Rescaling: offset", offset)

    def add_to(self, network: Any, *, trainable: bool = True) -> None:  # noqa: ARG002 # the base has it
        network.add_rescaling(self.name, self.scale, self.offset)


def check_shape(shape: Any, layer: str) -> tuple[int, ...]:
    """Return the shape of a sample as a tuple of positive integers; raise if it isn't one."""
    if not isinstance(shape, (tuple, list)) or not all(
        isinstance(size, (int, np.integer)) and not isinstance(size, bool) for size in shape
    ):
        raise TypeError(f"'{layer}': expected a shape (a tuple of integers), got {shape!r}")
    if not shape or min(shape) < 1:
        raise ValueError(f"'{layer}': expected a shape of positive sizes, got {tuple(shape)}")
    return tuple(int(size) for size in shape)


def sample_size(shape: Shape) -> int:
    """Return how many numbers a sample of a batch's shape (None, …) has."""
    return math.prod(size or 0 for size in shape[1:])


def assign_all(weights: list[Weight], values: Sequence[npt.ArrayLike], call: str) -> None:
    """Assign every value to its weight, once all of them have been found fit."""
    if len(values) != len(weights):
        raise ValueError(f"{call}: expected {len(weights)} arrays, got {len(values)}")
    checked = [weight.checked(value) for weight, value in zip(weights, values, strict=True)]
    for weight, value in zip(weights, checked, strict=True):
        weight.assign(value)
