"""Models of one's own as scikit-learn's estimators, with Keras's names.

`SKLearnClassifier`, `SKLearnRegressor` and `SKLearnTransformer` take a compiled model, or a function that makes
one from the data. This module needs scikit-learn (``pip install "cnet[sklearn]"``). `cnet.neural_network` has
estimators that need no model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, ClassVar

try:
    import sklearn as _sklearn  # noqa: F401 # for the message
except ImportError as error:
    raise ImportError(
        f'cnet.wrappers: {error}; pip install "cnet[sklearn]"', name=error.name
    ) from None

from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from ._data import Array, FloatArray
from ._errors import short_repr
from .callbacks import History
from .models import Model, clone_model

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]


def __dir__() -> list[str]:
    return __all__


class SKLBase(BaseEstimator):
    """Base of the wrappers."""

    model_: Any
    history_: History

    # scikit-learn makes `set_fit_request` of it.
    __metadata_request__fit: ClassVar = {"sample_weight": None}

    def __init__(
        self,
        model: Model | Callable[..., Any],
        warm_start: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    @property
    def epoch_(self) -> int:
        """Number of epochs of the latest `fit`."""
        return len(self.history_.epoch) if hasattr(self, "history_") else 0

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
        """Train the model.

        Parameters
        ----------
        X : array_like or data frame, (samples, features)
        y : array_like, (samples,) or (samples, outputs)
        **kwargs
            Arguments of the model's `fit`, before those of `fit_kwargs`.

        Returns
        -------
        self

        Raises
        ------
        RuntimeError
            If the model is not compiled.
        TypeError, ValueError
            If an argument is invalid, or what the function returned is no model.
        """
        x, y = validate_data(self, X, y, multi_output=True)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        targets = self._fit_targets(y)
        model = self._model_for(x, targets)
        self.history_ = model.fit(x, targets, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def _model_for(self, x: Array, targets: Array) -> Any:
        """Return the model to train: a new one, unless training continues."""
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if not isinstance(self.model, Model):
            model = self.model(X=x, y=targets, **(self.model_kwargs or {}))
            if not hasattr(model, "fit"):
                raise TypeError(
                    f"{type(self).__name__}: model: expected a function that returns a model, got "
                    f"{short_repr(model)}"
                )
        else:
            model = self.model if self.warm_start else _untrained(self.model)
        if not (model.compiled and model.loss and model.optimizer):
            raise RuntimeError(
                f"{type(self).__name__}: the model '{model.name}' needs to be compiled with a loss and an optimizer"
            )
        return model

    def _fit_targets(self, y: Array) -> Array:
        """Return targets (samples, outputs) for the model."""
        type_of_target(y, raise_unknown=True)
        return y.reshape(len(y), -1)

    def _outputs(self, X: Any) -> FloatArray:
        """Return the outputs of the model."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False)
        outputs: FloatArray = self.model_.predict(x, verbose=0)
        return outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags


def _untrained(model: Any) -> Any:
    """Return a model of the same layers and the same arguments of `compile`, with new initial weights."""
    twin = clone_model(model)
    if model.compiled:
        (output,) = model._setup.outputs  # the wrappers' data have one array
        twin.compile(
            type(model.optimizer).from_config(model.optimizer.get_config()),
            deepcopy(output.loss),
            [output.loss_weight],
            deepcopy(output.metrics),
            deepcopy(output.weighted_metrics),
        )
    return twin


