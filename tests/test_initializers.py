"""Initializers: distributions, seeds, and custom functions."""

from __future__ import annotations

import hashlib
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from support.tolerances import gamma, mean_bound

import cnet
from cnet import initializers
from cnet._objects import ACCESSORS

FAN_IN, FAN_OUT = 400, 600
SAMPLES = FAN_IN * FAN_OUT

# The standard deviation of a standard normal distribution truncated at ±2: its variance is
# 1 - 4 φ(2) / (2 Φ(2) - 1).
TRUNCATED = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


class Spread(NamedTuple):
    """Mean, standard deviation and half range of random initial weights."""

    mean: float
    deviation: float
    limit: float


def uniform(variance: float) -> Spread:
    return Spread(0.0, math.sqrt(variance), math.sqrt(3 * variance))


def truncated_normal(variance: float) -> Spread:
    return Spread(0.0, math.sqrt(variance), 2 * math.sqrt(variance) / TRUNCATED)


GLOROT, HE, LECUN = 2 / (FAN_IN + FAN_OUT), 2 / FAN_IN, 1 / FAN_IN
RANDOM: dict[str, tuple[initializers.Initializer, Spread]] = {
    "glorot_uniform": (initializers.GlorotUniform(1), uniform(GLOROT)),
    "glorot_normal": (initializers.GlorotNormal(1), truncated_normal(GLOROT)),
    "he_uniform": (initializers.HeUniform(1), uniform(HE)),
    "he_normal": (initializers.HeNormal(1), truncated_normal(HE)),
    "lecun_uniform": (initializers.LecunUniform(1), uniform(LECUN)),
    "lecun_normal": (initializers.LecunNormal(1), truncated_normal(LECUN)),
    "random_uniform": (initializers.RandomUniform(seed=1), uniform(0.1**2 / 12)),
    "random_uniform of a range": (
        initializers.RandomUniform(-1, 5, seed=1),
        Spread(2.0, 6 / math.sqrt(12), 3.0),
    ),
    "random_normal": (initializers.RandomNormal(seed=1), Spread(0.0, 0.05, math.inf)),
    "random_normal around 3": (initializers.RandomNormal(3, 2, seed=1), Spread(3, 2, math.inf)),
    "truncated_normal": (
        initializers.TruncatedNormal(3, 2, seed=1),
        Spread(3.0, 2 * TRUNCATED, 4.0),
    ),
    "variance_scaling": (initializers.VarianceScaling(seed=1), truncated_normal(LECUN)),
    "variance_scaling by outputs": (
        initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=1),
        Spread(0.0, math.sqrt(3 / FAN_OUT), math.inf),
    ),
}


@pytest.mark.parametrize(("initializer", "spread"), RANDOM.values(), ids=RANDOM)
def test_distributions(initializer: initializers.Initializer, spread: Spread) -> None:
    numbers = initializer((FAN_IN, FAN_OUT), dtype="float64") - spread.mean
    variance = spread.deviation**2
    assert abs(numbers.mean()) <= mean_bound(spread.deviation, SAMPLES)
    # The square of a normal number has the standard deviation √2 σ²; those of other distributions less.
    error = np.square(numbers).mean() - variance
    assert abs(error) <= mean_bound(math.sqrt(2) * variance, SAMPLES)
    # The outermost hundredth of the range has 0.27 % of the truncated normal distribution, and more of the
    # uniform one: each of these samples reaches it.
    extent = np.abs(numbers).max()
    if math.isinf(spread.limit):
        assert extent > 4 * spread.deviation
    else:
        assert 0.99 * spread.limit < extent <= spread.limit


@pytest.mark.parametrize(
    ("initializer", "value"),
    [(initializers.Zeros(), 0), (initializers.Ones(), 1), (initializers.Constant(2.5), 2.5)],
)
def test_constants(initializer: initializers.Initializer, value: float) -> None:
    for shape in ((), (3,), (3, 0), (2, 3)):
        np.testing.assert_array_equal(initializer(shape), np.full(shape, value, np.float32))


