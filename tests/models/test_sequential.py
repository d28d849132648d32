"""Sequential: layers, names, shapes and weights. tests/training tests training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnet
from cnet import Sequential, layers

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def small_model(**options: Any) -> Sequential:
    return Sequential(
        [
            layers.Input((4,)),
            layers.Dense(5, "relu", name="hidden", **options),
            layers.Dense(3, "softmax", name="top", **options),
        ]
    )


def bits(model: Sequential) -> list[bytes]:
    return [weight.tobytes() for weight in model.get_weights()]


def compile_and_fit(model: Sequential) -> None:
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, np.arange(6) % 3, batch_size=2, epochs=2, verbose=0)


# -- Layers and shapes -----------------------------------------------------------------------------


def test_a_model_with_an_input_is_built_on_add() -> None:
    model = Sequential([layers.Input((4,))])
    assert not model.built
    assert model.input_shape == model.output_shape == (None, 4)
    model.add(layers.Dense(5))
    model.add(layers.Dense(3, use_bias=False))
    assert model.built
    assert model.output_shape == (None, 3)
    assert [weight.shape for weight in model.get_weights()] == [(4, 5), (5,), (5, 3)]


@pytest.mark.parametrize(
    "made",
    [
        lambda: Sequential([layers.Dense(3, input_shape=(4,))]),
        lambda: Sequential([layers.InputLayer((4,)), layers.Dense(3)]),
        lambda: Sequential(iter([cnet.Input(shape=(4,)), layers.Dense(3)])),
    ],
)
def test_spellings_of_the_input_shape(made: Any) -> None:
    model = made()
    assert model.built
    assert model.input_shape == (None, 4)
    assert [type(layer) for layer in model.layers] == [layers.Dense]


@pytest.mark.parametrize(
    "see",
    [
        lambda model: model.predict(X, verbose=0),
        lambda model: model(X),
        lambda model: model.build((None, 4)),
        lambda model: model.build((32, 4)),
        compile_and_fit,
        lambda model: (
            model.compile("sgd", "sparse_categorical_crossentropy"),
            model.evaluate(X, np.zeros(6), verbose=0),
        ),
    ],
)
def test_a_model_without_an_input_is_built_from_the_first_data(see: Any) -> None:
    model = Sequential([layers.Dense(5, "relu"), layers.Dense(3, "softmax")])
    assert not model.built
    assert model.get_weights() == model.weights == []
    with pytest.raises(AttributeError, match="is not built"):
        _ = model.input_shape
    see(model)
    assert model.built
    assert model.input_shape == (None, 4)
    assert model.output_shape == (None, 3)
    with pytest.raises(ValueError, match=r"expected shape \(batch, 4\), got \(6, 3\)"):
        model.predict(X[:, :3])


def test_samples_of_more_dimensions() -> None:
    model = Sequential([layers.Flatten(), layers.Dense(3)])
    images = np.arange(24.0).reshape(2, 4, 3)
    np.testing.assert_array_equal(model(images), model(images.astype(np.uint8)))
    assert model.input_shape == (None, 4, 3)
    dense = layers.Dense(3)
    dense.build((None, 12))
    dense.set_weights(list(model.get_weights()))
    np.testing.assert_array_equal(model(images), dense(images.reshape(2, 12)), strict=True)
    keeps_the_shape = Sequential([layers.Rescaling(2.0)])
    np.testing.assert_array_equal(keeps_the_shape(images), 2 * images.astype(np.float32))


def test_layers_returns_a_copy() -> None:
    model = small_model()
    model.layers.clear()
    assert [layer.name for layer in model.layers] == ["hidden", "top"]


def test_get_layer() -> None:
    model = small_model()
    assert model.get_layer("top") is model.get_layer(index=1) is model.get_layer(index=-1)
    for arguments in (
        {"name": "none"},
        {"index": 2},
        {"index": -3},
        {},
        {"name": "top", "index": 1},
    ):
        with pytest.raises(ValueError, match=r"^get_layer: "):
            model.get_layer(**arguments)


def test_add_and_pop_keep_the_weights_of_other_layers() -> None:
    model = small_model()
    before, prediction = bits(model), model(X)
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    assert bits(model)[:4] == before
    np.testing.assert_array_equal(model(X), model.layers[2](prediction))
    assert model.pop().count_params() == 3 * 2 + 2
    assert bits(model) == before
    np.testing.assert_array_equal(model(X), prediction)
    top, hidden = model.pop(), model.pop()
    assert model.output_shape == (None, 4)
    assert not model.built
    model.add(hidden)
    model.add(top)
    assert bits(model) == before
    assert model(X).shape == (6, 3)


def test_a_model_without_layers() -> None:
    model = Sequential()
    assert model.layers == []
    with pytest.raises(IndexError, match="pop: the model has no layers"):
        model.pop()
    with pytest.raises(ValueError, match=r"build: .* has no layers"):
        model.build((None, 4))
    with pytest.raises(ValueError, match="has no layers"):
        model.predict(X)


# -- Errors of add and build ---------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [layers.Dense, "dense", None, np.zeros(3), Sequential])
def test_objects_that_are_not_layers_are_refused(wrong: Any) -> None:
    model = small_model()
    with pytest.raises(TypeError, match=rf"add: expected a Layer, got {type(wrong).__name__}"):
        model.add(wrong)
    assert len(model.layers) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (layers.Dense(2, name="hidden"), "a layer named 'hidden' already"),
        (layers.Input((4,)), "is an Input; it can only come first"),
        (layers.Dense(2, dtype="float64"), "of dtype float32, got float64"),
    ],
)
def test_layers_that_do_not_fit_are_refused(wrong: layers.Layer, message: str) -> None:
    model = small_model()
    with pytest.raises(ValueError, match=rf"^add: .*{message}"):
        model.add(wrong)
    assert [layer.name for layer in model.layers] == ["hidden", "top"]


def test_a_layer_built_for_other_inputs_is_refused() -> None:
    model, other = small_model(), layers.Dense(2, name="other")
    other.build((None, 7))
    with pytest.raises(ValueError, match=r"'other': expected input of .*7\), got \(batch, 3\)"):
        model.add(other)
    assert model.output_shape == (None, 3)


def test_two_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^add: .* can only come first"):
        Sequential([layers.Input((4,)), layers.Input((4,))])


def test_a_refused_first_layer_changes_nothing() -> None:
    model = Sequential()
    with pytest.raises(
        ValueError, match=r"expected samples of the size of \(3,\), got \(batch, 2, 2\)"
    ):
        model.add(layers.Reshape((3,), input_shape=(2, 2)))
    model.add(layers.Dense(3, input_shape=(4,)))
    assert model.input_shape == (None, 4)


def test_a_build_that_fails_can_be_repeated() -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise LookupError

    hidden, top = layers.Dense(5), layers.Dense(3, kernel_initializer=fail)
    model = Sequential([hidden, top])
    with pytest.raises(LookupError):
        model.build((None, 4))
    assert (model.built, top.weights) == (False, [])
    top.kernel_initializer = cnet.initializers.Ones()
    model.build((None, 4))
    assert model.built


@pytest.mark.parametrize(
    ("shape", "error"),
    [(4, TypeError), ("ab", TypeError), ((), ValueError), ((None, 0), ValueError)],
)
def test_build_requires_the_shape_of_data(shape: Any, error: type[Exception]) -> None:
    model = Sequential([layers.Dense(3)])
    with pytest.raises(error, match=r"^'?build: "):
        model.build(shape)
    assert not model.built


def test_build_for_other_data_is_refused() -> None:
    model = small_model()
    model.build((None, 4))
    with pytest.raises(ValueError, match=r"^build: expected .*\(batch, 4\), got \(batch, 5\)"):
        model.build((None, 5))


@pytest.mark.parametrize("wrong", [5, layers.Dense(3), [layers.Dense(3), None]])
def test_the_constructor_requires_layers(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"Sequential|add: expected a Layer"):
        Sequential(wrong)


# -- Names -----------------------------------------------------------------------------------------


def test_default_names_are_numbered_on_demand() -> None:
    names = [Sequential().name for _ in range(3)]
    number = int(names[0].removeprefix("sequential_")) if names[0] != "sequential" else 0
    assert names[1:] == [f"sequential_{number + 1}", f"sequential_{number + 2}"]
    assert Sequential(name="mine").name == "mine"
    assert repr(small_model()).startswith("<Sequential name=sequential_")


# -- Weights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_get_and_set_weights(dtype: str) -> None:
    model, other = small_model(dtype=dtype), small_model(dtype=dtype)
    weights = model.get_weights()
    assert [weight.dtype for weight in weights] == [dtype] * 4
    assert [weight.path for weight in model.weights] == [
        *("hidden/kernel", "hidden/bias", "top/kernel", "top/bias")
    ]
    other.set_weights(weights)
    assert bits(other) == bits(model)
    np.testing.assert_array_equal(other(X), model(X), strict=True)
    weights[0][...] = 0
    assert bits(other) == bits(model), "get_weights returns copies"


def test_a_model_computes_with_assigned_weights() -> None:
    model = small_model()
    model.predict(X, verbose=0)
    model.layers[1].kernel = np.zeros((5, 3))
    np.testing.assert_array_equal(model(X), np.full((6, 3), 1 / 3, np.float32))


@pytest.mark.parametrize("position", range(4))
def test_set_weights_sets_all_or_nothing(position: int) -> None:
    model = small_model()
    before = bits(model)
    weights: list[Any] = [np.ones(weight.shape) for weight in model.get_weights()]
    names = ["Dense.kernel", "Dense.bias"] * 2
    for wrong, error in ((np.ones((9, 9)), ValueError), ("text", TypeError)):
        with pytest.raises(error, match=f"^{names[position]}: expected "):
            model.set_weights([*weights[:position], wrong, *weights[position + 1 :]])
        assert bits(model) == before
    for count, few_or_many in ((3, weights[:3]), (5, [*weights, np.ones(3)])):
        with pytest.raises(
            ValueError, match=rf"^Sequential.set_weights: expected 4 arrays, got {count}"
        ):
            model.set_weights(few_or_many)
        assert bits(model) == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_has_the_dtype_of_its_layers(dtype: str) -> None:
    model = small_model(dtype=dtype)
    assert model.dtype == dtype
    assert model.predict(X, verbose=0).dtype == model(X.astype(np.float64)).dtype == dtype


def test_a_shared_layer_shares_its_weights() -> None:
    shared = layers.Dense(4, "relu", name="shared")
    first = Sequential([layers.Input((4,)), shared, layers.Dense(3, "softmax")])
    second = Sequential([layers.Input((4,)), shared])
    third = Sequential([layers.Input((4,)), layers.Dense(4, "relu"), shared, layers.Dense(3)])
    before = second(X)
    third_before = third(X)
    compile_and_fit(first)
    assert not np.array_equal(second(X), before)
    assert not np.array_equal(third(X), third_before)
    np.testing.assert_array_equal(second(X), shared(X))
    second.layers[0].set_weights([np.eye(4), np.zeros(4)])
    assert first.get_weights()[0].tolist() == np.eye(4).tolist()


def test_gradients_use_the_current_weights_of_a_shared_layer() -> None:
    """Data derived from a kernel, such as its transpose, must be that of the current kernel."""
    shared = layers.Dense(4, name="shared")

    def model_around(middle: layers.Layer) -> Sequential:
        model = Sequential(
            [layers.Input((4,)), layers.Dense(4), middle, layers.Dense(3, "softmax")]
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    model, other, fresh = map(model_around, (shared, shared, layers.Dense(4)))
    y = np.arange(6) % 3
    model.train_on_batch(X, y)
    other.train_on_batch(X, y)
    shared.kernel = 2 * shared.kernel
    fresh.set_weights(list(model.get_weights()))
    model.train_on_batch(X, y)
    fresh.train_on_batch(X, y)
    assert bits(model) == bits(fresh)


# -- Trainable -------------------------------------------------------------------------------------


def cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """A custom loss trains on a tape and not in the engine."""
    return cnet.losses.SparseCategoricalCrossentropy(reduction=None)(y_true, y_pred)


@pytest.mark.parametrize("frozen", [["hidden"], ["top"], ["hidden", "top"]])
def test_frozen_weights_keep_their_bits(frozen: list[str]) -> None:
    model = small_model()
    for name in frozen:
        model.get_layer(name).trainable = False
    assert [weight.path.split("/")[0] for weight in model.non_trainable_weights[::2]] == frozen
    assert len(model.trainable_weights) + len(model.non_trainable_weights) == 4
    before = {layer.name: [w.tobytes() for w in layer.get_weights()] for layer in model.layers}
    compile_and_fit(model)
    for layer in model.layers:
        same = [w.tobytes() for w in layer.get_weights()] == before[layer.name]
        assert same == (layer.name in frozen)


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", cross_entropy])
def test_trainable_is_read_when_training_begins(used: bool, loss: Any) -> None:
    """As in Keras, changes after the first step take effect with the next compile."""
    model = small_model()
    hidden = model.get_layer("hidden")
    y = np.arange(6) % 3
    model.compile("sgd", loss)
    if used:
        model.evaluate(X, y, verbose=0)
    hidden.trainable = False
    before = hidden.get_weights()[0]
    model.train_on_batch(X, y)
    np.testing.assert_array_equal(hidden.get_weights()[0], before)
    hidden.trainable = True
    model.fit(X, y, verbose=0)
    np.testing.assert_array_equal(hidden.get_weights()[0], before)
    model.compile("sgd", loss)
    model.fit(X, y, verbose=0)
    assert (hidden.get_weights()[0] != before).any()
    hidden.trainable = False
    after = hidden.get_weights()[0]
    model.train_on_batch(X, y)
    assert (hidden.get_weights()[0] != after).any()


def test_freezing_a_whole_model() -> None:
    model = small_model()
    model.trainable = False
    assert model.trainable_weights == []
    before = bits(model)
    compile_and_fit(model)
    assert bits(model) == before
    model.trainable = True
    assert len(model.trainable_weights) == 4


def test_count_params() -> None:
    assert small_model().count_params() == 4 * 5 + 5 + 5 * 3 + 3
    assert Sequential([layers.Dense(3)]).count_params() == 0
