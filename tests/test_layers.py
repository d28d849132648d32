"""Layers by themselves; tests/models has those of layers in models."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.instances import INNER_LAYERS, LAYERS, Maker, first_of_each, name_of

import cnet
from cnet import activations, autodiff, layers, ops
from cnet.reference.activations import ACTIVATIONS as ELEMENTWISE

DTYPES = ["float32", "float64"]
ACTIVATIONS = ["linear", *ELEMENTWISE, "softmax", "log_softmax"]

# Prefixes of default layer names.
PREFIXES: dict[type[layers.Layer], str] = {
    layers.Activation: "activation",
    layers.BatchNormalization: "batch_normalization",
    layers.CategoryEncoding: "category_encoding",
    layers.Dense: "dense",
    layers.Discretization: "discretization",
    layers.Dropout: "dropout",
    layers.ELU: "elu",
    layers.Flatten: "flatten",
    layers.GaussianNoise: "gaussian_noise",
    layers.HashedCrossing: "hashed_crossing",
    layers.Hashing: "hashing",
    layers.InputLayer: "input_layer",
    layers.IntegerLookup: "integer_lookup",
    layers.Lambda: "lambda",
    layers.LayerNormalization: "layer_normalization",
    layers.LeakyReLU: "leaky_re_lu",
    layers.Normalization: "normalization",
    layers.ReLU: "re_lu",
    layers.Rescaling: "rescaling",
    layers.Reshape: "reshape",
    layers.Softmax: "softmax",
    layers.StringLookup: "string_lookup",
}
EACH = first_of_each(LAYERS)


def draw(*shape: int, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def built_dense(**options: Any) -> layers.Dense:
    dense = layers.Dense(3, name="top", **options)
    dense.build((None, 4))
    return dense


# -- Results ---------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense(dtype: str, use_bias: bool, activation: str | None) -> None:
    dense = layers.Dense(33, activation, use_bias, bias_initializer="random_normal", dtype=dtype)
    x = draw(17, 31, dtype=dtype)
    result = dense(x)
    logits = ops.dense_forward(x, dense.kernel, dense.bias)
    np.testing.assert_array_equal(result, activations.get(activation)(logits), strict=True)
    assert dense.output_shape == (None, 33)
    assert dense.count_params() == 31 * 33 + 33 * use_bias


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_activation_layers(dtype: str, name: str) -> None:
    x = draw(17, 33, dtype=dtype)
    function = activations.get(name)
    same = [layers.Activation(name, dtype=dtype), layers.Activation(function, dtype=dtype)]
    same += [layers.ReLU(dtype=dtype)] if name == "relu" else []
    same += [layers.Softmax(dtype=dtype)] if name == "softmax" else []
    for layer in same:
        np.testing.assert_array_equal(layer(x), function(x), strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rescaling_rounds_once(dtype: str) -> None:
    scale, offset = (float(np.dtype(dtype).type(number)) for number in (1 / 255, -0.3))
    rescaled = layers.Rescaling(scale, offset, dtype=dtype)(np.arange(256, dtype=np.uint8))
    exact = [float(n * Fraction(scale) + Fraction(offset)) for n in range(256)]
    expected = np.array(exact, dtype)
    np.testing.assert_array_equal(rescaled, expected, strict=True)


def test_rescaling_has_no_offset_by_default() -> None:
    assert layers.Rescaling(0.5)([1.0, 3.0]).tolist() == [0.5, 1.5]


def test_flatten() -> None:
    x = draw(5, 4, 3)
    np.testing.assert_array_equal(layers.Flatten()(x), x.reshape(5, 12), strict=True)
    assert layers.Flatten()(np.empty((0, 4, 3))).shape == (0, 12)


@pytest.mark.parametrize(
    "layer", [layers.Activation("relu"), layers.ReLU(), layers.Rescaling(2.0)], ids=type
)
def test_elementwise_layers_keep_the_shape(layer: layers.Layer) -> None:
    x = draw(5, 4, 3)
    expected = 2 * x if isinstance(layer, layers.Rescaling) else np.maximum(x, 0)
    np.testing.assert_array_equal(layer(x), expected, strict=True)
    assert layer.output_shape == (None, 4, 3)


# -- Building --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [m for m in LAYERS if m.func is not layers.InputLayer and not m.func.takes_any_dtype],
    ids=name_of,
)
def test_the_first_input_builds_a_layer(make: Maker) -> None:
    """A layer that may have weights accepts no other input shape afterwards."""
    layer = make()
    assert not layer.built
    assert layer.weights == []
    with pytest.raises(AttributeError, match=rf"'{layer.name}' is not built yet"):
        _ = layer.output_shape
    layer(draw(2, 4))
    assert layer.built
    assert layer.input_shape == (None, 4)
    layer.build((None, 4))
    if not layer.has_one_shape:
        np.testing.assert_array_equal(layer(draw(2, 6)), make()(draw(2, 6)))
        assert layer.input_shape == (None, 6)
        return
    message = rf"'{layer.name}': expected input of shape \(batch, 4\), got \(batch, 6\)"
    with pytest.raises(ValueError, match=message):
        layer(draw(2, 6))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(3, "relu"),
        layers.Softmax(),
        layers.Activation("softmax"),
        layers.Activation("log_softmax"),
        layers.LayerNormalization(),
        layers.BatchNormalization(),
    ],
)
def test_the_last_axis_has_the_features(layer: layers.Layer, *, training: bool) -> None:
    """Inputs of more axes are rows of features, in a model as well."""
    x = draw(5, 4, 3)
    outputs = layer(x, training=training)
    rows = layer(x.reshape(20, 3), training=training)
    np.testing.assert_array_equal(outputs.reshape(20, -1), rows)
    model = cnet.Sequential([layers.Input((4, 3)), layer])
    np.testing.assert_array_equal(model(x), layer(x))
    with cnet.autodiff.GradientTape(persistent=True) as tape:
        losses = [autodiff.reduce_sum(layer(data)[..., 0] ** 2) for data in (x, x.reshape(20, 3))]
    gradients, of_rows = (tape.gradient(loss, layer.trainable_weights) for loss in losses)
    for one, other in zip(gradients, of_rows, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


def test_building_again_keeps_the_weights() -> None:
    dense = built_dense()
    kernel = dense.kernel
    dense.build((None, 4))
    np.testing.assert_array_equal(dense.kernel, kernel)


def test_initial_weights() -> None:
    dense = built_dense(
        kernel_initializer=cnet.initializers.HeNormal(seed=1), bias_initializer="ones"
    )
    expected = cnet.initializers.HeNormal(seed=1)((4, 3))
    np.testing.assert_array_equal(dense.kernel, expected, strict=True)
    assert dense.get_weights()[1].tolist() == [1, 1, 1]
    plain = built_dense()
    assert 0 < np.abs(plain.kernel).max() <= (6 / 7) ** 0.5, "Glorot's uniform"
    assert plain.get_weights()[1].tolist() == [0, 0, 0]


# -- Names, options and errors ---------------------------------------------------------------------


@pytest.mark.parametrize("make", EACH, ids=name_of)
def test_names_are_numbered(make: Maker) -> None:
    prefix = PREFIXES[make.func]
    first, second = make().name, make().name
    number = int(first.removeprefix(f"{prefix}_")) if first != prefix else 0
    assert second == f"{prefix}_{number + 1}"
    assert make(name="mine").name == "mine"


@pytest.mark.parametrize("make", LAYERS, ids=name_of)
def test_common_options_of_layers(make: Maker) -> None:
    layer = make(name="mine", trainable=False, dtype="float64")
    assert (layer.name, layer.trainable, layer.dtype) == ("mine", False, "float64")
    assert repr(layer).startswith(f"<{type(layer).__name__} name=mine, built=")


@pytest.mark.parametrize("option", ["kernel_quantizer", "autocast", "weights"])
@pytest.mark.parametrize("make", EACH, ids=name_of)
def test_unknown_options_are_refused_by_name(make: Maker, option: str) -> None:
    with pytest.raises(TypeError, match=option):
        make(**{option: None})


@pytest.mark.parametrize("make", first_of_each(INNER_LAYERS), ids=name_of)
def test_activity_regularizers_penalize_the_output_of_each_sample(make: Maker) -> None:
    assert "activity_regularizer" not in make(activity_regularizer=None).get_config()
    layer = make(activity_regularizer="l2")
    x = np.linspace(0.5, 2.0, 12, dtype=np.float32).reshape(3, 4)
    output = layer(x)
    (penalty,) = layer.losses
    np.testing.assert_allclose(float(penalty), 0.01 * np.square(output).sum() / 3, rtol=1e-6)
    assert layer.get_config()["activity_regularizer"]["class_name"] == "L2"
    with pytest.raises(ValueError, match=r"^\w+: activity_regularizer: .*got 'l5'"):
        make(activity_regularizer="l5")


LEFT_OUT: list[tuple[Callable[..., Any], str, dict[str, Any]]] = [
    (layers.Input, "Input", {"sparse": True}),
    (layers.Input, "Input", {"ragged": True}),
    (layers.Input, "Input", {"tensor": 1}),
    (layers.Input, "Input", {"optional": True}),
    (layers.Dense, "Dense", {"lora_rank": 4}),
    (layers.Dense, "Dense", {"lora_alpha": 4.0}),
    (layers.Dense, "Dense", {"quantization_config": {}}),
    (layers.BatchNormalization, "BatchNormalization", {"renorm": True}),
    (layers.BatchNormalization, "BatchNormalization", {"renorm_clipping": {}}),
    (layers.BatchNormalization, "BatchNormalization", {"renorm_momentum": 0.9}),
    (layers.Flatten, "Flatten", {"data_format": "channels_first"}),
    (layers.CategoryEncoding, "CategoryEncoding", {"sparse": True}),
    (layers.Discretization, "Discretization", {"sparse": True}),
    (layers.HashedCrossing, "HashedCrossing", {"sparse": True}),
    (layers.Hashing, "Hashing", {"sparse": True}),
    (layers.IntegerLookup, "IntegerLookup", {"sparse": True}),
    (layers.StringLookup, "StringLookup", {"sparse": True}),
]


@pytest.mark.parametrize(("make", "call", "option"), LEFT_OUT)
def test_unsupported_keras_arguments_are_named(
    make: Callable[..., Any], call: str, option: dict[str, Any]
) -> None:
    first: list[Any] = {
        "Input": [(4,)],
        "Dense": [3],
        "CategoryEncoding": [3],
        "Discretization": [[0.0]],
        "HashedCrossing": [3],
        "Hashing": [3],
    }.get(call, [])
    with pytest.raises(ValueError, match=rf"^{call}: {next(iter(option))} is not supported, got "):
        make(*first, **option)


@pytest.mark.parametrize(
    ("units", "error"),
    [(0, ValueError), (-3, ValueError), (2.0, TypeError), ("3", TypeError), (True, TypeError)],
)
def test_units_are_a_positive_integer(units: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^Dense: units: expected an integer"):
        layers.Dense(units)


def test_units_may_be_a_numpy_integer() -> None:
    assert layers.Dense(np.int64(3)).units == 3


@pytest.mark.parametrize("shape", [(4,), [4], (np.int64(4),), (2, 3)])
def test_input(shape: Any) -> None:
    tensor = layers.Input(shape)
    assert (tensor.shape, tensor.dtype, tensor.ndim) == ((None, *shape), "float32", 1 + len(shape))
    head = layers.InputLayer(shape)
    assert head.built
    assert head.input_shape == head.output_shape == (None, *shape)
    assert head.weights == []


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        (4, TypeError),
        ((2.0,), TypeError),
        ("ab", TypeError),
        ((True,), TypeError),
        ((0,), ValueError),
        ((4, -1), ValueError),
    ],
)
def test_invalid_shapes_are_refused(shape: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"expected a shape"):
        layers.Input(shape)
    with pytest.raises(error, match=r"expected a shape"):
        layers.Dense(3, input_shape=shape)


@pytest.mark.parametrize("value", ["fast", None, [1.0, 2.0]])
def test_rescaling_requires_numbers(value: Any) -> None:
    with pytest.raises(TypeError, match=r"Rescaling: .*scale"):
        layers.Rescaling(value)
    with pytest.raises(TypeError, match=r"Rescaling: .*offset"):
        layers.Rescaling(1.0, value)


@pytest.mark.parametrize("data", [["a"], None, np.zeros(3, complex)])
def test_a_layer_requires_numeric_data(data: Any) -> None:
    with pytest.raises(TypeError, match=r"Dense 'top': expected numbers, got "):
        layers.Dense(3, name="top")(data)


# -- Keras 2's names -------------------------------------------------------------------------------


def test_input_dim_is_a_one_dimensional_input_shape() -> None:
    layer = layers.Dense(8, input_dim=4)
    assert layer.get_config() == layers.Dense(8, input_shape=(4,), name=layer.name).get_config()
    assert cnet.Sequential([layer]).input_shape == (None, 4)
    for arguments, error in (({"input_dim": 0}, ValueError), ({"input_dim": 2.5}, TypeError)):
        with pytest.raises(error, match="Dense: input_dim: "):
            layers.Dense(8, **arguments)
    with pytest.raises(ValueError, match="Dense: expected input_shape or input_dim, got both"):
        layers.Dense(8, input_dim=4, input_shape=(4,))


def test_alpha_is_the_slope_of_a_leaky_relu() -> None:
    layer = layers.LeakyReLU(alpha=0.5)
    assert layer.negative_slope == 0.5
    assert layer.get_config() == layers.LeakyReLU(0.5, name=layer.name).get_config()
    with pytest.raises(ValueError, match="LeakyReLU: alpha: expected a number of at least 0"):
        layers.LeakyReLU(alpha=-1)


@pytest.mark.parametrize(
    "layer",
    [
        *(layers.ReLU(), layers.Activation("tanh"), layers.Softmax(), layers.Rescaling(2.0, 1.0)),
        *(layers.Dropout(0.5), layers.GaussianNoise(0.5), layers.ELU(), layers.LeakyReLU()),
        *(layers.LayerNormalization(), layers.BatchNormalization()),
        layers.Normalization(mean=0.5, variance=2.0),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_an_array_of_one_dimension_is_a_row(layer: layers.Layer) -> None:
    x = draw(5)
    np.testing.assert_array_equal(layer(x), layer(x[np.newaxis])[0], strict=True)
    np.testing.assert_array_equal(layer(x.tolist()), layer(x.astype("float32")))
    with autodiff.GradientTape() as tape:
        variable = autodiff.Variable(x)
        y = layer(variable)
    assert y.shape == (5,)
    assert tape.gradient(y, variable).shape == (5,)


def test_flatten_reshape_and_dense_of_one_dimension() -> None:
    x = draw(5)
    for layer in (layers.Flatten(), layers.Reshape((1, 1))):
        np.testing.assert_array_equal(layer(x), layer(x[:, np.newaxis]))
    with pytest.raises(ValueError, match=r"got \(5,\); for one sample pass x\[None\]"):
        layers.Dense(3)(x)


def test_keras_spellings_of_input_shapes() -> None:
    assert layers.Input(batch_shape=(None, 4)).shape == (None, 4)
    for head in (
        layers.InputLayer((4,)),
        layers.InputLayer(batch_shape=[None, 4]),
        layers.InputLayer(input_shape=(4,)),
    ):
        assert head.output_shape == (None, 4)
        assert layers.InputLayer.from_config(head.get_config()).output_shape == (None, 4)
    for wrong, message in (
        ({}, "got none of them"),
        ({"shape": (4,), "batch_shape": (None, 4)}, "got 2 of them"),
        ({"batch_shape": ()}, r"batch_shape: expected \(None, …\), got \(\)"),
        ({"batch_shape": 4}, r"batch_shape: expected \(None, …\), got 4"),
    ):
        with pytest.raises(ValueError, match=message):
            layers.Input(**wrong)
