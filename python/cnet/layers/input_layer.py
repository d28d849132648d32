"""The first layer of a model, which holds the shape of its input."""

from __future__ import annotations

from typing import Any

from .._data import as_text, require_default
from .._errors import short_repr
from .._typing import Shape
from .batch_shapes import check_shape
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
        return bool(self.input_shape == input_shape)

    def __init__(
        self,
        shape: tuple[int, ...] | None = None,
        batch_size: None = None,
        dtype: str | None = None,
        sparse: None = None,
        ragged: None = None,
        batch_shape: tuple[int | None, ...] | None = None,
        input_tensor: None = None,
        optional: bool = False,
        name: str | None = None,
        trainable: bool = True,
        input_shape: tuple[int, ...] | None = None,
    ) -> None:
        shape = _only_shape(shape, input_shape, batch_shape)
        self.batch_size = require_default("Input", "batch_size", batch_size)
        self.sparse = require_default("Input", "sparse", sparse)
        self.ragged = require_default("Input", "ragged", ragged)
        self.input_tensor = require_default("Input", "tensor", input_tensor)
        self.optional = require_default("Input", "optional", optional, default=False)
        sample_shape = check_shape(shape, "Input" if name is None else as_text("Input: name", name))
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=sample_shape)
        self.build((None, *sample_shape))
        record(self, [], Spec((None, *sample_shape), self.dtype))

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": [None, *(self.sample_shape or ())],
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
    shape: tuple[int, ...] | None = None,
    batch_size: None = None,
    dtype: str | None = None,
    sparse: None = None,
    ragged: None = None,
    batch_shape: tuple[int | None, ...] | None = None,
    name: str | None = None,
    tensor: None = None,
    optional: bool = False,
) -> SymbolicTensor:
    """Return a symbolic tensor for the samples of a model; as the first layer of a `Sequential` it gives their shape.

    Parameters
    ----------
    shape : tuple of int
        Shape of one sample.
    batch_shape : tuple, optional
        The same with a leading None, such as (None, 4).
    dtype : str, optional
        Default: `cnet.config.floatx()`. Also "int32" and the like, for ids (see `Embedding`), and "string", for
        `StringLookup` and the like.
    name : str, optional
        See `Layer`.
    batch_size, sparse, ragged, tensor, optional
        Not supported; must have their defaults. Models accept batches of any size.

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
    """
    layer = InputLayer(
        shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name
    )
    return layer.output  # type: ignore[no-any-return] # a symbolic tensor


def _only_shape(shape: Any, input_shape: Any, batch_shape: Any) -> Any:
    """Return the shape of a sample; exactly one of the arguments must be given."""
    given = [each for each in (shape, input_shape, batch_shape) if each is not None]
    if len(given) != 1:
        raise ValueError(
            f"Input: expected a shape or a batch_shape, got {len(given) or 'none'} of them"
        )
    if batch_shape is None:
        return given[0]
    if (
        not isinstance(batch_shape, (tuple, list))
        or len(batch_shape) < 2
        or batch_shape[0] is not None
    ):
        raise ValueError(
            "Input: batch_shape: expected (None, …), as models accept batches of any size, got "
            f"{short_repr(batch_shape)}"
        )
    return tuple(batch_shape[1:])
