"""The current learning rate of an optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Rate"]


class Rate(float):
    """The current learning rate: a float with the `numpy` and `assign` of Keras's variable."""

    _optimizer: Any

    def __new__(cls, optimizer: Any, value: float) -> Self:
        rate = super().__new__(cls, value)
        rate._optimizer = optimizer
        return rate

    def numpy(self) -> float:
        """Return a plain float."""
        return float(self)

    def assign(self, value: float) -> Rate:
        """Set the optimizer's learning rate and return it; this object doesn't change."""
        self._optimizer.learning_rate = value
        return self._optimizer.learning_rate  # type: ignore[no-any-return] # a Rate

    def __reduce__(self) -> Any:
        return float, (float(self),)
