"""Pictures of training and of what a model says, by matplotlib.

Every function draws into a figure of its own, or into the `figure` or `ax` that it is given, and
returns the figure, of a subfigure or axes the whole one that they are in: it shows itself at the end
of a notebook's cell, ``figure.savefig("file.png")`` writes it, ``figure.axes`` leads to what is drawn.
pyplot, its current figure and its backend stay untouched; matplotlib is imported when something is
drawn.

Classes differ by colour and by shape, in colours that colour-blind people can tell apart.
"""

from __future__ import annotations

from ._confusion_matrix import confusion_matrix
from ._decision_boundary import decision_boundary
from ._history import history
from ._images import images

__all__ = ["confusion_matrix", "decision_boundary", "history", "images"]
