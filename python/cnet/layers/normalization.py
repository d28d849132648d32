"""Normalization layers: their output has mean 0 and variance 1 before scale and shift."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import constraints, initializers, regularizers
from .._data import FloatArray, as_fraction, as_number, require_default
from .._errors import short_repr
from .._typing import Shape
from .batch_shapes import feature_count
from .core import Layer, LayerOptions
from .pieces import features
from .weight import Weight

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["BatchNormalization", "LayerNormalization"]


class _Affine(Layer):
    """Common base with gamma and beta for each feature."""

    has_one_shape = keeps_shape = supports_masking = True

    def __init__(
        self,
        axis: int,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        name = type(self).__name__
        given: Any = axis
        if isinstance(given, (list, tuple)) and len(given) == 1:
            (given,) = given
        if not isinstance(given, int) or given not in (-1, 1) or isinstance(given, bool):
            raise ValueError(f"{name}: expected axis=-1, the features, got {short_repr(axis)}")
        self.axis = given
        self.epsilon = as_number(f"{name}: epsilon", epsilon, least=0)
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    @property
    def gamma(self) -> Weight | None:
        """Scale of the normalized features; None if there is none, or before the layer is built."""
        return self._weight_named("gamma")

    @property
    def beta(self) -> Weight | None:
        """Shift of the normalized features; None if there is none, or before the layer is built."""
        return self._weight_named("beta")

    def _weight_named(self, name: str) -> Weight | None:
        return next((weight for weight in self.weights if weight.name == name), None)

    def _make_weights(self, input_shape: Shape) -> None:
        shape = (feature_count(f"{type(self).__name__} '{self.name}'", input_shape),)
        for name, is_wanted in (("gamma", self.scale), ("beta", self.center)):
            if is_wanted:
                initializer, regularizer, constraint = (
                    getattr(self, f"{name}_{rule}")
                    for rule in ("initializer", "regularizer", "constraint")
                )
                self.add_weight(
                    shape, initializer, regularizer=regularizer, constraint=constraint, name=name
                )

    def _variables(self, *names: str) -> list[Any]:
        """Return the engine's variables by name, None for those that don't exist."""
        found = map(self._weight_named, names)
        return [None if weight is None else weight.variable for weight in found]


class BatchNormalization(_Affine):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` for each feature.

    In training, mean and variance are those of the batch, and update the moving ones:
    ``moving = momentum * moving + (1 - momentum) * of_batch``. In prediction, and if the layer's
    `trainable` is False, the moving ones are used.

    Parameters
    ----------
    axis : int, default -1
        The features. Other axes are not supported.
    momentum : float, default 0.99
    epsilon : float, default 1e-3
    center, scale : bool, default True
        Whether there are beta and gamma.
    beta_initializer : str or Initializer, default "zeros"
    gamma_initializer : str or Initializer, default "ones"
    moving_mean_initializer : str or Initializer, default "zeros"
    moving_variance_initializer : str or Initializer, default "ones"
    beta_regularizer, gamma_regularizer : str, Regularizer or function, optional
    beta_constraint, gamma_constraint : str, Constraint or function, optional
    renorm, renorm_clipping, renorm_momentum
        Not supported; must have their defaults.
    synchronized : bool, default False
        Ignored: there is one device.
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    References
    ----------
    Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift", ICML 2015.

    Examples
    --------
    >>> from cnet import layers
    >>> normalize = layers.BatchNormalization(momentum=0.5, epsilon=0)
    >>> normalize([[1.0], [3.0]], training=True)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> normalize.moving_mean.numpy(), normalize.moving_variance.numpy()
    (array([1.], dtype=float32), array([1.], dtype=float32))
    """

    refuses_mask = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **options,
        )
        self.momentum = as_fraction("BatchNormalization: momentum", momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.synchronized = bool(synchronized)
        call = "BatchNormalization"
        self.renorm = require_default(call, "renorm", renorm, default=False)
        self.renorm_clipping = require_default(call, "renorm_clipping", renorm_clipping)
        self.renorm_momentum = require_default(
            call, "renorm_momentum", renorm_momentum, default=0.99
        )

    def _make_weights(self, input_shape: Shape) -> None:
        super()._make_weights(input_shape)
        shape = (input_shape[-1] or 0,)
        self.add_weight(shape, self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.add_weight(
            shape, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )

    @property
    def moving_mean(self) -> Weight:
        """The means used in prediction; the layer must be built."""
        return self.weights[-2]

    @property
    def moving_variance(self) -> Weight:
        """The variances used in prediction; the layer must be built."""
        return self.weights[-1]

    def python_function(self, *, training: bool) -> Callable[[Any], Any] | None:
        # The engine uses moving statistics only for layers that aren't trained.
        return None if training or not self.trainable else self._normalize

    def _normalize(self, x: Any) -> Any:
        """Return the output by the moving statistics, recorded if `x` is a tensor."""
        from ..autodiff.recording import record_result
        from ..autodiff.tensor import Tensor

        shape = (None, *x.shape[1:])
        if type(x) is not Tensor:
            return self._outputs(x, shape, training=False)
        mean, variance = self.moving_mean.numpy(), self.moving_variance.numpy()
        inverse = 1 / np.sqrt(variance + variance.dtype.type(self.epsilon))
        gamma = self.gamma.numpy() if self.gamma is not None else 1
        weights = [weight for weight in (self.gamma, self.beta) if weight is not None]

        def vjp(gradient: FloatArray) -> list[FloatArray]:
            axes = tuple(range(gradient.ndim - 1))
            grad_gamma = (gradient * (x.value - mean) * inverse).sum(axis=axes)
            grad_weights = {self.gamma: grad_gamma, self.beta: gradient.sum(axis=axes)}
            return [gradient * gamma * inverse, *(grad_weights[weight] for weight in weights)]

        outputs = Tensor(self._outputs(x.value, shape, training=False))
        record_result(outputs, [x, *weights], vjp, self.name)
        return outputs

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:
        return network.add_batch_normalization(  # type: ignore[no-any-return] # an int
            self.name,
            features(network, x, shape),
            *self._variables("gamma", "beta", "moving_mean", "moving_variance"),
            self.momentum,
            self.epsilon,
            trainable,
        )


class LayerNormalization(_Affine):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` with the mean and variance of each row.

    Parameters
    ----------
    axis : int, default -1
        The features. Other axes are not supported.
    epsilon : float, default 1e-3
    center, scale : bool, default True
        Whether there are beta and gamma.
    beta_initializer : str or Initializer, default "zeros"
    gamma_initializer : str or Initializer, default "ones"
    beta_regularizer, gamma_regularizer : str, Regularizer or function, optional
    beta_constraint, gamma_constraint : str, Constraint or function, optional
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    References
    ----------
    Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.LayerNormalization(epsilon=0)([[1.0, 3.0], [10.0, 50.0]])
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    _of_keras_alone: ClassVar = {**Layer._of_keras_alone, "rms_scaling": False}

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **options,
        )

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:
        gamma, beta = self._variables("gamma", "beta")
        x = features(network, x, shape)
        return network.add_layer_normalization(  # type: ignore[no-any-return] # an int
            self.name, x, gamma, beta, self.epsilon, trainable
        )
