"""The part of `Optimizer` for optimizers of one's own: variables, and `update_step`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core, initializers
from .._data import as_shape, as_text
from .._errors import missing
from .._names import unused_name
from ..config import standardize_dtype
from .rule_step import constant, first_slots, take_step
from .updater import as_variables

__all__ = ["OwnSteps", "Slot"]

_UPDATE_STEP = "update_step(gradient, variable, learning_rate)"


@dataclass(frozen=True)
class Slot:
    """A variable of an optimizer.

    Attributes
    ----------
    name : str
    variable : Variable
    position : int or None
        Which of the weights, that the optimizer was built for, it belongs to.
    """

    name: str
    variable: Any
    position: int | None


class OwnSteps:
    """Keras's methods for optimizers of one's own, which override `update_step`, and `build` if they have variables."""

    use_ema: bool
    gradient_accumulation_steps: int | None
    iterations: Any  # a property of Optimizer
    #: Whether the variables have been made.
    built: bool
    _slots: list[Slot]
    # The weights that the optimizer was built for, none in a copy; their shapes, and their positions by `id`.
    _trained: list[Any]
    _shapes: list[tuple[int, ...]]
    _positions: dict[int, int]
    # The variables of `use_ema` and of `gradient_accumulation_steps`.
    _averages: list[Any]
    _accumulators: list[Any]
    # Those of the engine's rule, of a subclass of one of cnet's optimizers, for each weight.
    _rule_slots: list[list[Any]]

    @staticmethod
    def _unbuilt() -> dict[str, Any]:
        """Return these attributes before the optimizer is built."""
        lists = ("_slots", "_trained", "_shapes", "_averages", "_accumulators", "_rule_slots")
        return {"built": False, "_positions": {}} | {name: [] for name in lists}

    @property
    def in_engine(self) -> bool:
        """Whether the engine computes the steps, and not a user's `update_step`."""
        return type(self).update_step is OwnSteps.update_step

    def rule(self) -> _core.Optimizer:
        """Return the engine's rule for the next steps; each of cnet's optimizers overrides it."""
        if self.in_engine:
            raise NotImplementedError(missing(self, _UPDATE_STEP))
        return self._rule("sgd")  # which nothing uses

    def _rule(self, name: str, **numbers: Any) -> _core.Optimizer:
        """Return the engine's rule of a name."""
        raise NotImplementedError

    @property
    def has_rule(self) -> bool:
        """Whether it is, or derives from, one of cnet's optimizers."""
        return type(self).rule is not OwnSteps.rule

    def build(self, variables: Sequence[Any]) -> None:
        """Make the optimizer's variables for weights; called once, before the first step.

        An optimizer of one's own that has variables overrides it, and calls ``super().build(variables)`` first.

        Parameters
        ----------
        variables : list of Weight or Variable
            What the optimizer will train.

        Raises
        ------
        TypeError
            If they are anything else.
        ValueError
            If there are none.
        """
        variables = as_variables(f"{type(self).__name__}.build: variables", variables)
        if not variables:
            raise ValueError(f"{type(self).__name__}.build: expected at least one variable")
        if self.in_engine:
            self.updater_of(variables)
            self.built = True
            return
        self._bind(variables)
        self._shapes = [tuple(variable.shape) for variable in variables]
        self._add_shared_slots()
        self._add_rule_slots()
        self.built = True

    def updater_of(self, variables: Sequence[Any]) -> Any:
        """Return the engine's state for weights."""
        raise NotImplementedError

    def _bind(self, variables: Sequence[Any]) -> None:
        self._trained = list(variables)
        self._positions = {id(variable): n for n, variable in enumerate(variables)}

    def _add_shared_slots(self) -> None:
        """Make the variables that the options of all optimizers ask for."""
        if self.use_ema and not self._averages:
            self._averages = self.add_optimizer_variables(self._trained, "average")
            for average, variable in zip(self._averages, self._trained, strict=True):
                average.assign(variable.numpy())
        if self.gradient_accumulation_steps and not self._accumulators:
            self._accumulators = self.add_optimizer_variables(self._trained, "gradient_accumulator")

    def _add_rule_slots(self) -> None:
        """Make the variables of the engine's rule, if there is one."""
        for variable in self._trained if self.has_rule else []:
            slots = [
                self.add_variable_from_reference(variable, name, constant(value))
                for name, value in first_slots(self.rule(), variable).items()
            ]
            self._rule_slots.append(slots)

    def prepare(self, variables: Sequence[Any]) -> None:
        """Build the optimizer for weights if it isn't; a copy continues with the weights of a copied model.

        Raises
        ------
        ValueError
            If it was built for others.
        """
        if not self.built:
            try:
                self.build(variables)
                if not self._trained:
                    raise TypeError(
                        f"{type(self).__name__}.build: it must call super().build(variables)"
                    )
            except BaseException:
                vars(self).update(self._unbuilt())
                raise
        elif not self._trained and self._shapes == [tuple(each.shape) for each in variables]:
            self._bind(variables)
        for variable in variables:
            self._get_variable_index(variable)
        self._add_shared_slots()

    @property
    def variables(self) -> list[Any]:
        """The variables of an optimizer of one's own, in the order in which they were made."""
        return [slot.variable for slot in self._slots]

    def _get_variable_index(self, variable: Any) -> int:
        """Return the position of a weight among those that the optimizer was built for."""
        try:
            return self._positions[id(variable)]
        except KeyError:
            raise ValueError(
                f"{type(self).__name__}: {getattr(variable, 'path', variable.name)} is none of the "
                f"{len(self._shapes)} variables that the optimizer was built for; make another optimizer"
            ) from None

    def _path(self, slot: Slot, paths: Mapping[int, str]) -> str:
        """Return a slot's name in a file, such as "momentum/dense/kernel", given those of weights by their `id`."""
        if slot.position is None:
            return slot.name
        reference = self._trained[slot.position]
        return f"{slot.name}/{paths.get(id(reference), getattr(reference, 'path', slot.position))}"

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Any:
        """Make a variable of the optimizer, which files hold by its name.

        Parameters
        ----------
        shape : tuple of int
        initializer : str or Initializer, default "zeros"
        dtype : {"float32", "float64"}, default `cnet.config.floatx()`
        name : str, default "variable"
            Numbered if there is another of the name.
        aggregation, layout
            Ignored.

        Returns
        -------
        cnet.autodiff.Variable
        """
        del aggregation, layout
        dtype = standardize_dtype(dtype, type(self).__name__)
        return self._add_slot(shape, initializer, dtype, name or "variable", None)

    def add_variable_from_reference(
        self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
    ) -> Any:
        """Make a variable of the shape and dtype of a weight.

        Parameters
        ----------
        reference_variable : Weight or Variable
        name : str, default "var"
            Files hold the variable as "optimizer/name/path of the weight".
        initializer : str or Initializer, default "zeros"

        Returns
        -------
        cnet.autodiff.Variable
        """
        call = f"{type(self).__name__}.add_variable_from_reference"
        as_variables(call, [reference_variable])
        shape, dtype = reference_variable.shape, reference_variable.dtype
        position = self._get_variable_index(reference_variable)
        return self._add_slot(shape, initializer, dtype, name or "var", position)

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Any], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Return a variable for each weight; for a list of names, a tuple of such lists."""
        if isinstance(name, str):
            return [
                self.add_variable_from_reference(variable, name, initializer)
                for variable in trainable_variables
            ]
        several = isinstance(initializer, (list, tuple))
        each_initializer = initializer if several else [initializer] * len(name)
        added: tuple[list[Any], ...] = tuple([] for _ in name)
        for variable in trainable_variables:
            for found, one, start in zip(added, name, each_initializer, strict=True):
                found.append(self.add_variable_from_reference(variable, one, start))
        return added

    def _add_slot(
        self, shape: Any, initializer: Any, dtype: Any, name: str, position: int | None
    ) -> Any:
        from ..autodiff import Variable

        call = f"{type(self).__name__}.add_variable"
        name = as_text(f"{call}: name", name)
        shape = as_shape(f"{call}: shape", shape, least=1)
        value = initializers.get(initializer)(shape, dtype=str(np.dtype(dtype)))
        taken = {slot.name for slot in self._slots if slot.position == position}
        name = unused_name(name, taken)
        variable = Variable(value, trainable=False, name=name, dtype=dtype)
        self._slots.append(Slot(name, variable, position))
        return variable

    def assign(self, variable: Any, value: Any) -> None:
        """Set a weight, or a variable of the optimizer."""
        variable.assign(value)

    def assign_add(self, variable: Any, value: Any) -> None:
        """Add to a weight, or to a variable of the optimizer."""
        variable.assign_add(value)

    def assign_sub(self, variable: Any, value: Any) -> None:
        """Subtract from a weight, or from a variable of the optimizer."""
        variable.assign_sub(value)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change a weight by its gradient; an optimizer of one's own overrides it.

        That of one of cnet's optimizers, which an override may call, is a step of the engine.

        Parameters
        ----------
        gradient : Tensor
            After accumulation and clipping.
        variable : Weight or Variable
            It has decayed by `weight_decay` already.
        learning_rate : float
        """
        if not self.has_rule:
            raise NotImplementedError(missing(self, _UPDATE_STEP))
        slots = self._rule_slots[self._get_variable_index(variable)]
        take_step(self.rule(), self.iterations, slots, gradient, variable, learning_rate)
