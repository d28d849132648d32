"""The user's classes and functions, for configurations to name: registered ones, and those of a scope.

A configuration is only ever looked up here and among cnet's own classes: nothing is imported by a name in a file.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, TypeVar

from ._errors import short_repr

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "register_keras_serializable",
    "with_custom_objects",
]

_objects: dict[str, Any] = {}
_names: dict[Any, str] = {}
_scope: ContextVar[Mapping[str, Any]] = ContextVar("custom_objects", default={})  # noqa: B039 # never changed

Thing = TypeVar("Thing")


class CustomObjectScope:
    """A context in which configurations may name the objects of a dict; it replaces that of an outer one.

    Parameters
    ----------
    custom_objects : dict, optional
        Classes and functions by name.

    Raises
    ------
    TypeError
        If it is not a dict.

    Examples
    --------
    >>> from cnet import layers, utils
    >>> class Mine(layers.Dense):
    ...     pass
    >>> config = layers.serialize(Mine(3, name="top"))
    >>> with utils.custom_object_scope({"Mine": Mine}):
    ...     layers.deserialize(config)
    <Mine name=top, built=False>
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None) -> None:
        self.custom_objects = _checked(custom_objects)
        self._tokens: list[Token[Mapping[str, Any]]] = []

    def __enter__(self) -> Self:
        self._tokens.append(_scope.set(dict(self.custom_objects)))
        return self

    def __exit__(self, *error: object) -> None:
        _scope.reset(self._tokens.pop())


custom_object_scope = CustomObjectScope


def with_custom_objects(custom_objects: Mapping[str, Any] | None) -> CustomObjectScope:
    """Return a scope with these objects besides those of the current one, which come first, as in Keras."""
    return CustomObjectScope({**_checked(custom_objects), **_scope.get()})


def get_custom_objects() -> dict[str, Any]:
    """Return the registered objects by name; changes of the dict take effect.

    Examples
    --------
    >>> from cnet import losses, utils
    >>> utils.get_custom_objects()["swap"] = lambda y_true, y_pred: y_true - y_pred
    >>> losses.get("swap").name
    '<lambda>'
    >>> utils.get_custom_objects().clear()
    """
    return _objects


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[Thing], Thing]:
    """Return a decorator that lets configurations and files name a class or a function.

    Parameters
    ----------
    package : str, default "Custom"
    name : str, optional
        Default: the name of the class or function. It is registered as "package>name".

    Raises
    ------
    ValueError
        If a class has no `get_config`.

    Examples
    --------
    >>> from cnet import layers, utils
    >>> @utils.register_keras_serializable("shop")
    ... class Scaled(layers.Rescaling):
    ...     pass
    >>> utils.get_registered_name(Scaled)
    'shop>Scaled'
    >>> layers.deserialize(layers.serialize(Scaled(2.0, name="half")))
    <Scaled name=half, built=False>
    """

    def register(thing: Thing) -> Thing:
        if inspect.isclass(thing) and not hasattr(thing, "get_config"):
            raise ValueError(
                f"register_keras_serializable: expected a class with a method get_config(), got {short_repr(thing)}"
            )
        own_name = getattr(thing, "__name__", None) if name is None else name
        registered = f"{package}>{own_name}"
        _objects[registered] = thing
        _names[thing] = registered
        return thing

    return register


def get_registered_name(obj: Any) -> str:
    """Return the name that a class or function is registered by, else its own.

    Raises
    ------
    TypeError
        If it has no name.

    Examples
    --------
    >>> from cnet import layers, utils
    >>> utils.get_registered_name(layers.Dense)
    'Dense'
    """
    name: Any = _names.get(obj) or getattr(obj, "__name__", None)
    if not isinstance(name, str):
        raise TypeError(
            f"get_registered_name: expected a class or a function, got {short_repr(obj)}"
        )
    return name


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Return the object of a name: of the scope, registered, or of the dicts; None if there is none.

    Parameters
    ----------
    name : str
        "package>name", or a key of a dict.
    custom_objects, module_objects : dict, optional
        Further objects by name.

    Examples
    --------
    >>> from cnet import utils
    >>> utils.get_registered_object("one", {"one": 1}), utils.get_registered_object("two")
    (1, None)
    """
    for known in (_scope.get(), _objects, custom_objects, module_objects):
        if known and name in known:
            return known[name]
    return None


def _checked(custom_objects: Any) -> Mapping[str, Any]:
    if custom_objects is not None and not isinstance(custom_objects, Mapping):
        raise TypeError(
            f"custom_objects: expected a dict of classes and functions by name, got {short_repr(custom_objects)}"
        )
    return custom_objects or {}
