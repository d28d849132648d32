"""Layers that are computed in Python: a user's own `call`, and penalties of outputs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import activations
from .._data import as_array, as_type, shape_text
from .._errors import short_repr
from .._tapes import is_recorded
from ..autodiff.nested import leaves_of, map_leaves
from ._build_lock import build_lock
from .batch_shapes import as_batch_shape
from .calls import AddsLosses, entered
from .open_shapes import inferred_shape
from .weight import penalties_of

if TYPE_CHECKING:
    from .weight import Weight

__all__ = [
    "PythonCall",
    "build_once",
    "map_output_shapes",
    "map_shapes",
    "require_regularizer",
    "results_of",
    "samples_as_tensors",
    "shapes_of",
    "sublayers_in",
]


def map_shapes(function: Callable[[Any], Any], shapes: Any, depth: int = 8) -> Any:
    """Return nested lists and dicts of shapes, which are tuples, with a function applied to each."""
    if depth == 0:  # lists may be endless
        return function(shapes)
    if isinstance(shapes, Mapping):
        return {key: map_shapes(function, shape, depth - 1) for key, shape in shapes.items()}
    if isinstance(shapes, list) and any(isinstance(each, (tuple, list, dict)) for each in shapes):
        return [map_shapes(function, shape, depth - 1) for shape in shapes]
    return function(shapes)


def map_output_shapes(function: Callable[[Any], Any], shapes: Any) -> Any:
    """Return the shapes of outputs, which may be nested in tuples, too, with a function applied to each."""
    if isinstance(shapes, Mapping):
        return {key: map_output_shapes(function, shape) for key, shape in shapes.items()}
    if any(isinstance(each, (tuple, list, Mapping)) for each in shapes):
        several = [map_output_shapes(function, shape) for shape in shapes]
        return tuple(several) if isinstance(shapes, tuple) else several
    return function(tuple(shapes))


def results_of(outputs: Any) -> list[Any]:
    """Return the leaves of nested outputs, of a dict in the order of its keys, as in Keras."""
    if isinstance(outputs, Mapping):
        return [leaf for key in sorted(outputs) for leaf in results_of(outputs[key])]
    if isinstance(outputs, (list, tuple)):
        return [leaf for each in outputs for leaf in results_of(each)]
    return [outputs]


def shapes_of(tensors: Any) -> Any:
    """Return the shape, (None, …), of each of nested tensors, in lists and dicts."""
    if isinstance(tensors, dict):
        return {key: shapes_of(tensor) for key, tensor in tensors.items()}
    if isinstance(tensors, (list, tuple)):
        return [shapes_of(tensor) for tensor in tensors]
    return (None, *tensors.shape[1:])


def samples_as_tensors(x: Any, argument: str, dtype: str) -> Any:
    """Return nested arrays as tensors: floats in a dtype, integers as they are."""
    from ..autodiff.tensor import Tensor

    def tensor(leaf: Any) -> Any:
        if hasattr(type(leaf), "__tensor__"):
            return leaf.__tensor__()
        array = as_array(leaf, argument)
        return Tensor(as_type(array, dtype) if array.dtype.kind == "f" else array)

    is_rows = isinstance(x, (list, tuple)) and not any(
        hasattr(leaf, "ndim") or hasattr(type(leaf), "__tensor__") for leaf in leaves_of(x)
    )
    return tensor(x) if is_rows else map_leaves(tensor, x)


def sublayers_in(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the layers and models among attributes, and in their lists and dicts, with their names."""
    for name, value in attributes.items():
        if name not in _NOT_SEARCHED:
            yield from _layers_in(name, value)


_NOT_SEARCHED = frozenset({"_nodes", "_own_weights", "_functions", "_owner"})


