"""The definitions of the activations in mpmath: one table for all their tests.

A case is an activation with parameters: its formula, the error bound of the engine, its limits, and its
slopes at kinks, where the derivative is a convention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
from mpmath import mp

from cnet import Sequential, activations, layers, optimizers, reference

Array = npt.NDArray[Any]
INF = float("inf")
DIGITS = 60


def relu(
    x: Any, negative_slope: float = 0.0, max_value: float = INF, threshold: float = 0.0
) -> Any:
    return negative_slope * (x - threshold) if x <= threshold else min(x, max_value)


def elu(x: Any, alpha: Any = 1.0) -> Any:
    return alpha * mp.expm1(x) if x <= 0 else x


# Klambauer et al., "Self-normalizing neural networks", NIPS 2017, equation 14.
SELU_ALPHA, SELU_SCALE = "1.6732632423543772848170429916717", "1.0507009873554804934193349852946"


def selu(x: Any) -> Any:
    return mp.mpf(SELU_SCALE) * elu(x, mp.mpf(SELU_ALPHA))


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def gelu(x: Any, approximate: bool = False) -> Any:
    if approximate:  # (1 + tanh u) / 2 as sigmoid(2u), without cancellation
        return x * sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3))
    return x * mp.erfc(-x / mp.sqrt(2)) / 2


def softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x))


@dataclass(frozen=True)
class Case:
    """An activation with parameters.

    Attributes
    ----------
    name : str
    formula : function of an mpmath number and the parameters
    units : float
        Error bound of the engine in units in the last place: that of `csrc/kernels/table.hpp`, plus one for
        each rounding of a parameter and of a product or quotient with it.
    limits, slope_limits : values and slopes at minus infinity and infinity
    kinks : dict of x to slope
    keeps_sign_of_zero : bool
    """

    name: str
    formula: Callable[..., Any]
    units: float
    limits: tuple[float, float]
    slope_limits: tuple[float, float]
    parameters: dict[str, Any] = field(default_factory=dict)
    kinks: dict[float, float] = field(default_factory=dict)
    keeps_sign_of_zero: bool = False

    @property
    def function(self) -> Callable[..., Any]:
        """The public function with its parameters, as layers accept it."""
        function = getattr(activations, self.name)
        return partial(function, **self.parameters) if self.parameters else function

    def exact(self, x: Array) -> Array:
        """Return the exact values, rounded to float64 once."""
        return _exact(self._key, self._of, x.tobytes(), x.dtype.str, 0)

    def exact_slopes(self, x: Array) -> Array:
        """Return the exact derivatives, rounded to float64 once."""
        return _exact(self._key, self._of, x.tobytes(), x.dtype.str, 1)

    @property
    def _key(self) -> str:
        return f"{self.name} {self.parameters}"

    def _of(self, x: Any) -> Any:
        return self.formula(x, **self.parameters)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in self.parameters.items())})"


_CACHE: dict[Any, Array] = {}


def _exact(key: str, function: Callable[[Any], Any], x: bytes, dtype: str, order: int) -> Array:
    if (key, x, dtype, order) not in _CACHE:
        with mpmath.workdps(DIGITS):
            points = [mp.mpf(each) for each in np.frombuffer(x, dtype).tolist()]
            found = [mp.diff(function, p) if order else function(p) for p in points]
            _CACHE[key, x, dtype, order] = np.array([float(each) for each in found])
    return _CACHE[key, x, dtype, order]


ALL_PARAMETERS = {"negative_slope": 0.3, "max_value": 1.5, "threshold": 0.5}
CASES = [
    Case("linear", lambda x: x, 0, (-INF, INF), (1, 1), keeps_sign_of_zero=True),
    Case("relu", relu, 0, (0, INF), (0, 1), kinks={0: 0}),
    Case("relu", relu, 2, (-INF, INF), (0.3, 1), {"negative_slope": 0.3}, {0: 0.3}),
    Case("relu", relu, 0, (0, 1.5), (0, 0), {"max_value": 1.5}, {0: 0, 1.5: 0}),
    Case("relu", relu, 3, (-INF, 1.5), (0.3, 0), ALL_PARAMETERS, {0.5: 0.3, 1.5: 0}),
    Case("relu6", partial(relu, max_value=6.0), 0, (0, 6), (0, 0), kinks={0: 0, 6: 0}),
    Case(
        "leaky_relu",
        partial(relu, negative_slope=0.2),
        2,
        (-INF, INF),
        (0.2, 1),
        kinks={0: 0.2},
        keeps_sign_of_zero=True,
    ),
    Case("leaky_relu", relu, 2, (-INF, INF), (0.7, 1), {"negative_slope": 0.7}, {0: 0.7}, True),
    Case("elu", elu, 1.1, (-1, INF), (0, 1)),
    Case("elu", elu, 3.1, (-0.3, INF), (0, 1), {"alpha": 0.3}, {0: 0.3}),
    Case(
        "selu",
        selu,
        3.1,
        (-float(SELU_SCALE) * float(SELU_ALPHA), INF),
        (0, float(SELU_SCALE)),
        kinks={0: float(SELU_SCALE) * float(SELU_ALPHA)},
    ),
    Case("gelu", gelu, 3.8, (0, INF), (0, 1), keeps_sign_of_zero=True),
    Case("gelu", gelu, 2.1, (0, INF), (0, 1), {"approximate": True}, keeps_sign_of_zero=True),
    Case("silu", lambda x: x * sigmoid(x), 2.2, (0, INF), (0, 1), keeps_sign_of_zero=True),
    Case(
        "mish",
        lambda x: x * mp.tanh(softplus(x)),
        3,
        (0, INF),
        (0, 1),
        keeps_sign_of_zero=True,
    ),
    Case("tanh", mp.tanh, 1.8, (-1, 1), (0, 0), keeps_sign_of_zero=True),
    Case("sigmoid", sigmoid, 1.6, (0, 1), (0, 0)),
    Case(
        "hard_sigmoid", lambda x: relu(x + 3, max_value=6) / 6, 2, (0, 1), (0, 0), {}, {-3: 0, 3: 0}
    ),
    Case("softplus", softplus, 2, (0, INF), (0, 1)),
    Case("softsign", lambda x: x / (1 + abs(x)), 1.6, (-1, 1), (0, 0), keeps_sign_of_zero=True),
    Case("exponential", mp.exp, 1.1, (0, INF), (0, INF)),
]
# The activations that are ops: all but linear.
OP_CASES = [case for case in CASES if case.name != "linear"]
# Activations of whole rows.
ROW_NAMES = ["softmax", "log_softmax"]


@cache
def points(dtype: str) -> Array:
    """Return special and random points."""
    rng = np.random.default_rng(0)
    special = [0.0, 1e-40, 1e-30, 1e-3, 0.5, 1.5, 3.0, 6.0, 88.0, 1e3, 1e6]
    x = np.concatenate(
        [special, np.negative(special), rng.normal(size=80), 20 * rng.normal(size=80)]
    )
    return x.astype(dtype)


def trained(
    hidden: list[layers.Layer], x: Array, ids: Array, name: str, parameters: dict[str, Any]
) -> tuple[list[Array], list[Array]]:
    """Return a net's weights after a step of gradient descent at rate 1, and those of the reference.

    `hidden` are layers that make up a dense layer of 19 units and an activation; a softmax layer follows.
    """
    top = layers.Dense(3, "softmax", dtype="float64")
    model = Sequential([layers.Input((x.shape[1],), dtype="float64"), *hidden, top])
    expected = _reference_step(x, ids, model.get_weights(), name, parameters)
    model.compile(optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    model.fit(x, ids, batch_size=len(x), shuffle=False, verbose=0)
    return model.get_weights(), expected


def _reference_step(
    x: Array, ids: Array, weights: list[Array], name: str, parameters: dict[str, Any]
) -> list[Array]:
    w1, b1, w2, b2 = weights
    z = reference.dense_forward(x, w1, b1)
    a = _forward(z, name, parameters)
    _, p = reference.softmax_cross_entropy_forward(reference.dense_forward(a, w2, b2), ids)
    grad = reference.softmax_cross_entropy_backward(p, ids)
    grad_a, grad_w2, grad_b2 = reference.dense_backward(grad, a, w2)
    if name == "linear":
        grad_z = grad_a
    elif name in ROW_NAMES:
        grad_z = getattr(reference, f"{name}_backward")(grad_a, a)
    else:
        grad_z = reference.activation_backward(grad_a, z, a, name, **parameters)
    _, grad_w1, grad_b1 = reference.dense_backward(grad_z, x, w1)
    return [w1 - grad_w1, b1 - grad_b1, w2 - grad_w2, b2 - grad_b2]


def _forward(z: Array, name: str, parameters: dict[str, Any]) -> Array:
    if name == "linear":
        return z
    if name in ROW_NAMES:
        result: Array = getattr(reference, name)(z)
        return result
    return reference.activation_forward(z, name, **parameters)
