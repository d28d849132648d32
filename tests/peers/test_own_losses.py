"""Models trained with a custom loss, compared with the same network in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.tolerances import relative_bound

import cnet
from cnet import autodiff, layers

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of the peers

QUANTILES = np.array([0.1, 0.5, 0.9])
STEPS, RATE = 20, 0.01


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def pinball(y_true: Any, y_pred: Any) -> Any:
    error = y_true - y_pred
    return autodiff.maximum(QUANTILES * error, (QUANTILES - 1) * error)


def make_model() -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    made: Any = {"dtype": "float64"}
    return cnet.Sequential(
        [
            cnet.Input((5,)),
            layers.Dense(16, "tanh", **made),
            layers.Dense(8, "softplus", **made),
            layers.Dense(3, **made),
        ]
    )


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_fit_with_a_function(torch: Any, name: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 5)), rng.normal(size=(32, 1))
    model = make_model()
    twin = torch.nn.Sequential(
        *[torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Linear(16, 8)],
        *[torch.nn.Softplus(), torch.nn.Linear(8, 3)],
    ).double()
    parameters = list(twin.parameters())
    with torch.no_grad():
        for weight, parameter in zip(model.weights, parameters, strict=True):
            parameter.copy_(torch.from_numpy(weight.numpy().T.copy()))

    # PyTorch adds epsilon after the bias correction, Keras before it: negligible here.
    options = {"epsilon": 1e-30} if name == "Adam" else {}
    model.compile(getattr(cnet.optimizers, name)(RATE, **options), pinball)
    losses = [model.train_on_batch(x, y) for _ in range(STEPS)]

    options = {"eps": 1e-30} if name == "Adam" else {}
    optimizer = getattr(torch.optim, name)(parameters, lr=RATE, **options)
    quantiles = torch.from_numpy(QUANTILES)
    for loss in losses:
        error = torch.from_numpy(y) - twin(torch.from_numpy(x))
        expected = torch.maximum(quantiles * error, (quantiles - 1) * error).mean()
        # A few thousand successive roundings of numbers of magnitude 1.
        assert loss == pytest.approx(float(expected.detach()), rel=relative_bound(4000, "float64"))
        optimizer.zero_grad()
        expected.backward()
        optimizer.step()
    for weight, parameter in zip(model.weights, parameters, strict=True):
        error = np.abs(weight.numpy() - parameter.detach().numpy().T)
        assert error.max() <= relative_bound(40_000, "float64")
