"""The measured libraries, each running a workload as its users would write it.

A peer is a function that prepares a workload; it returns a function that takes some steps, and their
number. ``python peers.py PEER WORKLOAD`` runs one peer on one workload, and measures once for each
line that it reads.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from estimators import fit
from networks import chain_weights, jax_network, keras_model, torch_module
from workloads import ID_COLUMNS, TABLE, WORKLOADS, Workload

Array = npt.NDArray[Any]
Prepared = tuple[Callable[[], Any], int]
LEARNING_RATE = 1e-3
MEASURED_SECONDS = 0.25


def data(workload: Workload) -> tuple[list[Array], Array, int]:
    """Return inputs, class ids, and the number of batches: about 16 MiB, 8 to 2,048 batches."""
    if workload.task == "estimator":
        raise KeyError(workload.task)
    sample_bytes = workload.widths[0] * np.dtype(workload.dtype).itemsize
    batches = min(max(8, 2**24 // (sample_bytes * workload.batch)), 2048)
    if workload.task == "predict":
        batches = 1
    rng, rows = np.random.default_rng(0), batches * workload.batch
    x = [rng.normal(size=(rows, workload.widths[0])).astype(workload.dtype)]
    if workload.network == "wide and deep":
        x.append(rng.integers(TABLE[0], size=(rows, ID_COLUMNS), dtype=np.int32))
    return x, rng.integers(workload.widths[-1], size=rows), batches


def chain_data(workload: Workload) -> tuple[Array, Array, int]:
    """Return the data of a chain, which has one input."""
    if workload.network != "chain":
        raise KeyError(workload.network)
    (x,), y, batches = data(workload)
    return x, y, batches


def compiled_model(k: Any, workload: Workload) -> Any:
    """Return the network in Keras's words, compiled, where `k` is cnet or Keras."""
    k.config.set_floatx(workload.dtype)
    model, optimizer = keras_model(k, workload), k.optimizers.get(workload.optimizer)
    optimizer.learning_rate = LEARNING_RATE
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def cnet(workload: Workload) -> Prepared:
    """`fit(verbose=0)` with its shuffling; `model(x)` and `predict`; the estimator."""
    if workload.task == "estimator":
        return fit("cnet", workload)
    import cnet

    (x, y, batches), model = data(workload), compiled_model(cnet, workload)
    if workload.task == "predict":
        return (lambda: model(*x)) if workload.batch == 1 else (lambda: model.predict(x)), 1
    return lambda: model.fit(x, y, batch_size=workload.batch, verbose=0), batches


def cnet_tape(workload: Workload) -> Prepared:
    """Loop by hand, in the order of the data: a tape over the model, `apply_gradients`."""
    import cnet
    from cnet.autodiff import GradientTape
    from cnet.losses import SparseCategoricalCrossentropy

    if workload.task != "train":
        raise KeyError(workload.task)
    (x, y, batches), model = chain_data(workload), compiled_model(cnet, workload)
    loss, optimizer, weights = SparseCategoricalCrossentropy(), model.optimizer, model.weights

    def run() -> None:
        for first in range(0, len(x), workload.batch):
            rows = slice(first, first + workload.batch)
            with GradientTape() as tape:
                value = loss(y[rows], model(x[rows]))
            optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))

    return run, batches


def cnet_avx2(workload: Workload) -> Prepared:
    """Select the AVX2 kernels of cnet."""
    os.environ["CNET_ISA"] = "avx2"
    return cnet(workload)


