"""How weights begin, by Keras's names and formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import random
from ._data import FloatArray, as_array
from .config import standardize_dtype

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "get",
]


class Initializer:
    """Makes the first values of a weight: ``initializer(shape, dtype=None) -> array``."""

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        """Return an array of `shape` and `dtype` (default `cnet.config.floatx()`)."""
        raise NotImplementedError


class Constant(Initializer):
    """Fills with `value`."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = float(value)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        return np.full(shape, self.value, dtype=standardize_dtype(dtype, "Constant"))


class Zeros(Constant):
    """Fills with zeros."""

    def __init__(self) -> None:
        super().__init__(0.0)


class Ones(Constant):
    """Fills with ones."""

    def __init__(self) -> None:
        super().__init__(1.0)


class _Random(Initializer):
    """An initializer with a seed; the same object gives the same numbers each time, as in Keras."""

    def __init__(self, seed: int | None) -> None:
        self.seed = random.next_seed() if seed is None else random.check_seed(seed)


class RandomUniform(_Random):
    """Uniform in [minval, maxval)."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval, self.maxval = float(minval), float(maxval)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        return random.uniform(shape, self.minval, self.maxval, dtype, self.seed)


class RandomNormal(_Random):
    """Normal with `mean` and `stddev`."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = float(mean), float(stddev)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        return random.normal(shape, self.mean, self.stddev, dtype, self.seed)


class TruncatedNormal(RandomNormal):
    """Normal with `mean` and `stddev`, what is two or more `stddev` away drawn anew."""

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        return random.truncated_normal(shape, self.mean, self.stddev, dtype, self.seed)


class VarianceScaling(_Random):
    """Random with variance ``scale / n``, n being a number of connections.

    Parameters
    ----------
    scale : float, default 1
    mode : {"fan_in", "fan_out", "fan_avg"}, default "fan_in"
        n: inputs, outputs, or their mean.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
        Default "truncated_normal".
    seed : int, optional

    Examples
    --------
    >>> from cnet import initializers
    >>> kernel = initializers.GlorotUniform(seed=1)((100, 50))
    >>> bool(abs(kernel).max() <= (6 / 150) ** 0.5)
    True
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        if not scale > 0:
            raise ValueError(f"VarianceScaling: expected a positive scale, got {scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"VarianceScaling: unknown mode {mode!r}")
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(f"VarianceScaling: unknown distribution {distribution!r}")
        super().__init__(seed)
        self.scale, self.mode, self.distribution = float(scale), mode, distribution

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> FloatArray:
        fan_in, fan_out = (shape[0], shape[-1]) if shape else (1, 1)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, fans[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return random.uniform(shape, -limit, limit, dtype, self.seed)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, 0.0, math.sqrt(variance), dtype, self.seed)
        # The standard deviation that a normal distribution has left when cut at two of its own.
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


_CLASSES: dict[str, type[Initializer]] = {
    "constant": Constant,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "lecun_normal": LecunNormal,
    "lecun_uniform": LecunUniform,
    "ones": Ones,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "zeros": Zeros,
}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


def get(identifier: Any) -> Any:
    """Return an initializer from its name, its class, or itself.

    A function of ``(shape, dtype)`` is one too.

    Raises
    ------
    ValueError
        If there is no such initializer.
    """
    if isinstance(identifier, str) and identifier in _CLASSES:
        return _CLASSES[identifier]()
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if callable(identifier):
        return identifier
    raise ValueError(f"initializer: expected a name or an Initializer, got {identifier!r}")


def make(initializer: Any, shape: tuple[int, ...], dtype: str) -> FloatArray:
    """Return a new weight, checked: an initializer may be the user's own function."""
    value = as_array(initializer(shape, dtype=dtype), "initializer")
    if value.shape != shape:
        raise ValueError(f"initializer: expected shape {shape}, got {value.shape}")
    return np.require(value, dtype=np.dtype(dtype), requirements=["C", "A"])
