"""Conversion of objects to plain values, their constructors' arguments, and back.

Every object stores each argument of its constructor in an attribute of that name, so one `get_config`
that reads the signature serves all classes. A user's class that passes further arguments to a class
of cnet overrides it, as in Keras.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ._errors import short_repr
from ._names import snake_case
from ._overrides import RejectsOverrides

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Configurable",
    "HasOptions",
    "as_config",
    "find_class",
    "get_by_name",
    "make_from_config",
]


class _Option:
    """An attribute that stores an argument of the constructor.

    Assigning it after construction constructs another such object, so that the constructor's checks
    and conversions apply. Reading is as fast as for a plain attribute.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __set__(self, thing: HasOptions, value: Any) -> None:
        if self.name in vars(thing):
            thing._assign(self.name, value)
        else:  # by the constructor
            vars(thing)[self.name] = value


class _OptionWithDefault(_Option):
    """An option with a default at class level."""

    def __init__(self, name: str, default: Any) -> None:
        super().__init__(name)
        self.default = default

    def __get__(self, thing: HasOptions | None, cls: type[Any]) -> Any:
        return self.default if thing is None else vars(thing).get(self.name, self.default)


class HasOptions(RejectsOverrides):
    """Base of classes that store their constructor's arguments and show them in the repr."""

    # Attribute names of arguments that aren't stored under their own name.
    _stored_as: ClassVar[dict[str, str]] = {}
    _option_names: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls) and cls.__module__.startswith("cnet."):
            code = vars(cls)["__init__"].__code__
            arguments = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
            attributes = {cls._stored_as.get(name, name) for name in arguments}
            cls._option_names |= {name for name in attributes if name[0] != "_"}
        for name in cls._option_names:
            present = inspect.getattr_static(cls, name, _Option)
            if present is _Option:  # not defined
                setattr(cls, name, _Option(name))
            elif not hasattr(present, "__set__") and not callable(present):
                # A default, neither a property, which does its own checks, nor a method.
                setattr(cls, name, _OptionWithDefault(name, present))

    def _assign(self, option: str, value: Any) -> None:
        """Set an option to a value that the constructor accepts, or raise its error."""
        cls: Any = type(self)
        arguments = self._arguments() | {_options(cls)[option]: value}
        self._update_from(option, _constructor(cls)(**arguments))

    def _arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments for another such object."""
        cls: Any = type(self)
        options = _options(cls).items()
        return {name: vars(self)[key] for key, name in options if key in vars(self)}

    @property
    def _state(self) -> frozenset[str]:
        """Attributes that change in use; they survive the assignment of an option."""
        return frozenset()

    def _update_from(self, attribute: str, other: HasOptions) -> None:
        """Copy the attributes of an object that was constructed with another value of an option."""
        unchanged = set(vars(other)) - {"name"} if attribute == "name" else self._state
        vars(self).update({k: v for k, v in vars(other).items() if k not in unchanged})

    def __repr__(self) -> str:
        kind = type(self).__name__
        options = []
        for name, default in _parameters(type(self)).items():
            value = vars(self).get(self._stored_as.get(name, name), default)
            is_default = isinstance(value, (int, float, str)) and value == default
            is_automatic = name == "name" and _is_default_name(type(self), str(value))
            if value is not default and not is_default and not is_automatic:
                options.append(f"{name}={short_repr(value)}")
        return f"{kind}({', '.join(options)})"


class Configurable(HasOptions):
    """Base of classes that can be described by the arguments of their constructor."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as numbers, text, lists and dicts, without weights.

        Raises
        ------
        TypeError
            If an argument has no such form, such as a function that isn't cnet's.
        """
        config: dict[str, Any] = {}
        seen = set()
        for name in _parameters(type(self)):
            attribute = self._stored_as.get(name, name)
            if attribute not in seen:
                config[name] = as_config(getattr(self, attribute), f"{type(self).__name__}: {name}")
            seen.add(attribute)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return an object made from the result of `get_config`.

        Raises
        ------
        TypeError, ValueError
            If the constructor rejects the arguments.
        """
        return cls(**config)


