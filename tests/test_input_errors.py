"""Errors for unsupported data name the object and the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from cnet import Input, Sequential, layers

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)).astype("float32"), RNG.integers(2, size=20)


class Samples:
    """Like a PyTorch dataset."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> Any:
        return X[index], Y[index]


class Tensor:
    """Like a PyTorch tensor that requires a gradient."""

    requires_grad = True

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


def batches() -> Iterator[Any]:
    yield X, Y


def make() -> Sequential:
    model = Sequential([Input((3,)), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


NO_ARRAYS: list[tuple[Any, str]] = [
    (None, "got None$"),
    ("data.csv", "got str 'data.csv'"),
    (Path("data.csv"), "got the path 'data.csv'; read the file first"),
    ({"a": X}, "got a dict with 'a'; pass one array"),
    ({1, 2}, "got a set, which has no order; pass a list"),
    *(
        (make_sparse(X), rf"got a {make_sparse.__name__}, which is sparse; pass its toarray\(\)")
        for make_sparse in (
            sparse.csr_matrix,
            sparse.csc_array,
            sparse.coo_array,
            sparse.dok_matrix,
        )
    ),
    (batches, "got the function batches; call it, and pass its result"),
    (Samples, "got the function Samples; call it"),
    (Samples(), "got a Samples, whose items are single samples; batch them with"),
    (Tensor(), r"got a Tensor that requires a gradient; pass its detach\(\)"),
]


@pytest.mark.parametrize(("thing", "message"), NO_ARRAYS)
@pytest.mark.parametrize("y", [Y, None])
def test_unsupported_samples(thing: Any, message: str, y: Any) -> None:
    with pytest.raises(TypeError, match=f"^fit: x: expected .*{message}"):
        make().fit(thing, y, verbose=0)
    with pytest.raises(TypeError, match=f"^predict: x: expected .*{message}"):
        make().predict(thing, verbose=0)


@pytest.mark.parametrize(("thing", "message"), NO_ARRAYS[1:])
def test_unsupported_labels(thing: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^fit: y: expected .*{message}"):
        make().fit(X, thing, verbose=0)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (X.astype(object), r"ndarray of dtype object; all are numbers: use astype\(float\)"),
        ([[1, 2, "x"]] * 20, r"list of dtype <U\d+; encode text as numbers"),
        (np.zeros((20, 3), "M8[s]"), r"dtype datetime64\[s\]; convert times to numbers"),
        (np.zeros((20, 3), "m8[s]"), r"dtype timedelta64\[s\]; convert times to numbers"),
        (X + 0j, "dtype complex.*; pass real and imaginary parts as two columns"),
        (np.zeros(20, "f4,f4,f4"), "; numpy.lib.recfunctions.structured_to_unstructured joins"),
        ([[1, None, 3]] * 20, "list of dtype object: a value is missing at row 0"),
        (np.array([[1, 2, 3]] * 7 + [[1, 2, [3]]], object), r"dtype object, with \[3\] at row 7"),
    ],
)
def test_arrays_of_other_objects(array: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^fit: x: expected numbers, got .*{message}"):
        make().fit(array, Y, verbose=0)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_the_error_for_a_missing_label_names_its_row(missing: Any) -> None:
    y = [*Y.tolist()[:5], missing, *Y.tolist()[6:]]
    with pytest.raises((TypeError, ValueError), match=r"^fit: y: .*at row 5"):
        make().fit(X, y, verbose=0)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            X,
            ValueError,
            r"y: expected labels for x \(ndarray of shape \(20, 3\)\), got None; batches",
        ),
        ((X, Y), ValueError, r"x is a tuple of 2 arrays; give them one by one: fit\(x, y\)"),
        (
            [X, Y, Y],
            ValueError,
            r"a list of 3 arrays; give them one by one: fit\(x, y, sample_weight\)",
        ),
        ([(X, Y)] * 3, ValueError, "x is a list, which is taken for samples; if it holds batches"),
        (
            iter([{"x": X, "y": Y}]),
            TypeError,
            r"batch 1: x: expected .*got a dict with 'x', 'y'; .* batches \(x, y\)",
        ),
        (
            iter([X]),
            ValueError,
            "batch 1: y: expected labels for x .*; batches contain them:",
        ),
        (
            zip(X, Y, strict=True),
            ValueError,
            r"batch 1: x: .* got \(3,\); for one sample pass x\[None\]",
        ),
    ],
)
def test_data_without_labels(x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^fit: .*{message}"):
        make().fit(x, verbose=0)


def test_labels_beside_batches() -> None:
    message = "fit: y: expected None, as x is a generator of batches"
    with pytest.raises(ValueError, match=message):
        make().fit(batches(), Y, verbose=0)


@pytest.mark.parametrize("call", ["predict", "predict_on_batch", "__call__"])
def test_one_sample(call: str) -> None:
    with pytest.raises(ValueError, match=r"expected shape \(batch, 3\), got \(3,\); .*x\[None\]"):
        getattr(make(), call)(X[0])


@pytest.mark.parametrize("build", [True, False])
def test_lists_of_one_array(build: bool) -> None:
    """As in Keras, whose models accept a list of inputs."""
    model = make()
    if not build:
        model = Sequential([layers.Dense(2, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
    for x, y in (([X], Y), ((X,), [Y]), ([X], (Y[:, None],))):
        model.fit(x, y, verbose=0)
        model.fit(x, Y, validation_split=0.5, verbose=0)
        model.fit(X, Y, validation_data=(x, y), verbose=0)
    for outputs in (model.predict([X], verbose=0), model([X]), model.predict_on_batch([X])):
        np.testing.assert_array_equal(outputs, model.predict(X, verbose=0))
    assert model.evaluate([X], [Y], verbose=0) == model.evaluate(X, Y, verbose=0)
    assert model.predict([X[0]], verbose=0).shape == (1, 2)  # a list with one sample
    assert model.predict([X[0].tolist()], verbose=0).shape == (1, 2)
