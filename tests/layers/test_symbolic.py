"""Symbolic tensors and the calls that they are results of; tests/models has the models made of them."""

from __future__ import annotations

import numpy as np

from cnet import Input, Model, layers

X = np.arange(6.0).reshape(3, 2)


def test_calls_keep_their_arguments() -> None:
    """Lists that a program extends later, as it adds columns, are those of the call."""
    inputs = [Input((2,), name="a"), Input((2,), name="b")]
    total = layers.Add()(inputs)
    inputs.append(Input((2,), name="c"))
    model = Model(inputs, layers.Subtract()([total, inputs[2]]))
    assert model.predict([X, X, X], verbose=0).tolist() == X.tolist()


def test_models_keep_their_inputs_and_outputs() -> None:
    inputs = {"a": Input((2,), name="a"), "b": Input((2,), name="b")}
    outputs = [layers.Add()(list(inputs.values()))]
    model = Model(inputs, outputs)
    inputs["c"] = Input((2,), name="c")
    outputs.clear()
    (output,) = model.predict({"a": X, "b": X}, verbose=0)
    assert output.tolist() == (2 * X).tolist()
    assert model.input_shape == {"a": (None, 2), "b": (None, 2)}
