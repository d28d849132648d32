"""The measured networks, as the users of each library write them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from workloads import ID_COLUMNS, TABLE, Workload

Array = npt.NDArray[Any]


def chain_weights(workload: Workload) -> list[tuple[Array, Array]]:
    """Return a kernel and a bias for each dense layer, from Glorot's uniform distribution."""
    rng = np.random.default_rng(1)
    made = []
    for inputs, outputs in workload.dense_layers:
        limit = (6 / (inputs + outputs)) ** 0.5
        kernel = rng.uniform(-limit, limit, (inputs, outputs)).astype(workload.dtype)
        made.append((kernel, np.zeros(outputs, workload.dtype)))
    return made


def keras_model(k: Any, workload: Workload) -> Any:
    """Return the network in Keras's words, where `k` is cnet or Keras."""
    layers, (features, *hidden, classes) = k.layers, workload.widths
    output = layers.Dense(classes, activation="softmax")
    if workload.network == "chain":
        dense = [layers.Dense(width, activation="relu") for width in hidden]
        return k.Sequential([k.Input((features,)), *dense, output])
    numbers = k.Input((features,))
    if workload.network == "residual":
        h = numbers
        for up, down in zip(hidden[::2], hidden[1::2], strict=True):
            y = layers.Dense(up, activation="relu")(layers.LayerNormalization()(h))
            h = layers.Add()([h, layers.Dense(down)(y)])
        return k.Model(numbers, output(h))
    ids = k.Input((ID_COLUMNS,), dtype="int32")
    h = layers.Concatenate()([numbers, layers.Flatten()(layers.Embedding(*TABLE)(ids))])
    for width in hidden:
        h = layers.Dense(width, activation="relu")(h)
    return k.Model([numbers, ids], output(layers.Concatenate()([numbers, h])))


def torch_module(workload: Workload) -> Any:
    """Return the network as a PyTorch module that computes logits."""
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    linear = []
    for kernel, bias in chain_weights(workload):
        linear.append(nn.Linear(*kernel.shape, dtype=getattr(torch, workload.dtype)))
        with torch.no_grad():
            linear[-1].weight.copy_(torch.from_numpy(kernel.T))
            linear[-1].bias.copy_(torch.from_numpy(bias))
    features, *hidden, _ = workload.widths

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.ModuleList(linear)
            self.norms = nn.ModuleList(nn.LayerNorm(features) for _ in hidden[::2])

        def forward(self, h: Any) -> Any:
            for n, norm in enumerate(self.norms):
                h = h + self.linear[2 * n + 1](self.linear[2 * n](norm(h)).relu())
            return self.linear[-1](h)

    class WideAndDeep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.ModuleList(linear)
            self.table = nn.Embedding(*TABLE)

        def forward(self, numbers: Any, ids: Any) -> Any:
            h = torch.cat([numbers, self.table(ids).flatten(1)], dim=1)
            for layer in self.linear[:-1]:
                h = layer(h).relu()
            return self.linear[-1](torch.cat([numbers, h], dim=1))

    if workload.network == "residual":
        return Residual()
    if workload.network == "wide and deep":
        return WideAndDeep()
    modules = [module for layer in linear for module in (layer, nn.ReLU())]
    return nn.Sequential(*modules[:-1])


def jax_network(workload: Workload) -> tuple[Any, Callable[..., Any]]:
    """Return parameters, and the function of them and of the inputs that computes logits."""
    import jax
    import jax.numpy as jnp

    dense = [(jnp.asarray(kernel), jnp.asarray(bias)) for kernel, bias in chain_weights(workload)]

    def chain(layers: Any, a: Any) -> Any:
        for kernel, bias in layers[:-1]:
            a = jax.nn.relu(a @ kernel + bias)
        return a @ layers[-1][0] + layers[-1][1]

    def residual(params: Any, h: Any) -> Any:
        layers, norms = params
        for n, (gamma, beta) in enumerate(norms):
            y = gamma * jax.nn.standardize(h, epsilon=1e-3) + beta
            h = h + chain(layers[2 * n : 2 * n + 2], y)
        return chain(layers[-1:], h)

    def wide_and_deep(params: Any, numbers: Any, ids: Any) -> Any:
        layers, table = params
        h = jnp.concatenate([numbers, table[ids].reshape(len(ids), -1)], axis=1)
        h = jax.nn.relu(chain(layers[:-1], h))
        return chain(layers[-1:], jnp.concatenate([numbers, h], axis=1))

    features, *hidden, _ = workload.widths
    if workload.network == "residual":
        norms = [(jnp.ones(features), jnp.zeros(features)) for _ in hidden[::2]]
        return (dense, norms), residual
    if workload.network == "wide and deep":
        return (
            dense,
            jnp.asarray(np.random.default_rng(2).normal(size=TABLE), "float32"),
        ), wide_and_deep
    return dense, chain
