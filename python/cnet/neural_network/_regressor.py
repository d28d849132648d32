"""The regressor."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from .._data import FloatArray
from ._base import BaseMultilayerPerceptron
from ._objectives import Objective, objective_of

__all__ = ["MLPRegressor"]

LOSSES = {"squared_error", "poisson", "absolute_error", "huber", "quantile"}


class MLPRegressor(RegressorMixin, BaseMultilayerPerceptron):
    r"""Regressor with dense hidden layers, of one or several numbers per sample.

    Parameters
    ----------
    loss : str, default "squared_error"
        With the error e = y − prediction, summed over the outputs:

        - "squared_error": ½ e²; the reported losses are the mean over the outputs, as in scikit-learn.
        - "poisson": half the Poisson deviance, for y of at least 0. The output is the exponential of
          the last layer.
        - "absolute_error": \|e\|, whose minimum is the median.
        - "huber": ½ e² where \|e\| ≤ `delta`, else ``delta`` · (\|e\| − ½ ``delta``).
        - "quantile": ``max(quantile * e, (quantile - 1) * e)``, whose minimum is the quantile.

        "poisson" and "quantile" train on a tape, batch by batch, which is slower.
    delta : float above 0, default 1
        Of the loss "huber".
    quantile : float in [0, 1], default 0.5
        Of the loss "quantile".
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init
        As for `MLPClassifier`, as are all others. There is no `class_weight`.
    power_t, max_iter, shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum
        See `MLPClassifier`.
    early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        See `MLPClassifier`.
    dropout, batch_norm, callbacks
        See `MLPClassifier`.

    Attributes
    ----------
    coefs_, intercepts_, loss_, loss_curve_, best_loss_, n_iter_, t_
        As for `MLPClassifier`.
    validation_scores_, best_validation_score_ : list of float, float, or None
        The coefficients of determination, R², with early stopping or `validation_data`, and the best of them.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        As in scikit-learn.

    See Also
    --------
    MLPClassifier : The same for labels.

    References
    ----------
    Koenker and Bassett, "Regression quantiles", Econometrica 46(1), 1978.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet.neural_network import MLPRegressor
    >>> x = np.linspace(-3, 3, 200).reshape(-1, 1)
    >>> regressor = MLPRegressor(solver="lbfgs", random_state=0).fit(x, np.sin(x[:, 0]))
    >>> bool(abs(regressor.predict([[np.pi / 2]])[0] - 1) < 0.05)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMultilayerPerceptron._parameter_constraints,
        "loss": [StrOptions(LOSSES)],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "quantile": [Interval(Real, 0, 1, closed="both")],
    }
    delta: float
    quantile: float

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        batch_norm: bool = False,
        delta: float = 1.0,
        quantile: float = 0.5,
        callbacks: Any = None,
    ) -> None:
        self._set_parameters(locals())

    def _out_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def _objective(self) -> Objective:
        return objective_of(
            self.loss, self.out_activation_, self.n_outputs_, self.delta, self.quantile
        )

    def _validate_input(self, x: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        del incremental
        x, y = validate_data(
            self,
            x,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self.loss == "poisson" and (y < 0).any():
            raise ValueError(f"y: expected numbers of at least 0 for loss='poisson', got {y.min()}")
        return x, y

    def _score(self, x: Any, y: Any, sample_weight: FloatArray | None) -> float:
        network = self._network
        assert network is not None
        outputs = network(x)
        if not np.isfinite(outputs).all():
            return float(np.nan)
        score: float = r2_score(y, outputs, sample_weight=sample_weight)
        return score

    @available_if(BaseMultilayerPerceptron._check_solver)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train for one epoch, continuing from the call before.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            If the solver is "lbfgs".
        ValueError
            As for `fit`, or with early stopping.
        """
        fitted: MLPRegressor = self._fit(X, y, sample_weight, incremental=True)
        return fitted

    def predict(self, X: Any) -> FloatArray:
        """Return the prediction of each sample, (samples,) or (samples, outputs).

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, (samples, features)
        """
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs
