"""Measure cnet against its peers: same networks, same data, same machine, at the same time.

Each peer runs in a process of its own. The peers are measured in turn, round after round, so that a
machine that slows down affects all alike; the medians are printed, saved and drawn. The yardstick is
NumPy's best rate for a float32 product of 2048 × 2048 matrices with as many threads.

    pip install ".[bench]"
    python benchmarks/compare.py --threads 1 2 --json figures.json --plot figures.png

`--baseline` measures a change: the cnet of another environment takes part, and its time relative to
this one is the median of the ratios of all rounds.

    python benchmarks/compare.py --peers cnet --rounds 31 --baseline ../before/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from peers import PEERS
from workloads import WORKLOADS, Workload

HERE = Path(__file__).parent


class Process:
    """A peer in a process of its own."""

    def __init__(
        self, peer: str, workload: str, threads: int, python: str = sys.executable
    ) -> None:
        names = ("OMP", "OPENBLAS", "MKL", "CNET")
        limits = {f"{name}_NUM_THREADS": str(threads) for name in names}
        # XLA and TensorFlow use all CPUs that the process may run on.
        pin = []
        if platform.system() == "Linux":
            allowed = sorted(os.sched_getaffinity(0))[:threads]
            pin = ["taskset", "-c", ",".join(map(str, allowed))]
        self.process = subprocess.Popen(
            [*pin, python, HERE / "peers.py", peer, workload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | limits,
        )
        self.times: list[float] = []
        self.refusal: str | None = None

    def await_readiness(self) -> None:
        """Wait until the process is prepared, or has refused the workload."""
        self.refusal = self.read()
        self.pause()

    def read(self) -> Any:
        """Return the next value that the process prints, or "ended"."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        while line and not line.startswith(("null", '"')) and not line[0].isdigit():
            line = self.process.stdout.readline()  # output of a library
        return json.loads(line) if line else "ended"

    def measure(self) -> None:
        """Measure once."""
        assert self.process.stdin is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.times.append(float(self.read()))
        self.pause()

    def pause(self) -> None:
        """Stop the process until it is measured: idle threads of some libraries keep spinning."""
        self.process.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def compare(
    workload: Workload, peers: list[str], threads: int, rounds: int, baseline: str | None
) -> dict[str, Any]:
    """Return the median microseconds per step of every peer that supports the workload."""
    processes = {peer: Process(peer, workload.name, threads) for peer in ["yardstick", *peers]}
    if threads > 1 and "PyTorch" in processes:
        # Small steps are faster on one thread: the better figure counts.
        processes["PyTorch, 1 thread"] = Process("PyTorch", workload.name, 1)
    if baseline is not None:
        processes["baseline"] = Process("cnet", workload.name, threads, baseline)
    for process in processes.values():
        process.await_readiness()
    for needed in ("cnet", "baseline"):
        if needed in processes and processes[needed].refusal is not None:
            for process in processes.values():
                process.end()
            raise RuntimeError(f"{needed}: {processes[needed].refusal}")
    able = {name: process for name, process in processes.items() if process.refusal is None}
    in_turn = list(able.values())
    for _ in range(rounds):
        for process in in_turn:
            process.measure()
        in_turn.reverse()  # so that no peer always follows the same one
    for process in processes.values():
        process.end()
    times = {name: statistics.median(process.times) for name, process in able.items()}
    if "PyTorch, 1 thread" in times:
        times["PyTorch"] = min(times["PyTorch"], times["PyTorch, 1 thread"])
    if baseline is not None:
        pairs = zip(able["baseline"].times, able["cnet"].times, strict=True)
        times["baseline"] = times["cnet"] * statistics.median(old / new for old, new in pairs)
    best_matmul = min(able["yardstick"].times)
    return {
        "workload": workload.name,
        "threads": threads,
        "yardstick_gflops": 2 * 2048**3 / best_matmul / 1e3,
        "microseconds": {
            name: time for name, time in times.items() if name in (*peers, "baseline")
        },
        "refused": {
            name: process.refusal for name, process in processes.items() if process.refusal
        },
    }


def report(result: dict[str, Any]) -> None:
    """Print the results of one workload as a table."""
    workload, times = WORKLOADS[result["workload"]], result["microseconds"]
    yardstick = result["yardstick_gflops"]
    print(f"\n{workload.name}, {result['threads']} thread(s), yardstick {yardstick:.0f} GFLOP/s")
    print(f"{'':18}{'µs/step':>12}{'GFLOP/s':>10}{'yardstick':>11}{'cnet is':>12}")
    for peer, time in sorted(times.items(), key=lambda item: item[1]):
        rate = workload.flops / time / 1e3
        ratio = f"{time / times['cnet']:.2f} ×" if "cnet" in times and peer != "cnet" else ""
        print(f"{peer:18}{time:12.1f}{rate:10.1f}{rate / yardstick:11.2f}{ratio:>12}")
    for peer, reason in result["refused"].items():
        print(f"{peer:18}{reason[:60]:>12}")


def plot(results: list[dict[str, Any]], path: str) -> None:
    """Draw the times of all workloads as bars, relative to cnet."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.6 * len(results) + 1), layout="constrained")
    axes = figure.subplots(len(results), 1, sharex=True, squeeze=False)[:, 0]
    for ax, result in zip(axes, results, strict=True):
        times = result["microseconds"]
        names = sorted(times, key=times.__getitem__, reverse=True)
        colors = ["tab:blue" if name == "cnet" else "0.75" for name in names]
        ax.barh(names, [times[name] / times["cnet"] for name in names], color=colors)
        ax.set_xscale("log")
        ax.set_title(f"{result['workload']}, {result['threads']} thread(s)", fontsize=8, loc="left")
        ax.tick_params(labelsize=7)
        ax.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("time, cnet = 1")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run the comparison that the command line selects."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--workloads", nargs="+", metavar="TEXT", default=[""],
                        help="only workloads whose name contains one of these")  # fmt: skip
    parser.add_argument(
        "--baseline", metavar="PYTHON", help="interpreter of an environment with another cnet"
    )
    parser.add_argument("--json", metavar="FILE", help="save the results")
    parser.add_argument("--plot", metavar="FILE", help="draw the results")
    args = parser.parse_args()
    if min([*args.threads, args.rounds]) < 1:
        parser.error("--threads and --rounds must be at least 1")
    if args.baseline and "cnet" not in args.peers:
        parser.error("--baseline needs cnet among the peers")
    if args.baseline and not shutil.which(args.baseline):
        parser.error(f"--baseline: no such interpreter: {args.baseline}")

    results = []
    for workload in WORKLOADS.values():
        if not any(text in workload.name for text in args.workloads):
            continue
        for threads in args.threads:
            results.append(compare(workload, args.peers, threads, args.rounds, args.baseline))
            report(results[-1])
    if not results:
        parser.error(f"--workloads: none matches; choose from {', '.join(WORKLOADS)}")
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1))
    if args.plot:
        plot(results, args.plot)


if __name__ == "__main__":
    main()
