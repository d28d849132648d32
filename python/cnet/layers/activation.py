"""Activation layers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from .. import activations
from .._data import as_number
from .._elementwise import add_activation, is_rowwise
from .core import Layer, LayerOptions
from .pieces import features

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ELU", "Activation", "LeakyReLU", "ReLU", "Softmax"]


class Activation(Layer):
    """Applies an activation function.

    Parameters
    ----------
    activation : str or function
        One of `cnet.activations`, its name, or a function of a tensor.
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Activation("softsign")([[-1.0, 0.0, 3.0]])
    array([[-0.5 ,  0.  ,  0.75]], dtype=float32)
    """

    keeps_shape = supports_masking = True

    def __init__(
        self,
        activation: str | activations.ActivationFunction,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.activation = activations.get(activation)

    @property
    def as_activation(self) -> activations.ActivationFunction:
        """The function, for layers that are given this one as their activation."""
        return self.activation

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        if is_rowwise(self.engine_activation):
            x = features(network, x, shape)
        return add_activation(network, x, self.engine_activation, self.name)


class ReLU(Activation):
    """``min(x, max_value)`` where x > threshold, else ``negative_slope * (x - threshold)``.

    Parameters
    ----------
    max_value : float, optional
        At least 0. Default: no limit.
    negative_slope : float, default 0
        At least 0.
    threshold : float, default 0
        At least 0.
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.ReLU(max_value=10, negative_slope=0.5)([[-10.0, -5.0, 0.0, 5.0, 20.0]])
    array([[-5. , -2.5,  0. ,  5. , 10. ]], dtype=float32)
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **options: Unpack[LayerOptions],
    ) -> None:
        self.max_value = (
            None if max_value is None else as_number("ReLU: max_value", max_value, least=0)
        )
        self.negative_slope = as_number("ReLU: negative_slope", negative_slope, least=0)
        self.threshold = as_number("ReLU: threshold", threshold, least=0)
        function = partial(
            activations.relu,
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )
        super().__init__(function, **options)


class LeakyReLU(Activation):
    """x if positive, else ``negative_slope * x``.

    Parameters
    ----------
    negative_slope : float, default 0.3
        At least 0.
    alpha : float, optional
        Keras 2's name of `negative_slope`.
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.LeakyReLU(negative_slope=0.5)([[-10.0, 5.0]])
    array([[-5.,  5.]], dtype=float32)
    """

    _stored_as: ClassVar = {**Layer._stored_as, "alpha": "negative_slope"}

    def __init__(
        self,
        negative_slope: float = 0.3,
        *,
        alpha: float | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        if alpha is not None:
            negative_slope = as_number("LeakyReLU: alpha", alpha, least=0)
        self.negative_slope = as_number("LeakyReLU: negative_slope", negative_slope, least=0)
        function = partial(activations.leaky_relu, negative_slope=self.negative_slope)
        super().__init__(function, **options)


class ELU(Activation):
    """x if positive, else ``alpha * (exp(x) - 1)``.

    Parameters
    ----------
    alpha : float, default 1
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.ELU(alpha=0.5)([[-100.0, 2.0]])
    array([[-0.5,  2. ]], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, **options: Unpack[LayerOptions]) -> None:
        self.alpha = as_number("ELU: alpha", alpha)
        super().__init__(partial(activations.elu, alpha=self.alpha), **options)


class Softmax(Activation):
    """Softmax over the classes, (batch, classes).

    Parameters
    ----------
    axis : int, default -1
        The classes. Other axes are not supported.
    **options
        See `Layer`.

    Raises
    ------
    ValueError
        If `axis` is another axis.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.Softmax()([[7.0, 7.0]])
    array([[0.5, 0.5]], dtype=float32)
    """

    refuses_mask = True

    def __init__(self, axis: int = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(partial(activations.softmax, axis=axis), **options)
        self.axis = axis
