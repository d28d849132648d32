"""A layer of any function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._data import Array, require_default, shape_text
from .._errors import short_repr
from .core import Layer, LayerOptions, Shape, as_batch_shape, check_shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Lambda"]


class Lambda(Layer):
    """What a function makes of each batch.

    Parameters
    ----------
    function : function
        Of a batch (batch, …) of the layer's dtype; returns as many samples, of any shape. It computes
        with the operations of `cnet.autodiff` and Python's operators: in training it is given a
        tensor, and what NumPy makes of one has no gradient; elsewhere it is given an array.
    output_shape : tuple of int or function of the input's shape, optional
        Of one sample; default: found out by calling the function with zeros.
    mask
        Not supported: leave it None.
    arguments : dict, optional
        Further arguments of the function, by name.
    **options
        See `Layer`.

    Raises
    ------
    TypeError
        If `function` isn't one; in training, if it gives no tensor.
    ValueError
        If it doesn't give a sample for each of the batch.

    Notes
    -----
    A model with such a layer trains on a tape, a batch at a time. Files hold no functions: `save` is
    refused with a `TypeError`, `save_weights` is not.

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
        given = self.given_shape
        if given is None:
            samples = 2  # so that one which is the mean of all is told from one for each
            outputs = self._computed(np.zeros((samples, *input_shape[1:]), self.dtype))
            given = outputs.shape[1:]
        elif callable(given):
            given = check_shape(given(input_shape), self.name)
        return (input_shape[0], *given)

    def python_function(self, *, training: bool) -> Callable[[Any], Any]:  # noqa: ARG002 # it is all the same
        return self._computed

    def _outputs(self, samples: Array, shape: Shape, *, training: bool) -> Any:  # noqa: ARG002 # the base has them
        return self._computed(samples.astype(self.dtype, copy=False))

    def _computed(self, x: Any) -> Any:
        """Return what the function makes of an array or a tensor, of the same kind."""
        from ..autodiff import cast

        outputs = self.function(x, **self.arguments)
        if type(outputs) is not type(x):
            if not isinstance(x, np.ndarray):
                raise TypeError(
                    f"Lambda '{self.name}': the function gave {type(outputs).__name__} for a tensor: a tape sees the "
                    "operations of cnet.autodiff and Python's operators, not NumPy's functions"
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
            f"Lambda '{self.name}': its function is Python code, which no file and no config holds; "
            "save_weights() keeps the weights of a model"
        )
