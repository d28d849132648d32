"""Arrays and batches as data: the batches of epochs, and their end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.classifiers import (
    IDS,
    SIZES,
    WEIGHTS,
    Dataset,
    X,
    bits,
    generator,
    in_batches,
    make_model,
    momentum,
)

from cnet import callbacks, optimizers


class Restartable:
    """An iterable of unknown length that can be iterated repeatedly."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


class Count(callbacks.Callback):
    """Counts the batches of epochs, and checks the order of their hooks."""

    def __init__(self) -> None:
        self.epochs: list[int] = []

    def on_epoch_begin(self, *_: Any) -> None:
        self.epochs.append(0)
        self.within = False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 # the base has it
        assert not self.within
        assert batch == self.epochs[-1]
        self.within = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        assert self.within
        assert batch == self.epochs[-1]
        assert logs["loss"] > 0
        self.within = False
        self.epochs[-1] += 1


def fit_counting(*data: Any, **options: Any) -> tuple[list[int], Any]:
    count = Count()
    history = make_model(5).fit(*data, callbacks=[count], verbose=0, **options)
    return count.epochs, history


SOURCES = {
    "generator": lambda batches: (batch for batch in batches),
    "iterator": iter,
    "iterable": Restartable,
    "PyDataset": Dataset,
    "of lists": lambda batches: (list(batch) for batch in batches),
}


# -- Equality with arrays ----------------------------------------------------------------------------


@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize("kind", SOURCES)
def test_fit_on_batches_equals_train_on_batch(kind: str, hooked: bool) -> None:
    model, twin = (
        make_model(
            9, optimizer=momentum(), metrics=["accuracy", "sparse_top_k_categorical_accuracy"]
        )
        for _ in range(2)
    )
    hooks = [Count()] if hooked else []
    source = SOURCES[kind](in_batches(X, IDS, WEIGHTS))
    history = model.fit(source, shuffle=False, verbose=0, callbacks=hooks)
    each = [twin.train_on_batch(x, y, weights) for x, y, weights in in_batches(X, IDS, WEIGHTS)]
    assert bits(model) == bits(twin)
    means = np.dot(SIZES, each) / len(X)
    figures = [values[0] for values in history.history.values()]
    np.testing.assert_allclose(figures, means, rtol=1e-14)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.5, 3, 0.5)),
        lambda: optimizers.Adam(0.1, gradient_accumulation_steps=3),
        lambda: optimizers.SGD(0.5, use_ema=True, ema_momentum=0.8),
        lambda: optimizers.RMSprop(0.1, global_clipnorm=0.1),
    ],
    ids=["schedule", "accumulation", "average", "clipping"],
)
def test_optimizers_do_not_depend_on_the_source_of_batches(optimizer: Any) -> None:
    model, twin = make_model(9, optimizer=optimizer()), make_model(9, optimizer=optimizer())
    tens = [10] * 7 + [7]
    model.fit(Restartable(in_batches(X, IDS, sizes=tens)), epochs=3, verbose=0)
    twin.fit(X, IDS, batch_size=10, epochs=3, shuffle=False, verbose=0)
    assert bits(model) == bits(twin)
    assert model.optimizer.iterations == twin.optimizer.iterations
    assert model.optimizer.learning_rate == twin.optimizer.learning_rate


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("hooked", [False, True])
def test_epochs_of_some_steps_continue_through_the_arrays(shuffle: bool, hooked: bool) -> None:
    model, twin = (make_model(9, optimizer=momentum()) for _ in range(2))
    hooks = [Count()] if hooked else []
    steps = {"steps_per_epoch": 1, "epochs": 22}  # 11 batches of 7: two passes
    model.fit(X, IDS, 7, shuffle=shuffle, verbose=0, callbacks=hooks, **steps)
    twin.fit(X, IDS, 7, epochs=2, shuffle=shuffle, verbose=0)
    assert bits(model) == bits(twin)


def test_class_weights_of_batches() -> None:
    model, twin = make_model(9), make_model(9)
    weights = {0: 0.5, 2: 3.0}
    model.fit(generator(X, IDS, WEIGHTS), class_weight=weights, verbose=0)
    for x, y, own in in_batches(X, IDS, WEIGHTS):
        twin.train_on_batch(x, y, sample_weight=own, class_weight=weights)
    assert bits(model) == bits(twin)


