"""Initializers of weights, with Keras's names and formulas."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from . import ops, random
from ._absent import absent
from ._data import FloatArray, as_array, as_number, as_shape, as_type
from ._errors import missing, short_repr
from ._objects import ACCESSORS, deserializer, serialize
from ._serialization import Configurable, get_by_name, named_object
from .config import standardize_dtype

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]


def __dir__() -> list[str]:
    return __all__


class Initializer(Configurable):
    """Base of initializers: ``initializer(shape, dtype=None) -> array``."""

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        """Return an array of `shape` and `dtype` (default `cnet.config.floatx()`)."""
        raise NotImplementedError(missing(self, "__call__(shape, dtype)"))


class Constant(Initializer):
    """Fills with `value`."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = as_number(f"{type(self).__name__}: value", value)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        shape = as_shape("Constant: shape", shape)
        return as_type(np.full(shape, self.value), standardize_dtype(dtype, "Constant"))


class Zeros(Constant):
    """Fills with zeros."""

    def __init__(self) -> None:
        super().__init__(0.0)


class Ones(Constant):
    """Fills with ones."""

    def __init__(self) -> None:
        super().__init__(1.0)


class _Random(Initializer):
    """An initializer with a seed; an object returns the same numbers at each call, as in Keras."""

    _stored_as: ClassVar = {"seed": "_given_seed"}

    def __init__(self, seed: int | None) -> None:
        self.seed = seed

    @property
    def seed(self) -> Any:
        """Seed of the numbers; assigning None draws a new one."""
        return self._seed

    @seed.setter
    def seed(self, value: int | None) -> None:
        self._seed = random.next_seed() if value is None else random.check_seed(value)
        self._given_seed = value

    def _arguments(self) -> dict[str, Any]:
        return super()._arguments() | {"seed": self._seed}  # keeps a drawn seed

    @property
    def _state(self) -> frozenset[str]:
        return frozenset({"_seed", "_given_seed"})


class RandomUniform(_Random):
    """Uniform in [minval, maxval)."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = as_number("RandomUniform: minval", minval)
        self.maxval = as_number("RandomUniform: maxval", maxval)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        return random.uniform(shape, self.minval, self.maxval, dtype, self.seed)


class RandomNormal(_Random):
    """Normal with `mean` and `stddev`."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = as_number(f"{type(self).__name__}: mean", mean)
        self.stddev = as_number(f"{type(self).__name__}: stddev", stddev)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        return random.normal(shape, self.mean, self.stddev, dtype, self.seed)


class TruncatedNormal(RandomNormal):
    """Normal with `mean` and `stddev`; numbers two or more `stddev` away are redrawn."""

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        return random.truncated_normal(shape, self.mean, self.stddev, dtype, self.seed)


class VarianceScaling(_Random):
    """Random with variance ``scale / n``, where n is a number of connections.

    Parameters
    ----------
    scale : float, default 1
    mode : {"fan_in", "fan_out", "fan_avg"}, default "fan_in"
        Which connections n counts: inputs, outputs, or their mean.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
        Default "truncated_normal".
    seed : int, optional

    Raises
    ------
    ValueError
        If an argument is invalid.

    Notes
    -----
    A kernel has shape (inputs, outputs). Further dimensions before these two multiply both. For a
    vector both numbers are its length.

    Examples
    --------
    >>> from cnet import initializers
    >>> kernel = initializers.GlorotUniform(seed=1)((100, 50))
    >>> bool(abs(kernel).max() <= (6 / 150) ** 0.5)
    True
    """

    _of_keras_alone: ClassVar = {"input_axes": None, "output_axes": None}

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        self.scale = as_number("VarianceScaling: scale", scale, above=0)
        given: Any = mode
        if not isinstance(given, str) or given not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"VarianceScaling: unknown mode {short_repr(mode)}")
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(f"VarianceScaling: unknown distribution {short_repr(distribution)}")
        super().__init__(seed)
        self.mode, self.distribution = mode, distribution

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        shape = as_shape("VarianceScaling: shape", shape)
        fan_in, fan_out = (shape[-2:][0], shape[-1]) if shape else (1, 1)
        field = math.prod(shape[:-2])
        fan_in, fan_out = fan_in * field, fan_out * field
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, fans[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return random.uniform(shape, -limit, limit, dtype, self.seed)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, 0.0, math.sqrt(variance), dtype, self.seed)
        # The standard deviation of a standard normal distribution that is truncated at 2.
        stddev = math.sqrt(variance) / 0.87962566103423978
        return random.truncated_normal(shape, 0.0, stddev, dtype, self.seed)


class GlorotUniform(VarianceScaling):
    """Uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed)


class GlorotNormal(VarianceScaling):
    """Truncated normal with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed)


class HeUniform(VarianceScaling):
    """Uniform with variance 2 / fan_in (He et al., 2015)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "uniform", seed)


class HeNormal(VarianceScaling):
    """Truncated normal with variance 2 / fan_in (He et al., 2015)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "truncated_normal", seed)