def as_config(value: Any, argument: str) -> Any:
    """Return an argument as plain values; an object becomes a dict of "class_name" and "config"."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [as_config(each, argument) for each in value]
    if isinstance(value, dict):
        return {str(key): as_config(each, argument) for key, each in value.items()}
    if isinstance(value, Configurable):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if inspect.isfunction(value) and value.__module__.startswith("cnet."):
        return value.__name__
    if isinstance(value, partial) and not value.args:
        described = {"function": value.func, **value.keywords}
        return {"class_name": "partial", "config": as_config(described, argument)}
    raise TypeError(f"{argument}: {short_repr(value)} can't be described in a config")


def find_class(
    config: Any, known: Mapping[str, Any], custom_objects: Mapping[str, Any] | None, call: str
) -> tuple[Any, dict[str, Any]]:
    """Return the class that ``{"class_name": …, "config": …}`` names, and its config.

    Raises
    ------
    ValueError
        If `config` isn't such a dict, or its class is not in `known` or `custom_objects`.
    """
    classes = {**known, **(custom_objects or {})}
    name = config.get("class_name") if isinstance(config, Mapping) else None
    if not isinstance(name, str) or name not in classes:
        raise ValueError(
            f"{call}: expected a dict with 'class_name' and 'config', got {short_repr(config)}; known "
            f"classes: {', '.join(classes)}"
        )
    arguments = config.get("config") or {}
    if not isinstance(arguments, Mapping):
        raise TypeError(f"{call}: config: expected a dict, got {short_repr(arguments)}")
    return classes[name], dict(arguments)


def make_from_config(
    cls: Any, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None
) -> Any:
    """Return the object that a class makes of a configuration; a user's `from_config` may take just that."""
    takes_objects = "custom_objects" in inspect.signature(cls.from_config).parameters
    return cls.from_config(config, custom_objects) if takes_objects else cls.from_config(config)


def get_by_name(
    family: str, base: type[Any], known: Mapping[str, type[Any]], identifier: Any
) -> Any:
    """Return an object of a family by its name, class or configuration, or the object itself.

    Parameters
    ----------
    family : str
        Prefix of errors, such as "regularizer".
    base : type
        Base class of the family, including the user's classes.
    known : dict of str to type
        Classes by name.
    identifier : str, type, dict or `base`

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `identifier` has another type.
    """
    if isinstance(identifier, base):
        return identifier
    if isinstance(identifier, str):
        if identifier in known:
            return known[identifier]()
    elif isinstance(identifier, Mapping):
        cls, config = find_class(identifier, known, None, family)
        return cls.from_config(config)
    elif isinstance(identifier, type) and issubclass(identifier, base):
        return identifier()
    error = ValueError if isinstance(identifier, str) else TypeError
    names: dict[type[Any], str] = {}
    for name, cls in known.items():
        if name.islower():
            names.setdefault(cls, name)
    known_names = ", ".join(names.values())
    raise error(
        f"{family}: expected one of {known_names}, or an instance of {base.__name__}, "
        f"got {short_repr(identifier)}"
    )


def _is_default_name(cls: Any, name: str) -> bool:
    """Return True if objects of a class get such a name by default."""
    own = getattr(cls, "name", cls.__name__)
    return name == own or re.sub(r"_\d+$", "", name) == snake_case(cls.__name__)


@lru_cache(maxsize=256)
def _constructor(cls: Any) -> Any:
    """Return the nearest base of `cls` in cnet, whose constructor checks the options."""
    return next(base for base in cls.__mro__ if base.__module__.startswith("cnet."))


@lru_cache(maxsize=256)
def _options(cls: Any) -> dict[str, str]:
    """Return the attributes that store arguments of cnet's constructor, with the arguments' names."""
    options: dict[str, str] = {}
    for name in _parameters(_constructor(cls)):
        options.setdefault(cls._stored_as.get(name, name), name)
    return options


def _parameters(cls: type[Any]) -> dict[str, Any]:
    """Return a constructor's parameters and defaults; ``**options`` stands for those of the base."""
    own = [base for base in cls.__mro__ if "__init__" in vars(base) and base is not object]
    defaults: dict[str, Any] = {}
    for base in (own[0], own[-1]) if own else ():
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        kinds = [parameter.kind for parameter in parameters]
        for parameter in parameters:
            if parameter.kind not in (
                inspect.Parameter.VAR_KEYWORD,
                inspect.Parameter.VAR_POSITIONAL,
            ):
                defaults.setdefault(parameter.name, parameter.default)
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return defaults
