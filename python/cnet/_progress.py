"""What training shows: a live bar on a terminal and in a notebook, else a line an epoch."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import Any

__all__ = ["Progress"]


class Progress:
    """Shows passes over the data, one after another.

    Parameters
    ----------
    steps : int
        Batches in a pass.
    verbose : {"auto", 0, 1, 2}
        Silent, a bar, or a line; "auto" is a bar on a terminal and in a notebook, else a line.
    delay : float, default 0
        Seconds before a bar appears.

    Raises
    ------
    ValueError
        If `verbose` is none of these.
    """

    def __init__(self, steps: int, verbose: str | int, *, delay: float = 0.0) -> None:
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"verbose: expected 'auto', 0, 1 or 2, got {verbose!r}")
        if verbose == "auto":
            verbose = 1 if _in_notebook() or sys.stdout.isatty() else 2
        self.verbose = int(verbose)
        self.steps = steps
        self.delay = delay
        self._bar: Any = None

    @property
    def live(self) -> bool:
        """Whether `update` shows anything."""
        return self.verbose == 1

    def begin(self, title: str) -> None:
        """Begin a pass."""
        self._title = title
        self._start = time.perf_counter()
        if self.live:
            tqdm = _tqdm()
            # disable=None would look at stderr; where a bar goes is decided above.
            self._bar = tqdm(
                total=self.steps, file=sys.stdout, delay=self.delay, bar_format=self._format("")
            )

    def update(self, step: int, logs: dict[str, float]) -> None:
        """Show that `step` batches of the pass are done."""
        if self._bar is not None:
            self._bar.bar_format = self._format(self._figures(step, logs))
            self._bar.update(step - self._bar.n)

    def end(self, logs: dict[str, float], step: int | None = None) -> None:
        """End the pass, after `step` batches if not after all."""
        step = self.steps if step is None else step
        if self._bar is not None:
            self._bar.bar_format = self._format(self._figures(step, logs))
            self._bar.update(step - self._bar.n)
            self.close()
        elif self.verbose == 2:
            print(f"{self._title} - {self._figures(step, logs)}", flush=True)  # noqa: T201

    def close(self) -> None:
        """Leave the bar as it is; after an exception, too."""
        if self._bar is not None:
            self._bar.refresh()
            self._bar.close()
            self._bar = None

    def _format(self, figures: str) -> str:
        escaped = figures.replace("{", "{{").replace("}", "}}")
        return f"{self._title} {{n_fmt}}/{{total_fmt}} {{bar:24}} {escaped}"

    def _figures(self, step: int, logs: dict[str, float]) -> str:
        seconds = time.perf_counter() - self._start
        parts = [f"{seconds:.1f}s", f"{_duration(seconds / max(step, 1))}/step"]
        return " - ".join(parts + [f"{name}: {value:.4f}" for name, value in logs.items()])


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g}{unit}"
    return f"{seconds * 1e6:.0f}µs"


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _tqdm() -> Any:
    if _in_notebook() and importlib.util.find_spec("ipywidgets"):
        from tqdm.notebook import tqdm as notebook_tqdm

        return notebook_tqdm
    from tqdm.std import tqdm

    return tqdm
