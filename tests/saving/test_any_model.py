"""Random models, saved and loaded: the same description, the same bits, the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.instances import INNER_LAYERS

import cnet
from cnet import activations, constraints, initializers, layers, models, regularizers
from cnet._objects import ACCESSORS

SOME = st.floats(0.125, 4)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ACTIVATIONS = st.sampled_from(sorted(set(activations.__all__) - ACCESSORS))
INITIALIZERS = st.one_of(
    st.sampled_from(["glorot_uniform", "he_normal", "lecun_normal", "zeros", "ones"]),
    st.builds(initializers.Constant, SOME),
    st.builds(initializers.RandomNormal, mean=SOME, stddev=SOME, seed=st.integers(0, 2**63)),
    st.builds(initializers.Orthogonal, SOME, seed=st.integers(0, 9)),
)
REGULARIZERS = st.one_of(
    st.sampled_from([None, "l1", "l2"]), st.builds(regularizers.L1L2, l1=SOME, l2=SOME)
)
CONSTRAINTS = st.one_of(
    st.sampled_from([None, "non_neg", "unit_norm"]),
    st.builds(constraints.MaxNorm, SOME),
    st.builds(constraints.MinMaxNorm, st.floats(0, 0.5), st.floats(0.5, 4), rate=st.floats(0, 1)),
)

# Arguments of layers besides name and dtype.
LAYERS: dict[type[layers.Layer], dict[str, st.SearchStrategy[Any]]] = {
    layers.Dense: {
        "units": st.integers(1, 5),
        "activation": st.one_of(st.none(), ACTIVATIONS),
        "use_bias": st.booleans(),
        "kernel_initializer": INITIALIZERS,
        "kernel_regularizer": REGULARIZERS,
        "bias_regularizer": REGULARIZERS,
        "kernel_constraint": CONSTRAINTS,
        "bias_constraint": CONSTRAINTS,
        "trainable": st.booleans(),
    },
    layers.Activation: {"activation": ACTIVATIONS},
    layers.BatchNormalization: {
        "momentum": st.floats(0, 1),
        "epsilon": st.floats(1e-6, 1),
        "center": st.booleans(),
        "scale": st.booleans(),
        "gamma_regularizer": REGULARIZERS,
        "beta_constraint": CONSTRAINTS,
    },
    layers.Dropout: {"rate": st.floats(0, 0.9), "seed": st.none() | st.integers(0, 2**63)},
    layers.ELU: {"alpha": SOME},
    layers.Flatten: {},
    layers.GaussianNoise: {"stddev": st.floats(0, 1), "seed": st.none() | st.integers(0, 9)},
    layers.LayerNormalization: {"epsilon": st.floats(1e-6, 1), "center": st.booleans()},
    layers.LeakyReLU: {"negative_slope": st.floats(0, 1)},
    layers.Normalization: {"mean": SOME, "variance": SOME},
    layers.ReLU: {"max_value": st.none() | SOME, "negative_slope": SOME, "threshold": SOME},
    layers.Rescaling: {"scale": SOME, "offset": SOME},
    layers.Reshape: {"target_shape": st.just((-1,))},
    layers.Softmax: {},
}


def test_every_layer_is_covered() -> None:
    assert set(LAYERS) == {make.func for make in INNER_LAYERS}


@st.composite
def any_models(draw: st.DrawFn) -> cnet.Sequential:
    dtype = draw(st.sampled_from(["float32", "float64"]))

    def some_layers(depth: int) -> list[Any]:
        found: list[Any] = []
        for name in draw(st.lists(NAMES, unique=True, min_size=depth, max_size=3)):
            if depth and draw(st.integers(0, 4)) == 0:
                found.append(cnet.Sequential(some_layers(depth - 1), name=name))
                continue
            cls = draw(st.sampled_from(list(LAYERS)))
            arguments = {key: draw(values) for key, values in LAYERS[cls].items()}
            found.append(cls(**arguments, name=name, dtype=dtype))
        return found or [layers.Flatten(dtype=dtype)]

    head = layers.Input((draw(st.integers(1, 4)),), dtype=dtype)
    return cnet.Sequential([head, *some_layers(2)], name=draw(NAMES))


def test_any_model_is_restored(tmp_path: Path) -> None:
    path, again = tmp_path / "model.safetensors", tmp_path / "again.safetensors"

    @given(model=any_models())
    def try_one(model: cnet.Sequential) -> None:
        try:
            model.save(path)
        except ValueError as error:  # such as "a/b" in a model and "b" in its nested model "a"
            assert "two weights would be named" in str(error)  # noqa: PT017 # or nothing is wrong
            return
        copy = models.load_model(path)
        assert copy.get_config() == model.get_config()
        pairs = zip(copy.get_weights(), model.get_weights(), strict=True)
        assert all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)
        x = np.linspace(-2, 2, 3 * (model.input_shape[1] or 0)).reshape(3, -1)
        outputs = copy.predict(x, verbose=0), model.predict(x, verbose=0)
        assert outputs[0].tobytes() == outputs[1].tobytes()
        copy.save(again)
        assert again.read_bytes() == path.read_bytes()

    try_one()
