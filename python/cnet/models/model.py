"""Base class of models: `compile`, `fit`, `evaluate`, `predict`, `save`."""

from __future__ import annotations

import copy
import json
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import _core
from .._data import (
    Array,
    FloatArray,
    as_count,
    as_number,
    as_samples,
    as_text,
    is_integer,
    require_default,
    unwrap_single_input,
)
from .._errors import short_repr
from .._files import StrPath, as_model_path, as_path
from .._frames import column_names
from .._names import auto_name, snake_case
from .._objects import serialize_keras_object
from .._overrides import RejectsOverrides
from .._progress import Progress
from .._tapes import is_recorded
from .._tracebacks import brief_traceback, warn
from .._typing import ModelProtocol
from ..callbacks import Callback, CallbackList, History
from ..layers import Layer
from ..layers.batch_shapes import sample_sizes
from ..layers.calls import in_training
from ..layers.symbolic import has_symbolic
from ..layers.weight import HasWeights
from ..metrics import Metric
from ..saving import model_file
from ..training.data import Adapter, as_rows, check_feature_names, split, validation_parts
from ..training.loop import Loop, predict
from ..training.setup import Setup, Totals
from ..training.sources import Chunk
from ._summary import print_summary

__all__ = ["BaseModel"]


if TYPE_CHECKING:
    Interface = ModelProtocol
else:  # a Protocol would give models its metaclass, and make isinstance slow
    Interface = object