class SKLearnClassifier(ClassifierMixin, SKLBase):
    """A model as a classifier.

    The labels may be numbers, words or any values that can be sorted. The model is given them one-hot, (samples,
    classes), so that it ends in as many units as there are classes, usually with a softmax, and has a loss for
    one-hot labels such as "categorical_crossentropy".

    Parameters
    ----------
    model : Model or function
        A compiled model; each `fit` trains a new one of the same layers. Or a function ``model(X, y,
        **model_kwargs)`` that returns one; `y` is one-hot.
    warm_start : bool, default False
        Whether each `fit` continues to train the same model: the given one, or the first of the function.
    model_kwargs : dict, optional
        Further arguments of the function.
    fit_kwargs : dict, optional
        Arguments of the model's `fit`.

    Attributes
    ----------
    model_ : Model
        The trained model.
    history_ : History
        Of the latest `fit`.
    classes_ : array
        The labels, sorted.
    n_features_in_, feature_names_in_
        As of all estimators.

    Notes
    -----
    `decision_function` of two classes returns one number per sample, as scikit-learn's tools expect; Keras's
    returns two. `clone` keeps `fit_kwargs`, and `predict_proba` exists; Keras's wrapper lacks them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> import cnet
    >>> from cnet.wrappers import SKLearnClassifier
    >>> def make(X, y, units):
    ...     layers = [
    ...         cnet.Input(X.shape[1:]),
    ...         cnet.layers.Dense(units, activation="relu"),
    ...         cnet.layers.Dense(y.shape[1], activation="softmax"),
    ...     ]
    ...     model = cnet.Sequential(layers)
    ...     model.compile(cnet.optimizers.Adam(0.01), "categorical_crossentropy")
    ...     return model
    >>> cnet.utils.set_random_seed(0)
    >>> x, y = load_iris(return_X_y=True)
    >>> classifier = SKLearnClassifier(make, model_kwargs={"units": 16})
    >>> classifier.fit(x, y, epochs=50, verbose=0).score(x, y) > 0.9
    True
    """

    classes_: Array

    def _fit_targets(self, y: Array) -> Array:
        check_classification_targets(y)
        if (kind := type_of_target(y)) not in ("binary", "multiclass"):
            raise ValueError(
                f"{type(self).__name__}: y: expected binary or multiclass labels, got {kind}"
            )
        self._encoder = OneHotEncoder(sparse_output=False).fit(y.reshape(-1, 1))
        (self.classes_,) = self._encoder.categories_
        if len(self.classes_) == 1:
            raise ValueError(
                f"{type(self).__name__}: y: expected several classes, got only one class, {self.classes_.tolist()[0]!r}"
            )
        targets: Array = self._encoder.transform(y.reshape(-1, 1))
        return targets

    def predict(self, X: Any) -> Array:
        """Return the label with the largest output for each sample.

        Parameters
        ----------
        X : array_like or data frame, (samples, features)
        """
        outputs = self._outputs(X)
        labels: Array = self.classes_[outputs.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the outputs of the model, (samples, classes): probabilities, if it ends in a softmax.

        Parameters
        ----------
        X : array_like or data frame, (samples, features)
        """
        return self._outputs(X)

    def decision_function(self, X: Any) -> FloatArray:
        """Return the outputs of the model, (samples, classes), for two classes their difference, (samples,).

        Parameters
        ----------
        X : array_like or data frame, (samples, features)
        """
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


class SKLearnRegressor(RegressorMixin, SKLBase):
    """A model as a regressor.

    Parameters
    ----------
    model, warm_start, model_kwargs, fit_kwargs
        As for `SKLearnClassifier`. The model is given `y` as (samples, outputs).

    Attributes
    ----------
    model_, history_, n_features_in_, feature_names_in_
        As for `SKLearnClassifier`.

    Examples
    --------
    >>> import numpy as np, cnet
    >>> from cnet.wrappers import SKLearnRegressor
    >>> model = cnet.Sequential([cnet.layers.Dense(1)])
    >>> model.compile(cnet.optimizers.SGD(0.1), "mse")
    >>> x = np.linspace(-1, 1, 100).reshape(-1, 1)
    >>> regressor = SKLearnRegressor(model, fit_kwargs={"epochs": 50, "verbose": 0})
    >>> round(float(regressor.fit(x, 2 * x[:, 0] + 1).predict([[3.0]])[0]), 2)
    7.0
    """

    def predict(self, X: Any) -> FloatArray:
        """Return the outputs of the model, (samples,) or (samples, outputs) as the `y` of `fit`.

        Parameters
        ----------
        X : array_like or data frame, (samples, features)
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


class SKLearnTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SKLBase):
    """A model whose outputs are new features.

    Parameters
    ----------
    model, warm_start, model_kwargs, fit_kwargs
        As for `SKLearnClassifier`. The model is given `y` as (samples, outputs).

    Attributes
    ----------
    model_, history_, n_features_in_, feature_names_in_
        As for `SKLearnClassifier`.

    Examples
    --------
    >>> import numpy as np, cnet
    >>> from cnet.wrappers import SKLearnTransformer
    >>> model = cnet.Sequential([cnet.layers.Dense(3)])
    >>> model.compile("sgd", "mse")
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> transformer = SKLearnTransformer(model).fit(x, x[:, :3], verbose=0)
    >>> transformer.transform(x).shape, transformer.get_feature_names_out()[0]
    ((100, 3), 'sklearntransformer0')
    """

    @property
    def _n_features_out(self) -> int:
        width: int = self.model_.output_shape[-1]
        return width

    def transform(self, X: Any) -> FloatArray:
        """Return the outputs of the model, (samples, outputs).

        Parameters
        ----------
        X : array_like or data frame, (samples, features)
        """
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
