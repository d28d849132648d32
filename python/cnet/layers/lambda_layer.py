"""A layer that applies a user's function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._data import Array, require_default, shape_text
from .._errors import short_repr
from .._typing import Shape
from .batch_shapes import as_batch_shape, check_shape
from .core import Layer, LayerOptions
from .open_shapes import inferred_shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Lambda"]


class Lambda(Layer):
    """Applies a function to each batch.

    Parameters
    ----------
    function : function
        Takes a batch (batch, …) of the layer's dtype and returns as many samples, of any shape. It uses
        the operations of `cnet.autodiff` and Python's operators: in training its argument is a
        tensor, and results of NumPy's functions have no gradient; elsewhere it is an array.
    output_shape : tuple of int or function of the input's shape, optional
        Shape of one sample. Default: inferred by calling the function with zeros.
    mask
        Not supported; must be None.
    arguments : dict, optional
        Further keyword arguments of the function.
    **options
        See `Layer`.

    Raises
    ------
    TypeError
        If `function` is not callable or, in training, doesn't return a tensor.
    ValueError
        If the function doesn't return one output for each sample.

    Notes
    -----
    A model with such a layer trains on a tape, one batch at a time. Files can't hold functions: `save`
    raises `TypeError`, `save_weights` works.

    Examples
    --------
    >>> from cnet import autodiff, layers
    >>> layers.Lambda(lambda x: x**2)([[1.0, 2.0, 3.0]])
    array([[1., 4., 9.]], dtype=float32)
    >>> layers.Lambda(autodiff.reduce_sum, arguments={"axis": 1, "keepdims": True}).compute_output_shape((None, 3))
    (None, 1)
    """

    in_engine = False
    _stored_as: ClassVar = {**Layer._stored_as, "output_shape": "given_shape"}

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: tuple[int, ...] | Callable[[Shape], tuple[int, ...]] | None = None,
        mask: None = None,
        arguments: Mapping[str, Any] | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        if not callable(function):
            raise TypeError(f"Lambda: function: expected a function, got {short_repr(function)}")
        self.function = function
        if output_shape is not None and not callable(output_shape):
            output_shape = check_shape(output_shape, self.name)
        self.given_shape = output_shape
        self.mask = require_default("Lambda", "mask", mask)
        self.arguments = dict(arguments or {})

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = as_batch_shape("compute_output_shape", input_shape)
        shape = self.given_shape
        if shape is None:
            samples = 2  # with 1, a mean over the batch would look like an output for each sample
            shape = inferred_shape(
                lambda known: self._compute(np.zeros((samples, *known[1:]), self.dtype)).shape,
                input_shape,
            )[1:]
        elif callable(shape):
            shape = check_shape(shape(input_shape), self.name)
        return (input_shape[0], *shape)

    def python_function(self, *, training: bool) -> Callable[[Any], Any]:  # noqa: ARG002 # from Layer
        return self._compute

    def _outputs(self, samples: Array, shape: Shape, *, training: bool) -> Any:  # noqa: ARG002 # from Layer
        return self._compute(samples.astype(self.dtype, copy=False))

    def _compute(self, x: Any) -> Any:
        """Return the function's result for an array or a tensor, of the same type."""
        from ..autodiff import cast

        outputs = self.function(x, **self.arguments)
        if type(outputs) is not type(x):
            if not isinstance(x, np.ndarray):
                raise TypeError(
                    f"Lambda '{self.name}': the function returned {type(outputs).__name__} for a tensor: a tape "
                    "records the operations of cnet.autodiff and Python's operators, not NumPy's functions"
                )
            outputs = np.asarray(outputs)
        if outputs.ndim < 2 or len(outputs) != len(x):
            raise ValueError(
                f"Lambda '{self.name}': expected an output (batch, …) for each of {len(x)} samples, got shape "
                f"{shape_text(outputs.shape)}"
            )
        if isinstance(outputs, np.ndarray):
            return outputs.astype(self.dtype, copy=False)
        return outputs if outputs.dtype == self.dtype else cast(outputs, self.dtype)

    def get_config(self) -> dict[str, Any]:
        raise TypeError(
            f"Lambda '{self.name}': its function is Python code, which can't be saved or described in a "
            "config; save_weights() saves the weights of a model"
        )