ALL = sorted(name for name in initializers._CLASSES if name.islower())


SHAPES = [(5,), (5, 3), (5, 3, 2)]
# Initializers for matrices only, and for two or more dimensions only.
LEAST_AND_MOST = {"identity": (2, 2), "orthogonal": (2, 3)}


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (name, shape)
        for name in ALL
        for shape in SHAPES
        if LEAST_AND_MOST.get(name, (0, 3))[0] <= len(shape) <= LEAST_AND_MOST.get(name, (0, 3))[1]
    ],
)
def test_shapes_and_dtypes(name: str, shape: tuple[int, ...]) -> None:
    initializer = initializers.get(name)
    double = initializer(shape, dtype="float64")
    single = initializer(shape)
    assert double.shape == single.shape == shape
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    np.testing.assert_array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize(
    "name",
    sorted({*ALL} - {"constant", "identity", "one", "ones", "zero", "zeros"}),
)
def test_seeds(name: str) -> None:
    cls: Any = type(initializers.get(name))

    def draw(**seed: int) -> Any:
        return cls(**seed)((50, 2)).tolist()

    assert draw(seed=1) == draw(seed=1)
    assert draw(seed=1) != draw(seed=2)
    assert draw() != draw(), "without a seed, every object draws one"
    initializer = initializers.get(name)
    assert initializer((50, 2)).tolist() == initializer((50, 2)).tolist(), "the drawn seed is kept"
    cnet.utils.set_random_seed(1)
    first = draw()
    cnet.utils.set_random_seed(1)
    assert draw() == first


