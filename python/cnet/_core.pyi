"""The compiled core: what csrc/bind registers. cnet's public modules convert for it."""

from collections.abc import Callable, Sequence
from typing import Any

from ._data import Array, FloatArray

def held(array: Array) -> Array: ...
def build_info() -> dict[str, Any]: ...
def get_num_threads() -> int: ...
def set_num_threads(num_threads: int) -> None: ...

# csrc/bind/ops.cpp
def dense_forward(
    x: FloatArray, kernel: FloatArray, bias: FloatArray | None, out: FloatArray | None, /
) -> FloatArray: ...
def dense_backward(
    grad: FloatArray,
    x: FloatArray,
    kernel: FloatArray,
    out: tuple[FloatArray, FloatArray, FloatArray] | None,
    /,
) -> tuple[FloatArray, FloatArray, FloatArray]: ...
def activation_forward(
    x: FloatArray, activation: str, out: FloatArray | None, parameters: dict[str, float], /
) -> FloatArray: ...
def activation_backward(
    grad: FloatArray,
    x: FloatArray,
    y: FloatArray,
    activation: str,
    out: FloatArray | None,
    parameters: dict[str, float],
    /,
) -> FloatArray: ...
def relu_forward(x: FloatArray, out: FloatArray | None, /) -> FloatArray: ...
def relu_backward(grad: FloatArray, x: FloatArray, out: FloatArray | None, /) -> FloatArray: ...
def rescaling_forward(
    x: FloatArray, scale: float, offset: float, out: FloatArray | None, /
) -> FloatArray: ...
def rescaling_backward(grad: FloatArray, scale: float, out: FloatArray | None, /) -> FloatArray: ...
def softmax(logits: FloatArray, out: FloatArray | None, /) -> FloatArray: ...
def softmax_backward(
    grad: FloatArray, probabilities: FloatArray, out: FloatArray | None, /
) -> FloatArray: ...
def log_softmax(logits: FloatArray, out: FloatArray | None, /) -> FloatArray: ...
def log_softmax_backward(
    grad: FloatArray, log_probabilities: FloatArray, out: FloatArray | None, /
) -> FloatArray: ...

# csrc/bind/losses.cpp
def softmax_cross_entropy_forward(
    logits: FloatArray, labels: Array, out: FloatArray | None, /
) -> tuple[FloatArray, FloatArray]: ...
def softmax_cross_entropy_backward(
    probabilities: FloatArray, labels: Array, out: FloatArray | None, divisor: float | None, /
) -> FloatArray: ...
def cross_entropy_forward(probabilities: FloatArray, labels: Array, /) -> FloatArray: ...
def cross_entropy_backward(
    probabilities: FloatArray, labels: Array, out: FloatArray | None, divisor: float | None, /
) -> FloatArray: ...
def pointwise_loss_forward(
    loss: str,
    predictions: FloatArray,
    targets: FloatArray,
    delta: float,
    gamma: float,
    positive_weight: float,
    negative_weight: float,
    /,
) -> FloatArray: ...
def pointwise_loss_backward(
    loss: str,
    predictions: FloatArray,
    targets: FloatArray,
    delta: float,
    gamma: float,
    positive_weight: float,
    negative_weight: float,
    out: FloatArray | None,
    divisor: float | None,
    /,
) -> FloatArray: ...

# csrc/bind/optimizers.cpp
def sgd_update(param: FloatArray, grad: FloatArray, learning_rate: float, /) -> None: ...
def sgd_momentum_update(
    param: FloatArray,
    grad: FloatArray,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    /,
) -> None: ...
def rmsprop_update(
    param: FloatArray,
    grad: FloatArray,
    mean_square: FloatArray,
    learning_rate: float,
    rho: float,
    epsilon: float,
    /,
) -> None: ...
def adam_update(
    param: FloatArray,
    grad: FloatArray,
    first_moment: FloatArray,
    second_moment: FloatArray,
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    /,
) -> None: ...
def rmsprop_momentum_update(
    param: FloatArray,
    grad: FloatArray,
    mean_square: FloatArray,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    rho: float,
    epsilon: float,
    /,
) -> None: ...
def rmsprop_centered_update(
    param: FloatArray,
    grad: FloatArray,
    mean_square: FloatArray,
    mean: FloatArray,
    velocity: FloatArray,
    learning_rate: float,
    momentum: float,
    rho: float,
    epsilon: float,
    /,
) -> None: ...
def adagrad_update(
    param: FloatArray,
    grad: FloatArray,
    sum_of_squares: FloatArray,
    learning_rate: float,
    epsilon: float,
    /,
) -> None: ...
def adadelta_update(
    param: FloatArray,
    grad: FloatArray,
    mean_square: FloatArray,
    mean_square_change: FloatArray,
    learning_rate: float,
    rho: float,
    epsilon: float,
    /,
) -> None: ...
def adam_amsgrad_update(
    param: FloatArray,
    grad: FloatArray,
    first_moment: FloatArray,
    second_moment: FloatArray,
    greatest_second_moment: FloatArray,
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    /,
) -> None: ...
def nadam_update(
    param: FloatArray,
    grad: FloatArray,
    first_moment: FloatArray,
    second_moment: FloatArray,
    step: int,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    /,
) -> None: ...
def lion_update(
    param: FloatArray,
    grad: FloatArray,
    first_moment: FloatArray,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    /,
) -> None: ...

