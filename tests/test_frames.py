"""Data frames: conversion of their columns, and errors for columns that are not numeric."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import cnet
from cnet import Input, Sequential, layers
from cnet._data import as_array

ROWS = 6
WHOLE, LOGICAL, REAL = [3, 1, 4, 1, 5, 9], [True, False, True, True, False, False], [0.5] * ROWS
EXPECTED = np.array([WHOLE, LOGICAL, REAL], np.float64).T


def frame_of(**dtypes: str) -> Any:
    columns = {"a": WHOLE, "b": LOGICAL, "c": REAL}
    return pd.DataFrame({k: pd.Series(v, dtype=dtypes.get(k)) for k, v in columns.items()})


@pytest.mark.parametrize(
    "frame",
    [
        frame_of(),
        frame_of(a="Int64", b="boolean", c="Float64"),
        frame_of(a="int64[pyarrow]", b="bool[pyarrow]", c="float64[pyarrow]"),
        frame_of(a="uint8", c="float32"),
        frame_of(a="Int8", c="float64[pyarrow]"),
        frame_of(a="float64[pyarrow]", b="float64[pyarrow]", c="float64[pyarrow]"),
        frame_of().set_axis(["a", "a", "a"], axis=1),
        frame_of().set_axis([0, 1, 2], axis=1),
        pl.DataFrame({"a": WHOLE, "b": LOGICAL, "c": REAL}),
    ],
)
def test_numeric_columns_become_an_array(frame: Any) -> None:
    array = as_array(frame, "x")
    assert array.dtype.kind == "f"
    np.testing.assert_array_equal(array, EXPECTED)


@pytest.mark.parametrize(
    ("columns", "dtype"),
    [
        ({"a": "int8", "b": "bool"}, "int8"),
        ({"a": "uint8", "b": "boolean"}, "uint8"),
        ({"a": "float32", "b": "bool"}, "float32"),
    ],
)
def test_the_array_is_no_wider_than_its_columns(columns: dict[str, str], dtype: str) -> None:
    assert as_array(frame_of(**columns)[["a", "b"]], "x").dtype == dtype


def test_missing_values_are_nan() -> None:
    frame = pd.DataFrame(
        {"a": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean")}
    )
    np.testing.assert_array_equal(as_array(frame, "x"), [[1, 1], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (list("xyzxyz"), r"dtype (object|str); leave it out, or encode it as numbers"),
        (pd.Categorical(list("xyzxyz")), "dtype category; leave it out, or encode it as numbers"),
        (pd.Categorical([1, 2, 3, 1, 2, 3]), None),
        (pd.array(list("xyzxyz"), "string[pyarrow]"), "dtype string; leave it out, or encode"),
        (
            pd.date_range("2020", periods=ROWS),
            r"dtype datetime64.*; leave it out, or convert it to num",
        ),
        (
            pd.to_timedelta(range(ROWS), "s"),
            r"dtype timedelta64.*; leave it out, or convert it to num",
        ),
        (
            pd.Series([1, 2.0, True] * 2, dtype=object),
            r"dtype object; convert it with astype\(float\)",
        ),
        (
            np.zeros(ROWS, complex),
            "dtype complex128; leave it out, or pass its real and imaginary parts",
        ),
    ],
)
def test_the_error_names_a_non_numeric_column(column: Any, message: str | None) -> None:
    frame = frame_of().assign(c=column)
    if message is None:  # numeric categories
        np.testing.assert_array_equal(as_array(frame, "x")[:, 2], [1, 2, 3, 1, 2, 3])
        return
    with pytest.raises(TypeError, match=f"fit: x: column 'c': expected numbers, got {message}"):
        as_array(frame, "fit: x")


def test_the_error_names_a_non_numeric_polars_column() -> None:
    frame = pl.DataFrame({"a": WHOLE, "c": list("xyzxyz")})
    with pytest.raises(TypeError, match="x: column 'c': expected numbers, got dtype String; leave"):
        as_array(frame, "x")


def fitted(**options: Any) -> Sequential:
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(frame_of(), REAL, verbose=0, **options)
    return model


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (frame_of()[["b", "a", "c"]], "got them in another order"),
        (frame_of().rename(columns={"a": "z"}), "got them without 'a' and with 'z'"),
        (frame_of().assign(d=1), "got them with 'd'"),
        (frame_of()[["a"]], "got them without 'b', 'c'"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"validation_split": 0.5}])
def test_frames_must_have_the_columns_of_the_first(frame: Any, message: str, options: Any) -> None:
    model = fitted(**options)
    for each in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        calls: dict[str, Any] = {
            "predict": lambda: each.predict(frame, verbose=0),  # noqa: B023 # called at once
            "fit": lambda: each.fit(frame, REAL, verbose=0),  # noqa: B023 # called at once
            "evaluate": lambda: each.evaluate(frame, REAL, verbose=0),  # noqa: B023 # called at once
            "Sequential": lambda: each(frame),  # noqa: B023 # called at once
            "fit: validation_data": lambda: each.fit(  # noqa: B023 # called at once
                frame_of(), REAL, verbose=0, validation_data=(frame, REAL)
            ),
            "fit: epoch 1: batch 1": lambda: each.fit(iter([(frame, REAL)]), verbose=0),  # noqa: B023 # called at once
        }
        for call, function in calls.items():
            expected = f"{call}: x: expected the columns that the model was fitted on, {message}"
            with pytest.raises(ValueError, match=expected):
                function()


def test_other_frames_and_arrays_match_by_position() -> None:
    model = fitted()
    expected = model.predict(frame_of(), verbose=0)
    for same in (frame_of().to_numpy(), frame_of().set_axis([0, 1, 2], axis=1)):
        np.testing.assert_array_equal(model.predict(same.astype(float), verbose=0), expected)
    other = Sequential([Input((3,)), layers.Dense(1)])
    other.compile("sgd", "mse")
    other.fit(frame_of().to_numpy().astype(float), REAL, verbose=0)
    other.predict(frame_of()[["c", "b", "a"]], verbose=0)  # which has no column names


def test_a_failed_fit_stores_no_columns() -> None:
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="x has 6 samples, y has 2"):
        model.fit(frame_of(), [1, 2], verbose=0)
    model.fit(frame_of()[["c", "b", "a"]], REAL, verbose=0)
    assert np.isfinite(model.predict(frame_of()[["c", "b", "a"]], verbose=0)).all()


def test_series_are_labels() -> None:
    model = Sequential([Input((3,)), layers.Dense(10, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    cnet.utils.set_random_seed(1)
    for dtype in ("int64", "Int64", "int64[pyarrow]", "float64"):
        model.fit(frame_of(), pd.Series(WHOLE, dtype=dtype), verbose=0)
    with pytest.raises(ValueError, match="fit: y: nan at row 1 is not a class id"):
        model.fit(frame_of(), pd.Series([1, None, 3, 4, 5, 6], dtype="Int64"), verbose=0)
