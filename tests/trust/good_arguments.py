"""Valid arguments by name: the table that malformed calls start from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import cnet
from cnet import layers, losses, optimizers

ROWS, FEATURES, CLASSES = 8, 4, 3


def rows() -> Any:
    return np.linspace(-1, 1, ROWS * FEATURES, dtype=np.float32).reshape(ROWS, FEATURES)


def classes() -> Any:
    return np.arange(ROWS) % CLASSES


def probabilities() -> Any:
    return np.full((ROWS, CLASSES), 1 / CLASSES, np.float32)


def model() -> Any:
    """Return a model with every kind of state."""
    made = cnet.Sequential(
        [
            cnet.Input((FEATURES,), name="input"),
            layers.Dense(CLASSES, "relu", name="first", kernel_regularizer="l2"),
            layers.BatchNormalization(name="normalization"),
            layers.Dropout(0.5, name="dropout"),
            layers.Dense(CLASSES, "softmax", name="last"),
        ],
        name="model",
    )
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def unbuilt() -> Any:
    """Return an unbuilt model."""
    made = cnet.Sequential([layers.Dense(CLASSES, name="only")], name="unbuilt")
    made.compile(optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae", "r2_score"])
    return made


def ids() -> Any:
    return np.arange(2 * ROWS).reshape(ROWS, 2) % 5


def graph() -> Any:
    """Return a model of numbers and ids, with two heads."""
    numbers, given = cnet.Input((FEATURES,), name="numbers"), cnet.Input((2,), name="ids")
    vectors = layers.Flatten(name="flat")(layers.Embedding(5, 3, name="table")(given))
    joined = layers.Concatenate(name="joined")([numbers, vectors])
    hidden = layers.Dropout(0.5, name="dropout")(layers.Dense(6, "relu", name="hidden")(joined))
    top = layers.Dense(CLASSES, "softmax", name="kind")(hidden)
    size = layers.Dense(1, name="size")(hidden)
    made = cnet.Model([numbers, given], [top, size], name="graph")
    loss = ["sparse_categorical_crossentropy", "mse"]
    made.compile("adam", loss, metrics=[["accuracy"], ["mae"]])
    return made


def categories(layer: Any) -> Any:
    """Return values for a layer of categories."""
    text = np.array(["a", "b", ""])
    if isinstance(layer, layers.HashedCrossing):
        return [text, text]
    return text if isinstance(layer, layers.StringLookup) and not layer.invert else classes()


#: Valid arguments by name.
GOOD: dict[str, Callable[[], Any]] = {
    "x": rows,
    "y": classes,
    "w": rows,
    "input_dim": lambda: 4,
    "output_dim": lambda: 3,
    "logits": probabilities,
    "probabilities": probabilities,
    "log_probabilities": probabilities,
    "predictions": probabilities,
    "targets": probabilities,
    "labels": classes,
    "y_true": probabilities,
    "y_pred": probabilities,
    "values": classes,
    "data": rows,
    "samples": rows,
    "grad": rows,
    "param": rows,
    "mask": rows,
    "kernel": lambda: np.ones((FEATURES, CLASSES), np.float32),
    "bias": lambda: np.ones(CLASSES, np.float32),
    **dict.fromkeys(("mean", "variance"), lambda: np.ones(FEATURES, np.float32)),
    **dict.fromkeys(
        ("velocity", "mean_square", "sum_of_squares", "mean_square_change"), lambda: 1 + 0 * rows()
    ),
    **dict.fromkeys(
        ("first_moment", "second_moment", "greatest_second_moment"), lambda: 1 + 0 * rows()
    ),
    "step": lambda: 1,
    "loss": lambda: "huber",
    "activation": lambda: "relu",
    "shape": lambda: (FEATURES, CLASSES),
    "input_shape": lambda: (None, FEATURES),
    "target_shape": lambda: (2, 2),
    "layers": lambda: [layers.Dense(2)],
    "layer": lambda: layers.Dense(2),
    "model": model,
    "weights": lambda: model().get_weights(),
    "value": lambda: "float32",
    "fn": lambda: losses.log_cosh,
    "function": lambda: abs,
    "schedule": lambda: lambda _, rate: rate,
    "filepath": lambda: "file.safetensors",
    "filename": lambda: "log.csv",
    "path": lambda: "file.idx",
    "backup_dir": lambda: "backup",
    "to_file": lambda: "model.dot",
    "json_string": lambda: unbuilt().to_json(),
    "config": lambda: unbuilt().get_config(),
    "identifier": lambda: None,
    "custom_objects": dict,
    "module_objects": dict,
    "obj": lambda: losses.log_cosh,
    "package": lambda: "shop",
    "callbacks": list,
    "params": dict,
    "call": lambda: "fit",
    "rate": lambda: 0.5,
    "stddev": lambda: 0.5,
    "seed": lambda: 1,
    "scale": lambda: 2.0,
    "units": lambda: 3,
    "name": lambda: "name",
    "num_threads": lambda: 1,
    "learning_rate": lambda: 0.1,
    "initial_learning_rate": lambda: 0.1,
    "decay_steps": lambda: 10,
    "first_decay_steps": lambda: 10,
    "decay_rate": lambda: 0.5,
    "boundaries": lambda: [1, 2],
    "momentum": lambda: 0.5,
    "vocabulary": lambda: ["a", "b"],
    "idf_weights": lambda: [0.5, 0.25],
    "num_tokens": lambda: CLASSES,
    "num_bins": lambda: 5,
    "salt": lambda: 3,
    # Of Keras's operations.
    **dict.fromkeys(("x1", "x2", "variable"), rows),
    **dict.fromkeys(("target", "output"), probabilities),
    **dict.fromkeys(("inputs", "indices"), classes),
    "condition": lambda: rows() > 0,
    "xs": lambda: [rows(), rows()],
    **dict.fromkeys(("x_min", "start", "fill_value", "default_value"), lambda: 0.0),
    **dict.fromkeys(("x_max", "stop", "threshold"), lambda: 1.0),
    **dict.fromkeys(("axis", "axis1", "source"), lambda: 0),
    **dict.fromkeys(("axis2", "destination", "shift", "pad_width"), lambda: 1),
    **dict.fromkeys(("N", "n", "k", "repeats", "indices_or_sections", "axes"), lambda: 2),
    "num_classes": lambda: CLASSES,
    "newshape": lambda: (FEATURES, ROWS),
    "start_indices": lambda: (1, 1),
    "key": lambda: 0,
    "dtype": lambda: "float32",
    "subscripts": lambda: "ij->ji",
    "pred": lambda: True,
    **dict.fromkeys(("true_fn", "false_fn"), lambda: rows),
}
#: Exceptions for single calls.
OWN: dict[str, dict[str, Callable[[], Any]]] = {
    **{
        f"layers.{name}": {"inputs": lambda: [rows(), rows()]}
        for name in (
            *("add", "average", "concatenate", "dot", "maximum", "minimum", "multiply"),
            "subtract",
        )
    },
    "layers.Dot": {"axes": lambda: 1},
    "ops.matmul": {"x2": lambda: np.ones((FEATURES, CLASSES), np.float32)},
    "ops.dot": {"x2": lambda: np.ones((FEATURES, CLASSES), np.float32)},
    "ops.moments": {"axes": lambda: [0]},
    "ops.slice": {"inputs": rows, "shape": lambda: (2, 3)},
    "ops.sparse_categorical_crossentropy": {"target": classes},
    "ops.squeeze": {"axis": lambda: None},
    "ops.stack": {"x": lambda: [rows(), rows()]},
    "ops.take_along_axis": {"axis": lambda: None},
    "ops.dense_backward": {"grad": probabilities},
    "ops.softmax_backward": {"grad": probabilities},
    "ops.log_softmax_backward": {"grad": probabilities},
    "ops.rmsprop_centered_update": {"mean": lambda: 0 * rows()},
    "ops.activation_backward": {"y": rows},
    **{
        f"{module}.{name}": {argument: lambda thing=thing: thing}
        for module, thing in (
            *(("activations", "relu"), ("constraints", "non_neg"), ("initializers", "zeros")),
            *(("losses", "mse"), ("metrics", "mae"), ("optimizers", "sgd"), ("regularizers", "l2")),
        )
        for name, argument in (("deserialize", "config"), ("serialize", "value"))
    },
    "layers.deserialize": {"config": lambda: layers.serialize(layers.Dense(2))},
    "layers.serialize": {"layer": lambda: layers.Dense(2)},
    "layers.Weight": {"layer": lambda: layers.Dense(2), "shape": lambda: (3,)},
    "layers.Layer.__call__": {},
    "layers.IntegerLookup": {"vocabulary": lambda: [1, 2]},
    "layers.Discretization": {"bin_boundaries": lambda: [0.0, 1.0]},
    "initializers.Constant": {"value": lambda: 1.0},
    "initializers.constant": {"value": lambda: 1.0},
    "schedules.PiecewiseConstantDecay": {"values": lambda: [1.0, 0.5, 0.1]},
    "utils.to_categorical": {"x": classes},
}
