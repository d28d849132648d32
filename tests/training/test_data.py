"""Valid and invalid data: errors name the argument or the batch."""

from __future__ import annotations

import array
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.classifiers import (
    IDS,
    WEIGHTS,
    Dataset,
    X,
    bits,
    generator,
    in_batches,
    make_model,
    momentum,
)

import cnet
from cnet import callbacks


@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("source", [lambda: iter([]), lambda: Dataset([])], ids=["iter", "dataset"])
def test_no_batches_at_all(call: str, source: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{call}.*: x: expected batches, got none"):
        getattr(make_model(5), call)(source(), verbose=0)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"y": IDS}, r"y: expected None, as x is a .* of batches .*, got ndarray"),
    ({"sample_weight": WEIGHTS}, r"sample_weight: expected None, as x is a"),
    ({"validation_split": 0.1}, r"validation_split: expected arrays to split, got .* generator"),
    ({"validation_data": (generator(X), IDS)}, r"validation_data: y: expected None, as x is"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_arguments_that_batches_exclude(wrong: dict[str, Any], message: str) -> None:
    model = make_model(5)
    before = bits(model)
    with pytest.raises(ValueError, match=rf"^fit: {message}"):
        model.fit(generator(X, IDS), **wrong)
    assert bits(model) == before


@pytest.mark.parametrize("options", [{"workers": 2}, {"use_multiprocessing": True}])
def test_workers_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"PyDataset: expected workers=1 and use_multiprocessing=F"
    ):
        cnet.utils.PyDataset(**options)
    source = Dataset(in_batches(X, IDS))
    for name, value in options.items():
        setattr(source, name, value)
        with pytest.raises(
            ValueError, match=rf"^fit: x: {name}: expected (1|False), .*got {value}"
        ):
            make_model(5).fit(source)


BAD: list[tuple[Any, str]] = [
    ((X[:5, :3], IDS[:5]), r"x: expected shape \(batch, 6\), got \(5, 3\)"),
    ((X[:5], IDS[:4]), r"x has 5 samples, y has 4"),
    ((X[:5], IDS[:5] + 9), r"y: .* is outside \[0, 4\)"),
    ((X[:5],), r"y: expected labels for x .*got None"),
    (X[:5], r"y: expected labels for x .*got None"),
    ((X[:0], IDS[:0]), r"x holds no samples"),
    ((X[:5], IDS[:5], WEIGHTS), r"sample_weight: expected shape \(5,\), got \(77,\)"),
    ((X, IDS, WEIGHTS, 1), r"expected \(x,\), \(x, y\) or \(x, y, sample_weight\), got 4"),
    ((), r"expected \(x,\), \(x, y\) or \(x, y, sample_weight\), got 0"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
@pytest.mark.parametrize("call", ["fit", "evaluate"])
def test_the_error_names_an_invalid_batch(call: str, bad: Any, message: str) -> None:
    model = make_model(5, optimizer=momentum())
    where = "fit: epoch 1" if call == "fit" else "evaluate"
    with pytest.raises(ValueError, match=rf"^{where}: batch 3: {message}"):
        getattr(model, call)(iter([*in_batches(X, IDS)[:2], bad]), verbose=0)
    assert model.optimizer.iterations == (2 if call == "fit" else 0)
    model.fit(X, IDS, verbose=0)


def test_the_model_works_after_a_bad_first_batch() -> None:
    model = cnet.Sequential([cnet.layers.Dense(4, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"batch 1: y: .*4 at row 0 is outside"):
        model.fit(iter([(X[:1], [4])]), verbose=0)
    model.fit(generator(X, IDS), verbose=0)
    assert model.input_shape == (None, 6)


@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_exceptions_of_a_generator_propagate(call: str) -> None:
    def failing() -> Iterator[Any]:
        yield from in_batches(X, IDS)[:2]
        raise LookupError("of mine")

    model = make_model(5, metrics=["accuracy"])
    with pytest.raises(LookupError, match="of mine"):
        getattr(model, call)(failing(), verbose=0)
    assert model.optimizer.iterations == (2 if call == "fit" else 0)
    model.fit(X, IDS, verbose=0)


def test_the_error_for_a_loss_that_is_not_finite_names_the_batch() -> None:
    batches = in_batches(np.where(np.arange(77)[:, np.newaxis] == 30, np.nan, X), IDS)
    model = make_model(5)
    with pytest.raises(
        FloatingPointError, match="fit: epoch 1: the loss is not finite at batch 4:"
    ):
        model.fit(iter(batches), verbose=0)
    assert model.optimizer.iterations == 3
    ended: list[int] = []
    watch = callbacks.LambdaCallback(on_train_batch_end=lambda batch, _: ended.append(batch))
    hooks = [callbacks.TerminateOnNaN(), watch]
    history = make_model(5).fit(iter(batches), epochs=3, callbacks=hooks, verbose=0)
    assert ended == [0, 1, 2, 3]
    assert history.epoch == [0]


def test_buffers_and_sequences_are_not_iterables_of_batches() -> None:
    model = cnet.Sequential([cnet.layers.Dense(2)])
    numbers = array.array("d", [1.0, 2.0, 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = model.predict([1.0, 2.0, 3.0], verbose=0)
        for x in (numbers, memoryview(numbers), range(1, 4), np.arange(1, 4)):
            np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    for wrong in ({1.0, 2.0}, {"x": 1}, "abc"):
        with pytest.raises(TypeError, match="predict: x: expected numbers, got "):
            model.predict(wrong, verbose=0)
