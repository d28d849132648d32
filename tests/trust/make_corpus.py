"""Make the model files that tests/trust/test_fuzzed_files.py starts from: ``python make_corpus.py``.

It makes the folders that are missing. Keep the files of a version of the format when there is a new version: every
later cnet must read them and give the same predictions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import cnet
from cnet import activations, constraints, layers, losses, metrics, optimizers
from cnet.models.nesting import leaves_of, nested_as
from cnet.optimizers import schedules
from cnet.saving.model_file import VERSION

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.graphs import GRAPHS, make_graph

CORPUS = Path(__file__).parent / "corpus"


def make_models() -> dict[str, cnet.Sequential]:
    """Return small models with all layers, optimizers and schedules, and many losses and metrics."""

    def model(shape: tuple[int, ...], *parts: layers.Layer | cnet.Sequential) -> cnet.Sequential:
        return cnet.Sequential([layers.Input(shape), *parts], name="net")

    dense = layers.Dense
    found = {
        "activations": model(
            (3,),
            dense(4, partial(activations.gelu, approximate=True)),
            layers.Activation(partial(activations.relu, max_value=0.5)),
            *(layers.ELU(0.5), layers.LeakyReLU(0.25), layers.ReLU(6.0, 0.1, 0.5)),
            *(dense(2, "log_softmax", use_bias=False), layers.Softmax()),
        ),
        "shapes": model(
            (2, 3),
            *(layers.Rescaling(0.1, -0.5), layers.Flatten(), layers.Reshape((3, -1))),
            *(layers.Flatten(), dense(1, "sigmoid")),
        ),
        "normalizations": model(
            (4,),
            layers.Normalization(mean=[1, 2, 3, 4], variance=2.0),
            *(dense(3), layers.BatchNormalization(), layers.LayerNormalization(), dense(3)),
        ),
        "noise": model(
            (3,), layers.GaussianNoise(0.5), dense(3, "tanh"), layers.Dropout(0.5, seed=3), dense(2)
        ),
        "penalties": model(
            (3,),
            dense(3, kernel_regularizer="l2", bias_constraint=constraints.MaxNorm(3.0)),
            dense(2, kernel_initializer="orthogonal", trainable=False),
        ),
        "nested": model((2,), cnet.Sequential([dense(2, name="a"), dense(2)], name="in"), dense(2)),
        "float64": cnet.Sequential(
            [layers.Input((2,), dtype="float64"), dense(2, dtype="float64")]
        ),
        "plain": model((2,), dense(2)),
    }
    rates = [
        schedules.ExponentialDecay(0.5, 10, 0.5),
        schedules.InverseTimeDecay(0.5, 10, 0.5),
        schedules.PolynomialDecay(0.5, 10),
        schedules.PiecewiseConstantDecay([1, 5], [0.5, 0.25, 0.125]),
        schedules.CosineDecay(0.5, 10),
        schedules.CosineDecayRestarts(0.5, 10),
        *(0.25, 0.5),
    ]
    kinds = [
        optimizers.SGD,
        optimizers.RMSprop,
        optimizers.Adam,
        optimizers.AdamW,
        optimizers.Nadam,
        optimizers.Adagrad,
        optimizers.Adadelta,
        optimizers.Lion,
    ]
    told = {
        "activations": (losses.CategoricalCrossentropy(label_smoothing=0.25), [metrics.F1Score()]),
        "shapes": ("binary_crossentropy", [metrics.AUC(num_thresholds=5), metrics.Precision()]),
        "normalizations": ("mse", ["mae", metrics.R2Score()]),
        "noise": ("sparse_categorical_crossentropy", ["accuracy"]),
        "penalties": (losses.Huber(2.5), [losses.log_cosh]),
        "nested": ("mae", [metrics.RootMeanSquaredError()]),
        "float64": ("log_cosh", []),
        "plain": (None, []),
    }
    for (name, each), kind, rate in zip(found.items(), kinds, rates, strict=True):
        loss, measured = told[name]
        each.compile(kind(rate, clipnorm=2.0), loss, metrics=measured)
    return found


def make_graphs() -> dict[str, Any]:
    """Return models with several inputs and outputs, with layers of categories and of one's own."""
    found = {name: make_graph(name, 8).model for name in GRAPHS}
    cnet.utils.clear_session()
    number, code, rows = (
        cnet.Input((1,), name="number"),
        cnet.Input((1,), name="code", dtype="int64"),
        cnet.Input((4, 3), name="rows"),
    )
    encoded = [
        layers.Discretization([0.0, 0.5], output_mode="one_hot")(number),
        layers.CategoryEncoding(5, "multi_hot")(layers.IntegerLookup(vocabulary=[2, 1])(code)),
        layers.Flatten()(layers.Embedding(7, 2)(layers.Hashing(7)(code))),
    ]
    inner = cnet.Input((4, 3), name="inner")
    pooled = layers.GlobalMaxPooling1D(keepdims=True)(layers.Dense(3, "relu")(inner))
    nested = cnet.Model(
        inner, {"pooled": pooled, "flat": layers.Flatten()(inner)}, name="nested_model"
    )
    result = nested(rows * 2.0 - 1.0)
    steps = layers.Add()([layers.Concatenate(axis=1)([rows, result["pooled"]]), result["pooled"]])
    part = cnet.ops.repeat(
        cnet.ops.exp(rows[:, 1:3, 0]), 2, axis=1
    )  # operations that the engine lacks
    top = layers.Concatenate()([*encoded, part, layers.Reshape((-1,))(steps), result["flat"]])
    graph = cnet.Model(
        {"number": number, "code": code, "rows": rows},
        [layers.Dense(2)(top), layers.Dense(1, "sigmoid")(top)],
        name="nested_graph",
    )
    graph.compile("adagrad", ["mse", "binary_crossentropy"], loss_weights=[1.0, 0.5])
    return {**found, "nested_graph": graph}


