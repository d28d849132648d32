"""Constraints: names, formulas, and their effect in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.tolerances import relative_bound

import cnet
from cnet import constraints, layers
from cnet._objects import ACCESSORS

CONSTRAINTS = {
    "MaxNorm": constraints.MaxNorm(0.5),
    "NonNeg": constraints.NonNeg(),
    "UnitNorm": constraints.UnitNorm(),
    "MinMaxNorm": constraints.MinMaxNorm(0.3, 0.6, rate=0.7),
}


def draw(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_step_applies_the_constraint_last(name: str, dtype: str, threads: int) -> None:
    """It equals a step without the constraint, followed by the constraint in NumPy."""
    constraint = CONSTRAINTS[name]

    def stepped(constraint: Any) -> list[Any]:
        options = {"kernel_constraint": constraint, "bias_constraint": constraint}
        norm = {"gamma_constraint": constraint, "beta_constraint": constraint}
        model = cnet.Sequential(
            [
                layers.Input((9,), dtype=dtype),
                layers.Dense(70, "relu", dtype=dtype, **options),
                layers.BatchNormalization(dtype=dtype, **norm),
                layers.LayerNormalization(dtype=dtype, **norm),
                layers.Dense(3, dtype=dtype, **options),
            ]
        )
        rng = np.random.default_rng(1)
        model.set_weights([np.abs(rng.normal(size=w.shape)) for w in model.weights])
        model.compile(cnet.optimizers.SGD(0.3), "mse")
        model.train_on_batch(draw(20, 9), draw(20, 3))
        return model.trainable_weights

    limit = cnet.get_num_threads()
    cnet.set_num_threads(threads)
    try:
        for weight, free in zip(stepped(constraint), stepped(None), strict=True):
            expected = constraint(free.numpy())
            bound = relative_bound(100, np.dtype(dtype)) * np.abs(expected).max()
            np.testing.assert_allclose(weight.numpy(), expected, rtol=0, atol=bound)
            assert (free.numpy() != expected).any()
    finally:
        cnet.set_num_threads(limit)


def test_frozen_weights_are_not_constrained() -> None:
    dense = layers.Dense(3, kernel_constraint="unit_norm", trainable=False)
    model = cnet.Sequential([layers.Input((4,)), dense, layers.Dense(2)])
    before = dense.kernel
    model.compile("sgd", "mse")
    model.fit(draw(10, 4), draw(10, 2), verbose=0)
    np.testing.assert_array_equal(dense.kernel, before)


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_get(name: str) -> None:
    constraint = CONSTRAINTS[name]
    again = constraints.get({"class_name": name, "config": constraint.get_config()})
    assert type(again) is type(constraint)
    assert again.get_config() == constraint.get_config()
    assert constraints.get(constraint) is constraint
    assert type(constraints.get(name)) is type(constraint)
    assert type(constraints.get(type(constraint))) is type(constraint)
    assert constraints.get(None) is None


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: constraints.MaxNorm(-1), ValueError),
        (lambda: constraints.MaxNorm(1, axis=1), ValueError),
        (lambda: constraints.UnitNorm(axis=[0, 1]), ValueError),
        (lambda: constraints.MinMaxNorm("low"), TypeError),
        (lambda: constraints.get("small"), ValueError),
        (lambda: constraints.get(np.ndarray), TypeError),
        (lambda: constraints.get(type("Mine", (constraints.Constraint,), {})()), TypeError),
        (lambda: layers.Dense(3, kernel_constraint=3), TypeError),
        (lambda: constraints.MinMaxNorm(2, 1), ValueError),
    ],
)
def test_invalid_arguments_are_refused(make: Any, error: Any) -> None:
    with pytest.raises(error, match=r"constraint|Norm"):
        make()


def test_constraints_of_integer_arrays_do_not_overflow() -> None:
    np.testing.assert_allclose(
        constraints.MaxNorm(1.0)(np.array([[200], [100]], np.uint8)), [[0.894427], [0.447214]], 1e-5
    )


@pytest.mark.parametrize(
    "name", [n for n in constraints.__all__ if n.islower() and n not in ACCESSORS]
)
def test_lower_case_names_are_aliases_of_the_classes(name: str) -> None:
    assert getattr(constraints, name) is type(constraints.get(name))
