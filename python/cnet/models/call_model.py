"""Models with a user's `call`, whose layers are its attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, ClassVar

import numpy as np

from .._data import as_array, as_samples, shape_text
from .._tracebacks import brief_traceback
from .._typing import Shape
from ..autodiff import cast
from ..autodiff.recording import paused
from ..autodiff.tensor import Tensor
from ..layers import InputLayer, Layer
from ..layers.batch_shapes import as_batch_shape, matches, sample_sizes
from ..layers.calls import AddsLosses, entered
from ..layers.open_shapes import inferred_shape
from ..layers.python_call import map_shapes, samples_as_tensors, sublayers_in
from ..metrics import Metric
from .call_function import CallFunction, ModelLayer
from .graph_calls import Calls, Edge, Source
from .graph_model import GraphModel
from .nesting import leaves_of, nested_as
from .subclass import Model

__all__ = ["CallModel"]


class CallModel(AddsLosses, Model):
    """A model with a user's `call`."""

    #: Whether a user's class overrides `build`.
    _has_own_build: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.build is not CallModel.build and not cls._has_own_build:
            cls._has_own_build = True
            cls.build = _build_once(cls.build)  # type: ignore[method-assign] # it calls the user's

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        GraphModel.__init__(self, name)
        self._own_build_ran = False
        self._shapes: tuple[list[Shape], list[Shape]] | None = None
        self._structures: tuple[Any, Any] = None, None
        self._told_names = ["output"]
        self._wanted_dtype = dtype

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_added_losses": (), "_added_in": None}

    @property
    def has_own_steps(self) -> bool:
        """Whether Python takes the steps: if a subclass overrides one, or has metrics, which `call` updates."""
        return super().has_own_steps or any(
            isinstance(each, Metric) for each in vars(self).values()
        )

    # The layers.

    @property
    def layers(self) -> list[Any]:
        """The layers and models among the attributes."""
        found: dict[Any, None] = {}
        for attribute, layer in sublayers_in(vars(self)):
            if layer is not self and not isinstance(layer, InputLayer):
                found[layer] = None
                layer._parents.add(self)
                layer._owner = layer._owner or (self, attribute)
        return list(found)

    @property
    def in_engine(self) -> bool:
        """False: `call` is Python code."""
        return False

    @property
    def takes_ids(self) -> bool:
        """False: what `call` reads as ids is not known."""
        return False

    @property
    def dtype(self) -> str:
        """The dtype of the weights and outputs."""
        return self._wanted_dtype or super().dtype

    def connections(self) -> tuple[list[Edge], list[Source]]:
        """Return nothing: only `call` knows how the layers are connected."""
        return [], []

    # The shapes of inputs and outputs.

    @property
    def built(self) -> bool:
        """True once the shapes of the inputs are known."""
        return self._shapes is not None

    @built.setter
    def built(self, value: bool) -> None:
        """Do nothing: for code that sets it, as Keras's guides do."""

    @property
    def _known_shapes(self) -> tuple[list[Shape], list[Shape]]:
        if self._shapes is None:
            raise AttributeError(f"the model '{self.name}' is not built: its input is not known")
        return self._shapes

    @property
    def input_shapes(self) -> list[Shape]:
        """Shape of the data of each input, (None, …)."""
        return self._known_shapes[0]

    @property
    def output_shapes(self) -> list[Shape]:
        """Shape of each output, (None, …)."""
        return self._known_shapes[1]

    @property
    def input_shape(self) -> Any:
        """Shape of the data, (None, …), nested as the inputs."""
        return nested_as(self._structures[0], self.input_shapes)

    @property
    def output_shape(self) -> Any:
        """Shape of the output, (None, …), nested as the outputs."""
        return nested_as(self._structures[1], self.output_shapes)

    @property
    def sample_shape(self) -> tuple[int, ...] | None:
        """Shape of one sample of the first input, None if unknown."""
        return None if self._shapes is None else sample_sizes(self._shapes[0][0])

    @property
    def input_names(self) -> list[str]:
        """The keys of the inputs, if they are a dict."""
        structure = self._structures[0]
        count = 1 if self._shapes is None else len(self._shapes[0])
        return sorted(structure) if isinstance(structure, dict) else _numbered("input", count)

    @property
    def output_names(self) -> list[str]:
        """The keys of the outputs, if they are a dict."""
        structure = self._structures[1]
        if isinstance(structure, dict):
            return sorted(structure)
        return (
            self._told_names if self._shapes is None else _numbered("output", len(self._shapes[1]))
        )

    @property
    def input_structure(self) -> Any:
        """The inputs as they are nested."""
        return self._structures[0]

    @property
    def output_structure(self) -> Any:
        """The outputs as they are nested."""
        return self._structures[1]

    def _nested(self, outputs: Sequence[Any]) -> Any:
        return nested_as(self._structures[1], outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, (None, …), for inputs of `input_shape`."""
        if self._shapes is None:
            self.build(input_shape)
        return self.output_shape

    def _new_setup(self, *arguments: Any) -> Any:
        if self._shapes is None:
            loss = arguments[1]
            if isinstance(loss, dict):
                self._told_names = sorted(loss)
            else:
                self._told_names = _numbered(
                    "output", len(loss) if isinstance(loss, (list, tuple)) else 1
                )
        return super()._new_setup(*arguments)

    @brief_traceback
    def build(self, input_shape: Any = None) -> None:
        """Find the shapes of the outputs by a call with zeros, which creates the weights.

        Parameters
        ----------
        input_shape : tuple, or lists and dicts of them
            (None, …) for each input.
        """
        if (
            not self._has_own_build
        ):  # else `_build_once` finds them, after all of the user's `build`
            self._find_shapes(input_shape)

    def _find_shapes(self, input_shape: Any) -> None:
        if self._shapes is not None or input_shape is None:
            return
        shapes = map_shapes(lambda shape: as_batch_shape("build", shape), input_shape)
        # Leaves are wrapped, as shapes are tuples themselves.
        structure = map_shapes(lambda _: 0, shapes)
        flat: list[Shape] = []
        in_order: Callable[[Any], Any] = lambda part: (
            [in_order(part[key]) for key in sorted(part)]
            if isinstance(part, dict)
            else (
                [in_order(each) for each in part] if isinstance(part, list) else flat.append(part)
            )
        )
        in_order(shapes)
        flat = [(None, *shape[1:]) for shape in flat]
        found: list[Any] = []

        def shapes_of_outputs(shapes: list[Shape]) -> list[Shape]:
            samples = 2  # with 1, a mean over the batch would look like an output for each sample
            zeros = [np.zeros((samples, *sample_sizes(shape)), self.dtype) for shape in shapes]
            found[:] = [self._call_own(zeros, training=False)]
            return [(None, *output.shape[1:]) for output in leaves_of(found[0])]

        self._structures = structure, None
        try:
            before = {weight: weight.numpy() for weight in self.weights}
            with paused(), np.errstate(all="ignore"):
                output_shapes = inferred_shape(shapes_of_outputs, flat)
            for weight, value in before.items():
                if not np.array_equal(weight.numpy(), value, equal_nan=True):
                    weight.assign(value)  # `call` assigned it
        except BaseException:
            self._structures = None, None
            raise
        self._structures = structure, nested_as(found[0], [0] * len(output_shapes))
        self._shapes = flat, output_shapes
        for layer in self.layers:
            layer._parents.add(self)

    def _build_from(self, argument: str, x: Any) -> None:
        is_nested = isinstance(x, dict) or (
            isinstance(x, (list, tuple)) and all(hasattr(each, "ndim") for each in x) and x
        )
        if not is_nested:
            return super()._build_from(argument, x)
        arrays = [as_samples(leaf, argument) for leaf in leaves_of(x)]
        shapes = nested_as(x, [(None, *array.shape[1:]) for array in arrays])
        return self.build(list(shapes) if isinstance(shapes, tuple) else shapes)

    @brief_traceback
    def _symbolic(self, x: Any) -> Any:
        if self._shapes is None:
            shapes = nested_as(x, [tensor.shape for tensor in leaves_of(x)])
            self.build(list(shapes) if isinstance(x, tuple) else shapes)
        return super()._symbolic(x)

    def _build_layers(self) -> None:
        if self._shapes is None:
            raise ValueError(f"the model '{self.name}' is not built: call it with data first")

    # The computation.

    def _call_own(self, x: Sequence[Any], training: bool | None) -> Any:
        """Return the outputs of `call` as tensors, for the inputs one by one."""
        where = f"{type(self).__name__}.call"
        arguments = samples_as_tensors(nested_as(self._structures[0], x), where, self.dtype)
        with entered(training) as call:
            options = {"training": call.training} if _takes_training(type(self)) else {}
            outputs = self.call(arguments, **options)
        samples = len(x[0])
        results = []
        for output in leaves_of(outputs):
            is_tensor = hasattr(type(output), "__tensor__")
            result = output.__tensor__() if is_tensor else Tensor(as_array(output, where))
            if result.ndim < 1 or len(result) != samples:
                raise ValueError(
                    f"{where}: expected an output (batch, …) for each of {samples} samples, got shape "
                    f"{shape_text(result.shape)}"
                )
            results.append(result if result.dtype == self.dtype else cast(result, self.dtype))
        if self._shapes is not None:
            shapes = [(None, *result.shape[1:]) for result in results]
            if not all(map(matches, shapes, self._shapes[1])) or len(shapes) != len(
                self._shapes[1]
            ):
                expected, got = (
                    " and ".join(map(shape_text, s)) for s in (self._shapes[1], shapes)
                )
                raise ValueError(
                    f"{where}: expected outputs of the shapes that it had first, {expected}, got {got}"
                )
        return nested_as(outputs, results)

    def _new_function(self, frozen: set[Layer], *, training: bool | None) -> Any:
        del frozen  # the layers that `call` calls know it
        return CallFunction(self, training=bool(training))

    def _add_calls(self, operands: Sequence[int], calls: Calls) -> list[int]:
        count = len(self.output_shapes)
        return calls.add(
            ModelLayer(self),
            operands,
            takes_list=len(operands) > 1,
            results=count if count > 1 else None,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; a subclass with a `call` defines it.

        Raises
        ------
        TypeError
            If it doesn't.
        """
        raise TypeError(
            f"{type(self).__name__}: define get_config(), which returns the constructor's arguments, to save the "
            "model; save_weights() saves its weights"
        )

    def get_build_config(self) -> dict[str, Any] | None:
        """Return what a file holds besides `get_config`: the shapes of the inputs, and how they are nested."""
        if self._shapes is None:
            return None
        structure = self._structures[0]
        keys = sorted(structure) if isinstance(structure, dict) else None
        shapes = [list(shape) for shape in self._shapes[0]]
        return {"input_shapes": shapes, "keys": keys, "nested": isinstance(structure, (dict, list))}

    def build_from_config(self, config: Any) -> None:
        """Build the model as `get_build_config` describes it."""
        shapes: Any = [tuple(shape) for shape in config["input_shapes"]]
        if config["keys"] is not None:
            shapes = dict(zip(config["keys"], shapes, strict=True))
        self.build(shapes if config["nested"] else shapes[0])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _build_once(own_build: Callable[..., None]) -> Callable[..., None]:
    """Return a user's `build` that runs once, and finds the shapes of the outputs afterwards."""

    @wraps(own_build)
    @brief_traceback
    def build(self: CallModel, input_shape: Any = None) -> None:
        if self.built or input_shape is None:
            return
        if not self._own_build_ran:
            own_build(self, input_shape)
            self._own_build_ran = True
        self._find_shapes(input_shape)

    return build


@lru_cache(maxsize=256)
def _takes_training(cls: type[Any]) -> bool:
    parameters = inspect.signature(cls.call).parameters.values()
    return any(each.name == "training" or each.kind is each.VAR_KEYWORD for each in parameters)


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}_{n + 1}" for n in range(count)]


Model._kinds["call"] = CallModel
