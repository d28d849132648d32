"""Einstein's sums as matrix products.

The derivative of a contraction by one input is the contraction of the gradient with the other input.
"""

from __future__ import annotations

import math
from itertools import chain

from ..._data import Array
from ..._errors import short_repr
from .matrices import product
from .operation import Value, operation
from .reductions import reduce_sum
from .shapes import known_shape, shape_of, transpose

__all__ = ["contract", "einsum"]


@operation(
    lambda grad, _, __, y, labels: contract(grad, y, (labels[2], labels[1], labels[0])),
    lambda grad, _, x, __, labels: contract(grad, x, (labels[2], labels[0], labels[1])),
)
def contract(x: Value, y: Value, labels: tuple[str, str, str]) -> Value:
    """Return the sum of products over the labels that the result lacks.

    Parameters
    ----------
    x, y : array_like
    labels : tuple of str
        Of the axes of `x`, `y` and the result, each once; each of an input in another of the three.
    """
    left, right, result = labels
    sizes = dict(zip(left, x.shape, strict=True))
    for label, size in zip(right, y.shape, strict=True):
        if sizes.setdefault(label, size) != size:
            raise ValueError(f"sizes {sizes[label]} and {size} of label {label!r} differ")
    batch = [n for n in left if n in right and n in result]
    summed = [n for n in left if n in right and n not in result]
    rows = [n for n in left if n not in right]
    columns = [n for n in right if n not in left]

    def arranged(array: Array, given: str, *groups: list[str]) -> Array:
        """Return an array with its axes in the order of the batch, then each group as one."""
        order = [*batch, *chain.from_iterable(groups)]
        shape = [math.prod(sizes[n] for n in group) for group in groups]
        moved = array.transpose([given.index(n) for n in order])
        return moved.reshape([sizes[n] for n in batch] + shape)  # type: ignore[no-any-return] # an array

    found = product(arranged(x, left, rows, summed), arranged(y, right, summed, columns))
    order = [*batch, *rows, *columns]
    return found.reshape([sizes[n] for n in order]).transpose([order.index(n) for n in result])


def einsum(subscripts: str, *operands: Value) -> Value:
    """Return Einstein's sum of products, computed by matrix products from left to right.

    Parameters
    ----------
    subscripts : str
        A label for each axis of each operand, as for `numpy.einsum`. An axis of an operand can't be
        repeated (``"ii"``). An ellipsis stands for axes that are equal in all operands which have one.
    *operands : array_like

    Examples
    --------
    >>> from cnet import autodiff
    >>> autodiff.einsum("ij,kj->ik", [[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]])
    array([[11., 17.]], dtype=float32)
    """
    inputs, result = _labels(subscripts, operands)
    terms = list(zip(inputs, operands, strict=True))
    (labels, value), *others = [
        _without_sums(labels, value, _needed(result, inputs, {n}))
        for n, (labels, value) in enumerate(terms)
    ]
    for n, (other, operand) in enumerate(others, 2):
        needed = _needed(result, inputs, set(range(n)))
        kept = [x for x in dict.fromkeys(labels + other) if x in needed]
        value = contract(value, operand, (labels, other, "".join(kept)))
        labels = "".join(kept)
    order = [labels.index(x) for x in result]
    return value if order == sorted(order) else transpose(value, order)


def _needed(result: str, inputs: list[str], used: set[int]) -> set[str]:
    """Return the labels of the result, and of inputs other than those used."""
    return set(result).union(*(labels for n, labels in enumerate(inputs) if n not in used))


def _without_sums(labels: str, value: Value, needed: set[str]) -> tuple[str, Value]:
    """Sum a term over the labels that no other term has."""
    axes = tuple(n for n, label in enumerate(labels) if label not in needed)
    kept = "".join(label for label in labels if label in needed)
    return kept, reduce_sum(value, axes) if axes else value


def _labels(subscripts: str, operands: tuple[Value, ...]) -> tuple[list[str], str]:
    """Return the labels of each input and of the result, with letters in place of ellipses."""
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: subscripts: expected text, got {short_repr(subscripts)}")
    given, arrow, result = subscripts.replace(" ", "").partition("->")
    inputs = given.split(",")
    if len(inputs) != len(operands):
        raise ValueError(
            f"einsum: subscripts: expected labels of {len(operands)} operands, got {subscripts!r}"
        )
    free = [chr(n) for n in range(ord("A"), ord("z") + 1) if chr(n).isalpha()]
    free = [letter for letter in free if letter not in subscripts]
    hidden = ""
    for n, (labels, operand) in enumerate(zip(inputs, operands, strict=True)):
        if "..." in labels:
            count = len(known_shape("einsum", operand)) - len(labels) + len("...")
            axes = "".join(free[len(free) - max(count, 0) :])
            hidden = max(hidden, axes, key=len)
            inputs[n] = labels.replace("...", axes)
        shape = shape_of(operand)
        if shape is not None and len(shape) != len(inputs[n]):
            raise ValueError(f"einsum: subscripts: {labels!r} doesn't fit shape {shape}")
    if arrow:
        result = result.replace("...", hidden)
    else:
        everything = "".join(inputs)
        once = sorted(x for x in set(everything) - set(hidden) if everything.count(x) == 1)
        result = hidden + "".join(once)
    _check(subscripts, inputs, result)
    return inputs, result


def _check(subscripts: str, inputs: list[str], result: str) -> None:
    for labels in [*inputs, result]:
        if not all(x.isalpha() for x in labels):
            raise ValueError(f"einsum: subscripts: expected letters, got {subscripts!r}")
        if len(set(labels)) != len(labels):
            raise ValueError(
                f"einsum: subscripts: repeated labels of one array are not supported: {subscripts!r}"
            )
    if unknown := set(result).difference(*inputs):
        raise ValueError(f"einsum: subscripts: no operand has the label {min(unknown)!r}")
