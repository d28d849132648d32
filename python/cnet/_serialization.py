"""Conversion of objects to plain values, their constructors' arguments, and back.

Every object stores each argument of its constructor in an attribute of that name, so one `get_config`
that reads the signature serves all classes. A user's class that passes further arguments to a class
of cnet overrides it, as in Keras.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ._errors import short_repr
from ._names import snake_case
from ._overrides import RejectsOverrides
from ._registry import get_registered_name, get_registered_object

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Configurable",
    "HasOptions",
    "as_config",
    "described",
    "find_class",
    "get_by_name",
    "named_object",
    "named_options",
    "of_function",
    "parameters_of",
]

# Where Keras has classes that are not in the module of their family.
_KERAS_MODULES = {
    "Functional": "keras.src.models.functional",
    "LossFunctionWrapper": "keras.src.losses.losses",
    "Sequential": "keras",
}


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
        for name, default in parameters_of(type(self)).items():
            value = vars(self).get(self._stored_as.get(name, name), default)
            is_default = isinstance(value, (int, float, str)) and value == default
            is_automatic = name == "name" and _is_default_name(type(self), str(value))
            if value is not default and not is_default and not is_automatic:
                options.append(f"{name}={short_repr(value)}")
        return f"{kind}({', '.join(options)})"


class Configurable(HasOptions):
    """Base of classes that can be described by the arguments of their constructor."""

    #: Options that a config has only if they have other values than these.
    _optional_in_config: ClassVar[dict[str, Any]] = {}
    #: Options that only Keras has, with their defaults: configs may have these, and no other values.
    _of_keras_alone: ClassVar[dict[str, Any]] = {}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as numbers, text, lists and dicts, without weights.

        Raises
        ------
        TypeError
            If an argument has no such form, such as a function that isn't cnet's.
        """
        config: dict[str, Any] = {}
        seen = set()
        for name in parameters_of(type(self)):
            attribute = self._stored_as.get(name, name)
            value = getattr(self, attribute)
            is_left_out = value is self._optional_in_config.get(name, ...)
            if attribute not in seen and not is_left_out:
                config[name] = as_config(value, f"{type(self).__name__}: {name}")
            seen.add(attribute)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return an object made from the result of `get_config`, of cnet or Keras.

        Raises
        ------
        TypeError, ValueError
            If the constructor rejects the arguments.
        """
        return cls(**named_options(cls, config))


def as_config(value: Any, argument: str, depth: int = 32) -> Any:
    """Return an argument as plain values, lists and dicts of at most `depth` levels; an object as `described`."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if depth > 0 and isinstance(value, (list, tuple)):
        return [as_config(each, argument, depth - 1) for each in value]
    if depth > 0 and isinstance(value, dict):
        return {str(key): as_config(each, argument, depth - 1) for key, each in value.items()}
    if isinstance(value, Configurable):
        return described(value, value.get_config())
    if inspect.isfunction(value):
        if value.__module__.startswith("cnet."):
            return value.__name__
        if (name := get_registered_name(value)) != value.__name__:
            return of_function(name)
    if isinstance(value, partial) and not value.args:
        options = {"function": value.func, **value.keywords}
        return {"class_name": "partial", "config": as_config(options, argument)}
    raise TypeError(f"{argument}: {short_repr(value)} can't be described in a config")


def described(thing: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with its config in Keras's form: its class by name, and what it is built for, if it is."""
    cls = getattr(type(thing), "subclass", type(thing))
    name, module = cls.__name__, cls.__module__
    registered: str | None = get_registered_name(cls)
    family = re.match(r"cnet\.(optimizers\.schedules|\w+)", module)
    if family and registered == name:
        is_public = name in sys.modules[family[0]].__all__
        module = _KERAS_MODULES.get(name, ("keras." if is_public else "cnet.") + family[1])
        registered = None
    entry = {"module": module, "class_name": name, "config": config, "registered_name": registered}
    built_for = thing.get_build_config() if hasattr(thing, "get_build_config") else None
    return entry if built_for is None else entry | {"build_config": built_for}


def of_function(name: str) -> dict[str, Any]:
    """Return a function in Keras's form, by the name that it is registered by."""
    return {
        "module": "builtins",
        "class_name": "function",
        "config": name,
        "registered_name": "function",
    }


def find_class(config: Any, known: Mapping[str, Any], call: str) -> tuple[Any, dict[str, Any]]:
    """Return the class that ``{"class_name": …, "config": …}`` names, and its config.

    The class is the user's, by its registered name or its own (see `_registry`), or one of `known`. The latter are
    not meant if the dict has the module of another package, or names a registered class.

    Raises
    ------
    ValueError
        If `config` isn't such a dict, or its class is not known.
    """
    given = config if isinstance(config, Mapping) else {}
    name, registered = given.get("class_name"), given.get("registered_name")
    names = [each for each in (registered, name) if isinstance(each, str)]
    found = next(filter(None, map(get_registered_object, names)), None)
    if found is None and isinstance(name, str) and registered in (None, name) and _is_own(given):
        found = known.get(name)
    if not isinstance(found, type) or not hasattr(found, "from_config"):
        if names:
            module = "" if _is_own(given) else f" of module {short_repr(given['module'])}"
            raise ValueError(
                f"{call}: expected a known class, got {short_repr(names[0])}{module}; pass your own in "
                "custom_objects, or register it by utils.register_keras_serializable; known classes: "
                f"{', '.join(known)}"
            )
        raise ValueError(
            f"{call}: expected a dict with 'class_name' and 'config', got {short_repr(config)}"
        )
    arguments = given.get("config") or {}
    if not isinstance(arguments, Mapping):
        raise TypeError(f"{call}: config: expected a dict, got {short_repr(arguments)}")
    return found, dict(arguments)


def _is_own(config: Mapping[str, Any]) -> bool:
    """Whether a config is, by its module, of a class of Keras or cnet; older ones have no module."""
    module = config.get("module")
    return module is None or (
        isinstance(module, str) and module.split(".")[0] in ("keras", "cnet", "builtins")
    )


def named_object(identifier: Any) -> Any:
    """Return the user's object that a name, or a function in Keras's form, stands for; else the name.

    Anything else is returned unchanged.
    """
    name = identifier
    if isinstance(identifier, Mapping) and identifier.get("class_name") == "function":
        name = identifier.get("config")
    if not isinstance(name, str):
        return identifier
    found = get_registered_object(name)
    return name if found is None else found


def named_options(cls: type[Configurable], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a constructor in a config, without those that only Keras has.

    Raises
    ------
    ValueError
        If such an option has another value than its default.
    """
    options = {**config}
    for name, default in cls._of_keras_alone.items():
        value = options.pop(name, default)
        if type(value) is not type(default) or value != default:
            raise ValueError(f"{cls.__name__}: {name} is not supported, got {short_repr(value)}")
    dtype = options.get("dtype")
    policy = dtype.get("config") if isinstance(dtype, Mapping) else None
    if isinstance(policy, Mapping) and dtype.get("class_name") == "DTypePolicy":  # type: ignore[union-attr] # a Mapping
        options["dtype"] = policy.get("name", dtype)
    return options


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
    identifier = named_object(identifier)
    if isinstance(identifier, base):
        return identifier
    if isinstance(identifier, str):
        if identifier in known:
            return known[identifier]()
    elif isinstance(identifier, Mapping):
        cls, config = find_class(identifier, known, family)
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
    for name in parameters_of(_constructor(cls)):
        options.setdefault(cls._stored_as.get(name, name), name)
    return options


def parameters_of(cls: type[Any]) -> dict[str, Any]:
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
