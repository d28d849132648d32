"""Weights of layers: arrays that the engine owns."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .. import _core, constraints, regularizers
from .._data import Array, FloatArray, as_array, as_shape, as_text, as_type, shape_text
from .._errors import short_repr
from .._tapes import running
from .._tracebacks import brief_traceback
from .._updates import engine_shape
from ..autodiff.operators import Operators

__all__ = ["INTEGERS", "HasWeights", "Weight", "assign_all", "penalties_of", "read_all"]


# The dtypes of integers that weights may have.
INTEGERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))


class Owner(Protocol):
    """The part of `Layer` that a weight uses."""

    dtype: str
    trainable: bool

    @property
    def path(self) -> str: ...


class Weight(Operators):
    """An array of numbers of a layer, owned by the engine.

    ``numpy()`` and ``np.asarray(weight)`` return copies, ``assign(value)`` sets the numbers. Python's operators
    and the operations of `cnet.ops` and `cnet.autodiff` take it, and return tensors.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : str
        An integer type for counters and the like, which are not trained.
    engine_dtype : str
        The dtype of the layer, in which the engine, and files, hold the numbers.
    learnable : bool
        Whether training changes the weight if its layer is trainable.
    regularizer : Regularizer, function or None
    constraint : Constraint, function or None
    in_engine : bool
        Whether the engine computes the regularizer and the constraint, and not Python.
    variable
        The variable of the engine.
    """

    def __init__(
        self,
        layer: Owner,
        name: str,
        shape: tuple[int, ...],
        *,
        trainable: bool = True,
        dtype: str | None = None,
    ) -> None:
        # Models have weights too, but only layers add them.
        if not isinstance(layer, HasWeights) or not hasattr(layer, "add_weight"):
            raise TypeError(f"Weight: layer: expected a Layer, got {short_repr(layer)}")
        self.name = as_text("Weight: name", name)
        self.shape = as_shape("Weight: shape", shape, least=1)
        self.engine_dtype = layer.dtype
        self.dtype = layer.dtype if dtype is None else dtype
        self.variable = _core.Variable[layer.dtype](list(engine_shape(self.shape)))
        self.learnable = trainable
        self.regularizer: Any = None
        self.constraint: Any = None
        self.in_engine = True
        self._layer = layer

    @property
    def layer(self) -> Any:
        """The layer that has added the weight."""
        return self._layer

    @property
    def path(self) -> str:
        """The names of the layer and the weight: "dense/kernel"."""
        return f"{self._layer.path}/{self.name}"

    @property
    def trainable(self) -> bool:
        """True if training changes the weight: it is `learnable`, and its layer trainable."""
        return self.learnable and self._layer.trainable

    def regulate(self, regularizer: Any, constraint: Any) -> None:
        """Set the regularizer and the constraint."""
        penalty = regularizers.engine_penalty(regularizer)
        projection = constraints.engine_projection(constraint)
        if regularizer is not self.regularizer:
            self.variable.regularize(*(penalty or regularizers.NO_PENALTY))
        if constraint is not self.constraint:
            self.variable.constrain(*(projection or constraints.NO_PROJECTION))
        self.regularizer, self.constraint = regularizer, constraint
        self.in_engine = penalty is not None and projection is not None

    def numpy(self) -> FloatArray:
        """Return a copy of the numbers."""
        return self.variable.numpy().reshape(self.shape).astype(self.dtype, copy=False)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def value(self) -> FloatArray:
        """A copy of the numbers."""
        return self.numpy()

    def checked(self, value: npt.ArrayLike) -> FloatArray:
        """Return `value` in the weight's dtype; raise `ValueError` unless it has the weight's shape."""
        argument = f"{type(self._layer).__name__}.{self.name}"
        array = as_array(value, argument)
        if array.shape != self.shape:
            raise ValueError(
                f"{argument}: expected {self.dtype} {self.shape}, got {array.dtype} {array.shape}"
            )
        if self.dtype != self.engine_dtype:
            self._require_integers(array, argument)
        return as_type(array, self.dtype)

    def _require_integers(self, array: Array, argument: str) -> None:
        """Raise `ValueError` unless all numbers are whole, and so small that the engine's floats hold them."""
        known = np.iinfo(self.dtype)
        most = 2 ** (24 if self.engine_dtype == "float32" else 53)
        least, most = max(known.min, -most), min(known.max, most)
        with np.errstate(invalid="ignore"):
            if not np.all((array >= least) & (array <= most) & (np.floor(array) == array)):
                raise ValueError(
                    f"{argument}: expected whole numbers in [{least}, {most}], got {short_repr(array)}"
                )

    @brief_traceback
    def assign(self, value: npt.ArrayLike) -> None:
        """Set the numbers to an array of the same shape, rounded to the weight's dtype."""
        array = self.checked(value).astype(self.engine_dtype, copy=False)
        self.variable.assign(array.reshape(engine_shape(self.shape)))

    def assign_add(self, delta: npt.ArrayLike) -> None:
        """Add an array of the weight's shape."""
        self.assign(self.numpy() + self.checked(delta))

    def assign_sub(self, delta: npt.ArrayLike) -> None:
        """Subtract an array of the weight's shape."""
        self.assign(self.numpy() - self.checked(delta))

    def __tensor__(self) -> Any:
        """Return the current numbers as a tensor that running tapes connect to this weight."""
        from ..autodiff import recording
        from ..autodiff.tensor import Tensor

        tensor = Tensor(self.numpy())
        recording.read(self, tensor)
        return tensor

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(f"{self.path}: the engine's numbers can't be shared, only copied")
        return self.numpy().astype(dtype or self.dtype, copy=False)

    def __getstate__(self) -> dict[str, Any]:
        # For pickle and copy: the engine's numbers as an array.
        return (
            vars(self)
            | {"variable": self.numpy(), "regularizer": None, "constraint": None}
            | {"_rules": (self.regularizer, self.constraint)}
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        rules = state.pop("_rules")
        vars(self).update(state)
        value: Any = self.variable
        self.variable = _core.Variable[self.engine_dtype](list(engine_shape(self.shape)))
        self.assign(value)
        self.regulate(*rules)

    def __repr__(self) -> str:
        return f"<Weight {self.path}, shape={self.shape}, dtype={self.dtype}>"


class HasWeights:
    """Common base of layers and models."""

    @property
    def weights(self) -> list[Weight]:
        """All weights, in order."""
        raise NotImplementedError

    name: str
    # The layer or model that has this one as an attribute, and the attribute.
    _owner: tuple[Any, str] | None = None
    # The models that contain this object.
    _parents: weakref.WeakSet[Any]

    @property
    def path(self) -> str:
        """The name that those of the weights begin with: the layer's; of an attribute, its name after the owner's."""
        if self._owner is None:
            return self.name
        owner, attribute = self._owner
        return attribute if hasattr(owner, "layers") else f"{owner.path}/{attribute}"

    def _ancestors(self) -> Iterator[Any]:
        """Yield the models that contain this object, directly or nested."""
        for parent in list(self._parents):
            yield parent
            yield from parent._ancestors()

    def _check_name_is_free(self, name: str) -> None:
        """Raise `ValueError` if a model has another layer of that name."""
        for parent in list(self._parents):
            if any(layer.name == name and layer is not self for layer in parent.layers):
                raise ValueError(
                    f"{self!r}: name: '{parent.name}' has another layer named '{name}'"
                )

    @property
    def trainable_weights(self) -> list[Weight]:
        """The weights that training changes."""
        return [weight for weight in self.weights if weight.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The weights that training doesn't change."""
        return [weight for weight in self.weights if not weight.trainable]

    @property
    def variables(self) -> list[Weight]:
        """Keras's other name for `weights`."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Weight]:
        """Keras's other name for `trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Weight]:
        """Keras's other name for `non_trainable_weights`."""
        return self.non_trainable_weights

    def get_weights(self) -> list[FloatArray]:
        """Return copies of all weights, layer by layer: [kernel, bias, kernel, …]."""
        weights = self.weights
        arrays = zip(read_all(weights), weights, strict=True)
        return [array.astype(weight.dtype, copy=False) for array, weight in arrays]

    @brief_traceback
    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Set all weights, in the order of `get_weights`; on an error none is changed."""
        assign_all(self.weights, weights, f"{type(self).__name__}.set_weights")

    def count_params(self) -> int:
        """Return the number of elements of all weights."""
        return sum(math.prod(weight.shape) for weight in self.weights)


def penalties_of(weights: Iterable[Weight]) -> list[Any]:
    """Return the penalty of each weight that has a regularizer: numbers, on a tape tensors.

    Raises
    ------
    TypeError, ValueError
        If a penalty is not a single number.
    """
    penalties = []
    for weight in weights:
        if weight.regularizer is not None:
            penalty = weight.regularizer(weight)
            number = as_array(getattr(penalty, "value", penalty), f"{weight.path}: its penalty")
            if number.shape:
                raise ValueError(
                    f"{weight.path}: its penalty: expected a single number, got shape "
                    f"{shape_text(number.shape)}"
                )
            penalties.append(penalty if running.tapes else float(number))
    return penalties


def read_all(weights: list[Weight]) -> list[FloatArray]:
    """Return copies of all weights as the engine holds them, read atomically."""
    if not weights:
        return []
    variables = [weight.variable for weight in weights]
    arrays = _core.Variable[weights[0].engine_dtype].all_numpy(variables)
    return [array.reshape(weight.shape) for array, weight in zip(arrays, weights, strict=True)]


def assign_all(weights: list[Weight], values: Iterable[npt.ArrayLike], call: str) -> None:
    """Check all values, then assign them to the weights atomically."""
    if not isinstance(values, Iterable):
        raise TypeError(f"{call}: expected a list of arrays, got {short_repr(values)}")
    values = list(values)
    if len(values) != len(weights):
        raise ValueError(f"{call}: expected {len(weights)} arrays, got {len(values)}")
    checked = [weight.checked(value) for weight, value in zip(weights, values, strict=True)]
    if weights:
        variables = [weight.variable for weight in weights]
        dtype = weights[0].engine_dtype
        arrays = [
            array.astype(dtype, copy=False).reshape(engine_shape(array.shape)) for array in checked
        ]
        _core.Variable[dtype].assign_all(variables, arrays)
