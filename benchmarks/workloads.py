"""The measured workloads: networks, batches, and the operations of a step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

#: Rows and columns of the embedding of a wide and deep network, and the ids of a sample.
TABLE, ID_COLUMNS = (1000, 8), 4


@dataclass(frozen=True)
class Workload:
    """Training or prediction of a ReLU network with a softmax output, in batches.

    A network is a "chain" of dense layers; "residual": blocks of layer normalization and two dense
    layers, which are added to their input; or "wide and deep": a chain of the features and of embedded
    ids, whose last layer reads the features as well. The task "estimator" is `fit` of scikit-learn's MLPClassifier
    on a data set.
    """

    name: str
    widths: tuple[int, ...]
    batch: int
    task: str = "train"
    optimizer: str = "sgd"
    dtype: str = "float32"
    network: str = "chain"
    data_set: str = ""

    @property
    def dense_layers(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each dense layer."""
        layers = list(pairwise(self.widths))
        if self.network == "wide and deep":
            layers[0] = layers[0][0] + ID_COLUMNS * TABLE[1], layers[0][1]
            layers[-1] = layers[-1][0] + self.widths[0], layers[-1][1]
        return layers

    @property
    def flops(self) -> int:
        """Floating-point operations of the matrix products in a step."""
        products = [2 * self.batch * inputs * outputs for inputs, outputs in self.dense_layers]
        if self.task == "predict":
            return sum(products)
        return 3 * sum(products) - products[0]  # the input needs no gradient


MNIST = (784, 512, 10)
SMALL = (8, 64, 64, 4)

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("784-512-10, batch 128", MNIST, 128),
        Workload("8-64-64-4, batch 32", SMALL, 32),
        Workload("256-256-256-256-10, batch 256", (256, 256, 256, 256, 10), 256),
        Workload("1024-2048-2048-10, batch 256", (1024, 2048, 2048, 10), 256),
        Workload("784-512-10, RMSprop", MNIST, 128, optimizer="rmsprop"),
        Workload("784-512-10, Adam", MNIST, 128, optimizer="adam"),
        Workload("784-512-10, float64", MNIST, 128, dtype="float64"),
        Workload("wide and deep, batch 128", (16, 64, 64, 4), 128, network="wide and deep"),
        Workload("residual, batch 128", (*[64] * 7, 10), 128, network="residual"),
        Workload("MLPClassifier, digits", (64, 100, 10), 200, "estimator", data_set="digits"),
        Workload(
            "MLPClassifier, Fashion-MNIST",
            (784, 100, 10),
            200,
            "estimator",
            data_set="fashion_mnist",
        ),
        Workload("MLPClassifier, table", (30, 100, 1), 200, "estimator", data_set="table"),
        Workload("predict 8-64-64-4, 1 row", SMALL, 1, "predict"),
        Workload("predict 784-512-10, 1 row", MNIST, 1, "predict"),
        Workload("predict 784-512-10, 1024 rows", MNIST, 1024, "predict"),
    )
}
