"""The weights of an estimator as arrays that its user may change."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data import FloatArray
from ._network import Network, Shape

__all__ = ["HasCoefficients"]


class HasCoefficients:
    """The attributes `coefs_` and `intercepts_`, and the network that follows them."""

    n_features_in_: int

    # The network, and the arrays that a user has of its weights, whose changes it takes over.
    _network: Network | None = None
    _arrays: tuple[list[Any], list[Any]] | None = None

    @property
    def coefs_(self) -> list[FloatArray]:
        """The kernel of each layer, (inputs, units); changes have an effect."""
        return self._weight_arrays("coefs_")[0]

    @coefs_.setter
    def coefs_(self, value: list[FloatArray]) -> None:
        self._arrays = value, (self._arrays or self._arrays_of_network())[1]

    @property
    def intercepts_(self) -> list[FloatArray]:
        """The bias of each layer, (units,); changes have an effect."""
        return self._weight_arrays("intercepts_")[1]

    @intercepts_.setter
    def intercepts_(self, value: list[FloatArray]) -> None:
        self._arrays = (self._arrays or self._arrays_of_network())[0], value

    def _arrays_of_network(self) -> tuple[list[Any], list[Any]]:
        return self._network.coefficients() if self._network is not None else ([], [])

    def _weight_arrays(self, name: str) -> tuple[list[Any], list[Any]]:
        if self._arrays is None:
            if self._network is None:
                raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
            self._arrays = self._arrays_of_network()
        return self._arrays

    def _current_network(self) -> Network:
        """Return the network with the user's changes of the arrays."""
        if self._network is None:
            self._network = Network(self._shape(self.n_features_in_, np.float64))
        if self._arrays is not None:
            self._network.set_coefficients(*self._arrays)
        return self._network

    def _refresh_arrays(self) -> None:
        """Write the weights into the arrays that the user has."""
        if self._arrays is None or self._network is None:
            return
        for arrays, values in zip(self._arrays, self._arrays_of_network(), strict=True):
            for number, (array, value) in enumerate(zip(arrays, values, strict=True)):
                if isinstance(array, np.ndarray) and array.flags.writeable:
                    array[...] = value
                else:
                    arrays[number] = value

    def __getstate__(self) -> dict[str, Any]:
        if self._arrays is not None and self._network is not None:
            self._current_network()
        state: dict[str, Any] = super().__getstate__()  # type: ignore[misc] # BaseEstimator's
        return state | ({} if self._network is None else {"_arrays": None})

    def __sklearn_is_fitted__(self) -> bool:
        return self._network is not None or self._arrays is not None

    def _shape(self, features: int, dtype: Any) -> Shape:
        raise NotImplementedError
