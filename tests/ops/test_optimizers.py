"""Update steps of optimizers, in place."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from support.op_arguments import BAD_OUTS, DTYPES, UPDATED, UPDATES, arrays_of, assert_same, draw

from cnet import ops


def test_updates_change_the_callers_array() -> None:
    memory = np.zeros(10, np.float32)
    param, velocity = memory[2:5], np.zeros(3, np.float32)
    ops.sgd_update(param, [1.0, 2.0, 3.0], 2.0)
    assert memory.tolist() == [0, 0, -2, -4, -6, 0, 0, 0, 0, 0]
    ops.sgd_momentum_update(param, [1.0, 1.0, 1.0], velocity, 2.0, 0.5)
    assert memory.tolist() == [0, 0, -4, -6, -8, 0, 0, 0, 0, 0]
    assert velocity.tolist() == [-2, -2, -2]


def test_updates_of_arrays_that_overlap_are_refused() -> None:
    memory = np.ones(8, np.float32)
    a, b, other = memory[:5], memory[3:], np.ones(5, np.float32)
    with pytest.raises(ValueError, match="sgd_update"):
        ops.sgd_update(a, b, 1.0)
    for param, grad, velocity in [(a, b, other), (a, other, b), (other, a, b), (a, other, a)]:
        with pytest.raises(ValueError, match="sgd_momentum_update"):
            ops.sgd_momentum_update(param, grad, velocity, 1.0, 0.5)
    assert (memory == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_param_determines_the_dtype_of_an_update(dtype: type) -> None:
    param, expected = np.ones(5, dtype), np.ones(5, dtype)
    grad = np.full(5, 0.1)
    ops.sgd_update(param, grad, 1.0)
    ops.sgd_update(expected, grad.astype(dtype), 1.0)
    assert_same([param], [expected])


BAD_PARAMS = {
    kind: bad
    for kind, bad in BAD_OUTS.items()
    if kind in ("float16", "integers", "list", "strided", "reversed", "read-only")
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UPDATES)
def test_arrays_that_cannot_be_updated_in_place_are_refused(name: str, dtype: type) -> None:
    arguments = draw(name, 17, 13, 13, dtype)
    for (spoil, error), key in product(BAD_PARAMS.values(), UPDATED):
        if key in arguments:
            copies = {k: np.copy(arguments[k]) for k in arrays_of(arguments)}
            altered = arguments | copies | {key: spoil(copies[key])}
            before = np.copy(altered[key])
            with pytest.raises(error, match=name):
                getattr(ops, name)(**altered)
            np.testing.assert_array_equal(altered[key], before)
            np.testing.assert_array_equal(copies["param"], arguments["param"])


def test_a_velocity_of_another_dtype_is_refused() -> None:
    param, velocity = np.ones(3, np.float32), np.ones(3)
    with pytest.raises(TypeError, match="sgd_momentum_update"):
        ops.sgd_momentum_update(param, np.ones(3), velocity, 1.0, 0.5)
    assert param.tolist() == velocity.tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_velocities_are_never_subnormal(dtype: type) -> None:
    tiny = np.finfo(dtype).smallest_normal
    velocity = np.resize(np.array([tiny, -tiny, 2 * tiny, -2 * tiny], dtype), 103)
    param = np.zeros(103, dtype)
    ops.sgd_momentum_update(param, np.zeros(103, dtype), velocity, 1.0, 0.5)
    assert_same([velocity, param], [np.resize(np.array([0, 0, tiny, -tiny], dtype), 103)] * 2)
