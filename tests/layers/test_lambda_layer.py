"""Lambda layers: shapes, training on a tape, and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import autodiff, layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] > 0).astype(np.float32)


def products(x: Any) -> Any:
    """Return the features, and the products of neighbouring features."""
    return autodiff.concatenate([x, x[:, 1:] * x[:, :-1]], axis=1)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Lambda(products), (None, 11)),
        (layers.Lambda(lambda x: x**2), (None, 6)),
        (layers.Lambda(autodiff.reduce_sum, arguments={"axis": 1, "keepdims": True}), (None, 1)),
        (layers.Lambda(lambda x: x, output_shape=(6,)), (None, 6)),
        (layers.Lambda(lambda x: x, output_shape=lambda shape: shape[1:]), (None, 6)),
    ],
)
def test_shapes(layer: layers.Lambda, shape: tuple[int | None, ...]) -> None:
    assert layer.compute_output_shape((None, 6)) == shape
    assert layer(X).shape == (40, *shape[1:])
    assert layer(X).dtype == np.float32


def make_model() -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential(
        [
            cnet.Input((6,)),
            layers.Lambda(products),
            layers.Dropout(0.1),
            layers.Dense(16, "tanh"),
            layers.Lambda(lambda x: 2 * x),
            layers.BatchNormalization(),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(cnet.optimizers.Adam(0.03), "binary_crossentropy", metrics=["accuracy"])
    return model


def test_a_model_with_lambda_layers_learns() -> None:
    model = make_model()
    history = model.fit(X, Y, epochs=60, verbose=0, validation_data=(X, Y)).history
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history["accuracy"][-1] > 0.9
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    assert [loss, accuracy] == [history["val_loss"][-1], history["val_accuracy"][-1]]
    assert accuracy == np.mean((model.predict(X, verbose=0) > 0.5) == Y)
    assert (model(X) == model.predict(X, verbose=0)).all()


def test_an_identity_function_changes_no_bit() -> None:
    def make(*extra: layers.Layer) -> cnet.Sequential:
        cnet.utils.set_random_seed(0)
        model = cnet.Sequential(
            [layers.Dense(16, "relu"), *extra, layers.Dropout(0.2, seed=1), layers.Dense(3)]
        )
        model.compile("adam", "mse", metrics=["mae"])
        return model

    plain, other = make(), make(layers.Lambda(lambda x: x))
    y = RNG.normal(size=(40, 3)).astype(np.float32)
    for model in (plain, other):
        model.fit(X, y, batch_size=8, epochs=2, verbose=0)
    for one, twin in zip(plain.get_weights(), other.get_weights(), strict=True):
        assert (one == twin).all()
    assert (plain.predict(X, verbose=0) == other.predict(X, verbose=0)).all()


def test_files_contain_weights_but_no_function(tmp_path: Path) -> None:
    model, other = make_model(), make_model()
    model.fit(X, Y, verbose=0)
    with pytest.raises(TypeError, match="its function is Python code"):
        model.save(tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []
    model.save_weights(tmp_path / "model.weights.safetensors")
    other.load_weights(tmp_path / "model.weights.safetensors")
    assert (other.predict(X, verbose=0) == model.predict(X, verbose=0)).all()


def test_labels_are_checked() -> None:
    model = cnet.Sequential([layers.Lambda(lambda x: x), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"fit: y: .*3"):
        model.fit(X, np.arange(40), verbose=0)


def test_invalid_uses_are_refused() -> None:
    with pytest.raises(TypeError, match="Lambda: function: expected a function, got 3"):
        layers.Lambda(3)
    with pytest.raises(ValueError, match="mask"):
        layers.Lambda(abs, mask=abs)
    with pytest.raises(ValueError, match=r"for each of 40 samples, got shape \(3, 6\)"):
        layers.Lambda(lambda x: x[:3], name="few", output_shape=(6,))(X)
    with pytest.raises(ValueError, match=r"expected an output \(batch, …\) for each of 2 samples"):
        layers.Lambda(autodiff.reduce_mean).compute_output_shape((None, 6))
    with pytest.raises(ValueError, match=r"expected an output \(batch, …\)"):
        layers.Lambda(autodiff.reduce_sum, arguments={"axis": 1})(X)


@pytest.mark.parametrize(
    ("function", "message"),
    [(np.sin, "does not support ufuncs"), (np.asarray, r"'own': .* not NumPy's functions")],
)
def test_numpy_functions_predict_but_do_not_train(function: Any, message: str) -> None:
    model = cnet.Sequential([layers.Lambda(function, name="own"), layers.Dense(1)])
    assert model(X).shape == (40, 1)
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(TypeError, match=message):
        model.fit(X, Y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_the_dtype_is_the_same_on_and_off_a_tape() -> None:
    factor = np.arange(6.0)
    layer = layers.Lambda(lambda x: x * factor)
    with autodiff.GradientTape():
        outputs = layer(autodiff.constant(X.astype(np.float64)))
    assert outputs.dtype == layer(X.astype(np.float64)).dtype == np.float32


def test_predictions_are_computed_in_blocks() -> None:
    sizes: list[int] = []

    def noted(x: Any) -> Any:
        sizes.append(len(x))
        return x

    model = cnet.Sequential([cnet.Input((2,)), layers.Lambda(noted), layers.Dense(1)])
    sizes.clear()
    x = RNG.normal(size=(20_000, 2)).astype(np.float32)
    outputs = model.predict(x, verbose=0)
    assert max(sizes) < 10_000
    assert (outputs[-3:] == model.predict(x[-3:], verbose=0)).all()