def test_a_dataset_is_shuffled_every_epoch() -> None:
    source = Dataset(in_batches(X, IDS))
    make_model(5).fit(source, epochs=3, verbose=0)
    logs = [source.log[8 * n : 8 * n + 8] for n in range(3)]
    assert all((log[0], log[-1]) == ("begin", "end") for log in logs)
    orders = [log[1:-1] for log in logs]
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert orders[0] != orders[1] != orders[2]
    source.log = []
    make_model(5).fit(source, epochs=2, shuffle=False, verbose=0)
    assert source.log == 2 * ["begin", *range(6), "end"]


@pytest.mark.parametrize("kind", SOURCES)
def test_evaluating_batches_equals_evaluating_arrays(kind: str) -> None:
    model = make_model(9, metrics=["accuracy", "sparse_top_k_categorical_accuracy"])
    expected = model.evaluate(X, IDS, sample_weight=WEIGHTS, verbose=0)
    figures = model.evaluate(SOURCES[kind](in_batches(X, IDS, WEIGHTS)), verbose=0)
    np.testing.assert_allclose(figures, expected, rtol=1e-14)


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("kind", SOURCES)
def test_predicting_batches_equals_predicting_arrays(kind: str, parts: int) -> None:
    model = make_model(9)
    batches = in_batches(*(X, IDS, WEIGHTS)[:parts])
    assert model.predict(SOURCES[kind](batches), verbose=0).tobytes() == model(X).tobytes()


def test_batches_of_samples_need_no_tuple() -> None:
    model = make_model(9)
    batches = (x for (x,) in in_batches(X))
    assert model.predict(batches, verbose=0).tobytes() == model(X).tobytes()


@pytest.mark.parametrize("hooked", [False, True])
def test_steps_of_an_evaluation_and_a_prediction(hooked: bool) -> None:
    model = make_model(9)
    hooks = [callbacks.LambdaCallback(on_test_batch_end=print, on_predict_batch_end=print)] * hooked
    options: dict[str, Any] = {"steps": 3, "verbose": 0, "callbacks": hooks}
    expected = model.evaluate(X[:27], IDS[:27], verbose=0)
    assert model.evaluate(X, IDS, 9, **options) == pytest.approx(expected, rel=1e-14)
    assert model.evaluate(generator(X, IDS), **options) == pytest.approx(expected, rel=1e-14)
    assert model.predict(X, 9, **options).tobytes() == model(X[:27]).tobytes()
    assert model.predict(generator(X), **options).tobytes() == model(X[:27]).tobytes()
    # Without a batch size, steps divide the arrays into batches.
    assert len(model.predict(X, **options)) == len(X)


def test_validation_on_batches() -> None:
    model, twin = make_model(9), make_model(9)
    options: dict[str, Any] = {"epochs": 2, "verbose": 0}
    source = Dataset(in_batches(X, IDS))
    history = model.fit(X, IDS, validation_data=source, **options).history
    expected = twin.fit(X, IDS, validation_data=(X, IDS), **options).history
    assert history["loss"] == expected["loss"]
    np.testing.assert_allclose(history["val_loss"], expected["val_loss"], rtol=1e-14)
    assert source.log == 2 * ["begin", *range(6), "end"], "in order, once for each epoch"


def test_validation_steps_restart_with_arrays_and_continue_with_a_generator() -> None:
    frozen = {"optimizer": optimizers.SGD(0.0)}
    options: dict[str, Any] = {"epochs": 2, "verbose": 0, "validation_steps": 2}
    model = make_model(9, **frozen)
    arrays = model.fit(
        X, IDS, validation_data=(X, IDS), validation_batch_size=10, **options
    ).history["val_loss"]
    expected = model.evaluate(X[:20], IDS[:20], verbose=0)
    assert arrays == [expected, expected]
    batches = model.fit(X, IDS, validation_data=generator(X, IDS), **options).history["val_loss"]
    next_two = model.evaluate(X[20:47], IDS[20:47], verbose=0)
    np.testing.assert_allclose(batches, [expected, next_two], rtol=1e-14)


# -- Numbers of batches, and the end of data -----------------------------------------------


