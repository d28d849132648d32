"""Arrays of any dtype, order, stride and alignment: the bits of their contiguous native copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

import cnet
from cnet import ops

Array = npt.NDArray[Any]

ROWS, FEATURES, CLASSES = 7, 5, 3
KINDS = [
    *("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g"),
    *(">i2", ">u4", ">i8", ">f2", ">f4", ">f8"),
]


@st.composite
def forms(draw: st.DrawFn, *shape: int) -> tuple[Array, Array]:
    """Draw an array with any memory layout, and its contiguous copy in native byte order."""
    dtype = np.dtype(draw(st.sampled_from(KINDS)))
    elements = (
        st.floats(-8, 8, width=16) if dtype.kind == "f" else hypothesis_numpy.from_dtype(dtype)
    )
    values = draw(hypothesis_numpy.arrays(dtype.newbyteorder("="), shape, elements=elements))
    order = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 1, 2, 3])) for _ in shape]
    flips = [draw(st.booleans()) for _ in shape]
    room = [step * size for step, size in zip(steps, shape, strict=True)]
    padding = draw(st.integers(0, dtype.itemsize))
    held = np.zeros(int(np.prod(room)) * dtype.itemsize + padding, np.uint8)
    placed = held[padding:].view(dtype).reshape([room[axis] for axis in order])
    placed = placed.transpose(np.argsort(order))
    placed = placed[
        tuple(
            slice(None, None, -step) if flip else slice(None, None, step)
            for step, flip in zip(steps, flips, strict=True)
        )
    ]
    placed[...] = values
    placed.flags.writeable = draw(st.booleans())
    return placed, np.ascontiguousarray(values)


def model() -> cnet.Sequential:
    cnet.utils.set_random_seed(3)
    made = cnet.Sequential([cnet.layers.Dense(4, "tanh"), cnet.layers.Dense(CLASSES, "softmax")])
    made.compile("sgd", "categorical_crossentropy")
    return made


def same(a: Any, b: Any) -> bool:
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


@given(x=forms(ROWS, FEATURES), y=forms(ROWS, CLASSES))
def test_models_read_the_same_numbers(x: tuple[Array, Array], y: tuple[Array, Array]) -> None:
    results = []
    for samples, labels in zip(x, y, strict=True):
        made = model()
        outputs = [made.predict(samples, verbose=0), made(samples)]
        try:
            outputs.append(made.fit(samples, labels, batch_size=3, verbose=0).history["loss"])
        except FloatingPointError:  # of integers beyond the bounds
            outputs.append("not finite")
        results.append([*outputs, *made.get_weights()])
    assert all(same(a, b) for a, b in zip(*results, strict=True))


@given(x=forms(ROWS, FEATURES), kernel=forms(FEATURES, CLASSES), bias=forms(CLASSES))
def test_operations_read_the_same_numbers(
    x: tuple[Array, Array], kernel: tuple[Array, Array], bias: tuple[Array, Array]
) -> None:
    results = [ops.dense_forward(*each) for each in zip(x, kernel, bias, strict=True)]
    assert results[0].dtype == results[1].dtype
    assert same(*results)


@given(weights=forms(FEATURES, CLASSES))
def test_weights_store_the_same_numbers(weights: tuple[Array, Array]) -> None:
    results = []
    for each in weights:
        layer = cnet.layers.Dense(CLASSES, input_shape=(FEATURES,))
        layer.build((None, FEATURES))
        layer.kernel = each
        results.append(layer.kernel)
    assert same(*results)
