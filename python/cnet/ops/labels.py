"""Encodings of class ids, and cross-entropies, by Keras's names."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ..autodiff import operations
from ..autodiff.operations.operation import Value
from ..autodiff.operations.shapes import known_shape, shape_of
from ._arguments import checked

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "multi_hot",
    "one_hot",
    "sparse_categorical_crossentropy",
]

# Keras's limit of probabilities.
_EPSILON = 1e-7


@checked
def one_hot(
    x: Value,
    num_classes: int,
    axis: int = -1,
    dtype: npt.DTypeLike | None = None,
    sparse: bool = False,
) -> Value:
    """Return vectors with 1 at each class id and 0 elsewhere; all 0 for ids outside the classes.

    Parameters
    ----------
    x : array_like of int, (…)
    num_classes : int
    axis : int, default -1
        Of the classes in the result.
    dtype : optional
        Default: `cnet.config.floatx()`.
    sparse : bool, default False
        True is not supported.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.one_hot([1, -1], 3)
    array([[0., 1., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    _refuse_sparse("one_hot", sparse)
    return operations.one_hot(x, num_classes, axis, dtype)


@checked
def multi_hot(
    inputs: Value,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: npt.DTypeLike | None = None,
    sparse: bool = False,
) -> Value:
    """Return a vector for each row of class ids, with 1 at each id and 0 elsewhere.

    Parameters
    ----------
    inputs : array_like of int, (batch, ids) or (ids,)
    num_classes : int
    axis : int, default -1
        Of the classes in `one_hot`, whose maximum over the ids this is.
    dtype : optional
        Default: `cnet.config.floatx()`.
    sparse : bool, default False
        True is not supported.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.multi_hot([[0, 2], [1, 1]], num_classes=3)
    array([[1., 0., 1.],
           [0., 1., 0.]], dtype=float32)
    """
    _refuse_sparse("multi_hot", sparse)
    if num_classes is None:
        raise ValueError("multi_hot: num_classes: expected the number of classes, got None")
    ids = 1 if len(known_shape("multi_hot", inputs)) > 1 else 0
    return operations.reduce_max(operations.one_hot(inputs, num_classes, axis, dtype), ids)


def _refuse_sparse(call: str, sparse: Any) -> None:
    if sparse:
        raise ValueError(f"{call}: sparse: expected False; cnet has no sparse arrays")


@checked
def binary_crossentropy(target: Value, output: Value, from_logits: bool = False) -> Value:
    """Return −y log p − (1 − y) log(1 − p) for each target y and probability p.

    Parameters
    ----------
    target : array_like or tensor
    output : array_like or tensor of that shape
        Probabilities, limited to [1e-7, 1 − 1e-7], or logits.
    from_logits : bool, default False

    Examples
    --------
    >>> from cnet import ops
    >>> ops.binary_crossentropy([1.0, 0.0], [0.5, 0.25]).round(4)
    array([0.6931, 0.2877], dtype=float32)
    """
    _expect_same_shapes("binary_crossentropy", target, output)
    if from_logits:
        return operations.subtract(operations.softplus(output), operations.multiply(target, output))
    p = operations.clip(output, _EPSILON, 1 - _EPSILON)
    ones = operations.multiply(target, operations.log(p))
    rest = operations.log(operations.subtract(1, p))
    zeros = operations.multiply(operations.subtract(1, target), rest)
    return operations.negative(operations.add(ones, zeros))


@checked
def categorical_crossentropy(
    target: Value, output: Value, from_logits: bool = False, axis: int = -1
) -> Value:
    """Return −Σ y log p for each distribution y of targets and p of the output.

    Parameters
    ----------
    target : array_like or tensor
        One-hot or soft rows.
    output : array_like or tensor of that shape
        Probabilities, divided by their sum and limited to [1e-7, 1 − 1e-7], or logits.
    from_logits : bool, default False
    axis : int, default -1
        Of the classes.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.categorical_crossentropy([[0.0, 1.0]], [[1.0, 3.0]]).round(4)
    array([0.2877], dtype=float32)
    """
    _expect_same_shapes("categorical_crossentropy", target, output)
    if from_logits and axis == -1:
        return operations.softmax_cross_entropy(output, target)
    if from_logits:
        logs = operations.log_softmax(output, axis)
    else:
        total = operations.reduce_sum(output, axis, keepdims=True)
        p = operations.clip(operations.divide(output, total), _EPSILON, 1 - _EPSILON)
        logs = operations.log(p)
    return operations.negative(operations.reduce_sum(operations.multiply(target, logs), axis))


@checked
def sparse_categorical_crossentropy(
    target: Value, output: Value, from_logits: bool = False, axis: int = -1
) -> Value:
    """Return −log p of the true class for each row of the output.

    Parameters
    ----------
    target : array_like of int, (…) or (…, 1)
        Class ids.
    output : array_like or tensor, (…, classes)
        Probabilities, limited to [1e-7, 1 − 1e-7] and divided by their sum, or logits.
    from_logits : bool, default False
    axis : int, default -1
        Must be the last.

    Raises
    ------
    ValueError
        If an id is out of range, or the shapes don't match.

    Examples
    --------
    >>> from cnet import ops
    >>> ops.sparse_categorical_crossentropy([1], [[0.25, 0.75]]).round(4)
    array([0.2877], dtype=float32)
    """
    call = "sparse_categorical_crossentropy"
    if axis != -1 and axis != len(known_shape(call, output)) - 1:
        raise ValueError(f"{call}: axis: expected -1, the last, got {axis!r}")
    shape, expected = shape_of(target), shape_of(output)
    ids = target
    if shape is not None and expected is not None:
        if len(shape) == len(expected) and shape[-1] == 1:
            ids = operations.squeeze(target, -1)
        elif len(shape) != len(expected) - 1:
            raise ValueError(f"{call}: expected ids of shape {expected[:-1]}, got {shape}")
    if not from_logits:
        output = operations.log(operations.clip(output, _EPSILON, 1 - _EPSILON))
    return operations.softmax_cross_entropy(output, ids)


def _expect_same_shapes(call: str, target: Value, output: Value) -> None:
    first, second = shape_of(target), shape_of(output)
    if first is None or second is None:
        return
    if len(first) != len(second) or not all(
        None in (a, b) or a == b for a, b in zip(first, second, strict=True)
    ):
        raise ValueError(f"{call}: target and output differ in shape: {first} and {second}")
