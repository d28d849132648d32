"""Functional models: their structure, their data, shared and nested parts, files."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import cnet
from cnet import Input, Model, Sequential, autodiff, layers
from cnet.models.nesting import leaves_of

Array = npt.NDArray[Any]
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(48, 5)).astype(np.float32)
IDS = RNG.integers(7, size=(48, 3))
CLASSES, TARGETS = RNG.integers(4, size=48), RNG.normal(size=(48, 1)).astype(np.float32)
X, Y = {"numbers": NUMBERS, "ids": IDS}, {"kind": CLASSES, "size": TARGETS}


def two_heads() -> Any:
    """Two inputs and two outputs, a shared layer, a residual and a nested model."""
    numbers, ids = Input((5,), name="numbers"), Input((3,), name="ids", dtype="int32")
    table = layers.Embedding(7, 6, name="table")
    x = layers.Concatenate(name="joined")([numbers, layers.Flatten(name="flat")(table(ids))])
    x = layers.Dense(8, "relu", name="first")(x)
    shared = layers.Dense(8, "relu", name="shared")
    x = layers.Add(name="sum")([x, layers.Dropout(0.25, seed=3, name="drop")(shared(shared(x)))])
    inner = Sequential([Input((8,)), layers.Dense(6, "tanh", name="inside")], name="inner")
    x = layers.BatchNormalization(name="norm")(inner(x)) * 2.0 + 1.0
    kind = layers.Dense(4, "softmax", name="kind")(x)
    return Model([numbers, ids], [kind, layers.Dense(1, name="size")(x)], name="net")


def compiled() -> Any:
    cnet.utils.set_random_seed(4)
    model = two_heads()
    model.compile(
        cnet.optimizers.Adam(0.01),
        ["sparse_categorical_crossentropy", "mse"],
        loss_weights=[1.0, 0.5],
        metrics={"kind": "accuracy", "size": ["mae"]},
    )
    return model


def bits(model: Any) -> list[bytes]:
    return [array.tobytes() for array in model.get_weights()]


def test_structure() -> None:
    model = two_heads()
    names = [layer.name for layer in model.layers]
    assert names[:5] == ["ids", "table", "numbers", "flat", "joined"]
    assert names[-2:] == ["kind", "size"]
    assert (model.input_names, model.output_names) == (["numbers", "ids"], ["kind", "size"])
    assert model.input_shape == [(None, 5), (None, 3)]
    assert model.output_shape == [(None, 4), (None, 1)]
    assert [t.name for t in model.inputs] == ["numbers", "ids"]
    assert model.get_layer("sum").output.shape == (None, 8)
    assert model.in_engine
    assert isinstance(model, Model)
    assert repr(model) == "<Functional name=net, built=True>"


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_bits_do_not_depend_on_threads_and_the_form_of_the_data(optimizer: str) -> None:
    limit = cnet.get_num_threads()
    results = []
    forms: list[tuple[Any, Any]] = [
        (X, Y),
        ([NUMBERS, IDS], [CLASSES, TARGETS]),
        ((NUMBERS.astype(np.float64), IDS.astype(np.int16)), (CLASSES[:, None], TARGETS)),
        ({"numbers": NUMBERS, "ids": IDS.astype(float)}, {"size": TARGETS, "kind": CLASSES}),
    ]
    try:
        for threads in (1, 2, 3):
            for x, y in forms:
                cnet.set_num_threads(threads)
                cnet.utils.set_random_seed(4)
                model = two_heads()
                model.compile(optimizer, ["sparse_categorical_crossentropy", "mse"])
                history = model.fit(x, y, batch_size=20, epochs=2, verbose=0)
                results.append((bits(model), history.history))
    finally:
        cnet.set_num_threads(limit)
    assert all(result == results[0] for result in results)


def test_predictions_do_not_depend_on_the_batch() -> None:
    model = compiled()
    whole = model.predict(X, verbose=0)
    assert [each.shape for each in whole] == [(48, 4), (48, 1)]
    for output, rows in zip(whole, model.predict_on_batch(X), strict=True):
        np.testing.assert_array_equal(output, rows)
    for row in range(5):
        parts = model([NUMBERS[row : row + 1], IDS[row : row + 1]])
        for output, part in zip(whole, parts, strict=True):
            np.testing.assert_array_equal(output[row : row + 1], part)


@pytest.mark.parametrize("as_dict", [False, True])
def test_validation_split_of_several_inputs_and_outputs(as_dict: bool) -> None:
    weights = np.arange(48.0)
    names = ("numbers", "ids"), ("kind", "size")

    def data(rows: slice) -> list[Any]:
        arrays = [[NUMBERS[rows], IDS[rows]], [CLASSES[rows], TARGETS[rows]], [weights[rows]] * 2]
        if not as_dict:
            return arrays
        return [
            dict(zip(keys, each, strict=True))
            for keys, each in zip((*names, names[1]), arrays, strict=True)
        ]

    histories = []
    for is_split in (False, True):
        cnet.utils.set_random_seed(4)
        x, y, sample_weight = data(slice(None) if is_split else slice(36))
        options: dict[str, Any] = (
            {"validation_split": 0.25} if is_split else {"validation_data": data(slice(36, None))}
        )
        model = compiled()
        model.fit(x, y, sample_weight=sample_weight, epochs=2, verbose=0, **options)
        histories.append(model.history.history)
    assert histories[0] == histories[1]


def test_batches_are_dicts_of_inputs() -> None:
    model = compiled()
    batch = {"numbers": NUMBERS, "ids": IDS}
    for output, rows in zip(model.predict(iter([batch]), verbose=0), model.predict(X), strict=True):
        np.testing.assert_array_equal(output, rows)
    for x in batch, iter([batch]):
        with pytest.raises(
            ValueError, match=r"^fit: .*y: expected labels for x \(dict.*, got None"
        ):
            model.fit(x, verbose=0)


def test_figures_have_kerass_names() -> None:
    model = compiled()
    history = model.fit(X, Y, validation_data=(X, Y), verbose=0).history
    names = ["loss", "kind_loss", "size_loss", "kind_accuracy", "size_mae"]
    assert list(history) == [*names, *(f"val_{name}" for name in names)]
    figures = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert list(figures) == names == model.metrics_names
    assert model.evaluate(X, Y, verbose=0) == list(figures.values())
    assert figures["loss"] == pytest.approx(figures["kind_loss"] + 0.5 * figures["size_loss"])
    kind, size = model.predict(X, verbose=0)
    assert figures["kind_accuracy"] == (kind.argmax(1) == CLASSES).mean()
    assert figures["size_loss"] == pytest.approx(((size - TARGETS) ** 2).mean(), rel=1e-5)
    assert set(model.train_on_batch(X, Y, return_dict=True)) == set(names)


def test_an_output_without_a_loss_learns_nothing() -> None:
    model = two_heads()
    model.compile("sgd", {"size": "mse"}, metrics={"size": ["mae"]})
    before = model.get_layer("kind").kernel
    history = model.fit(X, {"size": TARGETS}, verbose=0).history
    assert list(history) == ["loss", "size_mae"]
    np.testing.assert_array_equal(model.get_layer("kind").kernel, before)
    assert (model.get_layer("size").kernel != two_heads().get_layer("size").kernel).any()


@pytest.mark.parametrize("loss", ["mse", lambda y, predicted: (y - predicted) ** 2])
def test_an_input_that_nothing_reads(loss: Any) -> None:
    unused, x = Input((3,)), Input((5,))
    model = Model([unused, x], layers.Dense(1)(x))
    model.compile("sgd", loss)
    model.fit([NUMBERS[:, :3], NUMBERS], TARGETS, verbose=0)
    outputs = model.predict([NUMBERS[:, :3], NUMBERS], verbose=0)
    np.testing.assert_array_equal(outputs, model([NUMBERS[:, 2:], NUMBERS]))


def test_sample_weights_of_outputs() -> None:
    """A weight of zero for an output is as if it had no loss for the sample."""
    weights = np.ones(48)
    weights[24:] = 0
    model, other = compiled(), compiled()
    both = model.evaluate(X, Y, sample_weight=[weights, None], verbose=0, return_dict=True)
    half = other.evaluate(
        {name: x[:24] for name, x in X.items()},
        {name: y[:24] for name, y in Y.items()},
        verbose=0,
        return_dict=True,
    )
    assert both["kind_loss"] == pytest.approx(half["kind_loss"] / 2)
    assert both["size_loss"] == pytest.approx(other.evaluate(X, Y, verbose=0)[2])
    one = model.evaluate(X, Y, sample_weight=weights, verbose=0, return_dict=True)
    by_name = {"kind": weights, "size": weights}
    assert one == model.evaluate(X, Y, sample_weight=by_name, verbose=0, return_dict=True)
    with pytest.raises(ValueError, match="class_weight is for models with one output"):
        model.fit(X, Y, class_weight={0: 2.0}, verbose=0)


def test_batches_of_several_inputs() -> None:
    def batches() -> Any:
        for first in range(0, 48, 16):
            rows = slice(first, first + 16)
            yield {n: x[rows] for n, x in X.items()}, {n: y[rows] for n, y in Y.items()}

    model, other = compiled(), compiled()
    model.fit(batches(), verbose=0)
    other.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    assert bits(model) == bits(other)
    assert other.evaluate(batches(), verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0))


def test_a_chain_has_the_bits_of_a_sequential_model() -> None:
    results = []
    for functional in (True, False):
        cnet.utils.set_random_seed(2)
        parts = [
            layers.Rescaling(0.5),
            layers.Dense(16, "relu"),
            layers.Dropout(0.5, seed=1),
            layers.Dense(4, "softmax"),
        ]
        x = y = Input((5,))
        for layer in parts:
            y = layer(y)
        model: Any = Model(x, y) if functional else Sequential([Input((5,)), *parts])
        model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(NUMBERS, CLASSES, epochs=3, verbose=0)
        results.append((bits(model), history.history, model.predict(NUMBERS, verbose=0).tobytes()))
    assert results[0] == results[1]


def test_a_layer_that_occurs_twice_has_the_sum_of_its_gradients() -> None:
    """In the engine as on a tape, and as in two copies."""
    dense = layers.Dense(5, "tanh")
    x = Input((5,))
    model = Model(x, dense(dense(x)))
    model.compile(cnet.optimizers.SGD(1.0), "mse")
    target = RNG.normal(size=(48, 5)).astype(np.float32)
    with autodiff.GradientTape() as tape:
        loss = autodiff.reduce_mean((model(NUMBERS) - target) ** 2)
    gradients = tape.gradient(loss, model.trainable_weights)
    before = dense.get_weights()
    model.fit(NUMBERS, target, batch_size=48, verbose=0)
    for old, new, gradient in zip(before, dense.get_weights(), gradients, strict=True):
        np.testing.assert_allclose(old - gradient.numpy(), new, rtol=1e-5, atol=1e-6)


def test_models_cut_from_models() -> None:
    model = compiled()
    inner = Model(model.input, model.get_layer("sum").output)
    assert inner.predict(X, verbose=0).shape == (48, 8)
    tail = Model(model.get_layer("sum").output, model.output)
    for one, other in zip(tail(inner(X)), model(X), strict=True):
        np.testing.assert_array_equal(one, other)
    sequential = Sequential([Input((5,)), layers.Dense(3, name="hidden"), layers.Dense(2)])
    features = Model(sequential.inputs, sequential.get_layer("hidden").output)
    np.testing.assert_array_equal(features(NUMBERS), sequential.layers[0](NUMBERS))


def test_nested_models() -> None:
    inner = two_heads()
    numbers, ids = Input((5,)), Input((3,), dtype="int32")
    kind, size = inner([numbers, ids])
    again, _ = inner([numbers * 0.5, ids])
    outer = Model([numbers, ids], layers.Concatenate()([kind, again, size]))
    expected = np.concatenate(
        [*inner([NUMBERS, IDS])[:1], inner([NUMBERS * 0.5, IDS])[0], inner([NUMBERS, IDS])[1]],
        axis=1,
    )
    np.testing.assert_array_equal(outer([NUMBERS, IDS]), expected)
    assert outer.count_params() == inner.count_params()
    outer.compile("sgd", "mse")
    before = bits(inner)
    outer.fit([NUMBERS, IDS], np.zeros((48, 9)), verbose=0)
    assert all(one != other for one, other in zip(bits(inner)[:7], before, strict=False))
    chain = Sequential([Input((5,)), layers.Dense(5), Model(numbers, layers.Dense(2)(numbers))])
    assert chain.predict(NUMBERS, verbose=0).shape == (48, 2)


def test_on_a_tape() -> None:
    """With the gradients of `fit`, also by the inputs."""
    model = compiled()
    x = autodiff.constant(NUMBERS)
    with autodiff.GradientTape() as tape:
        tape.watch(x)
        kind, size = model([x, IDS], training=False)
        loss = autodiff.reduce_sum(kind[:, 0]) + autodiff.reduce_sum(size)
    by_input, by_kernel = tape.gradient(loss, [x, model.get_layer("size").trainable_weights[0]])
    assert by_input.shape == x.shape
    assert np.isfinite(by_kernel.numpy()).all()
    step = np.zeros_like(NUMBERS)
    step[3, 1] = 1e-2

    def value(numbers: Array) -> float:
        kind, size = model.predict([numbers, IDS], verbose=0)
        return float(kind[:, 0].sum(dtype=np.float64) + size.sum(dtype=np.float64))

    slope = (value(NUMBERS + step) - value(NUMBERS - step)) / 2e-2
    assert by_input.numpy()[3, 1] == pytest.approx(slope, rel=2e-2, abs=1e-3)


def test_a_python_layer_cuts_the_graph() -> None:
    """What lies before and after it is computed by the engine, with the same results."""
    results = []
    for function in (lambda x: autodiff.tanh(x), None):
        cnet.utils.set_random_seed(7)
        x = Input((5,))
        hidden = layers.Dense(6, "relu")(x)
        middle = layers.Lambda(function) if function else layers.Activation("tanh")
        y = layers.Dense(4, "softmax")(layers.Add()([middle(hidden), hidden]))
        model = Model(x, y)
        assert model.in_engine == (function is None)
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(NUMBERS, CLASSES, batch_size=16, epochs=2, verbose=0)
        results.append((model.get_weights(), model.predict(NUMBERS, verbose=0)))
    for one, other in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "definition"),
    [
        (lambda x, y: x + y, lambda x, y: x + y),
        (lambda x, y: 1.0 - x / 4.0 + 3.0 * y, lambda x, y: 1 - x / 4 + 3 * y),
        (lambda x, y: x * y - y, lambda x, y: x * y - y),
        (lambda x, y: x / (y * y + 1.0), lambda x, y: x / (y * y + 1)),
        (lambda x, y: -x + abs(y), lambda x, y: -x + abs(y)),
        (lambda x, y: (x**2)[:, 1:3] + y[:, :2], lambda x, y: x[:, 1:3] ** 2 + y[:, :2]),
        (
            lambda x, y: autodiff.maximum(
                autodiff.tanh(x), autodiff.reduce_sum(y, 1, keepdims=True)
            ),
            lambda x, y: np.maximum(np.tanh(x), y.sum(1, keepdims=True)),
        ),
    ],
)
def test_operators(build: Callable[..., Any], definition: Callable[..., Array]) -> None:
    x, y = Input((5,)), Input((5,))
    model = Model([x, y], build(x, y))
    other = NUMBERS[::-1].copy()
    expected = definition(NUMBERS, other)
    np.testing.assert_allclose(model([NUMBERS, other]), expected, rtol=1e-5, atol=1e-6)
    assert model.output_shape == (None, *expected.shape[1:])


def test_files(tmp_path: Path) -> None:
    """A resumed training has the bits of one that went on."""
    path = tmp_path / "model.safetensors"
    model = compiled()
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(path)
    other = cnet.models.load_model(path)
    assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]
    assert bits(other) == bits(model)
    histories = [each.fit(X, Y, epochs=2, verbose=0).history for each in (model, other)]
    assert histories[0] == histories[1]
    assert bits(other) == bits(model)
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for twin in twins:
        assert bits(twin) == bits(model)
        assert twin.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def test_summary() -> None:
    lines: list[str] = []
    two_heads().summary(print_fn=lines.append, show_trainable=True)
    cells = {
        row[0].split(" (")[0]: row
        for row in ([cell.strip() for cell in line.strip("│").split("│")] for line in lines)
    }
    assert cells["Layer"][3:] == ["Connected to", "Trainable"]
    assert cells["numbers"][1:4] == ["(None, 5)", "0", "-"]
    assert cells["joined"][3] == "numbers[0][0], flat[0][0]"
    assert cells["shared"][3:] == ["first[0][0], shared[0][0]", "yes"]
    x, chain = Input((3,)), list[str]()
    Model(x, layers.Dense(2)(x)).summary(print_fn=chain.append)
    assert "Connected" not in chain[2]


def test_configurations() -> None:
    model = two_heads()
    config = json.loads(model.to_json())
    assert config["class_name"] == "Functional"
    other = cnet.models.model_from_json(model.to_json())
    assert other.get_config() == model.get_config()
    copied = cnet.models.clone_model(model)
    assert [layer.name for layer in copied.layers] == [layer.name for layer in model.layers]
    assert bits(copied) != bits(model)
    copied.set_weights(model.get_weights())
    for one, twin in zip(copied(X), model(X), strict=True):
        np.testing.assert_array_equal(one, twin)


def test_outputs_in_any_order() -> None:
    """An output that another one is computed from comes after it, and one occurs twice."""
    x = Input((5,), name="x")
    h = layers.Dense(3, name="h")(x)
    top = layers.Dense(3, name="top")
    model = Model(x, [top(h), h, x, h])
    expected_h = model.get_layer("h")(NUMBERS)
    expected = [top(expected_h), expected_h, NUMBERS, expected_h]
    for outputs in (model.predict(NUMBERS, verbose=0), model(NUMBERS)):
        for output, other in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(output, other)
    model.compile("sgd", ["mse", "mae", "mse", "mae"])
    labels = [np.full(output.shape, n, np.float32) for n, output in enumerate(expected)]
    figures = model.evaluate(NUMBERS, labels, verbose=0)[1:]
    for n, figure in enumerate(figures):
        error = abs(expected[n] - labels[n])
        assert figure == pytest.approx((error if n % 2 else error**2).mean(), rel=1e-5)


@pytest.mark.parametrize("is_dict", [False, True])
def test_data_nested_as_the_inputs_and_outputs(is_dict: bool) -> None:
    a, b, c = (Input((5,), name=name) for name in "abc")
    x, y, z = NUMBERS, NUMBERS[::-1].copy(), NUMBERS * 2
    total = layers.Add()([layers.Rescaling(0.5)(a), b, c])
    u, v = layers.Dense(1, name="u")(total), layers.Dense(1, name="v")(total)
    inputs: Any = {"p": [a, b], "q": c} if is_dict else [a, (b, c)]
    data: Any = {"p": [x, y], "q": z} if is_dict else [x, (y, z)]
    labels: Any = {"r": {"s": TARGETS}, "t": TARGETS} if is_dict else [[TARGETS], TARGETS]
    model = Model(inputs, {"r": {"s": u}, "t": v} if is_dict else [[u], v])
    model.compile("sgd", ["mse", "mse"])
    flat = [x, y, z]
    assert model.evaluate(data, labels, verbose=0) == model.evaluate(flat, [TARGETS] * 2, verbose=0)
    model.fit(data, labels, sample_weight=labels, verbose=0)
    p, q, r = (Input((5,)) for _ in range(3))
    nested = model({"p": [p, q], "q": r} if is_dict else [p, (q, r)])
    found = Model([p, q, r], nested).predict(flat, verbose=0)
    for one, other in zip(leaves_of(found), leaves_of(model(data)), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="expected 3 arrays, for 'a', 'b', 'c', got 2"):
        model.predict([x, y], verbose=0)