def numpy(workload: Workload) -> Prepared:
    """By hand: every product has its own buffer, and updates are in place."""
    x, y, batches = chain_data(workload)
    layers = chain_weights(workload)
    batch = workload.batch
    outputs = [np.empty((batch, len(bias)), workload.dtype) for _, bias in layers]
    gradients = [np.empty_like(output) for output in outputs]
    updates = [np.empty_like(kernel) for kernel, _ in layers]
    masks = [np.empty(output.shape, bool) for output in outputs]
    rows = np.arange(batch)
    rate = np.asarray(LEARNING_RATE, workload.dtype)

    def forward(a: Array) -> Array:
        for n, ((kernel, bias), z) in enumerate(zip(layers, outputs, strict=True)):
            np.matmul(a, kernel, out=z)
            z += bias
            if n < len(layers) - 1:
                np.maximum(z, 0, out=z)
            a = z
        a -= a.max(axis=1, keepdims=True)
        np.exp(a, out=a)
        a /= a.sum(axis=1, keepdims=True)
        return a

    def step(start: int) -> None:
        inputs = x[start : start + batch]
        grad = gradients[-1]
        grad[...] = forward(inputs)
        grad[rows, y[start : start + batch]] -= 1
        grad /= batch
        for n in reversed(range(len(layers))):
            kernel, bias = layers[n]
            below = outputs[n - 1] if n else inputs
            np.matmul(below.T, gradients[n], out=updates[n])
            if n:
                np.matmul(gradients[n], kernel.T, out=gradients[n - 1])
                np.greater(below, 0, out=masks[n - 1])
                gradients[n - 1] *= masks[n - 1]
            updates[n] *= rate
            kernel -= updates[n]
            bias -= rate * gradients[n].sum(axis=0)

    if workload.task == "predict":
        return lambda: forward(x), 1
    return lambda: [step(n * batch) for n in range(batches)], batches