@pytest.mark.parametrize(
    ("data", "options", "expected", "steps"),
    [
        ((X, IDS), {"batch_size": 7, "steps_per_epoch": 11}, [11, 11], 11),
        ((X, IDS), {"steps_per_epoch": 4}, [4, 4], 4),  # batches of 20 samples
        ((Restartable(in_batches(X, IDS)),), {}, [6, 6], None),
        ((Restartable(in_batches(X, IDS)),), {"steps_per_epoch": 3}, [3, 3], 3),
        ((Restartable(in_batches(X, IDS)),), {"steps_per_epoch": 6}, [6, 6], 6),
        ((Dataset(in_batches(X, IDS)),), {}, [6, 6], 6),
        ((Dataset(in_batches(X, IDS)),), {"steps_per_epoch": 2}, [2, 2], 2),
    ],
)
def test_steps_of_an_epoch(data: Any, options: Any, expected: list[int], steps: Any) -> None:
    epochs, history = fit_counting(*data, epochs=2, **options)
    assert epochs == expected
    assert history.params == {"epochs": 2, "steps": steps, "verbose": 0}
    assert len(history.history["loss"]) == 2


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        ((X, IDS), {"batch_size": 8, "steps_per_epoch": 4}, [4, 4, 2, 4]),
        ((X, IDS), {"batch_size": 8, "steps_per_epoch": 12}, [10, 10, 10, 10]),
        ((Restartable(in_batches(X, IDS)),), {"steps_per_epoch": 4}, [4, 2, 4, 2]),
        ((Dataset(in_batches(X, IDS)),), {"steps_per_epoch": 4}, [4, 2, 4, 2]),
    ],
)
def test_an_epoch_ends_with_the_data(data: Any, options: Any, expected: list[int]) -> None:
    with pytest.warns(UserWarning, match=r"fit: epoch \d: x ran out of data after \d+ of \d+ bat"):
        epochs, history = fit_counting(*data, epochs=4, **options)
    assert epochs == expected
    assert len(history.history["loss"]) == 4


@pytest.mark.parametrize(
    ("steps", "expected", "message"),
    [
        (None, [6], "epoch 1: x ran out of data before the last epoch"),
        (4, [4, 2], "epoch 2: x ran out of data after 2 of 4 batches"),
        (3, [3, 3, 0], "epoch 3: x ran out of data after 0 of 3 batches"),
    ],
)
def test_an_exhausted_generator_ends_training(
    steps: int | None, expected: list[int], message: str
) -> None:
    with pytest.warns(UserWarning, match=rf"^fit: {message}") as warned:
        epochs, history = fit_counting(generator(X, IDS), epochs=5, steps_per_epoch=steps)
    assert len(warned) == 1
    assert epochs == expected
    assert len(history.history["loss"]) == sum(count > 0 for count in expected)


@pytest.mark.parametrize(
    "options", [{}, {"steps_per_epoch": 6}, {"epochs": 2, "steps_per_epoch": 3}]
)
def test_a_generator_may_end_with_training(options: dict[str, int]) -> None:
    epochs, _ = fit_counting(generator(X, IDS), **options)
    assert sum(epochs) == 6


def test_infinite_data() -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield from in_batches(X, IDS)

    class Endless(Dataset):
        num_batches = None  # as Keras says it

        def __getitem__(self, index: int) -> Any:
            return self.batches[index % 6]

    for source in (endless(), Endless(in_batches(X, IDS))):
        epochs, history = fit_counting(source, epochs=3, steps_per_epoch=4)
        assert epochs == [4, 4, 4]
        assert history.params["steps"] == 4
    stopped = make_model(5)
    hook = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, _: setattr(stopped, "stop_training", batch == 8)
    )
    history = stopped.fit(endless(), callbacks=[hook], verbose=0)
    assert stopped.optimizer.iterations == 9
    assert history.epoch == [0]


@pytest.mark.parametrize("call", ["evaluate", "predict"])
def test_too_few_steps_for_a_call(call: str) -> None:
    with pytest.warns(UserWarning, match=rf"{call}: x ran out of data after 6 of 9 batches"):
        getattr(make_model(5), call)(generator(X, IDS), steps=9, verbose=0)


def test_exhausted_validation_data_has_no_results() -> None:
    with pytest.warns(
        UserWarning, match="fit: validation_data: x ran out of data in an earlier ep"
    ):
        history = make_model(5).fit(X, IDS, epochs=2, validation_data=generator(X, IDS), verbose=0)
    assert [len(values) for values in history.history.values()] == [2, 1]
