"""The spiral of CS231n: classes that are not linearly separable."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import random
from .._data import as_count, as_number


def spiral(
    samples_per_class: int = 100, classes: int = 3, noise: float = 0.2, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return points on the arms of a spiral, one arm per class.

    Point i of N on the arm of class j lies at radius r = i / (N - 1) and, with normal noise e, at
    the angle t = 4 j + 4 r + noise e in radians: x = (r sin t, r cos t).

    Parameters
    ----------
    samples_per_class
        N, at least 1.
    classes
        Number of arms, at least 1.
    noise
        Standard deviation of the angles in radians, at least 0 and finite.
    seed
        Seed of the noise (`cnet.random.normal`): equal seeds give equal points.

    Returns
    -------
    x : ndarray of float32, (classes * samples_per_class, 2)
        The points, class after class.
    y : ndarray of int64, (classes * samples_per_class,)
        Their classes.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number, or out of range.

    Notes
    -----
    Source: A. Karpathy, "Putting it together: minimal neural network case study", CS231n,
    https://cs231n.github.io/neural-networks-case-study/.

    Examples
    --------
    >>> from . import spiral
    >>> x, y = spiral(samples_per_class=100, classes=3)
    >>> x.shape, y.shape
    ((300, 2), (300,))
    """
    samples_per_class = as_count("spiral: samples_per_class", samples_per_class, least=1)
    classes = as_count("spiral: classes", classes, least=1)
    noise = as_number("spiral: noise", noise, least=0)
    if samples_per_class * classes >= 2**48:
        raise ValueError(
            f"spiral: {classes} times {samples_per_class} samples exceed the memory of any machine"
        )
    arm = np.arange(classes)
    radius = np.linspace(0, 1, samples_per_class)
    angle = np.linspace(4 * arm, 4 * (arm + 1), samples_per_class, axis=1)
    angle += noise * random.normal(angle.shape, dtype="float64", seed=seed)
    x = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    return x.reshape(-1, 2).astype(np.float32), arm.repeat(samples_per_class)
