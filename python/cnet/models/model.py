"""Base class of models: what the parts for training, prediction and files have in common."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ClassVar

from .. import _core
from .._data import as_count, as_samples, as_text, is_integer, require_default, unwrap_single_input
from .._errors import short_repr
from .._names import auto_name, snake_case
from .._overrides import RejectsOverrides
from ..callbacks import History
from ..layers import Layer
from ..layers.weight import HasWeights
from ._summary import print_summary
from .files import Saver
from .prediction import Predictor
from .trainer import Trainer

__all__ = ["BaseModel"]


class BaseModel(HasWeights, RejectsOverrides, Trainer, Predictor, Saver):
    """Training, evaluation, prediction and files of models.

    Attributes
    ----------
    history : History
        Of the latest `fit`; updated after each epoch.
    stop_training : bool
        Set to True in a batch hook to end `fit` after the batch, in an epoch hook after the epoch.
    stop_evaluating, stop_predicting : bool
        Set to True in a batch hook to end `evaluate` or `predict` after the batch.
    """

    _not_overridable: ClassVar = dict.fromkeys(
        ("make_train_function", "make_test_function", "make_predict_function"),
        "override train_step, test_step or predict_step instead",
    )

    _set_by_init: ClassVar = "_nodes"

    history: History
    stop_training: bool = False
    stop_evaluating: bool = False
    stop_predicting: bool = False

    #: The classes of models that a configuration may name.
    _by_name: ClassVar[dict[str, type[Any]]] = {}

    def __init__(self, name: str | None = None) -> None:
        self._parents = weakref.WeakSet()
        self._nodes: list[Any] = []
        self.name = auto_name(snake_case(type(self).__name__)) if name is None else name
        self._use = _core.Use()
        self._frozen: set[Layer] = set()

    @property
    def name(self) -> str:
        """The model's name; also its name as a layer of another model."""
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        name = as_text(f"{type(self).__name__}: name", value)
        self._check_name_is_free(name)
        self._name = name

    def _build_from(self, argument: str, x: Any) -> None:
        """Build the model for samples."""
        samples = as_samples(unwrap_single_input(x), argument)
        self.build((None, *samples.shape[1:]))

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """Return a layer by its name or its position.

        Raises
        ------
        ValueError
            If there is no such layer, or if both or none of the arguments are given.
        """
        if (name is None) == (index is None):
            raise ValueError("get_layer: expected either a name or an index")
        if index is not None:
            if not is_integer(index):
                raise TypeError(f"get_layer: index: expected an integer, got {short_repr(index)}")
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"get_layer: no layer {index} among {len(self.layers)}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = ", ".join(f"'{layer.name}'" for layer in self.layers)
        raise ValueError(f"get_layer: expected one of {known}, got {short_repr(name)}")

    def summary(
        self,
        line_length: int | None = None,
        positions: None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: None = None,
    ) -> None:
        """Print a table of the layers with their output shapes and numbers of parameters.

        Parameters
        ----------
        print_fn : function of str, default print
            Called with each line.
        expand_nested : bool, default False
            Whether to list the layers of nested models.
        show_trainable : bool, default False
            Whether to show a column that says which layers are trainable.
        line_length : int, optional
            Minimum width of the table in characters.
        positions, layer_range
            Not supported: leave them None.
        """
        least = 0 if line_length is None else as_count("summary: line_length", line_length)
        require_default("summary", "positions", positions)
        require_default("summary", "layer_range", layer_range)
        print_summary(
            self, print_fn, least, expand_nested=expand_nested, show_trainable=show_trainable
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> BaseModel:
        twin: BaseModel = type(self).__new__(type(self))
        memo[id(self)] = twin
        # A snapshot between two batches, if another thread is training; pickle reads layer by layer.
        with self.network.snapshot() if self.built else nullcontext():
            twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        # For pickle and copy. The engine's objects are made again when needed.
        return vars(self) | {
            "_use": None,
            "_network": None,
            "_native": None,
            "_rows_network": None,
            "_functions": {},
            "_nodes": [],
            "_parents": None,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _use=_core.Use(), _parents=weakref.WeakSet())
        for layer in self.layers:
            layer._parents.add(self)
