"""Compare cnet's estimators with scikit-learn's: `fit` for compare.py; run as a program, scores, searches and latency.

python benchmarks/estimators.py
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from workloads import WORKLOADS, Workload

Array = npt.NDArray[Any]
#: Where Debian's package dataset-fashion-mnist has its files.
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
#: Epochs of a fit for compare.py, and for scores.
EPOCHS = {"digits": (50, 50), "fashion_mnist": (2, 5), "table": (5, 5)}


def data_set(name: str) -> tuple[Array, Array, Array, Array]:
    """Return samples and classes for training and for scores: of a table's normal numbers, two classes."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    if name == "fashion_mnist":
        from cnet.datasets import fashion_mnist

        path = DEBIAN if DEBIAN.is_dir() else None
        (x, y), (x_test, y_test) = fashion_mnist.load_data(path=path)
        x, x_test = (each.reshape(len(each), -1).astype(np.float32) / 255 for each in (x, x_test))
        return x, y, x_test, y_test
    if name == "digits":
        x, y = load_digits(return_X_y=True)
        x = x / 16
    else:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(100_000, 30))
        y = (np.sin(x[:, :10]).sum(axis=1) + x[:, 10] * x[:, 11] > 0).astype(int)
    x, x_test, y, y_test = train_test_split(x, y, random_state=0, stratify=y)
    return x, y, x_test, y_test


def of_library(library: str) -> Any:
    """Return the MLPClassifier of "cnet" or "scikit-learn"."""
    if library == "cnet":
        from cnet.neural_network import MLPClassifier
    else:
        from sklearn.neural_network import MLPClassifier
    return MLPClassifier


def with_epochs(library: str, epochs: int, seed: int = 0) -> Any:
    """Return a classifier with all defaults, but the number of its epochs."""
    warnings.filterwarnings("ignore", message=".*the optimization hasn't converged")
    return of_library(library)(max_iter=epochs, n_iter_no_change=epochs + 1, random_state=seed)


def fit(library: str, workload: Workload) -> tuple[Callable[[], Any], int]:
    """Return a function that fits a new classifier, and the number of its steps."""
    x, y, *_ = data_set(workload.data_set)
    epochs, _ = EPOCHS[workload.data_set]
    steps = epochs * -(-len(x) // workload.batch)
    return lambda: with_epochs(library, epochs).fit(x, y), steps


def seconds(run: Callable[[], Any], runs: int) -> float:
    """Return the least time of a run."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print test scores over five seeds, the time of a search, and that of a prediction."""
    from sklearn.model_selection import GridSearchCV

    libraries = ("cnet", "scikit-learn")
    for workload in WORKLOADS.values():
        if workload.task != "estimator":
            continue
        x, y, x_test, y_test = data_set(workload.data_set)
        for library in libraries:
            scores = [
                with_epochs(library, EPOCHS[workload.data_set][1], seed)
                .fit(x, y)
                .score(x_test, y_test)
                for seed in range(5)
            ]
            mean, deviation = statistics.mean(scores), statistics.stdev(scores)
            print(f"{workload.name}: {library}: test score {mean:.4f} ± {deviation:.4f}")
    x, y, x_test, _ = data_set("digits")
    grid = {"alpha": [1e-4, 1e-2, 1.0], "hidden_layer_sizes": [(50,), (100,)]}
    times = {}
    for library in libraries:
        search = GridSearchCV(with_epochs(library, 30), grid, n_jobs=2, cv=3)
        times[library] = seconds(lambda search=search: search.fit(x, y), 2)
    ratio = times["scikit-learn"] / times["cnet"]
    print(
        f"GridSearchCV of 18 fits on digits, n_jobs=2: {times['cnet']:.2f} s, {ratio:.1f} × as fast"
    )
    for library in libraries:
        model = with_epochs(library, 2).fit(x, y)
        row = x_test[:1]
        latency = 1e6 * seconds(lambda model=model, row=row: model.predict_proba(row), 2000)
        print(f"predict_proba of one row: {library}: {latency:.1f} µs")


if __name__ == "__main__":
    main()