def _layers_in(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(value, "_nodes"):
        yield name, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _layers_in(f"{name}/{key}", each)
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(value):
            yield from _layers_in(f"{name}/{number}", each)


def build_once(build: Callable[..., None]) -> Callable[..., None]:
    """Return a user's `build` that does nothing once the layer is built, and undoes a failed attempt."""

    @functools.wraps(build)
    def wrapper(self: Any, input_shape: Any = None) -> None:
        with build_lock():
            if self.built:
                return
            before = self._own_weights
            try:
                if len(self._call_arguments) > 1:  # the shapes of all, or of the first, as in Keras
                    taken = len(inspect.signature(build).parameters) - 1
                    build(self, *(input_shape if taken > 1 else input_shape[:1]))
                else:
                    build(self, input_shape)
            except BaseException:
                self._own_weights, self.input_shape = before, None
                raise
            if self.input_shape is None:
                self.input_shape = map_shapes(tuple, input_shape)

    return wrapper


class PythonCall(AddsLosses):
    """The part of `Layer` that computes a layer in Python, if a subclass overrides `call`."""

    name: str
    dtype: str
    activity_regularizer: Any
    weights: list[Weight]
    #: Whether a user's class overrides `call`.
    has_own_call: ClassVar[bool] = False
    _call_takes_training: ClassVar[bool] = True
    # The arguments that `call` needs. Several are passed on as a list.
    _call_arguments: ClassVar[tuple[str, ...]] = ()
    _own_weights: list[Weight]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.has_own_call = cls.call is not PythonCall.call
        if cls.has_own_call:
            if "build" in vars(cls):
                cls.build = build_once(vars(cls)["build"])  # type: ignore[attr-defined] # of Layer
            parameters = inspect.signature(cls.call).parameters.values()
            cls._call_takes_training = any(
                parameter.name == "training" or parameter.kind is parameter.VAR_KEYWORD
                for parameter in parameters
            )
            cls._call_arguments = tuple(
                parameter.name
                for parameter in list(parameters)[1:]
                if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
                and parameter.default is parameter.empty
                and parameter.name != "training"
            )
            if _is_of_cnet(cls, "compute_output_shape"):
                cls.compute_output_shape = PythonCall._inferred_output_shape  # type: ignore[attr-defined] # as above

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the output for a batch of tensors; a layer of one's own overrides it.

        It returns a tensor, or a list, tuple or dict of them.

        Parameters
        ----------
        x : Tensor, (batch, …)
            Or lists and dicts of them, as the layer is called with. An override may have further arguments that are
            tensors: ``call(self, query, value)``.
        training : bool, optional
            An override need not take it. Default: see `Layer.__call__`.
        """
        layer: Any = self
        output = layer.engine_call(x, training)
        if (activation := self.own_activation) is None:
            return output
        activated = activation(output)
        if not hasattr(type(activated), "__tensor__"):
            raise TypeError(
                f"{type(self).__name__} '{self.name}': activation: expected {short_repr(activation)} to return a tensor, "
                f"got {type(activated).__name__}: it needs the operations of cnet.ops, or Python's operators"
            )
        return activated

    @property
    def own_activation(self) -> Callable[[Any], Any] | None:
        """The activation, if it is a function of the user."""
        activation = getattr(self, "activation", activations.linear)
        return None if activations.is_in_engine(activation) else activation

    @property
    def engine_activation(self) -> Callable[..., Any]:
        """The activation that the engine computes: linear, if it is a function of the user."""
        return activations.linear if self.own_activation else self.activation  # type: ignore[attr-defined] # of a subclass

    @property
    def is_in_python(self) -> bool:
        """Whether a user's `call` or activation, or a penalty of the output, is computed."""
        return (
            self.has_own_call
            or self.activity_regularizer is not None
            or self.own_activation is not None
        )

    def sublayers(self) -> list[Any]:
        """Return the layers and models that the attributes hold."""
        if not self.has_own_call:
            return []
        found: dict[Any, None] = {}
        for attribute, layer in sublayers_in(vars(self)):
            if layer not in found and layer is not self:
                found[layer] = None
                layer._owner = layer._owner or (self, attribute)
        return list(found)

    @property
    def losses(self) -> list[Any]:
        """The penalties of the regularizers, and what the latest call added: tensors on a tape, else numbers."""
        weights = [weight for weight in self.weights if weight.trainable]
        added = [loss for layer in self.sublayers() for loss in layer._added_losses]
        return [*penalties_of(weights), *self._added_losses, *added]

    def engine_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output without a user's `call`."""
        owners = (base for base in type(self).__mro__ if base.__module__.startswith("cnet."))
        owner: Any = next(base for base in owners if "compute_output_shape" in vars(base))
        return owner.compute_output_shape(self, input_shape)

    def own_function(self, *, training: bool) -> Callable[[Any], Any] | None:
        """Return a function of arrays or tensors that computes the layer, None if the engine may."""
        if not self.is_in_python:
            return None

        def compute(x: Any) -> Any:
            are_arrays = all(isinstance(leaf, np.ndarray) for leaf in leaves_of(x))
            outputs = self._computed(samples_as_tensors(x, self.name, self.dtype), training)
            results = [each.value if are_arrays else each for each in results_of(outputs)]
            return results[0] if hasattr(type(outputs), "__tensor__") else tuple(results)

        return compute

    def python_call(self, x: Any, training: bool | None) -> Any:
        """Return the output for samples, as `Layer.__call__`."""
        is_taped = any(map(is_recorded, leaves_of(x)))
        arguments = samples_as_tensors(x, f"{type(self).__name__} '{self.name}'", self.dtype)
        layer: Any = self
        if not layer.built:
            layer.build(shapes_of(arguments))
        outputs = self._computed(arguments, training)
        return outputs if is_taped else map_leaves(lambda tensor: tensor.value, outputs)

    def _in_one_argument(
        self, x: Any, others: tuple[Any, ...], options: dict[str, Any], training: bool | None
    ) -> tuple[Any, bool | None]:
        """Return the arguments of a call as one, a list if `call` takes several, and the mode."""
        names = self._call_arguments
        given = [x, *others]
        if len(given) == max(len(names), 1) + 1 and not hasattr(given[-1], "shape"):
            training = given.pop()
        given += [options.pop(name) for name in names[len(given) :] if name in options]
        if options or len(given) != max(len(names), 1):
            wanted = ", ".join(names or ["x"])
            passed = ", ".join([f"{len(others) + 1} by position", *options])
            raise TypeError(
                f"{type(self).__name__} '{self.name}': expected the arguments {wanted} and training, got {passed}"
            )
        return (given if len(names) > 1 else given[0]), training

    def _computed(self, arguments: Any, training: bool | None) -> Any:
        """Return the output for tensors, of the layer's dtype."""
        from ..autodiff import cast
        from ..autodiff.tensor import Tensor

        where = f"{type(self).__name__} '{self.name}'"
        layer: Any = self
        with entered(training) as call:
            options = {"training": call.training} if self._call_takes_training else {}
            several = len(self._call_arguments) > 1
            outputs = layer.call(*arguments if several else (arguments,), **options)
            samples = len(leaves_of(arguments)[0])

            def checked(output: Any) -> Any:
                if output is None:
                    raise TypeError(
                        f"{where}: call: expected arrays or tensors (batch, …), got NoneType"
                    )
                if hasattr(type(output), "__tensor__"):
                    output = output.__tensor__()
                else:
                    output = Tensor(as_array(output, f"{where}: call"))
                if output.ndim < 1 or len(output) != samples:
                    raise ValueError(
                        f"{where}: call: expected an output (batch, …) for each of {samples} samples, got shape "
                        f"{shape_text(output.shape)}"
                    )
                return output if output.dtype == self.dtype else cast(output, self.dtype)

            outputs = map_leaves(checked, outputs)
            if not leaves_of(outputs):
                raise TypeError(
                    f"{where}: call: expected arrays or tensors (batch, …), got {outputs!r}"
                )
            if self.activity_regularizer is not None:
                for output in results_of(outputs):
                    self.add_loss(self.activity_regularizer(output) / max(samples, 1))
        return outputs

    def _inferred_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, (None, …), by a call with zeros."""
        from ..autodiff.recording import paused

        samples = 2  # with 1, a mean over the batch would look like an output for each sample

        def zeros(shape: Any) -> Any:
            sizes = as_batch_shape("compute_output_shape", shape)[1:]
            return np.zeros((samples, *sizes), self.dtype)

        def result(shapes: Any) -> Any:
            arguments = samples_as_tensors(map_shapes(zeros, shapes), self.name, self.dtype)
            outputs = self._computed(arguments, False)
            return map_leaves(lambda tensor: (None, *tensor.shape[1:]), outputs)

        layer: Any = self
        known = vars(self).setdefault("_output_shapes", {})
        key = str(input_shape)
        if key not in known:
            if not layer.built:
                layer.build(input_shape)
            before = {weight: weight.numpy() for weight in self.weights}
            with paused(), np.errstate(all="ignore"):
                known[key] = inferred_shape(result, input_shape)
            for weight, value in before.items():
                if not np.array_equal(weight.numpy(), value, equal_nan=True):
                    weight.assign(value)  # `call` assigned it
        return known[key]


def _is_of_cnet(cls: type[Any], method: str) -> bool:
    owner = next(base for base in cls.__mro__ if method in vars(base))
    return owner.__module__.startswith("cnet.")


def require_regularizer(call: str, value: Any) -> Any:
    """Return a regularizer, or a function of the output."""
    from .. import regularizers

    try:
        return regularizers.get(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{call}: activity_regularizer: {error}") from None
