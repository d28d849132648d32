"""The base class of optimizers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias, TypedDict

from .. import _core
from .._data import as_number, as_optional_count, as_text, require_default
from .._errors import reject_unknown_options, short_repr
from .._names import auto_name, snake_case
from .._serialization import HasOptions, described, find_class, named_object, parameters_of
from .._tracebacks import brief_traceback
from . import schedules
from .own_steps import OwnSteps
from .rate import Rate
from .schedules import LearningRateSchedule
from .updater import Updater

__all__ = ["BELOW_1", "BaseOptions", "LearningRate", "Optimizer", "Options", "in_range"]

LearningRate: TypeAlias = float | LearningRateSchedule | Callable[[], float]

_SCHEDULES = {name: getattr(schedules, name) for name in schedules.__all__ if name[0].isupper()}

# The largest number below 1.
BELOW_1 = math.nextafter(1.0, 0.0)


class BaseOptions(TypedDict, total=False):
    """Options of all optimizers, including `AdamW`; see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: None
    gradient_accumulation_steps: int | None
    name: str | None


class Options(BaseOptions, total=False):
    """Options of all optimizers but `AdamW`."""

    weight_decay: float | None


class Optimizer(OwnSteps, HasOptions):
    """Base of all optimizers.

    An optimizer of one's own overrides `update_step`, `build` if it has variables, and `get_config` if its constructor
    takes arguments that it does not store in attributes of their names. A subclass of any optimizer may override
    `apply(grads, trainable_variables)`, to change the gradients first. The model then trains on a tape; the engine still
    computes its layers.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or function without arguments
        Schedules and functions are called for every batch: at the start of each epoch for all of its
        batches, or before each batch if a callback has hooks for batches.
    name : str, optional
        Default: the name of the class in snake case, numbered.
    weight_decay : float, optional
        Before each step, ``weights -= learning_rate * weight_decay * weights`` (Loshchilov and
        Hutter, "Decoupled weight decay regularization", ICLR 2019).
    clipnorm : float, optional
        Largest norm of the gradient of each weight; longer gradients are scaled down.
    clipvalue : float, optional
        The elements of gradients are clipped to [-clipvalue, clipvalue].
    global_clipnorm : float, optional
        Largest norm of all gradients together (Pascanu, Mikolov and Bengio, "On the difficulty of
        training recurrent neural networks", ICML 2013). At most one of the three limits may be set.
    use_ema : bool, default False
        Maintain a running mean of the weights, ``mean += (1 - ema_momentum) * (weights - mean)`` after
        each batch, and replace the weights by it when `fit` ends (Polyak and Juditsky,
        "Acceleration of stochastic approximation by averaging", 1992).
    ema_momentum : float in [0, 1], default 0.99
    ema_overwrite_frequency : int, optional
        Number of steps after which the mean also replaces the weights during training.
    gradient_accumulation_steps : int, optional
        Number of batches, at least 2, whose mean gradient is used for one step.
    loss_scale_factor
        Not supported; must be None.

    Attributes
    ----------
    learning_rate : float
        Can be assigned at any time and applies from the next epoch. For a schedule: the next batch's
        rate.
    iterations : int
        Number of steps taken.

    Raises
    ------
    TypeError, ValueError
        If an argument isn't a number, is out of range, or is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import autodiff, ops, optimizers
    >>> class SignDescent(optimizers.Optimizer):
    ...     def build(self, variables):
    ...         super().build(variables)
    ...         self.means = self.add_optimizer_variables(variables, "mean")
    ...     def update_step(self, gradient, variable, learning_rate):
    ...         mean = self.means[self._get_variable_index(variable)]
    ...         self.assign(mean, 0.5 * mean + 0.5 * gradient)
    ...         self.assign_sub(variable, learning_rate * ops.sign(mean))
    >>> w, optimizer = autodiff.Variable([1.0, -2.0]), SignDescent(0.25)
    >>> optimizer.apply([np.array([3.0, -0.5])], [w])
    >>> w.numpy(), optimizer.variables[0].numpy()
    (array([ 0.75, -1.75], dtype=float32), array([ 1.5 , -0.25], dtype=float32))
    """

    _stored_as: ClassVar[dict[str, str]] = {"learning_rate": "_learning_rate"}

    _set_by_init: ClassVar = "_learning_rate"

    def __init__(
        self,
        learning_rate: LearningRate,
        name: str | None = None,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: None = None,
        gradient_accumulation_steps: int | None = None,
        **unknown: Any,
    ) -> None:
        reject_unknown_options(self, unknown)
        vars(self).update(self._unbuilt())
        self.loss_scale_factor = require_default(
            type(self).__name__, "loss_scale_factor", loss_scale_factor
        )
        self.name = (
            auto_name(snake_case(type(self).__name__)) if name is None else as_text("name", name)
        )
        #: Number of batches seen, updated by the trainer.
        self.batches = 0
        self._learning_rate: LearningRate = 0.0
        self._updater: Updater | None = None
        self.learning_rate = learning_rate
        self.weight_decay = (
            None if weight_decay is None else in_range("weight_decay", weight_decay, 0.0, math.inf)
        )
        limits = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        limits = {key: value for key, value in limits.items() if value is not None}
        if len(limits) > 1:
            raise ValueError(
                f"expected at most one of clipnorm, clipvalue and global_clipnorm, got {short_repr(limits)}"
            )
        self.clipnorm = _above_0("clipnorm", clipnorm)
        self.clipvalue = _above_0("clipvalue", clipvalue)
        self.global_clipnorm = _above_0("global_clipnorm", global_clipnorm)
        self.use_ema = bool(use_ema)
        self.ema_momentum = in_range("ema_momentum", ema_momentum, 0.0, 1.0)
        self.ema_overwrite_frequency = as_optional_count(
            "ema_overwrite_frequency", ema_overwrite_frequency
        )
        self.gradient_accumulation_steps = as_optional_count(
            "gradient_accumulation_steps", gradient_accumulation_steps, least=2
        )

    @property
    def _state(self) -> frozenset[str]:
        return frozenset({"batches", "_updater", *self._unbuilt()})

    @property
    def learning_rate(self) -> Rate:
        """The learning rate: a float with the `assign` and `numpy` of Keras's variable."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return Rate(self, rate.rate(self.batches))
        return Rate(self, self._checked(rate) if callable(rate) else rate)

    @learning_rate.setter
    def learning_rate(self, value: LearningRate) -> None:
        if callable(value) and not isinstance(value, type):  # schedules are callable too
            self._learning_rate = value
            return
        if isinstance(self._learning_rate, LearningRateSchedule):
            raise TypeError(
                f"learning_rate: the optimizer has the schedule {self._learning_rate.name}, "
                f"which can't be replaced by a number, got {short_repr(value)}"
            )
        self._learning_rate = in_range("learning_rate", value, 0.0, math.inf)

    @staticmethod
    def _checked(rate: Callable[[], float]) -> float:
        return in_range("learning_rate()", rate(), 0.0, math.inf)

    @property
    def iterations(self) -> int:
        """Number of steps taken."""
        return self.batches // (self.gradient_accumulation_steps or 1)

    def learning_rates(self, batches: int, first: int) -> list[float]:
        """Return the rates of `batches` batches from `first` on, an empty list for a constant rate."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return [rate.rate(first + n) for n in range(batches)]
        return [self._checked(rate) for _ in range(batches)] if callable(rate) else []

    @brief_traceback
    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> int:
        """Take a step, with the same bits as in `fit` for the same gradients.

        Parameters
        ----------
        grads_and_vars : iterable of (gradient, variable)
            Variables are weights of layers or `cnet.autodiff` variables, of one dtype. Those whose
            gradient is None don't change.

        Returns
        -------
        int
            `iterations`.

        Raises
        ------
        TypeError
            If an item is not such a pair.
        ValueError
            If a gradient hasn't the shape of its variable, all gradients are None, or a variable occurs
            twice.
        RuntimeError
            If another call is training one of them.

        Notes
        -----
        The state of one of cnet's optimizers for the variables and its count of steps are separate from those of `fit`;
        `iterations` is that of the latest call of either. Copies and files don't contain them. An optimizer of one's own
        holds its state itself, as in Keras: it has one list of variables, and one count.

        Examples
        --------
        >>> from cnet import autodiff, optimizers
        >>> w, optimizer = autodiff.Variable([1.0, -2.0]), optimizers.SGD(0.25)
        >>> for _ in range(3):
        ...     with autodiff.GradientTape() as tape:
        ...         loss = autodiff.reduce_sum(w**2)
        ...     steps = optimizer.apply_gradients([(tape.gradient(loss, w), w)])
        >>> w.numpy(), steps
        (array([ 0.125, -0.25 ], dtype=float32), 3)
        """
        pairs = list(grads_and_vars)
        self._updater = self._updater or Updater()
        first = self._updater.batches if self.in_engine else self.batches
        rates = self.learning_rates(1, first)
        self.batches = self._updater.apply(self, rates[0] if rates else None, pairs)
        return self.iterations

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> None:
        """Take a step with a gradient for each variable: see `apply_gradients`.

        Parameters
        ----------
        grads : iterable of Tensor, array or None
        trainable_variables : iterable of Weight or Variable, optional
            Default: those of `build`, or of the latest step.

        Raises
        ------
        ValueError
            Also if there are not as many gradients as variables.
        """
        if trainable_variables is None:
            latest = [] if self._updater is None else self._updater.variables
            trainable_variables = self._trained or latest
        gradients, variables = list(grads), list(trainable_variables)
        if len(gradients) != len(variables):
            raise ValueError(
                f"apply: expected a gradient for each of {len(variables)} variables, got {len(gradients)}"
            )
        self.apply_gradients(zip(gradients, variables, strict=True))

    @property
    def has_own_apply(self) -> bool:
        """Whether a subclass overrides `apply` or `apply_gradients`."""
        own = Optimizer.apply, Optimizer.apply_gradients
        return (type(self).apply, type(self).apply_gradients) != own

    def updater_of(self, variables: Sequence[Any]) -> Updater:
        """Return the state of `apply_gradients` for these variables."""
        if self._updater is None:
            self._updater = Updater()
        self._updater.prepare(self, list(variables))
        return self._updater

    def finalize_variable_values(self, trainable_variables: Any = None) -> None:  # noqa: ARG002 # Keras's
        """Replace the variables of `apply_gradients` by their running means, with `use_ema`."""
        if self._updater is not None:
            self._updater.finish()

    def __getstate__(self) -> dict[str, Any]:
        # The engine's state for variables of `apply_gradients` isn't copied, and weights belong to their layers.
        return vars(self) | {"_updater": None, "_trained": [], "_positions": {}}

    @property
    def slot_names(self) -> list[str]:
        """The names of the slots of each weight; for an optimizer of one's own, of all its variables."""
        if self.in_engine:
            return self.rule().slot_names
        return [slot.name for slot in self._slots]

    def slots_by_path(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        """Return what has the shape and dtype of each slot, by its name in a file: "momentum/dense/kernel".

        Parameters
        ----------
        weights : dict of str to Weight
            The model's weights by their names in the file.
        """
        trained = {path: weight for path, weight in weights.items() if weight.trainable}
        if self.in_engine:
            names = self.slot_names
            return {f"{slot}/{path}": weight for path, weight in trained.items() for slot in names}
        self.prepare(list(trained.values()))
        paths = {id(weight): path for path, weight in weights.items()}
        return {self._path(slot, paths): slot.variable for slot in self._slots}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, without counts and state."""
        rate: Any = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            rate = described(rate, rate.get_config())
        names = self._option_names | set(parameters_of(type(self))) - {"learning_rate"}
        return {"learning_rate": rate} | {k: v for k, v in vars(self).items() if k in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return an optimizer made from the result of `get_config`.

        Raises
        ------
        ValueError
            If the learning-rate schedule is not one of `schedules`, or its function is not known.
        """
        config = dict(config)
        rate = config["learning_rate"] = named_object(config.get("learning_rate"))
        if isinstance(rate, str):
            raise ValueError(  # noqa: TRY004 # of a file
                f"learning_rate: the function {short_repr(rate)} is not registered or among the custom_objects"
            )
        if isinstance(rate, dict):
            cls_of_rate, options = find_class(rate, _SCHEDULES, "learning_rate")
            config["learning_rate"] = cls_of_rate.from_config(options)
        return cls(**config)

    def _rule(self, name: str, **numbers: Any) -> _core.Optimizer:
        """Return the engine's rule `name` with its numbers and the options of all rules."""
        if not self.in_engine:  # then the options are applied around `update_step`
            return _core.Optimizer(name, learning_rate=0.0, **numbers)
        rate = self._learning_rate
        return _core.Optimizer(
            name,
            learning_rate=rate if isinstance(rate, float) else 0.0,  # else see learning_rates
            weight_decay=self.weight_decay or 0.0,
            clip_value=self.clipvalue or 0.0,
            clip_norm=self.clipnorm or 0.0,
            global_clip_norm=self.global_clipnorm or 0.0,
            accumulation=self.gradient_accumulation_steps or 1,
            averages=self.use_ema,
            average_momentum=self.ema_momentum,
            overwrite_frequency=self.ema_overwrite_frequency or 0,
            **numbers,
        )


def in_range(name: str, value: Any, low: float, high: float) -> float:
    """Return `value` as a float in [low, high]; raise otherwise."""
    return as_number(name, value, least=low, most=high)


def _above_0(name: str, value: Any) -> float | None:
    return None if value is None else as_number(name, value, above=0)
