"""Mistakes of subclasses: methods that cnet never calls, and constructors that forget the base class."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

__all__ = ["RejectsOverrides"]


class RejectsOverrides:
    """Base of classes whose computation the engine does, so that an override would be ignored.

    Instantiating a subclass with such an override raises `TypeError`.
    """

    #: Methods that are never called, and the alternative to overriding each.
    _not_overridable: ClassVar[dict[str, str]] = {}
    #: An attribute that the constructor of cnet's class sets; if empty, a subclass need not call that.
    _set_by_init: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls._set_by_init and "__init__" in vars(cls) and not cls.__module__.startswith("cnet."):
            cls.__init__ = _requires_super(vars(cls)["__init__"], cls._set_by_init)  # type: ignore[method-assign] # it calls the user's
        for name, instead in cls._not_overridable.items():
            owner = next((base for base in cls.__mro__ if name in vars(base)), None)
            if owner is not None and not owner.__module__.startswith("cnet."):
                override = f"{owner.__name__}.{name}()"
                message = f"{cls.__name__}: {override} would never be called: {instead}"

                def refuse(*_: Any, _message: str = message, **__: Any) -> None:
                    raise TypeError(_message)

                cls.__init__ = refuse  # type: ignore[method-assign] # no object is ever made


def _requires_super(init: Callable[..., None], attribute: str) -> Callable[..., None]:
    """Return a user's constructor that raises if it has not called that of the base class."""

    @functools.wraps(init)
    def wrapper(self: Any, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        if attribute not in vars(self):
            raise RuntimeError(
                f"{type(self).__name__}: __init__ must call super().__init__(), best before anything else"
            )

    return wrapper
