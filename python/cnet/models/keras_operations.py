"""The operations in Keras's configurations of models, such as the `Add` of ``a + b``, which are no layers there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import activations, autodiff
from .._errors import short_repr
from .._names import snake_case
from .._objects import plain_value
from ..layers import Activation
from ..layers.symbolic import SymbolicTensor

__all__ = ["KerasOperation", "is_operation", "plain_argument"]

_MODULES = ("keras.src.ops.", "keras.src.activations.")

# By Keras's class: the operation of `cnet.autodiff`, and its arguments by the names of Keras's options.
_OPERATIONS: dict[str, tuple[str, dict[str, str]]] = {
    **{
        name: (snake_case(name), {})
        for name in (
            *("Add", "Subtract", "Multiply", "Divide", "Negative", "Power", "Exp", "Log", "Sqrt"),
            *("Square", "Maximum", "Minimum", "Matmul", "Where", "Sign", "Equal", "NotEqual"),
            *("Greater", "GreaterEqual", "Less", "LessEqual"),
        )
    },
    "Absolute": ("abs", {}),
    "Clip": ("clip", {"x_min": "low", "x_max": "high"}),
    "Concatenate": ("concatenate", {"axis": "axis"}),
    "GetItem": ("getitem", {}),
    "LogSoftmax": ("log_softmax", {"axis": "axis"}),
    "Max": ("reduce_max", {"axis": "axis", "keepdims": "keepdims"}),
    "Mean": ("reduce_mean", {"axis": "axis", "keepdims": "keepdims"}),
    "Relu": ("relu", {}),
    "Reshape": ("reshape", {"newshape": "shape"}),
    "Sigmoid": ("sigmoid", {}),
    "Softmax": ("softmax", {"axis": "axis"}),
    "Softplus": ("softplus", {}),
    "Sum": ("reduce_sum", {"axis": "axis", "keepdims": "keepdims"}),
    "Tanh": ("tanh", {}),
    "Transpose": ("transpose", {"axes": "axes"}),
    "TrueDivide": ("divide", {}),
}
# Keras's classes of activations whose names are not those of the functions.
_ACTIVATIONS = {"ReLU": "relu"}


class KerasOperation:
    """An operation that a configuration describes: called with symbolic tensors, it makes a layer.

    Parameters
    ----------
    config : dict
        Has a "class_name", and in its "config" a name and the options.

    Raises
    ------
    TypeError, ValueError
        If the operation, or one of its options, is not known.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        kind, options = config.get("class_name"), config.get("config")
        if not isinstance(options, Mapping) or not isinstance(options.get("name"), str):
            raise ValueError(  # noqa: TRY004 # of a file
                f"{short_repr(kind)}: config: expected a dict with a name, got {short_repr(options)}"
            )
        self.name: str = options["name"]
        given = {name: value for name, value in options.items() if name != "name"}
        function = _ACTIVATIONS.get(kind, snake_case(kind)) if isinstance(kind, str) else None
        if isinstance(kind, str) and kind in _OPERATIONS:
            operation, known = _OPERATIONS[kind]
            for name, value in given.items():
                if name not in known and value is not None:
                    raise ValueError(
                        f"'{self.name}': {kind}: {name} is not supported, got {short_repr(value)}"
                    )
            self._function: Any = getattr(autodiff, operation)
            self._options = {
                ours: tuple(given[name]) if isinstance(given[name], list) else given[name]
                for name, ours in known.items()
                if name in given
            }
        elif function in activations._FUNCTIONS:
            partial = {"class_name": "partial", "config": {"function": function, **given}}
            chosen = activations.get(partial if given else function)
            self._function, self._options = Activation(chosen), {}
        else:
            names = ", ".join([*_OPERATIONS, *activations._FUNCTIONS])
            raise ValueError(
                f"'{self.name}': expected an operation among {names}, got {short_repr(kind)}"
            )
        self._is_named = False

    def __call__(self, *arguments: Any) -> Any:
        """Return the result for symbolic tensors and constants; the first call's layer gets the name."""
        if self._function is autodiff.getitem and len(arguments) == 2:
            key = arguments[1]
            arguments = (arguments[0], tuple(key) if isinstance(key, list) else key)
        result = self._function(*arguments, **self._options)
        if type(result) is not SymbolicTensor:
            raise TypeError(f"'{self.name}': expected a symbolic tensor among the arguments")
        if not self._is_named and not result.node.number:
            result.node.callee.name, self._is_named = self.name, True
        return result


def is_operation(config: Any) -> bool:
    """Whether a described layer is an operation of Keras."""
    module = config.get("module") if isinstance(config, Mapping) else None
    return isinstance(module, str) and module.startswith(_MODULES)


def plain_argument(value: Any) -> Any:
    """Return an argument of an operation: numbers, and the arrays and slices that are described in Keras's way."""
    if isinstance(value, (list, tuple)):
        return [plain_argument(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    return plain_value(value, "an argument")
