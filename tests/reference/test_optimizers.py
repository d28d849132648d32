"""The reference's update steps of optimizers, in place."""

from __future__ import annotations

import numpy as np
import pytest

from cnet import reference as ops


def test_sgd_steps_in_place() -> None:
    param = np.array([1.0, -2.0])
    ops.sgd_update(param, [0.5, 0.5], learning_rate=2.0)
    assert param.tolist() == [0.0, -3.0]


@pytest.mark.parametrize(("nesterov", "expected"), [(False, [-1.0, -3.5]), (True, [-1.5, -4.75])])
def test_sgd_with_momentum(nesterov: bool, expected: list[float]) -> None:
    param, velocity = np.zeros(1), np.zeros(1)
    positions = []
    for grad in (0.5, 1.0):
        ops.sgd_momentum_update(param, [grad], velocity, 2.0, 0.5, nesterov)
        positions.append(param.item())
    assert positions == expected
    assert velocity.item() == -2.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_velocities_are_never_subnormal(dtype: type[np.floating]) -> None:
    tiny = np.finfo(dtype).smallest_normal
    param, velocity = np.zeros(3, dtype), np.array([tiny, -tiny, 2 * tiny], dtype)
    ops.sgd_momentum_update(param, np.zeros(3), velocity, learning_rate=1.0, momentum=0.5)
    assert velocity.tolist() == param.tolist() == [0.0, 0.0, tiny]
