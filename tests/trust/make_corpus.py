"""Make the model files that tests/trust/test_fuzzed_files.py starts from: ``python make_corpus.py``.

Keep the files of a version of the format when there is a new version: every later cnet must read them and
give the same predictions.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np

import cnet
from cnet import activations, constraints, layers, losses, metrics, optimizers
from cnet.optimizers import schedules
from cnet.saving.model_file import VERSION

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


def inputs(model: cnet.Sequential) -> np.ndarray:
    """Return two samples for a model."""
    shape = (2, *(size or 0 for size in model.input_shape[1:]))
    return np.linspace(-1, 1, int(np.prod(shape))).reshape(shape)


def train(model: cnet.Sequential) -> None:
    """Train a model a little, so that it has training state."""
    x = inputs(model)
    labels = np.abs(model.predict(x, verbose=0)).clip(0, 1).round(2)
    if model.loss is not None:
        sparse = model.loss.name == "sparse_categorical_crossentropy"
        model.fit(x, labels.argmax(axis=1) if sparse else labels, epochs=2, verbose=0)


def main() -> None:
    """Write the files of this version, and the predictions of the models as hexadecimal bytes."""
    folder = CORPUS / f"version-{VERSION}"
    folder.mkdir(parents=True)
    cnet.utils.set_random_seed(1)
    predictions = {}
    for name, model in make_models().items():
        train(model)
        model.save(folder / f"{name}.safetensors")
        predictions[name] = model.predict(inputs(model), verbose=0).tobytes().hex()
    model.save_weights(folder / "weights.safetensors")
    (folder / "predictions.json").write_text(json.dumps(predictions, indent=1) + "\n")


if __name__ == "__main__":
    main()
