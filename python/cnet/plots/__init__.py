"""Plots of training and of predictions, with matplotlib.

Every function draws into a new figure, or into `figure` or `ax`, and returns the figure (for a subfigure
or axes, the figure that contains them). Notebooks show it, ``figure.savefig("file.png")`` saves it, and
``figure.axes`` gives access to its contents. pyplot, its current figure and its backend are not used.
matplotlib is imported by the first plot.

Classes differ in colour and marker; the colours are safe for colour-blind readers.
"""

from __future__ import annotations

from ._confusion_matrix import confusion_matrix
from ._decision_boundary import decision_boundary
from ._history import history
from ._images import images

__all__ = ["confusion_matrix", "decision_boundary", "history", "images"]


def __dir__() -> list[str]:
    return __all__
