"""The classifier."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import validate_data

from .._data import Array, FloatArray
from ._base import BaseMultilayerPerceptron
from ._objectives import Objective, objective_of

__all__ = ["MLPClassifier"]


class MLPClassifier(ClassifierMixin, BaseMultilayerPerceptron):
    """Classifier with dense hidden layers; minimizes the log-loss.

    Two classes, and labels that don't exclude each other (rows of 0 and 1), have logistic outputs, more
    classes a softmax.

    Parameters
    ----------
    hidden_layer_sizes : array_like of int, default (100,)
        The number of units of each hidden layer.
    activation : str, default "relu"
        Of the hidden layers: "identity", "logistic", or a name of `cnet.activations`.
    solver : {"adam", "sgd", "lbfgs"}, default "adam"
        "lbfgs" is `scipy.optimize.minimize` over the whole set, in float64. It suits small sets.
    alpha : float, default 0.0001
        The loss of a batch includes ``0.5 * alpha * sum(w ** 2)`` of all kernels, divided by the number
        of its samples, or by the sum of their weights.
    batch_size : int or "auto", default "auto"
        "auto" is ``min(200, samples)``.
    learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
        Of "sgd". "invscaling": ``learning_rate_init / (t_ + 1) ** power_t`` after each epoch.
        "adaptive": divided by 5 each time that training would stop, until 1e-6.
    learning_rate_init : float, default 0.001
    power_t : float, default 0.5
    max_iter : int, default 200
        Number of epochs, of "lbfgs" the number of iterations.
    shuffle : bool, default True
        Whether each epoch takes the samples in a new order.
    random_state : int, RandomState or None, default None
        Determines the initial weights, the split of early stopping, the order of the samples and dropout.
        The initial weights and the split of two classes are those of scikit-learn.
    tol : float, default 1e-4
        Training stops when the loss, or with early stopping the score, has not improved by at least `tol`
        for more than `n_iter_no_change` epochs. For "lbfgs" the largest component of the gradient.
    verbose : bool, default False
        Whether to print the loss of each epoch.
    warm_start : bool, default False
        Whether `fit` continues from the weights of the call before.
    momentum : float in [0, 1], default 0.9
    nesterovs_momentum : bool, default True
        Options of "sgd": see `cnet.optimizers.SGD`.
    early_stopping : bool, default False
        Whether to hold out a part of the samples, stop by their score, and keep the best weights. Classes
        are split in proportion.
    validation_fraction : float in [0, 1), default 0.1
    beta_1 : float in [0, 1), default 0.9
    beta_2 : float in [0, 1), default 0.999
    epsilon : float, default 1e-8
        Options of "adam": see `cnet.optimizers.Adam`.
    n_iter_no_change : int or inf, default 10
    max_fun : int, default 15000
        Largest number of evaluations of the loss by "lbfgs".
    dropout : float in [0, 1), default 0
        Fraction of the outputs of each hidden layer that training sets to 0. Not for "lbfgs".
    batch_norm : bool, default False
        Whether a `BatchNormalization` with momentum 0.9 precedes the activation of each hidden layer. Not
        for "lbfgs".
    class_weight : dict, "balanced", list of dict or None, default None
        Factors of the sample weights: see `sklearn.utils.class_weight.compute_sample_weight`. The scores
        of early stopping ignore them.
    callbacks : Callback or list of Callback, optional
        Their hooks are called by "adam" and "sgd". ``callback.model`` is the `Sequential` that ends before
        the output activation. The logs of an epoch have "loss", and with validation "val_score".

    Attributes
    ----------
    classes_ : array
        The labels, sorted.
    coefs_, intercepts_ : list of array
        The kernel, (inputs, units), and the bias, (units,), of each layer. They may be changed.
    loss_ : float
        Of the latest epoch, with the penalty.
    loss_curve_ : list of float
        The losses of all epochs. Not for "lbfgs", nor are the following.
    best_loss_ : float or None
        The least of them, None with early stopping.
    validation_scores_, best_validation_score_ : list of float, float, or None
        The accuracies with early stopping or `validation_data`, and the best of them.
    n_iter_ : int
        Number of epochs or iterations of the latest call.
    t_ : int
        Number of samples trained on, in all epochs.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        As in scikit-learn. `n_layers_` counts the input.

    Notes
    -----
    float32 samples are computed in float32, others in float64. A sparse matrix is copied as an array.

    See Also
    --------
    MLPRegressor : The same for numbers.
    cnet.Sequential : Models of any layers.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from cnet.neural_network import MLPClassifier
    >>> x, y = load_iris(return_X_y=True)
    >>> classifier = MLPClassifier(max_iter=500, random_state=0).fit(x, y)
    >>> classifier.predict(x[::50])
    array([0, 1, 2])
    >>> classifier.score(x, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMultilayerPerceptron._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), list, None],
    }
    loss = "log_loss"
    classes_: Array

    def __init__(
        self,
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
        class_weight: Any = None,
        callbacks: Any = None,
    ) -> None:
        self._set_parameters(locals())

    def _out_activation(self) -> str:
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _objective(self) -> Objective:
        return objective_of("log_loss", self.out_activation_, self.n_outputs_)

    def _validate_input(self, x: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        x, y = validate_data(
            self,
            x,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        known = hasattr(self, "classes_") and (self.warm_start or incremental)
        if not known:
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(y))
        return x, self._label_binarizer.transform(y).astype(bool)

    def _check_classes(self, classes: Array) -> None:
        """Raise `ValueError` if labels are not the classes of the calls before."""
        if self.warm_start and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {classes}"
            )
        if not set(classes) <= set(self.classes_):
            raise ValueError(
                f"`y` has classes not in `self.classes_`: expected some of {self.classes_}, got {classes}"
            )

    def _with_class_weight(self, sample_weight: Any, y: Any) -> Any:
        if self.class_weight is None:
            return sample_weight
        weights = compute_sample_weight(self.class_weight, y)
        return weights if sample_weight is None else weights * sample_weight

    def _engine_targets(self, y: Array) -> Array:
        return y.argmax(axis=1) if self.out_activation_ == "softmax" else y.view(np.uint8)

    def _labels_of(self, y: Array) -> Any:
        return self._label_binarizer.inverse_transform(y)

    def _strata(self, y: Array) -> Array | None:
        if self.n_outputs_ == 1:
            return y
        if self.out_activation_ != "softmax":
            return None
        # Classes too small for the split don't make it fail, as in scikit-learn.
        counts = np.bincount(y.argmax(axis=1))
        held_out = int(np.ceil(self.validation_fraction * len(y)))
        splits = min(held_out, len(y) - held_out) >= len(counts) and counts.min() >= 2
        return y.argmax(axis=1) if splits else None

    def _score(self, x: Any, y: Any, sample_weight: FloatArray | None) -> float:
        network = self._network
        assert network is not None
        outputs = network(x)
        if not np.isfinite(outputs).all():
            return float(np.nan)
        score: float = accuracy_score(y, self._classes_of(outputs), sample_weight=sample_weight)
        return score

    def _classes_of(self, outputs: FloatArray) -> Any:
        """Return the labels for outputs of the network."""
        if self.n_outputs_ == 1:
            outputs = outputs.ravel()
        return self._label_binarizer.inverse_transform(outputs)

    @available_if(BaseMultilayerPerceptron._check_solver)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> MLPClassifier:
        """Train for one epoch, continuing from the call before.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array_like, optional
            All labels that any call will have; needed by the first call.

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
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit: the classes' "
                "numbers of samples are unknown; pass a dict, or sample weights"
            )
        if _check_partial_fit_first_call(self, classes):
            is_multilabel = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if is_multilabel else classes)
        fitted: MLPClassifier = self._fit(X, y, sample_weight, incremental=True)
        return fitted

    def predict(self, X: Any) -> Any:
        """Return the label of each sample, or for independent labels rows of 0 and 1.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, (samples, features)
        """
        return self._classes_of(self._outputs(X))

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the probabilities of the classes, (samples, classes), in the order of `classes_`.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, (samples, features)
        """
        outputs = self._outputs(X)
        return np.hstack([1 - outputs, outputs]) if self.n_outputs_ == 1 else outputs

    def predict_log_proba(self, X: Any) -> FloatArray:
        """Return the logarithms of `predict_proba`."""
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
