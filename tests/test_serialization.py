"""get_config and from_config of layers, models and their components."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import pytest
from support.instances import (
    CONSTRAINTS,
    INITIALIZERS,
    LOSSES,
    METRICS,
    REGULARIZERS,
    SERIALIZABLE_LAYERS,
    Maker,
    name_of,
)

import cnet
from cnet import (
    activations,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
)


@pytest.mark.parametrize("make", SERIALIZABLE_LAYERS, ids=name_of)
def test_every_layer(make: Maker) -> None:
    options = {"name": "mine", "trainable": False, "dtype": "float64"}
    layer = make(**options)
    described = layers.serialize(layer)
    assert described["class_name"] == make.func.__name__
    if make.func is layers.InputLayer:  # Keras's has no such option
        del options["trainable"]
    assert options.items() <= described["config"].items()
    text = json.dumps(described)
    copy = layers.deserialize(json.loads(text))
    assert type(copy) is type(layer)
    assert json.dumps(layers.serialize(copy)) == text


def test_dense() -> None:
    dense = layers.Dense(
        3,
        activation="relu",
        use_bias=False,
        kernel_initializer=initializers.RandomNormal(stddev=2.0, seed=5),
        name="mine",
        input_shape=(4,),
    )
    config = dense.get_config()
    normal = {
        "module": "keras.initializers",
        "class_name": "RandomNormal",
        "config": {"mean": 0.0, "stddev": 2.0, "seed": 5},
        "registered_name": None,
    }
    expected = {
        "units": 3,
        "activation": "relu",
        "use_bias": False,
        "kernel_initializer": normal,
        "name": "mine",
        "input_shape": [4],
    }
    assert expected.items() <= config.items()
    copy = layers.Dense.from_config(config)
    dense.build((None, 4))
    copy.build((None, 4))
    assert copy.kernel.tobytes() == dense.kernel.tobytes()


@pytest.mark.parametrize("make", [layers.Activation, lambda function: layers.Dense(3, function)])
def test_activations_with_parameters(make: Any) -> None:
    layer = make(partial(activations.relu, max_value=6.0, negative_slope=0.5))
    described = json.loads(json.dumps(layers.serialize(layer)))
    copy: Any = layers.deserialize(described)
    assert copy.activation.func is activations.relu
    assert copy.activation.keywords == {"max_value": 6.0, "negative_slope": 0.5}
    assert layers.serialize(copy) == described


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "exec"},
        {"class_name": "partial", "config": {"function": "exec"}},
        {"class_name": "partial", "config": {"function": "relu", "what": 1}},
        {"class_name": "partial", "config": {"function": "relu", "max_value": -1}},
    ],
)
def test_invalid_activations_are_refused(config: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"activation|relu"):
        activations.get(config)


@pytest.mark.parametrize("make", METRICS, ids=name_of)
def test_every_metric(make: Maker) -> None:
    config = make(name="mine").get_config()
    copy = metrics.get({"class_name": make.func.__name__, "config": config})
    assert type(copy) is make.func
    assert copy.get_config() == config == json.loads(json.dumps(config))
    assert config["name"] == "mine"


def test_arguments_of_metrics() -> None:
    auc = metrics.AUC(5, "PR", thresholds=[0.3, 0.1], label_weights=[1, 2])
    copy = metrics.AUC.from_config(auc.get_config())
    assert (copy.thresholds, copy.curve) == (auc.thresholds, "PR")
    assert metrics.Precision.from_config(metrics.Precision([0.2, 0.1]).get_config()).thresholds == [
        0.2,
        0.1,
    ]


@pytest.mark.parametrize("make", LOSSES, ids=name_of)
def test_every_loss(make: Maker) -> None:
    config = make(name="mine").get_config()
    assert make.func.from_config(json.loads(json.dumps(config))).get_config() == config
    assert config["name"] == "mine"
    assert make.keywords.items() <= config.items()


@pytest.mark.parametrize("make", [*INITIALIZERS, *REGULARIZERS, *CONSTRAINTS], ids=name_of)
def test_every_initializer_regularizer_and_constraint(make: Maker) -> None:
    if make in INITIALIZERS:
        get: Any = initializers.get
    else:
        get = regularizers.get if make in REGULARIZERS else constraints.get
    config = make().get_config()
    described = json.loads(json.dumps({"class_name": make.func.__name__, "config": config}))
    copy = get(described)
    assert type(copy) is make.func
    assert copy.get_config() == config
    assert make.keywords.items() <= config.items()


@pytest.mark.parametrize(
    ("module", "value"),
    [
        (activations, activations.relu),
        (activations, partial(activations.leaky_relu, negative_slope=0.1)),
        (constraints, constraints.MaxNorm(3.0)),
        (initializers, initializers.Constant(0.5)),
        (losses, losses.Huber(2.0)),
        (metrics, metrics.Precision(0.7)),
        (optimizers, optimizers.Adam(0.3)),
        (optimizers.schedules, optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)),
        (regularizers, regularizers.L2(0.5)),
    ],
)
def test_the_functions_of_modules(module: Any, value: Any) -> None:
    described = json.loads(json.dumps(module.serialize(value)))
    copy = module.deserialize(described)
    assert type(copy) is type(value)
    assert module.serialize(copy) == described


def test_own_classes_among_the_custom_objects_of_modules() -> None:
    class Half(initializers.Initializer):
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return np.full(shape, 0.5, dtype)

    described = initializers.serialize(Half())
    assert type(initializers.deserialize(described, {"Half": Half})) is Half
    with pytest.raises(ValueError, match="Half"):
        initializers.deserialize(described)
    with pytest.raises(TypeError, match=r"^serialize: .* can't be described"):
        activations.serialize(lambda x: x)


# -- Models ----------------------------------------------------------------------------------------


def make_model() -> cnet.Sequential:
    return cnet.Sequential(
        [
            layers.Input((2, 2)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(3, "relu", kernel_initializer="he_normal", trainable=False),
            layers.Dense(2, "softmax", bias_initializer=initializers.Constant(0.5)),
        ],
        name="net",
    )


def test_a_config_restores_a_model_without_its_weights() -> None:
    model = make_model()
    for copy in (
        cnet.Sequential.from_config(model.get_config()),
        models.model_from_json(model.to_json(indent=2)),
    ):
        assert copy.name == "net"
        assert copy.built
        assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
        assert copy.get_config() == model.get_config()
        assert (copy.input_shape, copy.output_shape) == (model.input_shape, model.output_shape)
        assert [weight.shape for weight in copy.weights] == [
            weight.shape for weight in model.weights
        ]
        assert (copy.get_weights()[0] != model.get_weights()[0]).any()
        copy.set_weights(model.get_weights())
        x = np.arange(8).reshape(2, 2, 2)
        assert copy.predict(x, verbose=0).tobytes() == model.predict(x, verbose=0).tobytes()


def test_an_unbuilt_model() -> None:
    model = cnet.Sequential([layers.Dense(3)])
    copy = cnet.Sequential.from_config(model.get_config())
    assert not copy.built
    model.build((None, 4))
    built = cnet.Sequential.from_config(model.get_config())
    assert built.input_shape == (None, 4)


class Mine(layers.Dense):
    """A custom layer."""

    def __init__(self, extra: int = 1, **kwargs: Any) -> None:
        super().__init__(3, **kwargs)
        self.extra = extra


def test_custom_layers() -> None:
    model = cnet.Sequential([Mine(extra=7, name="mine")])
    with pytest.raises(ValueError, match=r"layers.deserialize: expected .*, got .*'Mine'"):
        models.model_from_json(model.to_json())
    copy = models.model_from_json(model.to_json(), custom_objects={"Mine": Mine})
    layer: Any = copy.layers[0]
    assert (type(layer), layer.extra, layer.name) == (Mine, 7, "mine")


def test_custom_functions_cannot_be_serialized() -> None:
    layer = layers.Dense(3, kernel_initializer=lambda shape, dtype: np.zeros(shape, dtype))
    with pytest.raises(TypeError, match=r"Dense: kernel_initializer: .* can't be described"):
        cnet.Sequential([layer]).to_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "model_from_json: expected JSON: "),
        ("[]", "model_from_json: expected a dict with 'class_name'"),
        (
            '{"class_name": "Model"}',
            "model_from_json: expected a known class, got 'Model'; pass your own in custom_objects",
        ),
        ('{"class_name": "Sequential"}', "from_config: expected a dict with 'name' and 'layers'"),
    ],
)
def test_invalid_models_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        models.model_from_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "optimizers.SGD()",
        "optimizers.SGD(learning_rate=0.125, momentum=0.9, nesterov=True)",
        "optimizers.Adam(learning_rate=0.125, name='mine', clipnorm=1.0)",
        "optimizers.schedules.CosineDecay(initial_learning_rate=0.125, decay_steps=100.0)",
        "losses.Huber()",
        "losses.SparseCategoricalCrossentropy(from_logits=True, reduction='sum')",
        "metrics.AUC()",
        "metrics.F1Score(average='macro', name='f1')",
        "metrics.Precision(thresholds=[0.1, 0.2])",
        "callbacks.EarlyStopping(monitor='loss', patience=3)",
        "callbacks.ModelCheckpoint(filepath='best.safetensors', save_best_only=True)",
        "callbacks.TerminateOnNaN()",
        "regularizers.L2(l2=0.5)",
        "constraints.MaxNorm(max_value=3.0)",
        "initializers.HeNormal(seed=1)",
    ],
)
def test_repr_is_the_constructor_call(text: str) -> None:
    path, bracket, options = text.partition("(")
    assert repr(eval(f"cnet.{text}")) == path.split(".")[-1] + bracket + options


def test_repr_of_nested_schedules_and_of_history() -> None:
    schedule = cnet.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)
    assert repr(cnet.optimizers.Adam(schedule)) == f"Adam(learning_rate={schedule!r})"
    history = cnet.callbacks.History()
    assert repr(history) == "<History epochs=0, no figures>"
    history.on_epoch_end(0, {"loss": 0.5, "accuracy": 1.0})
    assert repr(history) == "<History epochs=1, loss, accuracy>"


def test_lists_without_an_end_cannot_be_described() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(
        TypeError,
        match=r"serialize: expected an object with a get_config, a function or a name, got",
    ):
        losses.serialize(endless)  # type: ignore[arg-type]
