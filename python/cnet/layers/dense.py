"""The dense layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt

from .. import activations, constraints, initializers, regularizers
from .._data import FloatArray, as_count, require_default
from .._elementwise import add_activation
from .._typing import Shape
from .batch_shapes import as_batch_shape, feature_count
from .core import Layer, LayerOptions
from .pieces import features
from .weight import Weight

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Dense"]


class Dense(Layer):
    """Fully connected layer: ``activation(x @ kernel + bias)``.

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str or function, optional
        One of `cnet.activations`, its name, or a function of a tensor; None is "linear".
    use_bias : bool, default True
    kernel_initializer : str or Initializer, default "glorot_uniform"
    bias_initializer : str or Initializer, default "zeros"
    kernel_regularizer, bias_regularizer : str, Regularizer or function, optional
        Penalties, added to the loss while the layer is trainable.
    kernel_constraint, bias_constraint : str, Constraint or function, optional
        Applied after each step.
    activity_regularizer : str, Regularizer or function, optional
        Penalty of the output: see `Layer`.
    lora_rank, lora_alpha, quantization_config
        Not supported; must be None.
    **options
        `name`, `trainable`, `dtype`, `input_shape`: see `Layer`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    The input is (batch, …, features), the output (batch, …, units): each vector of features is a row.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Dense(2, kernel_initializer="ones")([[1.0, 2.0, 3.0]])
    array([[6., 6.]], dtype=float32)
    """

    has_one_shape = supports_masking = True
    _optional_in_config: ClassVar = {
        **Layer._optional_in_config,
        "lora_alpha": None,
        "lora_rank": None,
    }

    def __init__(
        self,
        units: int,
        activation: str | activations.ActivationFunction | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: None = None,
        lora_alpha: None = None,
        quantization_config: None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        units = as_count("Dense: units", units, least=1)
        super().__init__(activity_regularizer=activity_regularizer, **options)
        self.units = units
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.lora_rank = require_default("Dense", "lora_rank", lora_rank)
        self.lora_alpha = require_default("Dense", "lora_alpha", lora_alpha)
        self.quantization_config = require_default(
            "Dense", "quantization_config", quantization_config
        )

    def _make_weights(self, input_shape: Shape) -> None:
        shape = (feature_count(f"Dense '{self.name}'", input_shape), self.units)
        self.add_weight(
            shape,
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.add_weight(
                shape[1:],
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    @property
    def kernel(self) -> FloatArray:
        """A copy of the kernel, (inputs, units); can be assigned."""
        return self._weight(0).numpy()

    @kernel.setter
    def kernel(self, value: npt.ArrayLike) -> None:
        self._weight(0).assign(value)

    @property
    def bias(self) -> FloatArray | None:
        """A copy of the bias, (units,), None if there is none; can be assigned."""
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
        return (*as_batch_shape("compute_output_shape", input_shape)[:-1], self.units)

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:
        kernel, bias = [*(weight.variable for weight in self.weights), None][:2]
        x = features(network, x, shape)
        x = network.add_dense(self.name, x, kernel, bias, trainable)
        return add_activation(network, x, self.engine_activation, self.name)
