"""The first layer of a model, which holds the shape of its input."""

from __future__ import annotations

from typing import Any

from .._data import as_count, as_text, require_default
from .._errors import short_repr
from .._typing import Shape
from .batch_shapes import check_input_shape, matches
from .core import Layer
from .symbolic import Spec, SymbolicTensor, record

__all__ = ["Input", "InputLayer"]


# The dtypes of data that are no floats; any numbers are accepted where numbers are expected.
_INTEGERS = frozenset(
    {"bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
)


class InputLayer(Layer):
    """The shape of one sample, as the first layer of a model; `Input` creates one."""

    has_one_shape = True
    passes_ids = True

    def _checked_dtype(self, dtype: Any) -> str:
        if isinstance(dtype, str) and (dtype in _INTEGERS or dtype == "string"):
            return dtype
        return super()._checked_dtype(dtype)

    def _fits(self, input_shape: Shape) -> bool:
        return matches(self.input_shape, input_shape)

    def __init__(
        self,
        shape: Shape | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        sparse: None = None,
        ragged: None = None,
        batch_shape: Shape | None = None,
        input_tensor: None = None,
        optional: bool = False,
        name: str | None = None,
        trainable: bool = True,
        input_shape: Shape | None = None,
    ) -> None:
        self.batch_size, shape = _batch_and_sample(shape, input_shape, batch_shape, batch_size)
        self.sparse = require_default("Input", "sparse", sparse)
        self.ragged = require_default("Input", "ragged", ragged)
        self.input_tensor = require_default("Input", "tensor", input_tensor)
        self.optional = require_default("Input", "optional", optional, default=False)
        sample_shape = check_input_shape(
            shape, "Input" if name is None else as_text("Input: name", name)
        )
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=sample_shape)
        self.build((None, *sample_shape))
        record(self, [], Spec((self.batch_size, *sample_shape), self.dtype))

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": [self.batch_size, *(self.sample_shape or ())],
            "dtype": self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": False,
        }

    def get_build_config(self) -> None:
        """Return None: the config has the shape."""

    def add_to(self, network: Any, x: Any, shape: Any, *, trainable: bool = True) -> int:  # noqa: ARG002 # from Layer
        return x  # type: ignore[no-any-return] # an int


def Input(
    shape: Shape | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    sparse: None = None,
    ragged: None = None,
    batch_shape: Shape | None = None,
    name: str | None = None,
    tensor: None = None,
    optional: bool = False,
) -> SymbolicTensor:
    """Return a symbolic tensor for the samples of a model; as the first layer of a `Sequential` it gives their shape.

    Parameters
    ----------
    shape : tuple of int and None
        Shape of one sample. None is a size that may differ from call to call, such as the number of words of a
        text: (None,) before an `Embedding`. () stands for samples that are single values: data of shape (batch,).
    batch_size : int, optional
        Shown in shapes instead of None, as in Keras. Batches of any size are accepted.
    batch_shape : tuple, optional
        `batch_size` and `shape` in one, such as (None, 4).
    dtype : str, optional
        Default: `cnet.config.floatx()`. Also "int32" and the like, for ids (see `Embedding`), and "string", for
        `StringLookup` and the like.
    name : str, optional
        See `Layer`.
    sparse, ragged, tensor, optional
        Not supported; must have their defaults.

    Raises
    ------
    TypeError, ValueError
        If `shape` is not a shape, or another argument is not supported.

    Examples
    --------
    >>> from cnet import Input, Sequential, layers
    >>> model = Sequential([Input(shape=(4,)), layers.Dense(3)])
    >>> model.output_shape
    (None, 3)
    >>> words = Input(shape=(None,), dtype="int32")
    >>> vectors = layers.GlobalAveragePooling1D()(layers.Embedding(1000, 16)(words))
    >>> words.shape, vectors.shape
    ((None, None), (None, 16))
    """
    layer = InputLayer(
        shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name
    )
    return layer.output  # type: ignore[no-any-return] # a symbolic tensor


def _batch_and_sample(
    shape: Any, input_shape: Any, batch_shape: Any, batch_size: Any
) -> tuple[int | None, Any]:
    """Return the size of a batch, None if it is not given, and the shape of a sample, which one argument must give."""
    given = [each for each in (shape, input_shape, batch_shape) if each is not None]
    if len(given) != 1:
        raise ValueError(
            f"Input: expected a shape or a batch_shape, got {len(given) or 'none'} of them"
        )
    sizes = given[0]
    if batch_shape is not None:
        if batch_size is not None:
            raise ValueError("Input: expected batch_shape or batch_size, got both")
        if not isinstance(batch_shape, (tuple, list)) or len(batch_shape) < 1:
            raise ValueError(
                f"Input: batch_shape: expected (None, …), got {short_repr(batch_shape)}"
            )
        batch_size, *sizes = batch_shape
    if batch_size is not None:
        batch_size = as_count("Input: batch_size", batch_size, least=1)
    return batch_size, sizes
