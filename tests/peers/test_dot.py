"""`Dot` along any axes compared with Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("first", "second", "axes"),
    [
        ((4,), (4,), -1),
        ((3, 4), (4,), (2, 1)),
        ((4,), (2, 4), (1, 2)),
        ((3, 4), (2, 4), 2),
        ((4, 3), (4, 2), 1),
        ((3, 4), (4, 3), (1, 2)),
        ((2, 3, 4), (4, 5), (3, 1)),
        ((2, 3, 4), (5, 3), (2, -1)),
    ],
)
def test_dot(first: Any, second: Any, axes: Any, normalize: bool) -> None:
    x, y = (RNG.normal(size=(6, *shape)).astype(np.float32) for shape in (first, second))
    results = []
    for k in (cnet, keras):
        inputs = [k.Input(first), k.Input(second)]
        output = k.layers.dot(inputs, axes, normalize=normalize)
        model = k.Model(inputs, output)
        results.append(
            (output.shape, np.asarray(model([x, y])), k.layers.Dot(axes, normalize)([x, y]))
        )
    (shape, values, eager), (expected_shape, expected, _) = results
    assert shape == expected_shape
    bound = 16 * np.finfo(np.float32).eps * np.abs(expected).max()
    np.testing.assert_allclose(values, expected, rtol=0, atol=bound)
    assert np.array_equal(eager, values)