@pytest.mark.parametrize("shape", [(70, 40), (40, 70), (65, 65), (1, 9), (9, 1), (4, 5, 40)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    kernel = initializers.Orthogonal(gain=3.0, seed=1)(shape, dtype="float64")
    assert kernel.shape == shape
    matrix = kernel.reshape(-1, shape[-1]) / 3
    fewer = min(matrix.shape)
    gram = matrix @ matrix.T if len(matrix) == fewer else matrix.T @ matrix
    # After two passes of projections only rounding errors remain: of products as long as a row, and of sums
    # over the previous rows.
    np.testing.assert_allclose(
        gram, np.eye(fewer), rtol=0, atol=2 * gamma(max(matrix.shape), float)
    )


def test_orthogonal_matrices_have_no_preferred_signs() -> None:
    kernels = [initializers.Orthogonal(seed=seed)((3, 3), "float64") for seed in range(500)]
    # Each element of a random orthogonal matrix has mean 0 and variance 1 / 3.
    assert np.abs(np.mean(kernels, axis=0)).max() <= mean_bound(math.sqrt(1 / 3), 500)
    determinants = np.linalg.det(kernels)
    assert abs(determinants.mean()) <= mean_bound(1.0, 500)


def test_orthogonal_has_the_same_bits_on_every_machine() -> None:
    kernel = initializers.Orthogonal(seed=1)((40, 33), "float64")
    assert hashlib.sha256(kernel.tobytes()).hexdigest()[:16] == "1647ccc8497e9fc6"


def test_identity() -> None:
    assert initializers.Identity(2.0)((2, 3)).tolist() == [[2, 0, 0], [0, 2, 0]]


@pytest.mark.parametrize(
    ("name", "shape"),
    [("Identity", (3,)), ("Identity", (3, 3, 3)), ("Orthogonal", (3,)), ("Orthogonal", ())],
)
def test_shapes_other_than_matrices_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: expected .*, got "):
        getattr(initializers, name)()(shape)


def test_fan_in_and_fan_out_of_kernels_with_more_dimensions() -> None:
    uniform = initializers.VarianceScaling(3.0, "fan_in", "uniform", seed=1)
    # 4 · 5 · 30 connections: the limit is √(3 · 3 / 600)
    numbers = uniform((4, 5, 30, 7), dtype="float64")
    assert 0.99 * math.sqrt(9 / 600) < np.abs(numbers).max() <= math.sqrt(9 / 600)


@pytest.mark.parametrize("name", ALL)
def test_configurations(name: str) -> None:
    initializer = initializers.get(name)
    config = initializer.get_config()
    assert config.get("seed") is None
    copy = initializers.get({"class_name": type(initializer).__name__, "config": config})
    assert type(copy) is type(initializer)
    assert copy.get_config() == config
    if "seed" in config:
        seeded = type(initializer).from_config(config | {"seed": 5})
        again = type(initializer).from_config(seeded.get_config())
        assert seeded((4, 4)).tolist() == again((4, 4)).tolist()


def test_layers_of_equal_shape_have_different_initial_weights() -> None:
    first, second = cnet.layers.Dense(3), cnet.layers.Dense(3)
    first.build((None, 4))
    second.build((None, 4))
    assert not np.isin(first.kernel, second.kernel).any()


@pytest.mark.parametrize("name", ALL)
def test_get_accepts_names_classes_and_objects(name: str) -> None:
    initializer = initializers.get(name)
    cls = type(initializer)
    assert type(initializers.get(cls)) is cls
    assert type(initializers.get(cls.__name__)) is cls
    assert initializers.get(initializer) is initializer


@pytest.mark.parametrize("identifier", ["glorot", "", 3, ["zeros"]])
def test_get_refuses_others(identifier: Any) -> None:
    error = ValueError if isinstance(identifier, str) else TypeError
    with pytest.raises(error, match=r"initializer: expected one of constant, .*Initializer, got"):
        initializers.get(identifier)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "scale: expected a number above 0, got 0.0"),
        ({"scale": -1.0}, "scale: expected a number above 0, got -1.0"),
        ({"scale": math.nan}, "scale: expected a number above 0, got nan"),
        ({"mode": "fan"}, "unknown mode 'fan'"),
        ({"distribution": "normal"}, "unknown distribution 'normal'"),
    ],
)
def test_variance_scaling_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"VarianceScaling: {message}"):
        initializers.VarianceScaling(**options)


def test_a_function_is_called_with_shape_and_dtype() -> None:
    calls = []

    def count(shape: tuple[int, ...], dtype: str) -> Any:
        calls.append((shape, dtype))
        return np.arange(math.prod(shape)).reshape(shape).tolist()

    dense = cnet.layers.Dense(3, kernel_initializer=count, bias_initializer=count, dtype="float64")
    dense.build((None, 2))
    assert calls == [((2, 3), "float64"), ((3,), "float64")]
    kernel, bias = dense.get_weights()
    assert kernel.dtype == bias.dtype == np.float64
    assert (kernel.tolist(), bias.tolist()) == ([[0, 1, 2], [3, 4, 5]], [0, 1, 2])


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (np.zeros((3, 2)), ValueError, r"expected shape \(2, 3\), got \(3, 2\)"),
        (0.0, ValueError, r"expected shape \(2, 3\), got \(\)"),
        (np.zeros((2, 3), complex), TypeError, "expected numbers"),
        (None, TypeError, "expected numbers"),
    ],
)
def test_the_result_of_a_function_is_checked(
    result: Any, error: type[Exception], message: str
) -> None:
    dense = cnet.layers.Dense(3, kernel_initializer=lambda shape, dtype: result)  # noqa: ARG005 # as it is called
    with pytest.raises(error, match=rf"initializer: {message}"):
        dense.build((None, 2))
    assert not dense.built


@pytest.mark.parametrize(
    "name", [n for n in initializers.__all__ if n.islower() and n not in ACCESSORS]
)
def test_lower_case_names_are_aliases_of_the_classes(name: str) -> None:
    assert getattr(initializers, name) is type(initializers.get(name))