# csrc/bind/normalization.cpp
def standardize(
    x: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    gamma: FloatArray | None,
    beta: FloatArray | None,
    epsilon: float,
    out: FloatArray | None,
    /,
) -> FloatArray: ...
def batch_normalization_forward(
    x: FloatArray,
    gamma: FloatArray | None,
    beta: FloatArray | None,
    epsilon: float,
    out: tuple[FloatArray, FloatArray, FloatArray] | None,
    /,
) -> tuple[FloatArray, FloatArray, FloatArray]: ...
def batch_normalization_backward(
    grad: FloatArray,
    x: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    gamma: FloatArray | None,
    epsilon: float,
    out: tuple[FloatArray, FloatArray, FloatArray] | None,
    /,
) -> tuple[FloatArray, FloatArray, FloatArray]: ...
def layer_normalization_forward(
    x: FloatArray,
    gamma: FloatArray | None,
    beta: FloatArray | None,
    epsilon: float,
    out: FloatArray | None,
    /,
) -> FloatArray: ...
def layer_normalization_backward(
    grad: FloatArray,
    x: FloatArray,
    gamma: FloatArray | None,
    epsilon: float,
    out: tuple[FloatArray, FloatArray, FloatArray] | None,
    /,
) -> tuple[FloatArray, FloatArray, FloatArray]: ...

# csrc/bind/dropout.cpp
def dropout_forward(
    x: FloatArray, rate: float, seed: int, step: int, out: tuple[FloatArray, FloatArray] | None, /
) -> tuple[FloatArray, FloatArray]: ...
def dropout_backward(
    grad: FloatArray, mask: FloatArray, out: FloatArray | None, /
) -> FloatArray: ...
def gaussian_noise(
    x: FloatArray, stddev: float, seed: int, step: int, out: FloatArray | None, /
) -> FloatArray: ...

# csrc/bind/random.cpp
def random_bits(seed: int, stream: int, index: int) -> int: ...
def random_uniform(seed: int, stream: int, size: int) -> FloatArray: ...
def random_normal(seed: int, stream: int, size: int) -> FloatArray: ...
def random_truncated_normal(seed: int, stream: int, size: int) -> FloatArray: ...
def random_permutation(seed: int, stream: int, size: int) -> Array: ...

# csrc/bind/trainer.cpp
class Optimizer:
    def __init__(
        self,
        rule: str,
        *,
        learning_rate: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        rho: float = 0.0,
        beta_1: float = 0.0,
        beta_2: float = 0.0,
        epsilon: float = 0.0,
        initial_slot: float = 0.0,
        weight_decay: float = 0.0,
        clip_value: float = 0.0,
        clip_norm: float = 0.0,
        global_clip_norm: float = 0.0,
        accumulation: int = 1,
        averages: bool = False,
        average_momentum: float = 0.0,
        overwrite_frequency: int = 0,
    ) -> None: ...
    @property
    def slot_names(self) -> list[str]: ...

class Loss:
    def __init__(
        self,
        name: str,
        *,
        delta: float = 1.0,
        gamma: float = 2.0,
        positive_weight: float = 1.0,
        negative_weight: float = 1.0,
        target_scale: float = 1.0,
        target_offset: float = 0.0,
        reduction: str = "sum_over_batch_size",
        ignored_class: int | None = None,
    ) -> None: ...

