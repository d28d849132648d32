"""Progress of training: a live bar on terminals and in notebooks, else a line per epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from ._errors import short_repr

__all__ = ["Progress"]


class Progress:
    """Shows passes over the data, one after another.

    Parameters
    ----------
    steps : int or None
        Batches per pass, None if unknown.
    verbose : {"auto", 0, 1, 2}
        0 is silent, 1 a bar, 2 a line; "auto" is 1 on a terminal or in a notebook, else 2.
    call : str
        Names the caller in errors.

    Raises
    ------
    ValueError
        If `verbose` is something else.
    """

    def __init__(self, steps: int | None, verbose: Any, call: str = "Progress") -> None:
        if not isinstance(verbose, (str, int)) or verbose not in ("auto", 0, 1, 2):
            raise ValueError(
                f"{call}: verbose: expected 'auto', 0, 1 or 2, got {short_repr(verbose)}"
            )
        if verbose == "auto":
            on_terminal = sys.stdout is not None and sys.stdout.isatty()
            verbose = 1 if _in_notebook() or on_terminal else 2
        self.verbose = int(verbose)
        self.steps = steps
        self._bar: Any = None

    @property
    def live(self) -> bool:
        """True if `update` shows anything."""
        return self.verbose == 1

    def begin(self, title: str) -> None:
        """Begin a pass."""
        self._title = title
        self._start = time.perf_counter()
        if self.live and sys.stdout is not None:
            import shutil  # slow to import

            from tqdm.std import tqdm

            # Falls back to 80 columns. The last column is left for the cursor.
            size = shutil.get_terminal_size()
            self._columns = size.columns - 1
            self._bar = tqdm(
                total=self.steps,
                file=sys.stdout,
                ncols=self._columns,
                nrows=size.lines,
                leave=False,
                bar_format=self._format(0, ""),
            )

    def update(self, step: int, logs: dict[str, Any]) -> None:
        """Show that `step` batches of the pass are done."""
        if self._bar is not None:
            self._bar.bar_format = self._format(step, self._figures(step, logs))
            self._bar.update(step - self._bar.n)

    def end(self, logs: dict[str, Any], step: int) -> None:
        """End the pass, after `step` batches."""
        figures = self._figures(step, logs)
        if self._bar is not None:
            self.update(step, logs)
            self._close(f"{self._title} {self._done(step)} {figures}")
        elif self.verbose == 2:
            print(f"{self._title} - {figures}", flush=True)  # noqa: T201 # progress is printed

    def close(self) -> None:
        """Replace the bar by its last state, if it is still there."""
        if self._bar is not None:
            self._close(f"{self._title} {self._done(self._bar.n)}")

    def _close(self, line: str) -> None:
        """Replace the bar, which is cut to the terminal's width, by a line of any length."""
        bar, self._bar = self._bar, None
        bar.close()
        print(line, flush=True)  # noqa: T201 # progress is printed

    def _format(self, step: int, figures: str) -> str:
        done = f"{self._title} {self._done(step)}"
        width = 0 if self.steps is None else min(24, self._columns - len(f"{done} {figures}") - 1)
        bar = f"{{bar:{width}}} " if width > 0 else ""
        escaped = figures.replace("{", "{{").replace("}", "}}")
        return f"{done} {bar}{escaped}"

    def _done(self, step: int) -> str:
        return f"{step}/{'Unknown' if self.steps is None else self.steps}"

    def _figures(self, step: int, logs: dict[str, Any]) -> str:
        seconds = time.perf_counter() - self._start
        parts = [f"{seconds:.1f}s", f"{_duration(seconds / max(step, 1))}/step"]
        return " - ".join(parts + [f"{name}: {_figure(value)}" for name, value in logs.items()])


def _figure(value: Any) -> str:
    """Return a number, or one for each class, as text."""
    if isinstance(value, Iterable):
        return f"[{' '.join(map(_figure, value))}]"
    return f"{value:.4f}"


def _duration(seconds: float) -> str:
    if seconds >= 0.9995:
        return f"{seconds:.3g}s" if seconds < 999.5 else f"{seconds:.0f}s"
    if seconds >= 0.9995e-3:
        return f"{seconds * 1e3:.3g}ms"
    return f"{seconds * 1e6:.0f}us"  # not every output can encode a µ


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
