"""Rejection of subclasses that override methods which cnet never calls."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["RejectsOverrides"]


class RejectsOverrides:
    """Base of classes whose computation the engine does, so that an override would be ignored.

    Instantiating a subclass with such an override raises `TypeError`.
    """

    #: Methods that are never called, and the alternative to overriding each.
    _not_overridable: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, instead in cls._not_overridable.items():
            owner = next((base for base in cls.__mro__ if name in vars(base)), None)
            if owner is not None and not owner.__module__.startswith("cnet."):
                override = f"{owner.__name__}.{name}()"
                message = f"{cls.__name__}: {override} would never be called: {instead}"

                def refuse(*_: Any, _message: str = message, **__: Any) -> None:
                    raise TypeError(_message)

                cls.__init__ = refuse  # type: ignore[method-assign] # no object is ever made
