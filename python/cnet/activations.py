"""Activation functions, by Keras's names.

Each function takes an array, or a tensor of `cnet.autodiff`, which tapes record. As the activation of a
layer it runs in the engine. Layers accept a name, one of these functions, or a `functools.partial` of one
to set its parameters:

>>> from functools import partial
>>> from cnet import activations, layers
>>> layer = layers.Dense(3, activation=partial(activations.gelu, approximate=True))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import ops
from ._absent import absent, alternatives_of
from ._data import FloatArray, as_floats, is_integer
from ._elementwise import NAMES, engine_layer, unwrapped
from ._errors import short_repr
from ._objects import deserializer, serialize
from ._serialization import find_class, named_object

__all__ = [
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]


def __dir__() -> list[str]:
    return __all__


ActivationFunction: TypeAlias = Callable[..., FloatArray]


def linear(x: npt.ArrayLike) -> FloatArray:
    """Return `x` unchanged."""
    if hasattr(x, "__tensor__"):
        return x.__tensor__()  # type: ignore[no-any-return] # a Tensor
    (x,) = as_floats("linear", x=x)
    return x


def relu(
    x: npt.ArrayLike,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> FloatArray:
    """Return max(x, 0), or a variant of it with other parameters.

    ``min(x, max_value)`` where x > threshold, else ``negative_slope * (x - threshold)``.

    Parameters
    ----------
    x : array_like, any shape
    negative_slope : float, default 0
    max_value : float, optional
        At least 0. Default: no limit.
    threshold : float, default 0
        At least 0.

    References
    ----------
    Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.relu([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    >>> activations.relu([-10, 0.5, 5, 10], negative_slope=0.5, max_value=6, threshold=1)
    array([-5.5 , -0.25,  5.  ,  6.  ], dtype=float32)
    """
    return _elementwise(
        x, "relu", negative_slope=negative_slope, max_value=max_value, threshold=threshold
    )


def relu6(x: npt.ArrayLike) -> FloatArray:
    """Return min(max(x, 0), 6).

    References
    ----------
    Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.relu6([-1.0, 2.0, 7.0])
    array([0., 2., 6.], dtype=float32)
    """
    return _elementwise(x, "relu6")


def leaky_relu(x: npt.ArrayLike, negative_slope: float = 0.2) -> FloatArray:
    """Return x if positive, else ``negative_slope * x``.

    References
    ----------
    Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML
    2013.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.leaky_relu([-1.0, 2.0], negative_slope=0.5)
    array([-0.5,  2. ], dtype=float32)
    """
    return _elementwise(x, "leaky_relu", negative_slope=negative_slope)


def elu(x: npt.ArrayLike, alpha: float = 1.0) -> FloatArray:
    """Return x if positive, else ``alpha * (exp(x) - 1)``.

    References
    ----------
    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential
    linear units (ELUs)", ICLR 2016.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.elu([-100.0, 2.0])
    array([-1.,  2.], dtype=float32)
    """
    return _elementwise(x, "elu", alpha=alpha)


def selu(x: npt.ArrayLike) -> FloatArray:
    """Return ``scale * elu(x, alpha)`` with scale = 1.0507… and alpha = 1.6732….

    With `lecun_normal` weights, activations keep mean 0 and variance 1 through the layers.

    References
    ----------
    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NIPS 2017.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.selu([-100.0, 1.0])
    array([-1.7580993,  1.050701 ], dtype=float32)
    """
    return _elementwise(x, "selu")


def gelu(x: npt.ArrayLike, approximate: bool = False) -> FloatArray:
    """Return x Φ(x), where Φ is the standard normal distribution function.

    Parameters
    ----------
    x : array_like, any shape
    approximate : bool, default False
        Whether to compute ``x / 2 * (1 + tanh(√(2/π) * (x + 0.044715 * x**3)))`` instead.

    References
    ----------
    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415, 2016.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.gelu([-1.0, 0.0, 1.0]).round(4)
    array([-0.1587,  0.    ,  0.8413], dtype=float32)
    """
    return _elementwise(x, "gelu", approximate=approximate)


def silu(x: npt.ArrayLike) -> FloatArray:
    """Return ``x * sigmoid(x)``, also called `swish`.

    References
    ----------
    Ramachandran, Zoph and Le, "Searching for activation functions", arXiv:1710.05941, 2017.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.silu([-1.0, 0.0, 1.0]).round(4)
    array([-0.2689,  0.    ,  0.7311], dtype=float32)
    """
    return _elementwise(x, "silu")


swish = silu


def mish(x: npt.ArrayLike) -> FloatArray:
    """Return ``x * tanh(softplus(x))``.

    References
    ----------
    Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.mish([-1.0, 0.0, 1.0]).round(4)
    array([-0.3034,  0.    ,  0.8651], dtype=float32)
    """
    return _elementwise(x, "mish")


def tanh(x: npt.ArrayLike) -> FloatArray:
    """Return the hyperbolic tangent, (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ).

    References
    ----------
    LeCun, Bottou, Orr and Müller, "Efficient BackProp", Springer 1998, section 4.4.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.tanh([0.0, 1.0, 100.0]).round(4)
    array([0.    , 0.7616, 1.    ], dtype=float32)
    """
    return _elementwise(x, "tanh")


def sigmoid(x: npt.ArrayLike) -> FloatArray:
    """Return the logistic function, 1 / (1 + e⁻ˣ).

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, section 3.10.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.sigmoid([-1.0, 0.0, 100.0]).round(4)
    array([0.2689, 0.5   , 1.    ], dtype=float32)
    """
    return _elementwise(x, "sigmoid")


def hard_sigmoid(x: npt.ArrayLike) -> FloatArray:
    """Return ``(x + 3) / 6``, clipped to [0, 1].

    References
    ----------
    Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.hard_sigmoid([-4.0, 0.0, 4.0])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return _elementwise(x, "hard_sigmoid")


def softplus(x: npt.ArrayLike) -> FloatArray:
    """Return log(1 + eˣ).

    References
    ----------
    Dugas, Bengio, Bélisle, Nadeau and Garcia, "Incorporating second-order functional knowledge for
    better option pricing", NIPS 2000.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.softplus([0.0, 100.0]).round(4)
    array([  0.6931, 100.    ], dtype=float32)
    """
    return _elementwise(x, "softplus")


def softsign(x: npt.ArrayLike) -> FloatArray:
    """Return x / (1 + |x|).

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.softsign([-1.0, 0.0, 3.0])
    array([-0.5 ,  0.  ,  0.75], dtype=float32)
    """
    return _elementwise(x, "softsign")


def exponential(x: npt.ArrayLike) -> FloatArray:
    """Return eˣ.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.exponential([0.0, 1.0])
    array([1.       , 2.7182817], dtype=float32)
    """
    return _elementwise(x, "exponential")


def softmax(x: npt.ArrayLike, axis: int = -1) -> FloatArray:
    """Return exp(x) divided by its sum along `axis`; `x` has at least one dimension.

    References
    ----------
    Bridle, "Probabilistic interpretation of feedforward classification network outputs, with
    relationships to statistical pattern recognition", Neurocomputing, Springer 1990.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.softmax([7.0, 7.0])
    array([0.5, 0.5], dtype=float32)
    """
    return _along_axis("softmax", ops.softmax, x, axis)


def log_softmax(x: npt.ArrayLike, axis: int = -1) -> FloatArray:
    """Return x minus the logarithm of the sum of exp(x) along `axis`.

    This is the logarithm of `softmax`, even where that underflows to 0.

    References
    ----------
    Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions",
    IMA Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.log_softmax([0.0, 1000.0])
    array([-1000.,     0.], dtype=float32)
    """
    return _along_axis("log_softmax", ops.log_softmax, x, axis)


def _elementwise(x: npt.ArrayLike, name: str, **parameters: Any) -> FloatArray:
    if hasattr(x, "__tensor__"):
        from . import autodiff

        return autodiff.activation(x, name, **parameters)  # type: ignore[no-any-return] # a Tensor
    return ops.activation_forward(x, name, **parameters)


def _along_axis(
    call: str, function: Callable[[FloatArray], FloatArray], x: npt.ArrayLike, axis: int
) -> FloatArray:
    if hasattr(x, "__tensor__"):
        from . import autodiff

        return getattr(autodiff, call)(x, axis)  # type: ignore[no-any-return] # a Tensor
    (x,) = as_floats(call, x=x)
    if not is_integer(axis):
        raise TypeError(f"{call}: axis: expected an integer, got {short_repr(axis)}")
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{call}: axis={short_repr(axis)} is none of shape {x.shape}")
    last = np.moveaxis(x, axis, -1)
    rows = function(last.reshape(math.prod(last.shape[:-1]), last.shape[-1]))
    return np.moveaxis(rows.reshape(last.shape), -1, axis)


_FUNCTIONS: dict[str, ActivationFunction] = {
    "linear": linear,
    **{name: globals()[name] for name in NAMES},
    "swish": swish,
    "softmax": softmax,
    "log_softmax": log_softmax,
}


class _Partial:
    """A partial of a function of this module, as configs describe it."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> partial[Any]:
        return partial(get(config.pop("function", None)), **config)


def get(identifier: str | ActivationFunction | dict[str, Any] | None) -> ActivationFunction:
    """Return an activation function by its name, the function itself, or `linear` for None.

    Parameters
    ----------
    identifier : str, function, dict or None
        A function of one's own takes a tensor and returns one of the same shape, by `cnet.ops` and Python's
        operators. A `functools.partial` of a function of this module sets its parameters by name. A dict is the
        form that partials have in the `get_config` of layers. A layer like `LeakyReLU` stands for its function.

    Raises
    ------
    ValueError
        If the activation is unknown, or a parameter is out of range.
    TypeError
        If `identifier` has another type, or a partial sets an unknown parameter.

    Examples
    --------
    >>> from cnet import activations
    >>> activations.get("relu") is activations.relu
    True
    """
    identifier = getattr(identifier, "as_activation", named_object(identifier))
    if identifier is None:
        return linear
    if isinstance(identifier, str) and identifier in _FUNCTIONS:
        return _FUNCTIONS[identifier]
    if any(identifier is function for function in _FUNCTIONS.values()):
        return identifier  # type: ignore[return-value] # a value of that table
    if isinstance(identifier, partial) and identifier.func in _FUNCTIONS.values():
        engine_layer(identifier)  # checks the parameters
        return identifier
    if isinstance(identifier, dict):
        cls, parameters = find_class(identifier, {"partial": _Partial}, "activation")
        return get(cls.from_config(parameters))
    if isinstance(identifier, str) and identifier in (unsupported := alternatives_of(__name__)):
        raise ValueError(
            f"activation: Keras's {short_repr(identifier)} is not supported; {unsupported[identifier]}"
        )
    if callable(identifier):
        return identifier
    known = ", ".join(_FUNCTIONS)
    error = ValueError if isinstance(identifier, str) else TypeError
    raise error(f"activation: expected one of {known}, got {short_repr(identifier)}")


def is_in_engine(function: Any) -> bool:
    """Whether the engine computes an activation: one of this module, or a partial of one."""
    return any(unwrapped(function) is known for known in _FUNCTIONS.values())


deserialize = deserializer(get)


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
