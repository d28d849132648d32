"""Tables of vectors for ids, and pooling of what they give for a list of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt

from .. import constraints, initializers, regularizers
from .._data import Array, FloatArray, as_array, as_count, as_samples, require_default, shape_text
from .._tracebacks import brief_traceback
from .._typing import Shape
from .batch_shapes import as_batch_shape, as_data_format, sample_sizes
from .core import Layer, LayerOptions
from .masks import mask_of_ids, step_weights
from .pieces import with_shape
from .symbolic import has_symbolic
from .weight import Weight

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Embedding", "GlobalAveragePooling1D", "GlobalMaxPooling1D"]


class Embedding(Layer):
    """Replaces each id by a row of a table that is trained.

    Parameters
    ----------
    input_dim : int
        Number of rows: ids are in [0, input_dim).
    output_dim : int
        Number of columns.
    embeddings_initializer : str or Initializer, default "uniform"
    embeddings_regularizer : str, Regularizer or function, optional
    embeddings_constraint : str, Constraint or function, optional
    mask_zero : bool, default False
        Whether id 0 is padding: `GlobalAveragePooling1D` leaves it out, also after `Dense`, `Dropout` and other layers
        that keep the steps. Other layers ignore it, or raise if they would have to compute with it. Arrays, that is
        outside of models and of tensors, carry no mask: see `compute_mask`.
    weights, lora_rank, lora_alpha, quantization_config
        Not supported; must have their defaults.
    input_length : int, optional
        Number of ids of a sample, for the first layer of a model: ``input_shape=(input_length,)``.
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; when called, if an id is not a whole number in [0, input_dim).

    Notes
    -----
    The input is (batch, …) of integers, the output (batch, …, output_dim). Plain SGD changes only the rows that a
    batch names, in a time that does not depend on the size of the table; other rules change all.

    Examples
    --------
    >>> import numpy as np
    >>> from cnet import layers
    >>> table = layers.Embedding(3, 2)
    >>> table.build((None, 2))
    >>> table.set_weights([[[0, 0], [1, 10], [2, 20]]])
    >>> table(np.array([[2, 1]]))
    array([[[ 2., 20.],
            [ 1., 10.]]], dtype=float32)
    """

    takes_ids = True
    _stored_as: ClassVar = {
        **Layer._stored_as,
        "input_dim": "input_dim",
        "weights": "given_weights",
    }
    _optional_in_config: ClassVar = {
        **Layer._optional_in_config,
        **dict.fromkeys(("input_length", "lora_alpha", "lora_rank", "weights")),
    }

    def __init__(  # type: ignore[misc] # its input_dim means another thing than the option of other layers
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: None = None,
        lora_rank: None = None,
        lora_alpha: None = None,
        quantization_config: None = None,
        input_length: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        self.input_dim = as_count("Embedding: input_dim", input_dim, least=1)
        self.output_dim = as_count("Embedding: output_dim", output_dim, least=1)
        if input_length is not None and options.get("input_shape") is None:
            options["input_shape"] = (as_count("Embedding: input_length", input_length, least=1),)
        super().__init__(**options)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = bool(mask_zero)
        self.given_weights = require_default("Embedding", "weights", weights)
        self.lora_rank = require_default("Embedding", "lora_rank", lora_rank)
        self.lora_alpha = require_default("Embedding", "lora_alpha", lora_alpha)
        self.quantization_config = require_default(
            "Embedding", "quantization_config", quantization_config
        )
        self.input_length = input_length

    def _make_weights(self, input_shape: Shape) -> None:
        del input_shape
        if self.weights:
            return
        self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings",
        )

    @property
    def embeddings(self) -> FloatArray:
        """A copy of the table, (input_dim, output_dim); can be assigned."""
        return self._table().numpy()

    @embeddings.setter
    def embeddings(self, value: npt.ArrayLike) -> None:
        self._table().assign(value)

    def _table(self) -> Weight:
        if not self.built:
            raise AttributeError(f"Embedding '{self.name}' has no weights yet: it is not built")
        return self.weights[0]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*as_batch_shape("compute_output_shape", input_shape), self.output_dim)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Array | None:
        """Return whether each id is not 0; None without `mask_zero`."""
        del previous_mask
        return mask_of_ids([inputs]) if self.mask_zero else None

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        return network.add_embedding(self.name, x, self.weights[0].variable, trainable)  # type: ignore[no-any-return] # an int


class _GlobalPooling1D(Layer):
    """Base of the global poolings: (batch, steps, features) becomes (batch, features)."""

    _pooling: str

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.data_format = as_data_format(type(self).__name__, data_format)
        self.keepdims = bool(keepdims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = as_batch_shape("compute_output_shape", input_shape)
        if len(shape) != 3:
            raise ValueError(
                f"{type(self).__name__} '{self.name}': expected input of shape (batch, steps, features), got "
                f"{shape_text(shape)}"
            )
        return (shape[0], 1, shape[2]) if self.keepdims else (shape[0], shape[2])

    def _make_weights(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        x = with_shape(network, x, *sample_sizes(shape))
        return network.add_global_pooling(self.name, x, self._pooling)  # type: ignore[no-any-return] # an int


class GlobalAveragePooling1D(_GlobalPooling1D):
    """The mean over the steps: (batch, steps, features) becomes (batch, features).

    Parameters
    ----------
    data_format : {"channels_last"}, optional
    keepdims : bool, default False
        Whether the result is (batch, 1, features).
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> mean = layers.GlobalAveragePooling1D()
    >>> mean([[[1.0, 10.0], [3.0, 30.0]]])
    array([[ 2., 20.]], dtype=float32)
    >>> mean([[[1.0, 10.0], [3.0, 30.0]]], mask=[[True, False]])
    array([[ 1., 10.]], dtype=float32)
    """

    averages_unmasked = True
    _pooling = "average"

    @brief_traceback
    def __call__(self, x: Any, mask: Any = None, training: bool | None = None) -> Any:  # type: ignore[override] # the order of Keras
        """Return the mean over the steps.

        Parameters
        ----------
        x : array_like, (batch, steps, features)
        mask : array_like of bool, (batch, steps), optional
            Which steps count. Default: all, or, in models and for tensors, those of the mask of an `Embedding`. The
            mean of no steps is NaN, as in Keras.
        training
            Ignored.
        """
        if mask is None:
            return super().__call__(x, training)
        if has_symbolic([x, mask]):
            raise ValueError(
                f"GlobalAveragePooling1D '{self.name}': mask: expected None, as symbolic tensors carry the mask of "
                "Embedding(mask_zero=True)"
            )
        where = f"GlobalAveragePooling1D '{self.name}'"
        samples, steps = as_samples(x, where), as_array(mask, f"{where}: mask") != 0
        if steps.shape != samples.shape[:2]:
            raise ValueError(
                f"{where}: mask: expected shape {samples.shape[:2]}, got {steps.shape}"
            )
        weights = step_weights(steps, self.dtype)
        kept = x if hasattr(type(x), "__tensor__") else samples
        return super().__call__(kept * weights, training)


class GlobalMaxPooling1D(_GlobalPooling1D):
    """The maximum over the steps: (batch, steps, features) becomes (batch, features).

    Parameters
    ----------
    data_format : {"channels_last"}, optional
    keepdims : bool, default False
        Whether the result is (batch, 1, features).
    **options
        See `Layer`.

    Examples
    --------
    >>> from cnet import layers
    >>> layers.GlobalMaxPooling1D()([[[1.0, 30.0], [3.0, 10.0]]])
    array([[ 3., 30.]], dtype=float32)
    """

    _pooling = "maximum"
