"""Which number format the networks compute in."""

import contextlib
from typing import Iterator

import keras
import tensorflow as tf

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def check(precision: str, loss_scale: float) -> None:
    """Raises ValueError unless the networks can be trained so.

    Args:
        precision: One of `PRECISIONS`. Weights, chains, energies and losses
            are float32 in each.
        loss_scale: First factor on gradients of float16, which has no room
            for small ones without.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, "
                         f"got {precision!r}.")
    if loss_scale < 0:
        raise ValueError(f"loss_scale must be >= 0, got {loss_scale}.")
    if precision == "mixed_float16" and not loss_scale:
        raise ValueError("loss_scale must be > 0 with precision mixed_float16,"
                         f" got {loss_scale}: small gradients would be lost.")


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
