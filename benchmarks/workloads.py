"""The measured workloads: networks, batches, and the operations of a step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Workload:
    """Training or prediction of a ReLU network with a softmax output, in batches."""

    name: str
    widths: tuple[int, ...]
    batch: int
    task: str = "train"
    optimizer: str = "sgd"
    dtype: str = "float32"

    @property
    def flops(self) -> int:
        """Floating-point operations of the matrix products in a step."""
        products = [2 * self.batch * inputs * outputs for inputs, outputs in pairwise(self.widths)]
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
        Workload("predict 8-64-64-4, 1 row", SMALL, 1, "predict"),
        Workload("predict 784-512-10, 1 row", MNIST, 1, "predict"),
        Workload("predict 784-512-10, 1024 rows", MNIST, 1024, "predict"),
    )
}
