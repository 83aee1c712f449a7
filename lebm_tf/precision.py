"""Which number format the networks compute in."""

import contextlib
import functools
import time
from typing import Iterator

import keras
import tensorflow as tf

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
AUTO = "auto"
_WORTH = 1.1  # Times as fast as float32 that bfloat16 must be.
_SHAPE = (16, 8, 8, 64)  # Of the maps whose transposed convolution is timed.


def check(precision: str, loss_scale: float) -> None:
    """Raises ValueError unless the networks can be trained so.

    Args:
        precision: One of `PRECISIONS`, or "auto". Weights, chains, energies
            and losses are float32 in each.
        loss_scale: First factor on gradients of float16, which has no room
            for small ones without.
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
    """How many times as fast as in float32 bfloat16 is on this machine.

    Measured in some hundredths of a second, with a transposed convolution and
    the gradient of its kernel. Without instructions for bfloat16, TensorFlow
    2.21 takes 4 to 24 times as long for these two on a CPU, and rounds every
    partial sum: an error of 1 % and 2 %, not of 0.2 %. Convolutions and
    products of matrices show nothing of it. Flags of the processor would not
    do, as $ONEDNN_MAX_CPU_ISA hides what it can.
    """
    if tf.config.list_physical_devices("GPU"):
        return 2.0  # What is so small measures the start of a kernel.
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
    """The precision that "auto" stands for on this machine; others as is."""
    if precision != AUTO:
        return precision
    return "mixed_bfloat16" if bfloat16_speed() >= _WORTH else "float32"


def advice(asked: str) -> str:
    """What to say of a precision before training in it, "" if nothing.

    Args:
        asked: As the user gave it.
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
        f"Warning: {measured}, which has no instructions for it, and sums "
        "are rounded more; --precision=auto or float32 avoids that.")


@contextlib.contextmanager
def scope(precision: str | None):
    """Layers made inside compute so; None leaves Keras's policy as it is."""
    before = keras.config.dtype_policy()
    if precision is not None:
        keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def kernels_cast_once(*layers: keras.layers.Layer):
    """Within it layers of mixed precision read kernels that are cast already.

    For chains: a loop would cast every kernel anew at every move.
    """
    scope = keras.StatelessScope()
    for layer in layers:
        for part in layer._flatten_layers():
            if part.compute_dtype == part.variable_dtype:
                continue
            for variable in _own_kernels(part):
                # Not an argument of the scope: it would cast them back.
                scope.add_update((variable, tf.cast(
                    variable.value, part.compute_dtype)))
    with scope if scope.state_mapping else contextlib.nullcontext():
        yield


def _own_kernels(layer) -> Iterator[keras.Variable]:
    """Those that no layer within it has; only its `call` reads them."""
    others = {id(variable) for inner in layer._flatten_layers(
        include_self=False, recursive=False) for variable in inner.variables}
    return (variable for variable in layer.variables
            if variable.name == "kernel" and variable._autocast
            and id(variable) not in others)
