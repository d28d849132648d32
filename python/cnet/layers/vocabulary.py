"""Vocabularies of lookup layers: tokens in the order of their ids, and how they are counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from .._data import Array, FloatArray, as_array
from .._errors import short_repr
from .._files import as_path
from .tokens import is_text

__all__ = [
    "TokenCounts",
    "Vocabulary",
    "as_idf_weights",
    "check_tokens",
    "read_lines",
    "with_means",
]


@dataclass(frozen=True)
class Vocabulary:
    """Tokens with their ids.

    Attributes
    ----------
    tokens : list
        Without mask and out-of-vocabulary (OOV) tokens.
    ids : dict
        The id of each token, and what stands for the mask token.
    idf_weights : array, optional
        Weights of the OOV tokens and of the tokens.
    """

    tokens: list[Any]
    ids: dict[Any, int]
    idf_weights: FloatArray | None


class TokenCounts:
    """How often tokens, and how many samples with each, have been seen.

    Parameters
    ----------
    of_samples : bool
        Whether to count samples.
    """

    def __init__(self, *, of_samples: bool) -> None:
        self._of_samples = of_samples
        self._tokens: Counter[Any] = Counter()
        self._samples: Counter[Any] = Counter()
        self._sample_count = 0

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def update(self, tokens: Array) -> None:
        """Count a batch; an array of one dimension is a single sample."""
        if is_text(tokens):
            self._tokens.update(tokens.ravel().tolist())
        else:
            found, counts = np.unique(tokens, return_counts=True)
            self._tokens.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
        if self._of_samples:
            samples = tokens.reshape(len(tokens) if tokens.ndim > 1 else 1, -1).tolist()
            self._samples.update(chain.from_iterable(map(set, samples)))
            self._sample_count += len(samples)

    def most_frequent(self, excluded: set[Any]) -> list[Any]:
        """Return all other tokens, the most frequent first, those of a tie in descending order."""
        tokens = sorted(set(self._tokens) - excluded, reverse=True)
        tokens.sort(key=self._tokens.__getitem__, reverse=True)  # stable
        return tokens

    def idf_weights(self, tokens: list[Any]) -> FloatArray:
        """Return the inverse document frequency of tokens, log(1 + samples / (1 + samples with it))."""
        found = np.array([self._samples[token] for token in tokens], np.float64)
        weights: FloatArray = np.log(1 + self._sample_count / (1 + found))
        return weights


def check_tokens(tokens: list[Any], call: str, reserved: dict[str, Any]) -> None:
    """Raise `ValueError` unless tokens are different and none is reserved."""
    found = set(tokens)
    if len(found) < len(tokens):
        repeated = [token for token, count in Counter(tokens).items() if count > 1]
        raise ValueError(f"{call}: expected different tokens, got several {short_repr(repeated)}")
    for name, token in reserved.items():
        if token is not None and token in found:
            raise ValueError(
                f"{call}: the {name} {token!r} is at index {tokens.index(token)} of the tokens; leave out the "
                "special tokens, or begin with all of them, as get_vocabulary does"
            )


def read_lines(path: Any, encoding: str, call: str) -> list[str]:
    """Return the lines of a text file."""
    path = as_path(call, path)
    try:
        lines = Path(path).read_text(encoding).split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{call}: {path}: expected text in {encoding} ({error})") from None
    return lines if lines[-1] else lines[:-1]


def as_idf_weights(argument: str, values: Any, count: int) -> FloatArray:
    """Return finite weights, one for each of `count` tokens."""
    weights = as_array(values, argument).astype(np.float64)
    if weights.shape != (count,) or not np.isfinite(weights).all():
        raise ValueError(
            f"{argument}: expected {count} finite numbers, one for each token, got {short_repr(values)}"
        )
    return weights


def with_means(weights: FloatArray, count: int) -> FloatArray:
    """Return weights of all ids from those of the tokens: `count` OOV tokens have the mean."""
    mean = weights.mean() if weights.size else 0.0
    return np.concatenate([np.full(count, mean), weights])
