"""Files: `to_json`, `save`, `save_weights`, `load_weights`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .._errors import short_repr
from .._files import StrPath, as_model_path, as_path
from .._objects import serialize_keras_object
from .._tracebacks import warn
from .._typing import ModelInterface
from ..callbacks import Callback
from ..saving import model_file

__all__ = ["Saver"]


class Saver(ModelInterface):
    """The part of a model that writes and reads files."""

    def to_json(self, **kwargs: Any) -> str:
        """Return the configuration as JSON, with the arguments of `compile`; `model_from_json` reads it.

        Keras's `model_from_json` reads it, if the model is of layers that Keras has.

        Parameters
        ----------
        **kwargs
            For `json.dumps`: ``indent=2``.
        """
        return json.dumps(serialize_keras_object(self), **kwargs)

    def save(self, filepath: StrPath, overwrite: bool = True, zipped: None = None) -> None:
        """Save the model to a file: layers, weights, compile arguments, and the state of training.

        The file has the safetensors format. Other programs can read the weights, which have names such as
        "dense/kernel"; kernels have shape (inputs, outputs). An existing file is replaced only once the new
        one is completely on disk: an error, a crash or a power failure leaves the old one.

        Training resumed from the file gives the same bits as uninterrupted training: the file holds the
        state of the optimizer ("optimizer/velocity/dense/kernel"), of the random numbers and of the order
        of samples, and the history ("history/logs/loss").

        Parameters
        ----------
        filepath : str or path
            Ends in ".safetensors". A symbolic link is followed. An existing file keeps its mode.
        overwrite : bool, default True
            Whether to replace an existing file. (If not, Keras asks at the terminal.)
        zipped
            Not supported: leave it None.

        Raises
        ------
        FileExistsError
            If the file exists and `overwrite` is false.
        OSError
            If the file cannot be written.
        TypeError
            If a layer, optimizer or metric has an argument that a file cannot describe, such as a Python
            function as an initializer.
        ValueError
            If the name has another ending, or the description is too large (thousands of layers).

        Warns
        -----
        UserWarning
            If the model is not built; or if `trainable` of a layer has changed since training began: the
            state of the optimizer is then not saved.

        Notes
        -----
        Of the history, the file holds numbers, and arrays if they have the same shape in all epochs.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import numpy as np, cnet
        >>> model = cnet.Sequential([cnet.Input((4,)), cnet.layers.Dense(3, activation="softmax")])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "model.safetensors")
        ...     model.save(file)
        ...     copy = cnet.models.load_model(file)
        >>> bool((copy.predict(np.eye(4)) == model.predict(np.eye(4))).all())
        True
        """
        if zipped is not None:
            raise ValueError(f"save: zipped is not supported, got {short_repr(zipped)}")
        path = as_model_path("save", filepath)
        if not self.built:
            warn(f"save: the model '{self.name}' is not built: it has no weights yet")
        model_file.save(self, path, overwrite=overwrite)

    def save_weights(self, filepath: StrPath, overwrite: bool = True) -> None:
        """Save the weights only; `load_weights` loads them into a model with the same layers.

        Parameters
        ----------
        filepath, overwrite
            As for `save`.

        Raises
        ------
        OSError, ValueError
            As `save`; `ValueError` also if the model is not built and so has no weights.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import cnet
        >>> make = lambda: cnet.Sequential([cnet.Input((4,)), cnet.layers.Dense(3)])
        >>> model, other = make(), make()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "model.weights.safetensors")
        ...     model.save_weights(file)
        ...     other.load_weights(file)
        >>> bool((model.get_weights()[0] == other.get_weights()[0]).all())
        True
        """
        self._require_built("save_weights")
        model_file.save_weights(self, as_model_path("save_weights", filepath), overwrite=overwrite)

    def load_weights(self, filepath: StrPath, skip_mismatch: bool = False) -> None:
        """Load the weights of a file: all of them or, on an error, none.

        Parameters
        ----------
        filepath : str or path
            A file of `save_weights` or `save`, or any safetensors file with the same tensor names
            ("dense/kernel"). If the names in a file of cnet differ, since automatic layer names are
            numbered, the weights are matched by their order.
        skip_mismatch : bool, default False
            Not supported: leave it False.

        Raises
        ------
        FormatError
            If the file is invalid or damaged, or the number, shapes or dtype of its weights differ from
            the model's.
        OSError
            If the file cannot be read.
        ValueError
            If the model is not built and so has no weights.
        """
        if skip_mismatch:
            raise ValueError(
                f"load_weights: skip_mismatch is not supported, got {short_repr(skip_mismatch)}"
            )
        self._require_built("load_weights")
        model_file.load_weights(self, as_path("load_weights: filepath", filepath))

    def _back_up(self, filepath: StrPath, callbacks: Sequence[Callback]) -> None:
        """Save the model with the state of the callbacks of its training."""
        model_file.save(self, filepath, callbacks=callbacks)

    def _resume(self, filepath: StrPath, callbacks: Sequence[Callback]) -> None:
        """Restore this model and its callbacks from a file of `_back_up`."""
        model_file.resume(self, filepath, callbacks)

    def get_build_config(self) -> dict[str, Any] | None:
        """Return what a file needs besides `get_config` to build the model: nothing, if layers know their shapes."""
        return None

    def build_from_config(self, config: Any) -> None:
        """Build the model as `get_build_config` describes it."""
        raise ValueError(f"'{self.name}' is built by its layers, got {short_repr(config)}")

    def _require_built(self, call: str) -> None:
        if not self.built:
            raise ValueError(
                f"{call}: the model '{self.name}' is not built: it has no weights yet; "
                "give it an Input, or call build()"
            )
