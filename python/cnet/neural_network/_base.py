"""What MLPClassifier and MLPRegressor have in common."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._data import Array, FloatArray
from ..callbacks import Callback
from ._coefficients import HasCoefficients
from ._lbfgs import minimize
from ._network import ACTIVATIONS, Network, Shape
from ._objectives import Objective
from ._training import Monitor, Validation, new_optimizer, train

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["STOCHASTIC_SOLVERS", "BaseMultilayerPerceptron", "dense"]

STOCHASTIC_SOLVERS = ("sgd", "adam")

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)


def dense(x: Any) -> Array:
    """Return samples as an array; those of a sparse matrix are copied."""
    array: Array = x.toarray() if hasattr(x, "toarray") else x
    return array


class BaseMultilayerPerceptron(HasCoefficients, BaseEstimator):
    """Base of the estimators: fitting, the weights as arrays, and the outputs."""

    activation: str
    alpha: float
    batch_norm: bool
    batch_size: int | str
    beta_1: float
    beta_2: float
    callbacks: Iterable[Callback] | Callback | None
    dropout: float
    early_stopping: bool
    epsilon: float
    hidden_layer_sizes: Any
    learning_rate: str
    learning_rate_init: float
    loss: str
    max_fun: int
    max_iter: int
    momentum: float
    n_iter_no_change: float
    nesterovs_momentum: bool
    power_t: float
    random_state: Any
    shuffle: bool
    solver: str
    tol: float
    validation_fraction: float
    verbose: bool | int
    warm_start: bool

    n_features_in_: int
    n_outputs_: int
    out_activation_: str

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "batch_norm": ["boolean"],
        "callbacks": [None, Callback, "array-like"],
    }

    def _set_parameters(self, given: Mapping[str, Any]) -> None:
        """Set the parameters to the local variables of a constructor."""
        for name in self._get_param_names():
            setattr(self, name, given[name])

    @property
    def _optimizer(self) -> Any:
        """The optimizer of sgd and adam."""
        return None if self._network is None else self._network.model.optimizer

    # Fitting.

    def _shape(self, features: int, dtype: Any) -> Shape:
        """Return the shape of the network for some data."""
        sizes = self.hidden_layer_sizes
        hidden = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if any(size <= 0 for size in hidden):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        # scikit-learn's lbfgs computes in float64 too.
        precision = "float64" if self.solver == "lbfgs" else np.dtype(dtype).name
        return Shape(
            (features, *map(int, hidden), self.n_outputs_),
            self.activation,
            self.out_activation_,
            float(self.dropout),
            bool(self.batch_norm),
            precision,
        )

    def _network_for(self, x: Array) -> Network:
        """Return the network to train; after a change of parameters a new one with the same coefficients."""
        network = self._current_network()
        precision = x.dtype if self.solver == "lbfgs" else network.shape.dtype
        shape = self._shape(x.shape[1], precision)
        if shape != network.shape:
            self._network = Network(shape)
            self._network.set_coefficients(*network.coefficients())
        return self._network or network

    def _out_activation(self) -> str:
        raise NotImplementedError

    def _objective(self) -> Objective:
        raise NotImplementedError

    def _validate_input(self, x: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        raise NotImplementedError

    def _engine_targets(self, y: Array) -> Array:
        """Return targets (samples, outputs) as the loss takes them."""
        return y

    def _score(self, x: Any, y: Any, sample_weight: FloatArray | None) -> float:
        raise NotImplementedError

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, validation_data: Any = None
    ) -> Self:
        """Train.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, (samples, features)
        y : array_like, (samples,) or (samples, outputs)
            Labels or numbers
        sample_weight : array_like, (samples,), optional
            The loss of a batch is the weighted mean over its samples.
        validation_data : tuple (X, y) or (X, y, sample_weight), optional
            Samples to score after each epoch of "adam" or "sgd". With early stopping none are held out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is invalid, or the loss is not finite.
        """
        fitted: Self = self._fit(X, y, sample_weight, validation_data=validation_data)
        return fitted

    def _fit(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        *,
        incremental: bool = False,
        validation_data: Any = None,
    ) -> Any:
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        first = not self.__sklearn_is_fitted__() or not (self.warm_start or incremental)
        given_labels = y
        x, y = self._validate_input(x, y, incremental, reset=first)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, x)
        weights = self._with_class_weight(sample_weight, given_labels)
        x, y = dense(x), y.reshape(len(y), -1)
        random = check_random_state(self.random_state)
        if first:
            self._initialize(x, y, random)
        network = self._network_for(x)
        if self.solver == "lbfgs":
            if validation_data is not None:
                raise ValueError("validation_data needs a stochastic solver, 'sgd' or 'adam'")
            minimize(self, network, self._objective(), x, self._engine_targets(y), weights)
        else:
            self._fit_stochastic(
                network, x, y, sample_weight, weights, random, incremental, validation_data
            )
        if not all(np.isfinite(array).all() for array in network.model.get_weights()):
            raise ValueError(NOT_FINITE)
        self._refresh_arrays()
        return self

    def _with_class_weight(self, sample_weight: Any, y: Any) -> Any:  # noqa: ARG002 # of classifiers
        """Return the sample weights, multiplied by those of the classes."""
        return sample_weight

    def _initialize(self, x: Array, y: Array, random: np.random.RandomState) -> None:
        """Make a new network and forget the figures of earlier ones."""
        self.n_outputs_ = y.shape[1]
        self.out_activation_ = self._out_activation()
        shape = self._shape(x.shape[1], x.dtype)
        self.n_layers_ = len(shape.units)
        seed = int(random.randint(2**31 - 1)) if shape.dropout else 0
        network = Network(shape, seed)
        network.initialize(random)
        self._network, self._arrays = network, None
        self.n_iter_ = self.t_ = 0
        if self.solver in STOCHASTIC_SOLVERS:
            self._forget_figures()

    def _forget_figures(self) -> None:
        self.loss_curve_: list[float] = []
        self._no_improvement_count = 0
        self.best_loss_: float | None = None
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_: float | None = None

    def _begin_figures(self, *, validates: bool) -> None:
        """Make the figures that this call adds to; earlier calls may have had others."""
        if not hasattr(self, "loss_curve_"):
            self._forget_figures()
        if validates and self.validation_scores_ is None:
            self.validation_scores_, self.best_validation_score_ = [], -np.inf
        if not self.early_stopping and self.best_loss_ is None:
            self.best_loss_ = np.inf

    def _fit_stochastic(
        self,
        network: Network,
        x: Array,
        y: Array,
        sample_weight: FloatArray | None,
        weights: FloatArray | None,
        random: np.random.RandomState,
        incremental: bool,
        validation_data: Any,
    ) -> None:
        objective, model = self._objective(), network.model
        if not incremental or self._optimizer is None:
            model.compile(new_optimizer(self), objective.loss, [objective.factor])
        validation = None
        if validation_data is not None:
            validation = self._given_validation(validation_data)
        elif self.early_stopping:
            rows, held_out = self._split(y, random)
            score = self._scorer(x[held_out], y[held_out], sample_weight, held_out)
            validation = Validation(score, stops=True)
            x, y = x[rows], y[rows]
            weights = None if weights is None else weights[rows]
        self._begin_figures(validates=validation is not None)
        monitor = Monitor(self, network, objective, validation, len(x))
        callbacks = self.callbacks or []
        try:
            train(
                self,
                network,
                x,
                self._engine_targets(y),
                weights,
                monitor=monitor,
                epochs=1 if incremental else self.max_iter,
                seed=int(random.randint(2**31 - 1)),
                callbacks=[callbacks] if isinstance(callbacks, Callback) else callbacks,
            )
        except FloatingPointError as error:
            if not self.early_stopping or incremental:
                raise ValueError(f"{NOT_FINITE} ({error})") from error
            self._record_divergence(error)
        else:
            stopped = model.stop_training or incremental
            if self.n_iter_ == self.max_iter and not stopped:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                    "optimization hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=4,
                )
        if monitor.best_weights is not None:
            model.set_weights(monitor.best_weights)

    def _record_divergence(self, error: FloatingPointError) -> None:
        """Record an epoch whose loss is not finite; the weights of the best epoch are kept."""
        self.n_iter_ += 1
        self.loss_ = np.nan
        self.loss_curve_.append(np.nan)
        if self.validation_scores_ is not None:
            self.validation_scores_.append(np.nan)
        warnings.warn(
            f"Training ended in epoch {self.n_iter_}, and the weights are those of the best epoch: {error}",
            ConvergenceWarning,
            stacklevel=5,
        )

    def _split(self, y: Array, random: np.random.RandomState) -> tuple[Array, Array]:
        """Return the rows to train on, and those held out for early stopping."""
        rows, held_out = train_test_split(
            np.arange(len(y)),
            random_state=random,
            test_size=self.validation_fraction,
            stratify=self._strata(y),
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        return rows, held_out

    def _strata(self, y: Array) -> Array | None:  # noqa: ARG002 # of classifiers
        """Return what to stratify the split by."""
        return None

    def _scorer(
        self, x: Array, y: Array, sample_weight: FloatArray | None, rows: Array
    ) -> Callable[[], float]:
        """Return a function for the score of held-out rows."""
        labels = self._labels_of(y)
        weights = None if sample_weight is None else sample_weight[rows]
        return lambda: self._score(x, labels, weights)

    def _labels_of(self, y: Array) -> Any:
        """Return labels as the user gave them."""
        return y

    def _given_validation(self, validation_data: Any) -> Validation:
        """Return the validation on data of the user."""
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            raise ValueError(
                "validation_data: expected (X, y) or (X, y, sample_weight), got "
                f"{type(validation_data).__name__}"
            )
        x, y, *weights = validation_data
        x = dense(validate_data(self, x, accept_sparse=["csr", "csc"], reset=False))
        return Validation(
            lambda: self._score(x, y, weights[0] if weights else None), stops=self.early_stopping
        )

    def _check_solver(self) -> bool:
        if self.solver not in STOCHASTIC_SOLVERS:
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    # Predicting.

    def _outputs(self, x: Any) -> FloatArray:
        """Return the outputs (samples, outputs) for data of the user."""
        if self._arrays is None and self._network is not None and self._is_plain(x):
            return self._network(x)
        check_is_fitted(self)
        x = validate_data(self, x, accept_sparse=["csr", "csc"], reset=False)
        return self._current_network()(dense(x))

    def _is_plain(self, x: Any) -> bool:
        """Whether `validate_data` would return the array as it is; it takes longer than the network for a row."""
        return (
            type(x) is np.ndarray
            and x.dtype.type in (np.float64, np.float32)
            and x.ndim == 2
            and len(x) > 0
            and x.shape[1] == self.n_features_in_
            and "feature_names_in_" not in vars(self)
            and bool(np.isfinite(x).all())
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