def pytorch(workload: Workload, *, compiled: bool = False) -> Prepared:
    """PyTorch, eager: modules, CrossEntropyLoss, torch.optim."""
    import torch

    x, y, batches = data(workload)
    inputs, labels, model = (
        [torch.from_numpy(a) for a in x],
        torch.from_numpy(y),
        torch_module(workload),
    )
    if workload.task == "predict":
        model.append(torch.nn.Softmax(dim=1))
        run = torch.inference_mode()(lambda: model(*inputs))
        return run, 1
    kinds = {"sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam}
    optimizer = kinds[workload.optimizer](model.parameters(), lr=LEARNING_RATE)
    loss_function = torch.nn.CrossEntropyLoss()

    def loss_of(batch: list[Any], labels: Any) -> Any:
        return loss_function(model(*batch), labels)

    if compiled:
        loss_of = torch.compile(loss_of)

    def epoch() -> None:
        for start in range(0, len(labels), workload.batch):
            rows = slice(start, start + workload.batch)
            optimizer.zero_grad()
            loss_of([a[rows] for a in inputs], labels[rows]).backward()
            optimizer.step()

    return epoch, batches


def pytorch_compiled(workload: Workload) -> Prepared:
    """PyTorch with torch.compile of forward and backward."""
    return pytorch(workload, compiled=True)


def jax(workload: Workload, *, scan: bool = False) -> Prepared:
    """JAX, one jitted step at a time."""
    os.environ["JAX_ENABLE_X64"] = str(int(workload.dtype == "float64"))
    import jax
    import jax.numpy as jnp

    x, y, batches = data(workload)
    params, logits_of = jax_network(workload)

    def loss(params: Any, inputs: Any, labels: Any) -> Any:
        log_p = jax.nn.log_softmax(logits_of(params, *inputs))
        return -jnp.take_along_axis(log_p, labels[:, None], axis=1).mean()

    def step(params: Any, batch: Any) -> Any:
        gradients = jax.grad(loss)(params, *batch)
        updated = jax.tree.map(lambda w, g: w - LEARNING_RATE * g, params, gradients)
        return updated, None

    if workload.task == "predict":
        predict = jax.jit(lambda a: jax.nn.softmax(logits_of(params, a)))
        return lambda: np.asarray(predict(*x)), 1
    stacked = (
        [jnp.asarray(a.reshape(batches, workload.batch, -1)) for a in x],
        jnp.asarray(y.reshape(batches, -1)),
    )
    if scan:
        run_scan = jax.jit(lambda params, data: jax.lax.scan(step, params, data)[0])

        def epoch() -> None:
            nonlocal params
            params = jax.block_until_ready(run_scan(params, stacked))

        return epoch, batches
    one = jax.jit(lambda params, batch: step(params, batch)[0])
    pieces = [jax.tree.map(itemgetter(n), stacked) for n in range(batches)]

    def steps() -> None:
        nonlocal params
        for piece in pieces:
            params = one(params, piece)
        jax.block_until_ready(params)

    return steps, batches


def jax_scan(workload: Workload) -> Prepared:
    """JAX, a whole epoch in one `lax.scan`."""
    return jax(workload, scan=True)


def keras(workload: Workload) -> Prepared:
    """Keras on TensorFlow, `fit(verbose=0)`."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow

    threads = int(os.environ["OMP_NUM_THREADS"])
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    (x, y, batches), model = data(workload), compiled_model(keras, workload)
    if workload.task == "predict":
        return lambda: model.predict(x, batch_size=1024, verbose=0), 1
    return lambda: model.fit(x, y, batch_size=workload.batch, verbose=0), batches


def scikit_learn(workload: Workload) -> Prepared:
    """MLPClassifier, an epoch of `partial_fit`; `fit` of the estimator."""
    if workload.task == "estimator":
        return fit("scikit-learn", workload)
    from sklearn.neural_network import MLPClassifier

    x, y, batches = chain_data(workload)
    solver = {"sgd": "sgd", "adam": "adam"}[workload.optimizer]
    model = MLPClassifier(
        workload.widths[1:-1],
        solver=solver,
        batch_size=min(workload.batch, len(x)),
        learning_rate_init=LEARNING_RATE,
        momentum=0.0,
        nesterovs_momentum=False,
        alpha=0.0,
    )
    classes = np.arange(workload.widths[-1])
    if workload.task == "predict":
        model.partial_fit(np.repeat(x, 2, axis=0), np.repeat(y, 2), classes=classes)
        return lambda: model.predict_proba(x), 1
    return lambda: model.partial_fit(x, y, classes=classes), batches


def onnx_runtime(workload: Workload) -> Prepared:
    """InferenceSession.run of Gemm, Relu and Softmax."""
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    if workload.task != "predict":
        raise KeyError(workload.task)
    x, _, _ = chain_data(workload)
    nodes, constants, name = [], [], "x"
    for n, (kernel, bias) in enumerate(chain_weights(workload)):
        constants += [
            numpy_helper.from_array(kernel, f"k{n}"),
            numpy_helper.from_array(bias, f"b{n}"),
        ]
        nodes.append(helper.make_node("Gemm", [name, f"k{n}", f"b{n}"], [f"z{n}"]))
        last = n == len(workload.widths) - 2
        name = "y" if last else f"a{n}"
        nodes.append(helper.make_node("Softmax" if last else "Relu", [f"z{n}"], [name]))
    shapes = {"x": ["batch", workload.widths[0]], "y": ["batch", workload.widths[-1]]}
    ends = [helper.make_tensor_value_info(k, onnx.TensorProto.FLOAT, v) for k, v in shapes.items()]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda: session.run(None, {"x": x}), 1


PEERS: dict[str, Callable[[Workload], Prepared]] = {
    "cnet": cnet,
    "cnet on a tape": cnet_tape,
    "cnet on AVX2": cnet_avx2,
    "NumPy": numpy,
    "PyTorch": pytorch,
    "PyTorch compiled": pytorch_compiled,
    "JAX": jax,
    "JAX scan": jax_scan,
    "Keras": keras,
    "scikit-learn": scikit_learn,
    "ONNX Runtime": onnx_runtime,
}


def yardstick() -> Prepared:
    """NumPy's float32 product of two 2048 × 2048 matrices."""
    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out), 1


def main(peer: str, workload: str) -> None:
    """Measure once for each line read, and print microseconds per step."""
    try:
        run, steps = yardstick() if peer == "yardstick" else PEERS[peer](WORKLOADS[workload])
        run()
    except (ImportError, KeyError, AttributeError, NotImplementedError) as error:
        print(json.dumps(f"{type(error).__name__}: {error}"), flush=True)
        return
    print(json.dumps(None), flush=True)
    for _ in sys.stdin:
        runs, start = 0, time.perf_counter()
        while (seconds := time.perf_counter() - start) < MEASURED_SECONDS or runs == 0:
            run()
            runs += 1
        print(json.dumps(1e6 * seconds / (runs * steps)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
