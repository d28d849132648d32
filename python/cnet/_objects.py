"""Any object as plain values in Keras's form, and back.

`_serialization` has the same for the families that cnet's own configurations consist of; here, the kind of object is
not known beforehand. Only classes and functions of cnet, and the user's in `_registry`, are ever found: the "module" of
a description chooses among cnet's families, it is not imported.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ._errors import short_repr
from ._registry import get_registered_name, with_custom_objects
from ._serialization import as_config, described, find_class, named_object, of_function

__all__ = [
    "ACCESSORS",
    "deserialize_keras_object",
    "deserializer",
    "plain_value",
    "serialize",
    "serialize_keras_object",
]

# By the module in a description: cnet's module with the classes, and its function that reads descriptions, if any.
_FAMILIES: dict[str, tuple[str, str | None]] = {
    **{
        name: (name, None)
        for name in (
            *("constraints", "initializers", "losses", "metrics", "optimizers", "regularizers"),
            "optimizers.schedules",
        )
    },
    "layers": ("layers.serialization", "deserialize"),
    **dict.fromkeys(
        ("", "models", "src.models.functional"), ("models.making", "model_from_config")
    ),
    "src.losses.losses": ("losses", None),
}
#: What modules of such functions have besides.
ACCESSORS = frozenset({"deserialize", "get", "serialize"})
# In an array that is described by plain values.
MOST_NUMBERS = 2**24
_TOO_DEEP = "expected lists and dicts of fewer levels"
# Where functions are looked for, as these have no module.
_FUNCTIONS = ("activations", "losses", "metrics")


def serialize_keras_object(obj: Any) -> Any:
    """Return an object as plain values, which `deserialize_keras_object` reads, of cnet or Keras.

    Parameters
    ----------
    obj : object with a `get_config`, function, array, number, text, None, or lists, tuples and dicts of these

    Returns
    -------
    Objects become dicts of "module", "class_name", "config" and "registered_name"; layers that are built have a
    "build_config", and models a "compile_config".

    Raises
    ------
    TypeError
        If something has no such form, such as a function without a name.
    ValueError
        If an array has more than 2²⁴ numbers, or there are too many levels of lists and dicts.

    Examples
    --------
    >>> from cnet import regularizers, utils
    >>> utils.serialize_keras_object({"penalty": regularizers.L2(0.5)})["penalty"]["config"]
    {'l2': 0.5}
    """
    try:
        return _serialized(obj)
    except RecursionError:
        raise ValueError(f"serialize_keras_object: {_TOO_DEEP}") from None


def _serialized(obj: Any) -> Any:
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return obj
    if isinstance(obj, (list, tuple)):
        items = [_serialized(each) for each in obj]
        return tuple(items) if isinstance(obj, tuple) else items
    if isinstance(obj, Mapping):
        return {key: _serialized(value) for key, value in obj.items()}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode()}}
    if isinstance(obj, slice):
        config = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": _serialized(config)}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, np.ndarray) and obj.ndim:
        if obj.size > MOST_NUMBERS:
            raise ValueError(
                f"serialize_keras_object: expected an array of at most {MOST_NUMBERS} numbers, got {obj.size}"
            )
        config = {"value": obj.tolist(), "dtype": obj.dtype.name}
        return {"class_name": "__numpy__", "config": config}
    if isinstance(obj, (np.generic, np.ndarray)):
        return obj.item()
    if inspect.isfunction(obj) and obj.__name__ != "<lambda>":
        return of_function(get_registered_name(obj))
    if isinstance(obj, type) or not hasattr(obj, "get_config"):
        raise TypeError(
            f"serialize_keras_object: expected an object with a method get_config(), got {short_repr(obj)}"
        )
    entry = described(obj, _serialized(obj.get_config()))
    if hasattr(obj, "get_compile_config"):
        entry["compile_config"] = _serialized(obj.get_compile_config())
    return entry


def deserialize_keras_object(
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
) -> Any:
    """Return the object for a result of `serialize_keras_object`, of cnet or Keras.

    Parameters
    ----------
    config : dict, number, text, None, or lists and dicts of these
    custom_objects : dict, optional
        The user's classes and functions by name, besides the registered ones.
    safe_mode : bool, default True
        Ignored: no code in a description is run.

    Raises
    ------
    TypeError, ValueError
        If a description is malformed, names an unknown class or function, or has code.

    Examples
    --------
    >>> from cnet import utils
    >>> config = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3, "name": "top"}}
    >>> utils.deserialize_keras_object(config)
    <Dense name=top, built=False>
    """
    del safe_mode
    try:
        with with_custom_objects(custom_objects):
            return _deserialized(config)
    except RecursionError:
        raise ValueError(f"deserialize_keras_object: {_TOO_DEEP}") from None


def serialize(value: Any) -> Any:
    """Return an object, or a function, of the module's kind as plain values, as layers describe it.

    Parameters
    ----------
    value : object with a `get_config`, function or None

    Returns
    -------
    dict or str
        The name of a function of cnet, as in Keras. `deserialize` and `get` read it.

    Raises
    ------
    TypeError
        If it has no such form, such as a function that isn't registered.

    Examples
    --------
    >>> from cnet import activations, initializers
    >>> activations.serialize(activations.relu)
    'relu'
    >>> initializers.serialize(initializers.Constant(2.0))["config"]
    {'value': 2.0}
    """
    if hasattr(value, "get_config") and not isinstance(value, type):
        return described(value, value.get_config())
    if value is None or isinstance(value, (str, Mapping)) or callable(value):
        return as_config(value, "serialize")
    raise TypeError(
        f"serialize: expected an object with a get_config, a function or a name, got {short_repr(value)}"
    )


def deserializer(get: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return the function `deserialize` of the module with this `get`."""

    def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return the object or function for a result of `serialize`, of cnet or Keras.

        Parameters
        ----------
        config : dict, str or None
            All that `get` accepts.
        custom_objects : dict, optional
            The user's classes and functions by name, besides the registered ones.

        Raises
        ------
        TypeError, ValueError
            As `get`.
        """
        with with_custom_objects(custom_objects):
            return get(config)

    deserialize.__module__ = get.__module__
    return deserialize


def plain_value(config: Any, call: str) -> Any:
    """Return an array, bytes, a slice or an ellipsis that ``{"class_name": "__…__", "config": …}`` describes."""
    kind, options = config["class_name"], config.get("config")
    make = _PLAIN.get(kind) if isinstance(kind, str) else None
    if make is None or not isinstance(options, Mapping):
        raise ValueError(f"{call}: can't read {short_repr(config)}")
    try:
        return make(options)
    except (KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"{call}: can't read {short_repr(config)}: {error}") from None


def _array(options: Mapping[str, Any]) -> Any:
    array = np.asarray(options["value"], options["dtype"])
    if array.dtype.kind not in "biuf":
        raise ValueError(f"expected an array of numbers, got {short_repr(options)}")
    return array


_PLAIN: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "__bytes__": lambda options: options["value"].encode(),
    "__ellipsis__": lambda _: Ellipsis,
    "__numpy__": _array,
    "__slice__": lambda options: slice(options["start"], options["stop"], options["step"]),
    "__tensor__": _array,
}


def _deserialized(config: Any) -> Any:
    call = "deserialize_keras_object"
    if isinstance(config, str):
        return named_object(config)
    if isinstance(config, (list, tuple)):
        return [_deserialized(each) for each in config]
    if not isinstance(config, Mapping):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: _deserialized(value) for key, value in config.items()}
    name = config["class_name"]
    if isinstance(name, str) and name.startswith("__"):
        return plain_value(config, call)
    if name == "function":
        return _function(config, call)
    module = config.get("module")
    package, _, path = module.partition(".") if isinstance(module, str) else ("", "", "")
    known: dict[str, Any] = {}
    if package in ("keras", "cnet") and path in _FAMILIES:
        family, reader = _FAMILIES[path]
        found = importlib.import_module(f"cnet.{family}")
        if reader is not None:
            return getattr(found, reader)(config)
        known = {each: getattr(found, each) for each in found.__all__}
    cls, options = find_class(config, known, call)
    made = cls.from_config(options)
    if config.get("build_config") and hasattr(made, "build_from_config"):
        made.build_from_config(config["build_config"])
    if config.get("compile_config") and hasattr(made, "compile_from_config"):
        made.compile_from_config(config["compile_config"])
    return made


def _function(config: Any, call: str) -> Any:
    found = named_object(config)
    for family in _FUNCTIONS:
        known = importlib.import_module(f"cnet.{family}")
        if isinstance(found, str) and found in known.__all__ and found not in ACCESSORS:
            found = getattr(known, found)
    if not callable(found) or isinstance(found, type):
        raise ValueError(f"{call}: the function {short_repr(found)} is not known")  # noqa: TRY004 # of a file
    return found
