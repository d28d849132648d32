"""Objects as plain values and back: what their constructors take, by name.

The one mechanism for all of them: an object keeps each argument of its constructor in an attribute
of that name, so `get_config` reads the signature and no class has a method of its own. A user's class
that hands further arguments on to one of cnet's overrides it, as in Keras.
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

__all__ = ["Configurable", "HasOptions", "as_config", "find_class", "get_by_name"]


class _Option:
    """An attribute that keeps an argument of a constructor.

    It is read as any other, from the object; for what it is before, classes may have a value. Assigning
    it again constructs another such object, so that checks, conversions and consequences are the
    constructor's. Other attributes cost what they do in any class.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __set__(self, thing: HasOptions, value: Any) -> None:
        if self.name in vars(thing):
            thing._assign(self.name, value)
        else:  # by the constructor
            vars(thing)[self.name] = value


class _OptionWithDefault(_Option):
    """One that classes have a value of."""

    def __init__(self, name: str, default: Any) -> None:
        super().__init__(name)
        self.default = default

    def __get__(self, thing: HasOptions | None, cls: type[Any]) -> Any:
        return self.default if thing is None else vars(thing).get(self.name, self.default)


class HasOptions(RejectsOverrides):
    """What keeps the arguments of its constructor, and shows itself as a call of it."""

    # Where an argument isn't kept in an attribute of its own name.
    _stored_as: ClassVar[dict[str, str]] = {}
    _option_names: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls) and cls.__module__.startswith("cnet."):
            code = vars(cls)["__init__"].__code__
            arguments = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
            kept_in = {cls._stored_as.get(name, name) for name in arguments}
            cls._option_names |= {name for name in kept_in if name[0] != "_"}
        for name in cls._option_names:
            present = inspect.getattr_static(cls, name, _Option)
            if present is _Option:  # there is nothing
                setattr(cls, name, _Option(name))
            elif not hasattr(present, "__set__") and not callable(present):
                # A value of the class: neither a property, which checks by itself, nor a method.
                setattr(cls, name, _OptionWithDefault(name, present))

    def _assign(self, option: str, value: Any) -> None:
        """Take another value of an option as the constructor takes it, or raise as it does."""
        cls: Any = type(self)
        arguments = self._arguments() | {_options(cls)[option]: value}
        self._update_from(option, _constructor(cls)(**arguments))

    def _arguments(self) -> dict[str, Any]:
        """Return what the constructor would be given for another such object."""
        cls: Any = type(self)
        options = _options(cls).items()
        return {name: vars(self)[key] for key, name in options if key in vars(self)}

    @property
    def _state(self) -> frozenset[str]:
        """What the constructor sets and use changes: it outlives the assignment of an option."""
        return frozenset()

    def _update_from(self, attribute: str, other: HasOptions) -> None:
        """Become like an object that was constructed with another value of an option."""
        kept = set(vars(other)) - {"name"} if attribute == "name" else self._state
        vars(self).update({k: v for k, v in vars(other).items() if k not in kept})

    def __repr__(self) -> str:
        kind = type(self).__name__
        options = []
        for name, default in _parameters(type(self)).items():
            value = vars(self).get(self._stored_as.get(name, name), default)
            is_default = isinstance(value, (int, float, str)) and value == default
            is_its_own = name == "name" and _is_of_class(type(self), str(value))
            if value is not default and not is_default and not is_its_own:
                options.append(f"{name}={short_repr(value)}")
        return f"{kind}({', '.join(options)})"


class Configurable(HasOptions):
    """What can be described by the arguments of its constructor."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments: numbers, text, lists and dicts; no weights.

        Raises
        ------
        TypeError
            If an argument can't be described so: a function that isn't cnet's.
        """
        config: dict[str, Any] = {}
        seen = set()
        for name in _parameters(type(self)):
            kept_in = self._stored_as.get(name, name)
            if kept_in not in seen:
                config[name] = as_config(getattr(self, kept_in), f"{type(self).__name__}: {name}")
            seen.add(kept_in)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return an object made from what `get_config` gave.

        Raises
        ------
        TypeError, ValueError
            If the constructor takes no such arguments.
        """
        return cls(**config)


def as_config(value: Any, argument: str) -> Any:
    """Return an argument as plain values; an object becomes its "class_name" and "config"."""
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
        If it is no such dict, or names no class among `known` and `custom_objects`.
    """
    classes = {**known, **(custom_objects or {})}
    name = config.get("class_name") if isinstance(config, Mapping) else None
    if not isinstance(name, str) or name not in classes:
        raise ValueError(
            f"{call}: expected a dict with 'class_name' and 'config', got {short_repr(config)}; the class is to "
            f"be one of {', '.join(classes)}"
        )
    arguments = config.get("config") or {}
    if not isinstance(arguments, Mapping):
        raise TypeError(f"{call}: config: expected a dict, got {short_repr(arguments)}")
    return classes[name], dict(arguments)


def get_by_name(
    family: str, base: type[Any], known: Mapping[str, type[Any]], identifier: Any
) -> Any:
    """Return one of a family from its name, its class, its configuration, or itself.

    Parameters
    ----------
    family : str
        Begins errors: "regularizer".
    base : type
        What all of the family, the user's own among them, are.
    known : dict of str to type
        Those that have names.
    identifier : str, type, dict or `base`

    Raises
    ------
    ValueError
        For a name that is not known.
    TypeError
        For what is none of these.
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


def _is_of_class(cls: Any, name: str) -> bool:
    """Whether an object of a class has this name without having been given it."""
    own = getattr(cls, "name", cls.__name__)
    return name == own or re.sub(r"_\d+$", "", name) == snake_case(cls.__name__)


@lru_cache(maxsize=256)
def _constructor(cls: Any) -> Any:
    """Return the class of cnet's whose constructor checks the options of `cls`."""
    return next(base for base in cls.__mro__ if base.__module__.startswith("cnet."))


@lru_cache(maxsize=256)
def _options(cls: Any) -> dict[str, str]:
    """Return the attributes that keep arguments of cnet's constructor, with the arguments' names."""
    options: dict[str, str] = {}
    for name in _parameters(_constructor(cls)):
        options.setdefault(cls._stored_as.get(name, name), name)
    return options


def _parameters(cls: type[Any]) -> dict[str, Any]:
    """Return a constructor's arguments and their defaults; ``**options`` are those of the base class."""
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