class LecunUniform(VarianceScaling):
    """Uniform with variance 1 / fan_in (LeCun et al., 1998)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "uniform", seed)


class LecunNormal(VarianceScaling):
    """Truncated normal with variance 1 / fan_in (LeCun et al., 1998)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "truncated_normal", seed)


class Identity(Initializer):
    """The identity matrix times `gain`; a matrix that isn't square has the same diagonal.

    Parameters
    ----------
    gain : float, default 1

    Raises
    ------
    ValueError
        When called, if the shape isn't two-dimensional.

    Examples
    --------
    >>> from cnet import initializers
    >>> initializers.Identity(gain=2.0)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = as_number("Identity: gain", gain)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        shape = as_shape("Identity: shape", shape)
        if len(shape) != 2:
            raise ValueError(f"Identity: expected the shape of a matrix, got {tuple(shape)}")
        diagonal = self.gain * np.eye(*shape)
        return as_type(diagonal, standardize_dtype(dtype, "Identity"))


class Orthogonal(_Random):
    """A random matrix with orthonormal rows or columns, whichever are fewer, times `gain`.

    All such matrices are equally likely (Saxe et al., 2014; Mezzadri, 2007). For more than two
    dimensions, all but the last are flattened.

    Parameters
    ----------
    gain : float, default 1
    seed : int, optional

    Raises
    ------
    ValueError
        When called, if the shape has fewer than two dimensions.

    Examples
    --------
    >>> from cnet import initializers
    >>> kernel = initializers.Orthogonal(seed=1)((3, 5), dtype="float64")
    >>> (kernel @ kernel.T).round(12) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = as_number("Orthogonal: gain", gain)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        shape = as_shape("Orthogonal: shape", shape)
        if len(shape) < 2:
            raise ValueError(
                f"Orthogonal: expected a shape of two dimensions or more, got {tuple(shape)}"
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        fewer, more = sorted((rows, columns))
        q = _orthonormal_rows(random.normal((fewer, more), dtype="float64", seed=self.seed))
        kernel = self.gain * (q if rows < columns else q.T).reshape(shape)
        return as_type(kernel, standardize_dtype(dtype, "Orthogonal"))


IdentityInitializer = Identity
OrthogonalInitializer = Orthogonal


def _orthonormal_rows(a: FloatArray) -> FloatArray:
    """Return the rows of `a` orthonormalized by the Gram-Schmidt process.

    Every projection is subtracted twice, which is enough (Giraud et al., 2005). The products are
    cnet's rather than LAPACK's, so that the bits are the same on every machine.
    """

    def without(vectors: FloatArray, basis: FloatArray) -> FloatArray:
        if len(basis):
            for _ in range(2):
                parts = ops.dense_forward(vectors, np.ascontiguousarray(basis.T), None)
                vectors = vectors - ops.dense_forward(parts, basis, None)
        return vectors

    q = np.empty_like(a)
    block = 32
    for first in range(0, len(a), block):
        own = without(a[first : first + block], q[:first])
        for row in range(len(own)):
            done = q[first : first + row]
            vector = without(own[row : row + 1], done)
            square = ops.dense_forward(vector, vector.reshape(-1, 1), None)[0, 0]
            q[first + row] = vector[0] / math.sqrt(square)
    return q


# Keras's other names.
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
orthogonal = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

_CLASSES: dict[str, type[Initializer]] = {
    name: globals()[name] for name in __all__ if name not in ("Initializer", *ACCESSORS)
}
_CLASSES |= {"normal": RandomNormal, "one": Ones, "uniform": RandomUniform, "zero": Zeros}


def get(identifier: Any) -> Any:
    """Return an initializer by its name, class or configuration, or the object itself.

    A function of ``(shape, dtype)`` is an initializer too. A dict is
    ``{"class_name": …, "config": {…}}``.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` has another type.
    """
    identifier = named_object(identifier)
    if callable(identifier) and not isinstance(identifier, type):
        return identifier
    return get_by_name("initializer", Initializer, _CLASSES, identifier)


_replacement: ContextVar[Any] = ContextVar("_replacement", default=None)


@contextmanager
def override(initializer: Any) -> Iterator[None]:
    """Use one initializer for all weights created within, because a file's values replace them."""
    token = _replacement.set(initializer)
    try:
        yield
    finally:
        _replacement.reset(token)


def make(initializer: Any, shape: tuple[int, ...], dtype: str) -> FloatArray:
    """Return the initial values of a weight, with the shape checked, as users may pass a function."""
    initializer = _replacement.get() or initializer
    value = as_array(initializer(shape, dtype=dtype), "initializer")
    if value.shape != shape:
        raise ValueError(f"initializer: expected shape {shape}, got {value.shape}")
    return as_type(value, dtype)


deserialize = deserializer(get)


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
