"""Python's operators for tensors, variables and nodes."""

from __future__ import annotations

from typing import Any

from . import operations

__all__ = ["Operators"]


class Operators:
    """``+ - * / ** @``, ``-x``, ``abs(x)`` and ``x[key]`` as operations."""

    __slots__ = ()
    # NumPy's arrays then defer to these operators, and ufuncs raise instead of going unrecorded.
    __array_ufunc__ = None

    def __add__(self, other: Any) -> Any:
        return operations.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return operations.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return operations.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return operations.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return operations.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return operations.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return operations.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return operations.divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return operations.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return operations.power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return operations.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return operations.matmul(other, self)

    def __neg__(self) -> Any:
        return operations.negative(self)

    def __abs__(self) -> Any:
        return operations.abs(self)

    def __getitem__(self, key: Any) -> Any:
        return operations.getitem(self, key)

    def __lt__(self, other: Any) -> Any:
        return operations.less(self, other)

    def __le__(self, other: Any) -> Any:
        return operations.less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return operations.greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return operations.greater_equal(self, other)
