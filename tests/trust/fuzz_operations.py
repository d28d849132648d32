"""Call every operation with arrays of any kind, chosen by bytes.

As a program it is a coverage-guided fuzzer with the options of libFuzzer (extra ``fuzz``; with
AddressSanitizer if the module is built with it):
``python tests/trust/fuzz_operations.py FOLDER -max_total_time=60``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from support.op_arguments import ALL_NAMES, PARAMETERS, SCALARS, UPDATES

from cnet import ops

Array = npt.NDArray[Any]

SIZES = [0, 1, 2, 3, 7, 15, 16, 17, 33]
DTYPES = ["f4", "f8", "f2", "i8", "u1", "?", ">f4", ">f8", "g", "D", "O", "S3", "M8[s]", "f4,i4"]
NUMBERS = [
    0.0,
    1.0,
    -1.0,
    0.5,
    0.9,
    1e-7,
    1e300,
    -1e300,
    float("inf"),
    float("nan"),
    2**63,
    -(2**70),
]
TEXTS = {
    "activation": ["relu", "elu", "mish", "tanh", "nothing"],
    "loss": ["huber", "kl_divergence", "mean_squared_error", "categorical_focal_crossentropy", ""],
}
# The axes of valid arrays, out of batch, inputs and outputs; other arrays are (batch, outputs).
AXES = {"x": "bi", "y": "bi", "kernel": "io", "bias": "o", "gamma": "o", "beta": "o", "labels": "b"}
AXES_OF_MOMENTS = {"mean": "o", "variance": "o"}


class Source:
    """Choices made by bytes; the first option when the bytes are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def below(self, count: int) -> int:
        return next(self._data, 0) % count

    def one_of(self, values: Any) -> Any:
        return values[self.below(len(values))]

    def seldom(self) -> bool:
        return self.below(8) == 7


def filled(source: Source, shape: tuple[int, ...], dtype: str) -> Array:
    """Return an array that owns exactly its memory."""
    array = np.zeros(shape, dtype)
    if array.dtype.kind in "fiu":
        # For labels and numbers: mostly small, some huge.
        values = [0, 1, 2, 0.5, *([np.inf, np.nan, -1, 1e30] if source.seldom() else [])]
        pattern = np.array([source.one_of(values) for _ in range(5)])
        with np.errstate(all="ignore"):
            array[...] = np.resize(pattern, shape).astype(dtype)
    return array


def with_layout(source: Source, array: Array) -> Array:
    """Return the same values, or some of them, in another memory layout."""
    match source.below(8):
        case 0:
            return np.asfortranarray(array)
        case 1:
            return np.flip(array)
        case 2 if array.size:
            return np.broadcast_to(array.reshape(-1)[0], array.shape)
        case 3 if array.ndim:
            return np.repeat(array, 2, axis=-1)[..., ::2]
        case 4 if not array.dtype.hasobject:
            memory = np.empty(array.nbytes + 1, np.uint8)
            shifted = memory[1:].view(array.dtype) if array.nbytes else memory[:0].view(array.dtype)
            shifted = shifted.reshape(array.shape)
            shifted[...] = array
            return shifted
        case 5:
            array.flags.writeable = False
    return array


def argument(
    source: Source, key: str, axes: dict[str, str], sizes: dict[str, int], dtype: str
) -> Any:
    """Return a value for a parameter, mostly a valid one."""
    if key in TEXTS:
        return source.one_of(TEXTS[key])
    if key in SCALARS:
        return source.one_of(NUMBERS) if source.seldom() else SCALARS[key]
    shape = tuple(sizes[axis] for axis in axes.get(key, "bo"))
    if key == "labels":
        shape, dtype = source.one_of([(shape, "i8"), ((sizes["b"], sizes["o"]), dtype)])
    if source.seldom():
        shape = tuple(source.one_of(SIZES) for _ in range(source.below(4)))
    if source.seldom():
        dtype = source.one_of(DTYPES)
    array = filled(source, shape, dtype)
    if source.seldom():
        return source.one_of([None, array.tolist(), 3, "text", [[1.0], [1.0, 2.0]]])
    return with_layout(source, array) if source.seldom() else array


def destination(source: Source, arguments: dict[str, Any], make: Callable[[str], Any]) -> Any:
    """Return a value for `out`: an array, a part of an argument, or several of these."""
    arrays = [value for value in arguments.values() if isinstance(value, np.ndarray)]
    match source.below(4):
        case 0:
            return None
        case 1 if arrays:
            array = source.one_of(arrays)
            return array[source.below(2) :] if array.ndim else array
        case 2:
            return tuple(make("grad") for _ in range(3))
    return make(source.one_of(["x", "grad", "kernel", "bias"]))


def call(data: bytes) -> bool:
    """Make the call that bytes describe; return True if it was not refused. Raise undocumented errors."""
    source = Source(data)
    name = source.one_of(ALL_NAMES)
    sizes = {axis: source.one_of(SIZES) for axis in "bio"}
    if "kernel" not in PARAMETERS[name]:
        sizes["i"] = sizes["o"]
    dtype = source.one_of(["f4", "f8"])
    axes = AXES if name in UPDATES else AXES | AXES_OF_MOMENTS

    def make(key: str) -> Any:
        return argument(source, key, axes, sizes, dtype)

    arguments = {
        key: make(key)
        for key, parameter in PARAMETERS[name].items()
        if key not in ("out", "parameters")
        and (parameter.default is parameter.empty or source.below(2))
    }
    if "parameters" in PARAMETERS[name]:
        arguments |= source.one_of(
            [{}, {}, {"alpha": 2.0}, {"alpha": "a"}, {"negative_slope": 1e300}]
        )
    if "out" in PARAMETERS[name]:
        arguments["out"] = destination(source, arguments, make)
    try:
        getattr(ops, name)(**arguments)
    except (TypeError, ValueError):
        return False
    return True


def main() -> None:
    """Let libFuzzer choose the bytes."""
    import atheris

    atheris.Setup(sys.argv, lambda data: int(call(data) and 0))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
