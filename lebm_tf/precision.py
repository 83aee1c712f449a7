"""Precision of the networks' computations."""

import contextlib
import functools
import time
from typing import Iterator

import keras
import tensorflow as tf

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
AUTO = "auto"
_WORTH = 1.1  # Smallest speed of bfloat16, relative to float32.
_SHAPE = (16, 8, 8, 64)  # Shape of the input of the timed convolution.


def check(precision: str, loss_scale: float) -> None:
    """Raises ValueError unless the networks can be trained with these settings.

    Args:
        precision: One of `PRECISIONS`, or "auto". Weights, chains, energies and
            losses are always float32.
        loss_scale: Initial loss scale for float16, without which small
            gradients underflow.
    """
    if precision not in (*PRECISIONS, AUTO):
        raise ValueError("precision must be one of "
                         f"{', '.join((*PRECISIONS, AUTO))}, got "
                         f"{precision!r}.")
    if loss_scale < 0:
        raise ValueError(f"loss_scale must be >= 0, got {loss_scale}.")
    if precision == "mixed_float16" and not loss_scale:
        raise ValueError("loss_scale must be > 0 with precision mixed_float16,"
                         f" got {loss_scale}: small gradients would be lost.")


@functools.cache
def bfloat16_speed() -> float:
    """Speed of bfloat16 on this machine, relative to float32.

    Measured within a fraction of a second, with a transposed convolution and
    the gradient of its kernel. Without instructions for bfloat16, TensorFlow
    2.21 takes 4 to 24 times as long for these two on a CPU, and rounds every
    partial sum: an error of 1 % and 2 %, not of 0.2 %. Convolutions and matrix
    products do not show this. CPU feature flags are not sufficient, since
    $ONEDNN_MAX_CPU_ISA may disable features.
    """
    if tf.config.list_physical_devices("GPU"):
        return 2.0  # So small a test would measure kernel launches.
    seconds = []
    for dtype in (tf.float32, tf.bfloat16):
        x, kernel, image = (tf.ones(shape, dtype) for shape in (
            _SHAPE, (4, 4, 32, 64), (16, 16, 16, 32)))
        run = tf.function(lambda x, kernel, image: (
            tf.nn.conv2d_transpose(x, kernel, image.shape, 2, "SAME")[0, 0, 0],
            tf.raw_ops.Conv2DBackpropFilter(
                input=image, filter_sizes=kernel.shape, out_backprop=x,
                strides=[1, 2, 2, 1], padding="SAME")[0, 0, 0]))
        times = []
        for _ in range(4):  # The first one traces.
            started = time.perf_counter()
            tf.nest.map_structure(lambda y: y.numpy(), run(x, kernel, image))
            times.append(time.perf_counter() - started)
        seconds.append(min(times))
    return seconds[0] / seconds[1]


def resolve(precision: str) -> str:
    """The precision that "auto" selects on this machine; others are unchanged.
    """
    if precision != AUTO:
        return precision
    return "mixed_bfloat16" if bfloat16_speed() >= _WORTH else "float32"


def advice(asked: str) -> str:
    """A message about a precision before training, "" for none.

    Args:
        asked: The precision as given by the user.
    """
    if asked not in (AUTO, "mixed_bfloat16"):
        return ""
    speed = bfloat16_speed()
    times = f"{speed:.1f} times as fast as" if speed >= 1 else (
        f"{1 / speed:.1f} times slower than")
    measured = f"bfloat16 is {times} float32 on this machine"
    if asked == AUTO:
        return f"Precision {resolve(asked)}: {measured}."
    return "" if speed >= 1 else (
        f"Warning: {measured}, which has no instructions for it, and its sums "
        "have larger rounding errors; --precision=auto or float32 avoids that.")


@contextlib.contextmanager
def scope(precision: str | None):
    """Sets the precision of layers made inside; None keeps Keras' policy."""
    before = keras.config.dtype_policy()
    if precision is not None:
        keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def kernels_cast_once(*layers: keras.layers.Layer):
    """Casts the kernels of mixed precision layers once for all calls inside.

    For chains, whose loops would otherwise cast every kernel at every step.
    """
    scope = keras.StatelessScope()
    for layer in layers:
        for part in layer._flatten_layers():
            if part.compute_dtype == part.variable_dtype:
                continue
            for variable in _own_kernels(part):
                # Added here, since the scope's constructor would cast back.
                scope.add_update((variable, tf.cast(
                    variable.value, part.compute_dtype)))
    with scope if scope.state_mapping else contextlib.nullcontext():
        yield


def _own_kernels(layer) -> Iterator[keras.Variable]:
    """Kernels that no inner layer has; only the layer's `call` reads them."""
    others = {id(variable) for inner in layer._flatten_layers(
        include_self=False, recursive=False) for variable in inner.variables}
    return (variable for variable in layer.variables
            if variable.name == "kernel" and variable._autocast
            and id(variable) not in others)