# csrc/bind/network.cpp
class Use:
    def __init__(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...
    @property
    def is_of_this_thread(self) -> bool: ...

class RandomState:
    def __init__(self, seed: int) -> None: ...
    seed: int
    steps: int

class Snapshot:
    def __enter__(self) -> None: ...
    def __exit__(self, *args: object) -> None: ...

# Each class once for float32 and once for float64
class VariableFloat32:
    def __init__(self, shape: Sequence[int]) -> None: ...
    def numpy(self) -> FloatArray: ...
    def assign(self, value: FloatArray, /) -> None: ...
    @staticmethod
    def all_numpy(variables: Sequence[Any], /) -> list[FloatArray]: ...
    @staticmethod
    def assign_all(variables: Sequence[Any], values: Sequence[FloatArray], /) -> None: ...
    def regularize(self, l1: float, l2: float, /) -> None: ...
    def constrain(self, kind: str, least: float, most: float, rate: float, /) -> None: ...

class NetworkFloat32:
    def __init__(self, inputs: int) -> None: ...
    def add_dense(
        self,
        name: str,
        kernel: VariableFloat32,
        bias: VariableFloat32 | None,
        trainable: bool,
        /,
    ) -> None: ...
    def add_activation(self, name: str, function: str, parameters: dict[str, float], /) -> None: ...
    def add_softmax(self, name: str, /) -> None: ...
    def add_log_softmax(self, name: str, /) -> None: ...
    def add_rescaling(self, name: str, scale: float, offset: float, /) -> None: ...
    def add_dropout(self, name: str, rate: float, random: RandomState, /) -> None: ...
    def add_gaussian_noise(self, name: str, deviation: float, random: RandomState, /) -> None: ...
    def add_batch_normalization(
        self,
        name: str,
        gamma: VariableFloat32 | None,
        beta: VariableFloat32 | None,
        mean: VariableFloat32,
        variance: VariableFloat32,
        momentum: float,
        epsilon: float,
        trainable: bool,
        /,
    ) -> None: ...
    def add_layer_normalization(
        self,
        name: str,
        gamma: VariableFloat32 | None,
        beta: VariableFloat32 | None,
        epsilon: float,
        trainable: bool,
        /,
    ) -> None: ...
    def add_parameters(self, name: str, variable: VariableFloat32, trainable: bool, /) -> None: ...
    @property
    def ends_in_softmax(self) -> bool: ...
    def predict_in_training(self, x: Array, /) -> FloatArray: ...
    def predict(self, x: Array, on_progress: Callable[..., Any] | None, /) -> FloatArray: ...
    def try_predict(self, x: Any, /) -> FloatArray | None: ...
    def snapshot(self) -> Snapshot: ...

class TrainerFloat32:
    def __init__(self, network: NetworkFloat32, loss: Loss, sparse: bool) -> None: ...
    @property
    def depends_on_batch(self) -> bool: ...
    @property
    def steps(self) -> int: ...
    def slots(self) -> tuple[list[str], list[FloatArray]]: ...
    def set_slots(
        self, optimizer: Optimizer, batches: int, arrays: Sequence[FloatArray], /
    ) -> None: ...
    def check(self, x: Array, y: Array, /) -> None: ...
    def train_epoch(
        self,
        x: Array,
        y: Array,
        batch_size: int,
        shuffle: bool,
        seed: int,
        epoch: int,
        optimizer: Optimizer,
        on_progress: Callable[..., Any] | None,
        every_batch: bool,
        sample_weight: FloatArray | None,
        staged: bool,
        learning_rates: Sequence[float],
        first_batch: int,
        /,
    ) -> tuple[int, float, float]: ...
    def finish(self) -> None: ...
    def evaluate(
        self,
        x: Array,
        y: Array,
        batch_size: int,
        on_progress: Callable[..., Any] | None,
        sample_weight: FloatArray | None,
        every_batch: bool,
        /,
    ) -> tuple[int, float, float]: ...
    def outputs(self) -> FloatArray: ...
    def forward(self, x: Array, /) -> FloatArray: ...
    def backward(self, gradient: Array, of_input: bool, /) -> list[FloatArray | None]: ...
    def apply(
        self,
        gradients: Sequence[FloatArray],
        optimizer: Optimizer,
        learning_rate: float | None,
        /,
    ) -> None: ...

class VariableFloat64(VariableFloat32): ...
class NetworkFloat64(NetworkFloat32): ...
class TrainerFloat64(TrainerFloat32): ...

# The classes by dtype.
Variable: dict[str, type[VariableFloat32]]
Network: dict[str, type[NetworkFloat32]]
Trainer: dict[str, type[TrainerFloat32]]