class BaseModel(HasWeights, RejectsOverrides, Interface):
    """Training, evaluation, prediction and files of models.

    Attributes
    ----------
    history : History
        Of the latest `fit`; updated after each epoch.
    stop_training : bool
        Set to True in a batch hook to end `fit` after the batch, in an epoch hook after the epoch.
    stop_evaluating, stop_predicting : bool
        Set to True in a batch hook to end `evaluate` or `predict` after the batch.
    """

    _not_overridable: ClassVar = dict.fromkeys(
        ("make_train_function", "make_test_function", "make_predict_function"),
        "override train_step, test_step or predict_step instead",
    )

    history: History
    stop_training: bool = False
    stop_evaluating: bool = False
    stop_predicting: bool = False
    _setup: Setup | None = None
    # The columns of the first data frame seen.
    _feature_names: tuple[str, ...] | None = None
    # The engine's network, if the user's samples are rows of numbers too.
    _rows_network: Any = None

    #: The classes of models that a configuration may name.
    _by_name: ClassVar[dict[str, type[Any]]] = {}

    def __init__(self, name: str | None = None) -> None:
        self._parents = weakref.WeakSet()
        self._nodes: list[Any] = []
        self.name = auto_name(snake_case(type(self).__name__)) if name is None else name
        self._use = _core.Use()
        self._frozen: set[Layer] = set()

    @property
    def name(self) -> str:
        """The model's name; also its name as a layer of another model."""
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        name = as_text(f"{type(self).__name__}: name", value)
        self._check_name_is_free(name)
        self._name = name

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Configure training.

        For a model with several outputs, `loss`, `loss_weights`, `metrics` and `weighted_metrics` are lists with an
        item for each output, or dicts by the outputs' names.

        As in Keras, changes of a layer's `trainable` after training has begun take effect at the next `compile`.

        Parameters
        ----------
        optimizer : str or Optimizer, default "rmsprop"
        loss : str, Loss or function, optional
            The mean of a function (y_true, y_pred) is minimized: see `cnet.losses.LossFunctionWrapper`.
            With a function, or a `Lambda` layer, the model trains on a tape, batch by batch. Without a
            loss the model can only predict.
        metrics : list of str, Metric or function, optional
            "accuracy" resolves to the accuracy that fits the shapes of labels and outputs. The values
            of a function (y_true, y_pred) are averaged over the samples. Sample weights are ignored.
            The engine computes the accuracy that belongs to a cross-entropy; all other metrics are
            computed from the predictions for each batch.
        weighted_metrics : list of str, Metric or function, optional
            Metrics weighted by the sample weights.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Ignored: the engine is always compiled code, metrics and callbacks never are.
        loss_weights : list or dict of float, optional
            Factors of the outputs' losses, whose sum is minimized. Default: 1.

        Raises
        ------
        TypeError, ValueError
            For an unknown name, or a metric that does not fit the loss.
        RuntimeError
            If another call trains or evaluates the model.
        """
        del run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
        self._use_setup(self._new_setup(optimizer, loss, loss_weights, metrics, weighted_metrics))

    def _new_setup(self, *arguments: Any) -> Setup:
        """Return what `compile` was told."""
        return Setup.of(self.output_names, *arguments)

    @property
    def has_own_steps(self) -> bool:
        """Whether a subclass overrides a step of training or evaluation."""
        return False

    @property
    def has_own_prediction(self) -> bool:
        """Whether a subclass overrides `predict_step`."""
        return False

    def _use_setup(self, setup: Setup) -> None:
        setup.has_steps = self.has_own_steps
        setup.native = self.in_engine and all(loss.in_engine for loss in setup.losses)
        with self._use:
            self._setup = setup
            self._rebuild_network()

    @property
    def optimizer(self) -> Any:
        """The optimizer, None before `compile`."""
        return self._setup.optimizer if self._setup else None

    @property
    def loss(self) -> Any:
        """The loss, None before `compile`; a list, if the model has several outputs."""
        return self._setup.loss if self._setup else None

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, none before `compile`."""
        setup = self._setup
        return setup.metrics if setup else []

    @property
    def metrics_names(self) -> list[str]:
        """Names of the values that `evaluate` returns."""
        return list(self._require_setup("metrics_names").logs(Totals()))

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the loss and metrics of the latest call by name; after `fit`, those of validation."""
        setup = self._require_setup("get_metrics_result")
        return setup.logs(setup.totals)

    def reset_metrics(self) -> None:
        """Reset the loss and metrics, as each call does at its start."""
        self._require_setup("reset_metrics").reset()

    def _require_setup(self, call: str) -> Setup:
        if self._setup is None:
            raise ValueError(f"{call}: call compile() first")
        return self._setup

    @contextmanager
    def _exclusive(self, call: str, *, nested: bool = False) -> Iterator[Setup]:
        """Lock the model for one call that trains or evaluates; yield its setup.

        Parameters
        ----------
        nested : bool, default False
            Allow the call in a callback of another one; it gets metrics and an engine of its own.

        Raises
        ------
        RuntimeError
            If another such call, of any thread, holds the lock.
        """
        if nested and self._use.is_of_this_thread:
            yield self._require_setup(call).for_nested_evaluation()
        else:
            with self._use:
                yield self._require_setup(call)

    def _loop(
        self,
        call: str,
        setup: Setup,
        callbacks: Iterable[Callback] | Callback | None = None,
        *,
        steps: int | None = 1,
        verbose: str | int = 0,
        **params: Any,
    ) -> Loop:
        """Return the loop for one call."""
        progress = Progress(steps, verbose, call)
        params |= {"steps": steps, "verbose": progress.verbose}
        return Loop(self, setup, CallbackList(callbacks, self, params, call), progress)

    # Training and evaluation.

    @brief_traceback
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Iterable[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: npt.ArrayLike | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> History:
        """Train for a number of epochs, each one native call without the GIL.

        Parameters
        ----------
        x : array_like, (samples, …), or batches
            An array of any numeric dtype and stride. It is converted batch by batch, and copied as a
            whole only if the features of a sample are not evenly spaced in memory. Or an iterable of
            batches (x, y) or (x, y, sample_weight) of any sizes, such as a generator or a
            `cnet.utils.PyDataset`: each batch is one native call.
        y : array_like
            Class ids (samples,) or one-hot rows (samples, classes), depending on the loss. None if x
            yields batches.
        batch_size : int, optional
            Default: 32, or the size that makes `steps_per_epoch` batches of the arrays. Ignored if x
            yields batches.
        epochs : int, default 1
            Number of the last epoch, counting from `initial_epoch`.
        verbose : {"auto", 0, 1, 2}, default "auto"
            0: silent, 1: progress bar, 2: one line per epoch. "auto" is 1 on a terminal and in a
            notebook, else 2.
        callbacks : list of Callback, optional
        validation_split : float in [0, 1), default 0
            Fraction of the arrays, taken from their end before shuffling, to validate on.
        validation_data : tuple (x, y) or (x, y, sample_weight), or batches, optional
            Data to evaluate after epochs.
        shuffle : bool, default True
            Whether each epoch takes the samples, or the batches of a `PyDataset`, in a new order.
        class_weight : dict of int to float, optional
            Weight of the samples of each class, 1 for classes not listed. Not used in validation.
        sample_weight : array_like, (samples,), optional
            Weight of each sample's loss, multiplied by its class weight. The sum over a batch is
            divided by the batch size, as in Keras (with reduction "sum" it is not divided, with
            "mean_with_sample_weight" by the sum of the weights). A sample of weight 0 has no gradient,
            but counts in the statistics of `BatchNormalization`.
        initial_epoch : int, default 0
        steps_per_epoch : int, optional
            Batches per epoch; the next epoch continues from there. Default: until the data ends.
        validation_steps : int, optional
            Batches to validate on: the first of arrays, the next of an iterator.
        validation_batch_size : int, default `batch_size`
        validation_freq : int or list of int, default 1
            Number of epochs between validations, or a list of epochs, counted from 1.

        Returns
        -------
        History
            Its attribute `history` holds the loss and metrics of each epoch.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; weights and optimizer are unchanged (an unbuilt model may have
            been built). For an invalid batch the error names it, and the model has trained on the
            batches before.
        FloatingPointError
            If the loss is inf or NaN, before the weights are updated by it. With a `TerminateOnNaN`
            callback training ends instead.
        KeyboardInterrupt
            On Ctrl-C, after a whole step; ``model.history`` holds the completed epochs.
        RuntimeError
            If another call trains or evaluates the model (in another thread, or the caller of this
            callback), or trains layers that it shares.

        Notes
        -----
        Meanwhile other threads may predict, read and set weights, save, and fork: they wait for the end of
        a batch, so they never see half a step. (If the loss or a layer is a Python function, they may run
        in the middle of a batch.) A signal handler runs in the middle of a batch and cannot wait; it may
        set ``stop_training``.

        Warns
        -----
        UserWarning
            If the data ends before `steps_per_epoch` batches, which shortens the epoch, or before the
            last epoch, which ends training.
        """
        with self._exclusive("fit") as setup:
            setup.require_loss("fit")
            batch_size = _count("fit: batch_size", batch_size)
            validation_batch_size = _count("fit: validation_batch_size", validation_batch_size)
            is_validated = _epochs("fit: validation_freq", validation_freq)
            steps_per_epoch = _count("fit: steps_per_epoch", steps_per_epoch)
            validation_steps = _count("fit: validation_steps", validation_steps)
            epochs = as_count("fit: epochs", epochs)
            initial_epoch = as_count("fit: initial_epoch", initial_epoch)
            if not isinstance(shuffle, (bool, np.bool_)):
                raise TypeError(f"fit: shuffle: expected True or False, got {short_repr(shuffle)}")
            validation_split = as_number("fit: validation_split", validation_split)
            check_feature_names(self, "fit: x", x)  # of the frame: split() makes arrays of it
            feature_names = column_names(x)
            if validation_data is None and validation_split != 0:
                (x, y, sample_weight), validation_data = split(
                    x, y, sample_weight, validation_split
                )
            source = Adapter(self, setup, class_weight).source(
                "fit",
                *(x, y, sample_weight),
                batch_size=batch_size,
                steps=steps_per_epoch,
                shuffles=setup.shuffles,
                shuffle=bool(shuffle),
            )
            validation = None
            if validation_data is not None:
                validation = Adapter(self, setup).source(
                    "fit: validation_data",
                    *validation_parts(validation_data),
                    batch_size=validation_batch_size or batch_size,
                    steps=validation_steps,
                )
            steps = steps_per_epoch or source.batches
            loop = self._loop("fit", setup, callbacks, steps=steps, verbose=verbose, epochs=epochs)
            self._feature_names = self._feature_names or feature_names
            return loop.fit(
                source,
                range(initial_epoch, epochs),
                steps_per_epoch,
                validation,
                validation_steps,
                is_validated,
            )

    @brief_traceback
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: npt.ArrayLike | None = None,
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and metrics for some data.

        Parameters
        ----------
        x, y, sample_weight
            As for `fit`.
        batch_size : int, optional
            As for `fit`. For arrays it does not influence the result.
        steps : int, optional
            Number of batches. Default: all.
        verbose, callbacks
            As for `fit`.
        return_dict : bool, default False

        Returns
        -------
        float, list of float, or dict
            The loss; with metrics ``[loss, metric, …]``; with `return_dict` a dict by name.

        Raises
        ------
        TypeError, ValueError
            As for `fit`.
        RuntimeError
            If another thread trains or evaluates the model. A callback may evaluate its model.
        """
        return_dict = bool(return_dict)
        with self._exclusive("evaluate", nested=True) as setup:
            setup.require_loss("evaluate")
            batch_size = _count("evaluate: batch_size", batch_size)
            steps = _count("evaluate: steps", steps)
            source = Adapter(self, setup).source(
                "evaluate", *(x, y, sample_weight), batch_size=batch_size, steps=steps
            )
            loop = self._loop(
                "evaluate", setup, callbacks, steps=steps or source.batches, verbose=verbose
            )
            return _result(loop.evaluate("evaluate", source, steps), return_dict)

    @brief_traceback
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
    ) -> Any:
        """Return the model's output for each sample.

        Parameters
        ----------
        x : array_like, (samples, …), or batches
            As for `fit`. Batches may be (x,) or x; labels and weights are ignored.
        batch_size : int, optional
            Does not influence the result: ``predict(x)[i]`` has the bits of
            ``predict(x[i:i+1])[0]``.
        verbose : {"auto", 0, 1, 2}, default "auto"
            1: progress bar, 0 and 2: silent. "auto" is 1 on a terminal and in a notebook.
        steps : int, optional
            Number of batches. Default: all.
        callbacks : list of Callback, optional

        Returns
        -------
        array, (samples, …) of the model's dtype

        Raises
        ------
        TypeError, ValueError
            If `x` is not valid data for the model.

        Notes
        -----
        Any number of threads may predict with one model at once. While another thread trains it, a
        prediction waits for the end of a batch, and the next batch waits for running predictions.
        """
        batch_size = _count("predict: batch_size", batch_size)
        steps = _count("predict: steps", steps)
        adapter = Adapter(self, has_own_step=self.has_own_prediction)
        source = adapter.source("predict", x, batch_size=batch_size, steps=steps)
        progress = Progress(steps or source.batches, verbose, "predict")
        params = {"steps": progress.steps, "verbose": progress.verbose}
        hooks = CallbackList(callbacks, self, params, "predict")
        return predict(self, source, steps, hooks, progress)

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Return the model's output for a batch.

        Parameters
        ----------
        x : array_like, (batch, …)
        training : bool, optional
            Whether layers behave as in training: see `Layer.__call__`.

        Returns
        -------
        array, or a `cnet.autodiff.Tensor` on a running tape

        Notes
        -----
        The result is a plain NumPy array, without the `numpy` method of Keras's tensors;
        ``np.asarray(model(x))`` works in both libraries. (An ndarray subclass with this method would pass
        it on to everything computed from the output, and cost 2 % of each call of a small model.)
        """
        if is_recorded(x):
            return self._recorded(x, training=in_training(training))
        if training:
            return self._outputs(x, training=True)
        # Control loops call this with one row at a time: microseconds count.
        if self._rows_network is not None:
            outputs = self._rows_network.try_predict(x)
            if outputs is not None:
                return outputs
        return self._outputs(x, training=False)

    @brief_traceback
    def _recorded(self, x: Any, *, training: bool) -> Any:
        """Return the output as a tensor, recorded on the active tapes."""
        if has_symbolic(x):
            return self._symbolic(x)
        is_plain = type(x) is np.ndarray and x.ndim == 2 and x.dtype == self.dtype and len(x)
        if is_plain and self._rows_network is not None and x.shape[1] == self.input_shape[1]:
            return self.function(training=training).record([x])[0]  # microseconds count
        inputs = []
        parts = Adapter(self).parts(f"{type(self).__name__}: x", x)
        for (argument, part, shape), dtype in zip(parts, self.input_dtypes, strict=True):
            tensor = part.__tensor__() if hasattr(type(part), "__tensor__") else None
            rows = as_rows(part if tensor is None else tensor.value, argument, shape, dtype)
            shaped = rows.reshape(len(rows), *sample_sizes(shape))
            inputs.append(shaped if tensor is None else tensor)
        return self._nested(self.function(training=training).record(inputs))

    @brief_traceback
    def _outputs(self, x: Any, *, training: bool) -> Any:
        if has_symbolic(x):
            return self._symbolic(x)
        samples = self._samples(x)
        if not training:
            return self._shaped(self._predict(samples))
        if self.in_engine:
            return self._shaped(self.network.forward_training(samples))
        return self._shaped(self.function(training=True).predict(samples))

    def _build_from(self, argument: str, x: Any) -> None:
        """Build the model for samples."""
        samples = as_samples(unwrap_single_input(x), argument)
        self.build((None, *samples.shape[1:]))

    def _samples(self, x: Any) -> Any:
        return Adapter(self).samples(f"{type(self).__name__}: x", x)

    def _predict(
        self, x: Sequence[Array], on_progress: Callable[..., Any] | None = None
    ) -> list[FloatArray]:
        """Return the outputs for samples, all as the engine takes them: matrices with a row per sample."""
        if self.in_engine:
            return self.network.predict(x, on_progress)  # type: ignore[no-any-return] # typed in _core.pyi
        return self.function(training=False).predict(x, on_progress)  # type: ignore[no-any-return] # as above

    def _predict_by_step(
        self, x: Sequence[Array], on_progress: Callable[..., Any] | None = None
    ) -> list[FloatArray]:
        """Return the outputs for samples, by the model's `predict_step` if it has one of its own."""
        return self._predict(x, on_progress)

    def _shaped(self, outputs: Sequence[FloatArray]) -> Any:
        """Return the outputs as `predict` does, from matrices with a row per sample."""
        return self._nested(
            [
                rows.reshape(len(rows), *sample_sizes(shape))
                for rows, shape in zip(outputs, self.output_shapes, strict=True)
            ]
        )

    def _symbolic(self, x: Any) -> Any:
        """Return the symbolic results for symbolic tensors."""
        raise NotImplementedError(f"{type(self).__name__} '{self.name}': no symbolic tensors")

    def _nested(self, outputs: Sequence[Any]) -> Any:
        """Return the outputs nested as those of the model."""
        (output,) = outputs
        return output

    @brief_traceback
    def predict_on_batch(self, x: Any) -> Any:
        """Return the model's output for a batch."""
        adapter = Adapter(self, has_own_step=self.has_own_prediction)
        samples = adapter.samples("predict_on_batch: x", x)
        return self._shaped(self._predict_by_step(samples))

    @brief_traceback
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one training step.

        Returns
        -------
        float, list of float, or dict
            Loss and metrics of this batch before the step, as `evaluate` returns them.
        """
        return_dict = bool(return_dict)
        with self._exclusive("train_on_batch") as setup:
            adapter = Adapter(self, setup, class_weight)
            data = adapter.adapt("train_on_batch", x, y, sample_weight)
            loop = self._loop("train_on_batch", setup)
            loop.reset()
            batch = Chunk(data, len(data), setup.shuffles.passes)
            setup.totals = loop.train("train_on_batch", batch, Totals())
            return _result(setup.logs(setup.totals), return_dict)

    @brief_traceback
    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return loss and metrics of one batch; see `train_on_batch`."""
        return_dict = bool(return_dict)
        with self._exclusive("test_on_batch", nested=True) as setup:
            data = Adapter(self, setup).adapt("test_on_batch", x, y, sample_weight)
            loop = self._loop("test_on_batch", setup)
            loop.reset()
            setup.totals = loop.test(Chunk(data, len(data)), Totals())
            return _result(setup.logs(setup.totals), return_dict)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """Return a layer by its name or its position.

        Raises
        ------
        ValueError
            If there is no such layer, or if both or none of the arguments are given.
        """
        if (name is None) == (index is None):
            raise ValueError("get_layer: expected either a name or an index")
        if index is not None:
            if not is_integer(index):
                raise TypeError(f"get_layer: index: expected an integer, got {short_repr(index)}")
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"get_layer: no layer {index} among {len(self.layers)}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = ", ".join(f"'{layer.name}'" for layer in self.layers)
        raise ValueError(f"get_layer: expected one of {known}, got {short_repr(name)}")

    def summary(
        self,
        line_length: int | None = None,
        positions: None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: None = None,
    ) -> None:
        """Print a table of the layers with their output shapes and numbers of parameters.

        Parameters
        ----------
        print_fn : function of str, default print
            Called with each line.
        expand_nested : bool, default False
            Whether to list the layers of nested models.
        show_trainable : bool, default False
            Whether to show a column that says which layers are trainable.
        line_length : int, optional
            Minimum width of the table in characters.
        positions, layer_range
            Not supported: leave them None.
        """
        least = 0 if line_length is None else as_count("summary: line_length", line_length)
        require_default("summary", "positions", positions)
        require_default("summary", "layer_range", layer_range)
        print_summary(
            self, print_fn, least, expand_nested=expand_nested, show_trainable=show_trainable
        )

    # Files and copies.

    def to_json(self, **kwargs: Any) -> str:
        """Return the configuration as JSON, with the arguments of `compile`; `model_from_json` reads it.

        Keras's `model_from_json` reads it, if the model is of layers that Keras has.

        Parameters
        ----------
        **kwargs
            For `json.dumps`: ``indent=2``.
        """
        return json.dumps(serialize_keras_object(self), **kwargs)

    def get_compile_config(self) -> dict[str, Any]:
        """Return the arguments of `compile` as plain values, an empty dict before it.

        Raises
        ------
        TypeError
            If one of them has no such form.
        """
        return self._setup.get_config() if self._setup else {}

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compile the model with the result of `get_compile_config`, of cnet or Keras.

        Raises
        ------
        TypeError, ValueError
            If the configuration is malformed, or names an unknown class.
        """
        try:
            setup = Setup.from_config(self.output_names, config)
        except (TypeError, ValueError) as error:
            raise type(error)(f"compile_from_config: {error}") from None
        self._use_setup(setup)

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

    def __deepcopy__(self, memo: dict[int, Any]) -> BaseModel:
        twin: BaseModel = type(self).__new__(type(self))
        memo[id(self)] = twin
        # A snapshot between two batches, if another thread is training; pickle reads layer by layer.
        with self.network.snapshot() if self.built else nullcontext():
            twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        # For pickle and copy. The engine's objects are made again when needed.
        return vars(self) | {
            "_use": None,
            "_network": None,
            "_native": None,
            "_rows_network": None,
            "_functions": {},
            "_nodes": [],
            "_parents": None,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _use=_core.Use(), _parents=weakref.WeakSet())
        for layer in self.layers:
            layer._parents.add(self)


def _count(argument: str, value: int | None) -> int | None:
    return None if value is None else as_count(argument, value, least=1)


def _result(logs: dict[str, Any], return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _epochs(argument: str, value: Any) -> Callable[[int], bool]:
    """Return a function that says whether to validate after an epoch, counted from 1."""
    if isinstance(value, list):
        return {as_count(argument, epoch, least=1) for epoch in value}.__contains__
    every = as_count(argument, value, least=1)
    return lambda epoch: epoch % every == 0
