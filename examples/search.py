"""A search for the best classifier of digits, on the processes of this machine or on a cluster.

joblib hands the fits to a backend: its own processes ("loky"), a Dask cluster or a Ray cluster, of this machine or at an
address. Each worker fits with the threads that its backend gives it, one by default. The results are the same.

    pip install "cnet[search]"
    python examples/search.py --backend dask
    python examples/search.py --backend dask --address tcp://scheduler:8786
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from shared import folder, positive, run
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RandomizedSearchCV, train_test_split

import cnet
from cnet.neural_network import MLPClassifier

OPTIONS: dict[str, Any] = {
    "hidden_layer_sizes": [(32,), (64,), (128,), (64, 64)],
    "learning_rate_init": np.geomspace(1e-4, 1e-1, 13),
    "alpha": np.geomspace(1e-6, 10, 8),
    "activation": ["relu", "gelu", "tanh"],
}


@contextmanager
def workers(backend: str, jobs: int, address: str | None, data: list[Any]) -> Iterator[None]:
    """Let joblib's calls run on a backend. `data` is sent to the workers of a Dask cluster once, not with each fit."""
    if backend == "dask":
        from distributed import Client, LocalCluster

        local = partial(LocalCluster, jobs, threads_per_worker=1, dashboard_address=None)
        with (
            nullcontext(address) if address else local() as cluster,
            Client(cluster),
            joblib.parallel_config("dask", scatter=data),
        ):
            yield
    elif backend == "ray":
        import ray
        from ray.util.joblib import register_ray

        register_ray()
        with (
            ray.init(address=address, num_cpus=None if address else jobs, log_to_driver=False),
            joblib.parallel_config("ray", n_jobs=jobs),
        ):
            yield
    else:
        with joblib.parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
            yield


def threads_of_workers(jobs: int) -> str:
    """Return the numbers of threads that fits have in the workers."""
    counts = joblib.Parallel(n_jobs=jobs)(
        joblib.delayed(cnet.get_num_threads)() for _ in range(2 * jobs)
    )
    return " or ".join(map(str, sorted(set(counts))))


def main(args: argparse.Namespace) -> None:
    """Search, and print the best options and their accuracy on other digits."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x / 16, y, stratify=y, random_state=args.seed)
    search = RandomizedSearchCV(
        MLPClassifier(max_iter=args.epochs, random_state=args.seed),
        OPTIONS,
        n_iter=args.candidates,
        cv=3,
        random_state=args.seed,
        n_jobs=args.jobs,
    )
    warnings.simplefilter("ignore", ConvergenceWarning)
    with workers(args.backend, args.jobs, args.address, [x, y]):
        print(f"threads in each worker: {threads_of_workers(args.jobs)}")
        start = time.perf_counter()
        search.fit(x, y)
        seconds = time.perf_counter() - start
    print(f"{3 * args.candidates} fits in {seconds:.1f} s by {args.jobs} workers of {args.backend}")
    for name, value in sorted(search.best_params_.items()):
        print(f"best {name}: {value:.3g}" if isinstance(value, float) else f"best {name}: {value}")
    print(f"validation accuracy {search.best_score_:.3f}")
    print(f"test accuracy {search.score(x_test, y_test):.3f}")
    if args.plots:
        plot(args.plots / "search.png", search.cv_results_)


def plot(path: Path, results: dict[str, Any]) -> None:
    """Draw the accuracy of each candidate over its learning rate."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    activations = results["param_activation"]
    for activation, marker in zip(OPTIONS["activation"], "o^s", strict=True):
        of = activations == activation
        points = axes.scatter(
            results["param_learning_rate_init"][of].astype(float),
            results["mean_test_score"][of],
            c=np.log10(results["param_alpha"][of].astype(float)),
            vmin=-6,
            vmax=1,
            cmap="viridis",
            marker=marker,
            s=60,
            label=activation,
        )
    axes.set(xscale="log", xlabel="learning_rate_init", ylabel="validation accuracy")
    axes.legend(frameon=False)
    figure.colorbar(points, label="alpha, as a power of 10")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--backend", choices=("loky", "dask", "ray"), default="loky")
    parser.add_argument("--address", help="of a cluster; default: workers on this machine")
    parser.add_argument("--jobs", type=positive, default=2, help="workers, default: %(default)s")
    parser.add_argument("--candidates", type=positive, default=24, help="default: %(default)s")
    parser.add_argument("--epochs", type=positive, default=40, help="default: %(default)s")
    parser.add_argument("--plots", type=folder, metavar="DIR", help="draw into this folder")
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
