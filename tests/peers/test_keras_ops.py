"""The operations of `cnet.ops` with Keras's names against `keras.ops`: values, gradients, signatures."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.keras_operations import ARRAYS, CALLS, NAMES, UNSET, Call, parameters_of
from support.tolerances import ELEMENTARY_ROUNDINGS, relative_bound

from cnet import autodiff, ops

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of the peers

Array = npt.NDArray[Any]

EACH = [
    pytest.param(name, call, id=f"{name}-{number}")
    for name, calls in CALLS.items()
    for number, call in enumerate(calls)
]
# Keras's take arguments that it ignores; the softmaxes have `out=` besides.
OTHER_SIGNATURES = {"einsum", "multi_hot", "softmax", "log_softmax"}
# Keras multiplies by constants that TensorFlow has rounded to float32.
IN_FLOAT32 = {"gelu", "leaky_relu"}


@pytest.fixture(scope="module")
def keras() -> Any:
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the gradients are TensorFlow's: run with KERAS_BACKEND=tensorflow")
    return keras


# Keras's have gradients; cnet refuses tensors.
OF_ARRAYS = {"linspace"}


def function_of(keras: Any, name: str) -> Any:
    return keras.activations.mish if name == "mish" else getattr(keras.ops, name)


def leaves(result: Any) -> list[Any]:
    """Return the arrays of a result, which may be several."""
    if isinstance(result, (list, tuple)):
        return [leaf for each in result for leaf in leaves(each)]
    return [result]


def is_float(x: Any) -> bool:
    return np.issubdtype(np.asarray(x).dtype, np.floating)


def assert_near(ours: Any, theirs: Any) -> None:
    """Compare sums of up to thirty products of elementary functions, with terms up to about 2⁶."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    # Integers have NumPy's types here, and are int32 in Keras.
    assert ours.dtype == theirs.dtype or {ours.dtype.kind, theirs.dtype.kind} <= {"i", "u"}
    if not is_float(ours):
        np.testing.assert_array_equal(ours, theirs)
        return
    finite = np.isfinite(theirs)
    np.testing.assert_array_equal(ours[~finite], theirs[~finite])
    magnitude = 64 * max(1.0, float(np.abs(theirs[finite]).max(initial=0)))
    bound = relative_bound(30 + 4 * ELEMENTARY_ROUNDINGS, theirs.dtype) * magnitude
    assert np.abs(ours[finite] - theirs[finite]).max(initial=0) <= bound


class Peer:
    """The modules of Keras as one, for calls."""

    def __init__(self, keras: Any) -> None:
        self._keras = keras

    def __getattr__(self, name: str) -> Any:
        return function_of(self._keras, name)


def inputs_of(name: str, call: Call) -> list[Array]:
    arrays = [ARRAYS[parameter] for parameter in parameters_of(call)]
    if name in IN_FLOAT32:
        arrays = [each.astype(np.float32) for each in arrays]
    return arrays


@pytest.mark.parametrize(("name", "call"), EACH)
def test_values(keras: Any, name: str, call: Call) -> None:
    arrays = inputs_of(name, call)
    with np.errstate(all="ignore"):
        found = leaves(call(ops, *arrays))
    expected = leaves(call(Peer(keras), *map(keras.ops.convert_to_tensor, arrays)))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        if isinstance(theirs, str):
            assert ours == theirs
        else:
            assert_near(ours, keras.ops.convert_to_numpy(theirs))


@pytest.mark.parametrize(("name", "call"), EACH)
def test_gradients(keras: Any, name: str, call: Call) -> None:
    tf = pytest.importorskip("tensorflow")
    arrays = inputs_of(name, call)
    rng = np.random.default_rng(1)

    theirs = [tf.constant(array) for array in arrays]
    sources = [n for n, array in enumerate(arrays) if is_float(array)]
    with tf.GradientTape() as tape:
        tape.watch([theirs[n] for n in sources])
        results = leaves(call(Peer(keras), *theirs))
    targets = [n for n, x in enumerate(results) if isinstance(x, tf.Tensor) and x.dtype.is_floating]
    if not targets or not sources or name in OF_ARRAYS:
        return  # no gradient
    grads = [np.asarray(rng.normal(size=results[n].shape), results[n].dtype.name) for n in targets]
    expected = tape.gradient(
        [results[n] for n in targets],
        [theirs[n] for n in sources],
        [tf.constant(grad) for grad in grads],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )

    ours = [autodiff.constant(array) for array in arrays]
    with autodiff.GradientTape() as ours_tape, np.errstate(all="ignore"):
        ours_tape.watch([ours[n] for n in sources])
        results = leaves(call(ops, *ours))
    # Results without a gradient, such as one_hot's, are arrays.
    pairs = [
        (results[n], grad)
        for n, grad in zip(targets, grads, strict=True)
        if isinstance(results[n], autodiff.Tensor)
    ]
    with np.errstate(all="ignore"):
        found = ours_tape.gradient(
            [result for result, _ in pairs],
            [ours[n] for n in sources],
            [grad for _, grad in pairs],
            unconnected_gradients="zero",
        )
    for gradient, other in zip(found, expected, strict=True):
        assert_near(gradient.numpy(), tf.convert_to_tensor(other).numpy())


@pytest.mark.parametrize("name", sorted(set(NAMES) - OTHER_SIGNATURES))
def test_signatures(keras: Any, name: str) -> None:
    """Names, order and defaults of the parameters."""
    ours, theirs = (
        [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]
        for function in (getattr(ops, name), function_of(keras, name))
    )
    assert ours == theirs


def test_other_signatures(keras: Any) -> None:
    for name in OTHER_SIGNATURES:
        ours = inspect.signature(getattr(ops, name)).parameters
        theirs = inspect.signature(getattr(keras.ops, name)).parameters
        assert list(ours)[: len(theirs) - ("kwargs" in theirs)] == [
            each for each in theirs if each != "kwargs"
        ]


def test_every_name_has_a_call() -> None:
    assert set(CALLS) | UNSET == set(NAMES)
