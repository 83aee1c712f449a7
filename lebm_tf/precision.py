"""Which number format the networks compute in."""

import contextlib

import keras

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