FOLDERS: dict[str, Callable[[], dict[str, Any]]] = {
    f"version-{VERSION}": make_models,
    f"version-{VERSION}-graphs": make_graphs,
}


def inputs(model: Any, ids: int = 3) -> Any:
    """Return two samples for a model, with integers below a bound where it takes these."""

    def values(shape: tuple[int | None, ...], dtype: str) -> Any:
        sizes = (2, *(3 if size is None else size for size in shape[1:]))
        count = int(np.prod(sizes))
        if dtype == "string":
            return np.resize(["red", "blue", ""], sizes)
        if dtype.startswith("int"):
            return np.arange(count).reshape(sizes) % ids
        return np.linspace(-1, 1, count).reshape(sizes)

    each = map(values, model.input_shapes, model.input_dtypes)
    return nested_as(model.input_structure, list(each))


def train(model: Any) -> None:
    """Train a model a little, so that it has training state."""
    if model.loss is None:
        return
    x = inputs(model)
    outputs = model.predict(x, verbose=0)
    labels = [
        rows.argmax(axis=1) if loss.sparse else np.abs(rows).clip(0, 1).round(2)
        for rows, loss in zip(leaves_of(outputs), model._setup.losses, strict=True)
    ]
    model.fit(x, nested_as(outputs, labels), epochs=2, verbose=0)


def main() -> None:
    """Write the files of this version, and the predictions of the models as hexadecimal bytes."""
    for name, make in FOLDERS.items():
        folder = CORPUS / name
        if folder.exists():
            continue
        folder.mkdir(parents=True)
        cnet.utils.set_random_seed(1)
        predictions = {}
        for kind, model in make().items():
            train(model)
            model.save(folder / f"{kind}.safetensors")
            outputs = leaves_of(model.predict(inputs(model), verbose=0))
            predictions[kind] = b"".join(rows.tobytes() for rows in outputs).hex()
        model.save_weights(folder / "weights.safetensors")
        (folder / "predictions.json").write_text(json.dumps(predictions, indent=1) + "\n")


if __name__ == "__main__":
    main()
