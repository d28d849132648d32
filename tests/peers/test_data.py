"""PyTorch data: what `fit` accepts, and errors for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnet import Input, Sequential, layers

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
Y = np.random.default_rng(1).integers(2, size=20)


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def make() -> Sequential:
    model = Sequential([Input((3,)), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def test_tensors_and_loaders_are_accepted(torch: Any) -> None:
    tensors = torch.from_numpy(X), torch.from_numpy(Y)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*tensors), batch_size=7)
    by_arrays, by_tensors, by_loader = make(), make(), make()
    for model in (by_tensors, by_loader):
        model.set_weights(by_arrays.get_weights())
    by_arrays.fit(X, Y, batch_size=7, shuffle=False, epochs=2, verbose=0)
    by_tensors.fit(*tensors, batch_size=7, shuffle=False, epochs=2, verbose=0)
    by_loader.fit(loader, epochs=2, verbose=0)
    for model in (by_tensors, by_loader):
        np.testing.assert_array_equal(model(X), by_arrays(X))


def test_data_sets_of_samples_are_refused(torch: Any) -> None:
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    with pytest.raises(
        TypeError, match="got a TensorDataset, whose items are single samples; batch"
    ):
        make().fit(data, verbose=0)


@pytest.mark.parametrize("call", ["fit", "predict", "__call__"])
def test_tensors_that_require_a_gradient_are_refused(torch: Any, call: str) -> None:
    x = torch.from_numpy(X).requires_grad_()
    with pytest.raises(
        TypeError, match=r"got a Tensor that requires a gradient; pass its detach\(\)"
    ):
        getattr(make(), call)(*(x, Y) if call == "fit" else (x,))
    x = torch.nn.Linear(3, 3)(torch.from_numpy(X))  # the result of a computation
    with pytest.raises(
        TypeError, match=r"got a Tensor that requires a gradient; pass its detach\(\)"
    ):
        getattr(make(), call)(*(x, Y) if call == "fit" else (x,))
