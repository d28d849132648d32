"""The class of models, which subclasses derive from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from .._errors import missing, short_repr
from .steps import Steps

__all__ = ["Model"]


class Model(Steps):
    """A model of symbolic tensors, ``Model(inputs, outputs)``, or a subclass with a `call` of its own.

    A subclass's attributes hold its layers. `fit` computes `call` on a tape, and the layers that it calls in the
    engine. It may override `train_step`, `test_step`, `predict_step`, `compute_loss` and `compute_metrics` as well,
    of a model of symbolic tensors, too.

    Parameters
    ----------
    inputs, outputs : SymbolicTensor, or lists, tuples and dicts of them
        See `Functional`. A subclass with a `call` has none.
    name : str, optional

    Examples
    --------
    >>> import numpy as np, cnet
    >>> from cnet import layers
    >>> class Twice(cnet.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = layers.Dense(3)
    ...     def call(self, x):
    ...         return self.dense(x) + self.dense(2 * x)
    >>> model = Twice()
    >>> model.compile("sgd", "mse")
    >>> x = np.ones((8, 4), np.float32)
    >>> history = model.fit(x, np.zeros((8, 3)), verbose=0)
    >>> model.predict(x, verbose=0).shape, model.count_params()
    ((8, 3), 15)
    """

    #: What models of symbolic tensors, and those with a `call`, are as well; set where these are defined.
    _kinds: ClassVar[dict[str, type[Any]]] = {}

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ) -> None:
        has_own_call = type(self).call is not Model.call
        if has_own_call and (inputs is not None or outputs is not None):
            raise TypeError(
                f"{type(self).__name__}: it has a call(x), so that inputs and outputs would be ignored"
            )
        kind = self._kinds["call" if has_own_call else "functional"]
        make: Any = _as_kind
        cls: Any = make(type(self), kind)
        self.__class__ = cls
        if has_own_call:
            kind.__init__(self, name, dtype)
        else:
            kind.__init__(self, inputs, outputs, name)
        if not trainable:
            self.trainable = False

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the outputs for a batch of tensors; a subclass overrides it.

        Parameters
        ----------
        x : Tensor, (batch, …), or lists, tuples and dicts of them
        training : bool, optional
            An override need not take it.

        Returns
        -------
        Tensor, (batch, …), or lists, tuples and dicts of them
        """
        raise NotImplementedError(missing(self, "call(x)"))

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        """Return a model for a configuration of `get_config`, with new initial weights.

        Parameters
        ----------
        config : dict
            Of layers and calls, as `Functional` has; else arguments of the constructor.
        custom_objects : dict of str to type, optional
            User-defined layers by class name.

        Raises
        ------
        TypeError, ValueError
            If the configuration is malformed.
        """
        is_mapping = isinstance(config, Mapping)
        if cls is Model or (is_mapping and {"input_layers", "output_layers"} <= set(config)):
            make: Any = _as_kind
            return make(cls, cls._kinds["functional"]).from_config(config, custom_objects)
        if not is_mapping:
            raise ValueError(  # as of any malformed configuration
                f"{cls.__name__}.from_config: expected a dict of the constructor's arguments, got {short_repr(config)}"
            )
        return cls(**config)

    def __reduce_ex__(self, protocol: Any) -> Any:
        cls = type(self)
        if "subclass" not in vars(cls):
            return super().__reduce_ex__(protocol)
        return _new_model, (cls.subclass, cls.kind), self.__getstate__()  # type: ignore[attr-defined] # set below


@lru_cache(maxsize=256)
def _as_kind(cls: Any, kind: Any) -> type[Any]:
    """Return a class of a kind of models with the methods that a subclass of `Model` overrides."""
    if cls is Model:
        return kind  # type: ignore[no-any-return] # a class
    if issubclass(cls, kind):
        return cls  # type: ignore[no-any-return] # a class
    body = {"__module__": cls.__module__, "__doc__": cls.__doc__, "subclass": cls, "kind": kind}
    return type(cls.__name__, (cls, kind), body)


def _new_model(cls: Any, kind: Any) -> Any:
    """Return an object for pickle to fill: the class that `_as_kind` makes has no name."""
    made: Any = _as_kind(cls, kind)
    return made.__new__(made)
