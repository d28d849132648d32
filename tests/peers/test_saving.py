"""Model files with Keras and safetensors: weights transfer without conversion."""

from __future__ import annotations

import inspect
import operator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tolerances import dot_bound

import cnet

keras = pytest.importorskip("keras", reason="Keras is not installed")
safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def make(library: Any) -> Any:
    dense = library.layers.Dense
    return library.Sequential([library.Input((4,)), dense(3, name="first")])


def assert_same(ours: Any, theirs: Any) -> None:
    kernel, bias = ours.get_weights()
    magnitude = np.abs(X.astype(np.float64)) @ np.abs(kernel) + np.abs(bias)
    # Both are within the bound of the exact sum.
    bound = 2 * dot_bound(magnitude, terms=5, dtype=np.float32)
    difference = ours.predict(X, verbose=0).astype(np.float64) - theirs.predict(X, verbose=0)
    assert (np.abs(difference) <= bound).all()


def test_files_have_the_layout_of_keras(tmp_path: Path) -> None:
    ours, theirs = make(cnet), make(keras)
    ours.save(tmp_path / "m.safetensors")
    tensors = safetensors.load_file(tmp_path / "m.safetensors")
    for layer in theirs.layers:
        layer.set_weights([tensors[f"{layer.name}/{name}"] for name in ("kernel", "bias")])
    assert_same(ours, theirs)


def test_weights_of_keras_load_by_their_paths(tmp_path: Path) -> None:
    ours, theirs = make(cnet), make(keras)
    tensors = {weight.path.split("/", 1)[1]: weight.numpy() for weight in theirs.weights}
    safetensors.save_file(tensors, tmp_path / "m.safetensors")
    ours.load_weights(tmp_path / "m.safetensors")
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    "call",
    [
        *("Sequential.save", "Sequential.save_weights", "Sequential.load_weights"),
        *("models.load_model", "models.save_model", "models.clone_model"),
    ],
)
def test_names_and_defaults_match_keras(call: str) -> None:
    def parameters(library: Any) -> list[tuple[str, Any]]:
        signature = inspect.signature(operator.attrgetter(call)(library))
        return [(each.name, each.default) for each in signature.parameters.values()]

    ours = parameters(cnet)
    assert ours == parameters(keras)[: len(ours)]
