"""User data: accepted forms, and equal results for every form."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from operator import methodcaller
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import cnet
from cnet import _data

Array = npt.NDArray[Any]


class OnlyDLPack:
    """An array of another library that supports only DLPack."""

    def __init__(self, array: Array) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


class OnlyArray:
    """A table of another library that supports only `__array__`."""

    def __init__(self, array: Array) -> None:
        self._array = array

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self._array, dtype=dtype, copy=copy)


def read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array


def memory_mapped(array: Array) -> Array:
    with tempfile.TemporaryFile() as file:
        mapped: Array = np.memmap(file, array.dtype, mode="w+", shape=array.shape)
    mapped[...] = array
    return mapped


NATIVE_DTYPES = [
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64"),
]
# Layouts that the engine reads without a copy.
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "every other column": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "every third row": lambda a: np.repeat(a, 3, axis=0)[::3],
    "reversed": lambda a: np.flip(np.flip(a).copy()),
    "Fortran": np.asfortranarray,
    "read-only": read_only,
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "memory-mapped": memory_mapped,
}
# All forms of an array of zeros and ones.
FORMS: dict[str, Callable[[Array], Any]] = {
    "list": lambda a: a.tolist(),
    "tuple of rows": tuple,
    "DLPack": OnlyDLPack,
    "__array__": OnlyArray,
    **LAYOUTS,
    **{
        dtype: methodcaller("astype", dtype)
        for dtype in (*NATIVE_DTYPES, "longdouble", ">i2", ">u8", ">f2", ">f8")
    },
}

UNSUPPORTED: dict[str, Any] = {
    "masked": np.ma.masked_array([1.0, 2.0], [False, True]),
    "complex": np.ones(2, np.complex64),
    "objects": np.array([1, None]),
    "integers beyond 64 bits": [2**64, 1],
    "str": "text",
    "array of str": np.array(["1", "2"]),
    "bytes": np.array([b"1", b"2"]),
    "dates": np.zeros(2, "datetime64[s]"),
    "durations": np.zeros(2, "timedelta64[s]"),
    "records": np.zeros(2, [("a", float), ("b", float)]),
    "None": None,
    "dict": {"x": 1},
    "generator": (n for n in range(3)),
}


def zeros_and_ones(*shape: int) -> Array:
    return np.random.default_rng(0).integers(2, size=shape).astype(np.float32)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(7,), (6, 5), (4, 3, 2)])
def test_every_form_is_converted_to_the_same_numbers(form: str, shape: tuple[int, ...]) -> None:
    values = zeros_and_ones(*shape)
    array = _data.as_array(FORMS[form](values), "fit: x")
    assert type(array) is np.ndarray
    assert array.dtype.name in NATIVE_DTYPES
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, values)


def result_of_training(x: Any, y: Any, loss: str) -> list[Any]:
    """Return all that comes out of a model that has seen nothing but `x` and `y`."""
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential([cnet.layers.Dense(5, "relu"), cnet.layers.Dense(2, "softmax")])
    model.compile("sgd", loss, metrics=["accuracy"])
    history = model.fit(x, y, batch_size=7, epochs=2, validation_split=0.2, verbose=0)
    weights = [weight.tobytes() for weight in model.get_weights()]
    return [history.history, weights, model.evaluate(x, y, verbose=0), model(x).tobytes()]


@pytest.mark.parametrize("form", FORMS)
def test_training_has_the_same_bits_from_every_form(form: str) -> None:
    x, ids = zeros_and_ones(40, 6), zeros_and_ones(40)
    one_hot = np.eye(2, dtype=np.float32)[ids.astype(int)]
    change = FORMS[form]
    for labels, loss in (
        (ids, "sparse_categorical_crossentropy"),
        (one_hot, "categorical_crossentropy"),
    ):
        expected = result_of_training(x, labels, loss)
        assert result_of_training(change(x), change(labels), loss) == expected


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", NATIVE_DTYPES)
def test_arrays_that_the_engine_can_read_are_not_copied(dtype: str, layout: str) -> None:
    data = LAYOUTS[layout](zeros_and_ones(6, 5).astype(dtype))
    assert np.shares_memory(_data.as_array(data, "fit: x"), data)
    assert np.shares_memory(_data.as_samples(data, "fit: x", (5,)), data)


def extremes(dtype: str) -> Array:
    if dtype == "bool":
        return np.array([False, True])
    if dtype == "float16":
        return np.arange(2**16).astype(np.uint16).view(np.float16)  # all values
    if dtype.startswith("float"):
        info = np.finfo(dtype)
        numbers: list[Any] = [
            info.max,
            info.smallest_normal,
            info.smallest_subnormal,
            1 / 3,
            2**24 + 1,
        ]
        numbers += [0.0, np.inf, np.nan, np.finfo(np.float32).smallest_subnormal]
        return np.array([[n, -n] for n in numbers], dtype).ravel()
    limits = np.iinfo(dtype)
    near_ties = [n for n in (2**24 + 1, 2**53 + 1, 2**53 + 3) if n <= limits.max]
    return np.array([0, 1, limits.min, limits.max, limits.max - 1, *near_ties], dtype)


@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("dtype", NATIVE_DTYPES)
def test_conversions_match_numpy(dtype: str, floatx: str) -> None:
    data = extremes(dtype)
    with np.errstate(over="ignore"):
        expected = data.astype(floatx)
    identity = cnet.Sequential([cnet.layers.Activation("linear", dtype=floatx)])
    converted = identity.predict(data, verbose=0)[:, 0]
    assert converted.dtype == floatx
    np.testing.assert_array_equal(converted, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(converted[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_data_that_is_not_numeric_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match=r"^fit: y: "):
        _data.as_array(UNSUPPORTED[kind], "fit: y")


def test_ragged_lists_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^fit: x: rows of different lengths"):
        _data.as_array([[1, 2], [3]], "fit: x")


# -- Samples ---------------------------------------------------------------------------------------


def test_one_dimensional_samples_have_one_feature() -> None:
    assert _data.as_samples([1, 2, 3], "fit: x").shape == (3, 1)
    assert _data.as_samples([1, 2, 3], "fit: x", (1,)).shape == (3, 1)


@pytest.mark.parametrize("form", FORMS)
def test_samples_are_flattened_in_c_order(form: str) -> None:
    values = zeros_and_ones(4, 3, 2)
    samples = _data.as_samples(FORMS[form](values), "fit: x", (3, 2))
    np.testing.assert_array_equal(samples, values.reshape(4, 6))


def test_empty_data_keeps_its_width() -> None:
    assert _data.as_samples(np.empty((0, 3, 2)), "fit: x", (3, 2)).shape == (0, 6)


def test_a_single_number_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^fit: x: expected an array of samples, got .* 7"):
        _data.as_samples(7, "fit: x")


@pytest.mark.parametrize("shape", [(5, 4), (5, 6), (5,), (5, 2, 3), (5, 3, 2, 1)])
def test_samples_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^fit: x: expected shape \(batch, 3, 2\), got \(5,"):
        _data.as_samples(np.zeros(shape), "fit: x", (3, 2))


# -- Labels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", NATIVE_DTYPES)
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_ids_become_a_column_of_integers(shape: tuple[int, ...], dtype: str) -> None:
    ids = np.array([1, 0, 0, 1]).reshape(shape).astype(dtype)
    labels = _data.as_labels(ids, "fit: y", 2, sparse=True)
    assert labels.dtype.kind in "biu"
    assert labels.tolist() == [[1], [0], [0], [1]]


@pytest.mark.parametrize("dtype", NATIVE_DTYPES)
def test_distributions_are_not_copied(dtype: str) -> None:
    rows = np.eye(3)[[1, 0, 2, 1]].astype(dtype)
    labels = _data.as_labels(rows, "fit: y", 3, sparse=False)
    assert labels.dtype == rows.dtype
    assert labels.ctypes.data == rows.ctypes.data
    np.testing.assert_array_equal(labels, rows)


@pytest.mark.parametrize(
    ("labels", "sparse", "message"),
    [
        (np.eye(3), True, r"expected integer class ids .*\(3, 3\).* categorical_crossentropy"),
        (np.ones((3, 1, 1)), True, r"expected integer class ids .*\(3, 1, 1\)"),
        ([0, 1, 2], False, r"\(batch, 3\).*\(3,\).* sparse_categorical_crossentropy"),
        (np.eye(4), False, r"expected one-hot labels of shape \(batch, 3\), got shape \(4, 4\)"),
        ([0.0, np.nan, 1.0], True, r"nan at row 1 is not a class id"),
        ([0.0, 1.0, np.inf], True, r"inf at row 2 is not a class id"),
        ([0.5, 1.0, 1.0], True, r"0.5 at row 0 is not a class id"),
        ([0.0, 2.0**63, 1.0], True, r"9.22\d*e\+18 at row 1 is not a class id"),
        (5, True, r"got the single number 5"),
    ],
)
def test_wrong_labels_are_refused(labels: Any, sparse: bool, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^fit: y: .*{message}"):
        _data.as_labels(labels, "fit: y", 3, sparse=sparse)


# -- Arguments of ops ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (np.ones(1, "float32"), np.ones(1, "float32"), "float32"),
        (np.ones(1, "float32"), np.ones(1, "float64"), "float64"),
        (np.ones(1, "float16"), np.ones(1, "float32"), "float32"),
        (np.ones(1, "float64"), [1.0], "float64"),
        (np.ones(1, "int64"), np.ones(1, "bool"), "float32"),
        ([1.0], [2], "float32"),
    ],
)
def test_arrays_determine_the_dtype_of_an_op(x: Any, y: Any, expected: str) -> None:
    arrays = _data.as_floats("relu", x=x, y=y)
    assert [array.dtype for array in arrays] == [expected, expected]


@pytest.mark.parametrize("form", FORMS)
def test_arguments_of_ops_are_contiguous_and_aligned(form: str) -> None:
    values = zeros_and_ones(6, 5)
    (array,) = _data.as_floats("relu", x=FORMS[form](values))
    assert array.flags.c_contiguous
    assert array.flags.aligned
    np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_non_numeric_arguments_of_ops_are_refused(kind: str) -> None:
    with pytest.raises(TypeError, match=r"^relu: x: "):
        _data.as_floats("relu", x=UNSUPPORTED[kind])


@pytest.mark.parametrize(
    ("shape", "text"),
    [((None,), "(batch,)"), ((None, 3), "(batch, 3)"), ((None, 3, 2), "(batch, 3, 2)"), ((), "()")],
)
def test_shapes_in_messages(shape: tuple[int | None, ...], text: str) -> None:
    assert _data.shape_text(shape) == text


def test_empty_arrays_with_a_too_large_dimension() -> None:
    assert _data.as_array(np.empty((0, 2**31 - 1)), "call: x").shape == (0, 2**31 - 1)
    for shape in ((0, 2**31), (2**31, 0)):
        with pytest.raises(ValueError, match=r"^call: x: expected numbers, got none in shape \("):
            _data.as_array(np.empty(shape), "call: x")


def test_the_error_for_labels_of_another_width_names_their_kind() -> None:
    wide = np.ones((4, 3))
    with pytest.raises(
        ValueError, match=r"expected one-hot labels .*; for integer ids use sparse_"
    ):
        _data.as_labels(wide, "call: y", 2, sparse=False)
    with pytest.raises(
        ValueError, match=r"expected numbers of shape \(batch, 2\), got shape \(4, 3\)$"
    ):
        _data.as_labels(wide, "call: y", 2, sparse=False, are_classes=False)


@pytest.mark.parametrize("order", "<>=")
@pytest.mark.parametrize("code", "?bBhHiIqQlLefdg")
def test_every_spelling_of_a_dtype_gives_the_same_results(code: str, order: str) -> None:
    """zarr and h5py return '<f4', which is another dtype object than np.float32."""
    dtype = np.dtype(code).newbyteorder(order)
    x, ids = np.eye(4)[:, :3].astype(dtype), np.array([0, 1, 1, 0]).astype(dtype)
    weight, kernel = np.array([1, 0, 1, 1]).astype(dtype), np.eye(3)[:, :2].astype(dtype)

    def results(*arrays: Any) -> list[bytes]:
        x, ids, weight, kernel = arrays
        model = cnet.Sequential([cnet.layers.Dense(2, "softmax", use_bias=False)])
        model.build((None, 3))
        model.set_weights([kernel])
        model.compile("sgd", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
        model.fit(x, ids, sample_weight=weight, shuffle=False, verbose=0)
        outputs = [*model.evaluate(x, ids, verbose=0), model.predict(x, verbose=0), model(x)]
        outputs += [cnet.ops.dense_forward(x, kernel, None), *model.get_weights()]
        return [np.asarray(output).tobytes() for output in outputs]

    native = [array.astype(dtype.newbyteorder("=").type) for array in (x, ids, weight, kernel)]
    assert results(x, ids, weight, kernel) == results(*native)
