"""The base class of layers."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar, TypedDict

import numpy as np

from .. import constraints, initializers, regularizers
from .._data import as_count, as_shape, as_text, shape_text
from .._errors import missing, reject_unknown_options
from .._names import auto_name, snake_case
from .._serialization import Configurable
from .._tracebacks import brief_traceback
from .._typing import Shape
from ..config import standardize_dtype
from ._build_lock import build_lock
from .batch_shapes import as_batch_shape, check_input_shape
from .build_config import HasBuildConfig
from .function import Function
from .layer_calls import LayerCalls
from .python_call import map_shapes, require_regularizer
from .symbolic import Node
from .weight import INTEGERS, HasWeights, Weight

__all__ = ["Layer", "LayerOptions"]


class LayerOptions(TypedDict, total=False):
    """Options of all layers."""

    name: str | None
    trainable: bool
    dtype: str | None
    input_shape: Shape | None
    input_dim: int | None


class Layer(LayerCalls, Configurable, HasBuildConfig, HasWeights):
    """Base of all layers.

    A layer of one's own overrides `call`, and `build` if it has weights; both get their arguments as in Keras. Its
    attributes may be layers. It runs on the tape inside any model, whose other layers the engine computes.

    Parameters
    ----------
    name : str, optional
        Default: the name of the class in snake case, numbered.
    trainable : bool, default True
    dtype : {"float32", "float64"}, default `cnet.config.floatx()`
    input_shape : tuple of int and None, optional
        Shape of one sample, for the first layer of a model; an alternative to `Input`.
    input_dim : int, optional
        ``input_shape=(input_dim,)``.
    activity_regularizer : str, Regularizer or function, optional
        Penalty of the output, divided by the number of samples and added to the loss. The layer is then computed on
        a tape.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import layers
    >>> class Scale(layers.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
    ...     def call(self, x):
    ...         return x * self.factor
    >>> scale = Scale(name="scale")
    >>> scale(np.array([[1.0, 2.0]])), [weight.path for weight in scale.weights]
    (array([[1., 2.]], dtype=float32), ['scale/factor'])
    """

    _not_overridable: ClassVar = {"__call__": "override call(x), the output, instead"}
    _set_by_init: ClassVar = "_nodes"
    #: True if the layer is the identity outside of training.
    only_in_training = False
    #: True if steps that the input's mask leaves out are left out of the output, too.
    supports_masking = False
    #: True if the layer would need a mask to compute.
    refuses_mask = False
    #: True if the layer is the mean over the steps of a sample, of those that its mask leaves in.
    averages_unmasked = False
    #: True if id 0 is no step: the output has a mask.
    mask_zero = False
    #: True if the layer returns its numbers unchanged, so that they may be ids.
    passes_ids = False
    _optional_in_config: ClassVar = {"activity_regularizer": None, "input_shape": None}
    _of_keras_alone: ClassVar = {"autocast": True}
    _stored_as: ClassVar = dict.fromkeys(
        ("shape", "input_shape", "input_dim", "batch_shape"), "sample_shape"
    )

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
        input_shape: Shape | None = None,
        input_dim: int | None = None,
        activity_regularizer: Any = None,
        **unknown: Any,
    ) -> None:
        reject_unknown_options(self, unknown)
        if input_dim is not None:
            call = type(self).__name__
            if input_shape is not None:
                raise ValueError(f"{call}: expected input_shape or input_dim, got both")
            input_shape = (as_count(f"{call}: input_dim", input_dim, least=1),)
        self.activity_regularizer = require_regularizer(type(self).__name__, activity_regularizer)
        self.name = (
            auto_name(snake_case(type(self).__name__))
            if name is None
            else as_text(f"{type(self).__name__}: name", name)
        )
        self.trainable = bool(trainable)
        self.dtype = self._checked_dtype(dtype)
        self.sample_shape = (
            None if input_shape is None else check_input_shape(input_shape, self.name)
        )
        # The first shape that it was built for; a list of them for a layer that takes a list.
        self.input_shape: Any = None
        self._own_weights: list[Weight] = []
        # Functions of the engine, by the shape, the mode and whether the layer trains.
        self._functions: dict[Any, Function] = {}
        self._parents: weakref.WeakSet[Any] = weakref.WeakSet()
        # Its calls with symbolic tensors.
        self._nodes: list[Node] = []

    def _checked_dtype(self, dtype: Any) -> str:
        """Return the dtype for an argument of the constructor; raise for one that is not supported."""
        return standardize_dtype(dtype, type(self).__name__)

    @property
    def _state(self) -> frozenset[str]:
        return frozenset(
            {"input_shape", "_own_weights", "_functions", "_owner", "_parents", "_nodes"}
        )

    @property
    def weights(self) -> list[Weight]:  # type: ignore[override] # not to be assigned
        """The layer's own weights, then those of layers among its attributes."""
        own = list(self._own_weights)
        if self.has_own_call:
            own += [weight for layer in self.sublayers() for weight in layer.weights]
        return list(dict.fromkeys(own)) if self.has_own_call else own

    @property
    def built(self) -> bool:
        """True once the shape of the input is known."""
        return self.input_shape is not None

    @built.setter
    def built(self, value: bool) -> None:
        """Do nothing: for code that sets it at the end of `build`, as Keras's guides do."""

    @brief_traceback
    def build(self, input_shape: Any) -> None:
        """Create the weights for inputs of `input_shape`, (None, …), unless they exist.

        Raises
        ------
        ValueError
            If the layer doesn't support such inputs, or was built for others.
        """
        call = f"{type(self).__name__} '{self.name}'"
        if self.has_own_call:
            input_shape = map_shapes(partial(_without_batch, call), input_shape)
        else:
            input_shape = _without_batch(call, input_shape)
        with build_lock():
            if self.input_shape != input_shape and not (self.built and self.has_one_shape):
                before = self._own_weights
                try:
                    self._make_weights(input_shape)
                except BaseException:
                    self._own_weights = before
                    raise
                self.input_shape = input_shape
        if self.input_shape != input_shape and not self._fits(input_shape):
            raise ValueError(
                f"{type(self).__name__} '{self.name}': expected input of shape "
                f"{shape_text(self.input_shape or ())}, got {shape_text(input_shape)}"
            )

    def _fits(self, input_shape: Shape) -> bool:
        """Whether a layer with one shape, built for another one, accepts this one as well: its features are as many."""
        return bool(self.input_shape[-1] == input_shape[-1])

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the output, (None, …), for inputs of `input_shape`."""
        return input_shape  # type: ignore[no-any-return] # a shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, (None, …).

        Raises
        ------
        AttributeError
            Before the layer is built.
        """
        if self.input_shape is None:
            raise AttributeError(f"{type(self).__name__} '{self.name}' is not built yet")
        return self.compute_output_shape(self.input_shape)

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: str | None = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Weight:
        """Create a weight of the layer with initial values.

        Parameters
        ----------
        shape : tuple or list of int, default ()
        initializer : str or Initializer, default "glorot_uniform", for integers "zeros"
        dtype : str, default that of the layer
            Or that of integers, such as "int32", for weights that are not trainable: counters. Their numbers are at
            most 2²⁴, in layers of float64 2⁵³.
        trainable : bool, default True
            Whether training changes it.
        regularizer : str, Regularizer or function, optional
        constraint : str, Constraint or function, optional
        name : str, default "variable", numbered
        autocast, aggregation, overwrite_with_gradient
            Ignored.

        Returns
        -------
        Weight
        """
        del autocast, aggregation, overwrite_with_gradient
        call = f"{type(self).__name__} '{self.name}': add_weight"
        if isinstance(shape, str):
            raise TypeError(
                f"{call}: shape: expected a tuple of int, got '{shape}'; pass name='{shape}'"
            )
        if isinstance(shape, (int, np.integer)):
            shape = (int(shape),)
        is_integer = isinstance(dtype, str) and dtype in INTEGERS
        if is_integer and trainable:
            raise ValueError(f"{call}: expected trainable=False for integers, of dtype {dtype}")
        if dtype is not None and not is_integer and standardize_dtype(dtype, call) != self.dtype:
            raise ValueError(
                f"{call}: dtype: expected that of the layer, {self.dtype}, or integers, got {dtype}"
            )
        shape = as_shape(f"{call}: shape", shape, least=1)
        default = "zeros" if is_integer else "glorot_uniform"
        initializer = initializers.get(default if initializer is None else initializer)
        names = {weight.name for weight in self._own_weights}
        if name is None:
            name = next(
                each
                for n in itertools.count()
                if (each := f"variable_{n}" if n else "variable") not in names
            )
        value = initializers.make(initializer, shape, self.dtype)
        weight = Weight(self, name, shape, trainable=trainable, dtype=dtype if is_integer else None)
        weight.assign(value)
        weight.regulate(regularizers.get(regularizer), constraints.get(constraint))
        self._own_weights = [*self._own_weights, weight]
        return weight

    def __getstate__(self) -> dict[str, Any]:
        # For pickle and copy: the weights, which are the engine's objects, as arrays.
        dropped: dict[str, Any] = {"_parents": None, "_nodes": [], "_functions": {}}
        if self.has_own_call:  # its attributes may be weights
            return vars(self) | dropped | {"_added_losses": (), "_added_in": None}
        return vars(self) | dropped | {"_own_weights": self.get_weights()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _parents=weakref.WeakSet())
        if self.has_own_call:
            return
        shape, arrays = state["input_shape"], state["_own_weights"]
        self.unbuild()
        if shape is not None:
            with initializers.override(np.zeros):
                self.build(shape)
            self.set_weights(arrays)

    def unbuild(self) -> None:
        """Discard the input's shape and the weights."""
        self.input_shape, self._own_weights, self._functions = None, [], {}

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:
        """Add this layer to a network of the engine.

        Parameters
        ----------
        network : Network of the engine
        x : int or list of int
            The tensor of the network that the layer takes, or a list of them.
        shape : tuple or list of tuple
            The shape of each, (None, …).
        trainable : bool, default True

        Returns
        -------
        int
            The tensor of the output. Its numbers are in order; how they are divided into rows is up to the
            layer: see `features`.
        """
        raise NotImplementedError(missing(self, "add_to(network, x, shape, trainable)"))

    def with_sublayers(self) -> Iterator[Any]:
        """Yield the layer, and those among its attributes."""
        yield self
        for layer in self.sublayers():
            yield from layer.with_sublayers()

    def occurrence(self, number: int) -> Layer:  # noqa: ARG002 # random layers do
        """Return the layer to compute at repetition `number` of this layer in a model."""
        return self

    def python_function(self, *, training: bool) -> Callable[[Any], Any] | None:  # noqa: ARG002 # subclasses do
        """Return a function of arrays and tensors that computes the layer, None if the engine does."""
        return None

    def _make_weights(self, input_shape: Shape) -> None:
        """Create the weights for inputs of `input_shape`; raise `ValueError` if it isn't supported."""

    def _update_from(self, attribute: str, other: Any) -> None:
        if attribute == "trainable":  # training reads it when it begins
            super()._update_from(attribute, other)
            for layer in self.sublayers():
                layer.trainable = other.trainable
            return
        if attribute == "name":
            self._check_name_is_free(other.name)
        ancestors = list(self._ancestors())
        for model in ancestors:
            model._refuse_if_in_use()
        if self.input_shape is not None:
            with initializers.override(np.zeros):
                other.build(self.input_shape)
            self._update_weight_rules(attribute, other)
        super()._update_from(attribute, other)
        self._functions = {}
        for model in ancestors:
            model._rebuild_network()

    def _update_weight_rules(self, attribute: str, other: Any) -> None:
        """Copy the regularizers and constraints of another layer; raise if its weights differ in shape."""

        def structure(layer: Any) -> Any:
            weights = [(w.name, w.shape, w.dtype) for w in layer.weights]
            return weights, layer.dtype, layer.output_shape

        if structure(self) != structure(other):
            raise ValueError(
                f"{type(self).__name__} '{self.name}': {attribute}: the layer is built, with an output of "
                f"{self.dtype} {shape_text(self.output_shape)} and {self.count_params()} numbers in its "
                "weights, which can't change; create another layer"
            )
        for weight, new in zip(self.weights, other.weights, strict=True):
            weight.regulate(new.regularizer, new.constraint)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _without_batch(call: str, shape: Any) -> Shape:
    return (None, *as_batch_shape(call, shape)[1:])
