"""Activation functions that are exact in float64 as well.

`tf.nn.leaky_relu` and `tf.nn.gelu` keep their constants as float32 for every
input, an error of 1e-8 that would mask differences from reference numbers. They
are the fastest in every other precision, so only float64 uses other code.
"""

import math

import tensorflow as tf


def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """max(x, 0.2 x), the slope that the authors' networks use."""
    if x.dtype == tf.float64:
        return tf.where(x > 0, x, 0.2 * x)
    return tf.nn.leaky_relu(x, 0.2)


def gentle_leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """max(x, 0.01 x), PyTorch's default slope."""
    if x.dtype == tf.float64:
        return tf.where(x > 0, x, 0.01 * x)
    return tf.nn.leaky_relu(x, 0.01)


def gelu(x: tf.Tensor) -> tf.Tensor:
    """x Phi(x) with the normal distribution function Phi, by erf."""
    if x.dtype == tf.float64:
        return 0.5 * x * (1.0 + tf.math.erf(x / math.sqrt(2.0)))
    return tf.nn.gelu(x, approximate=False)


ACTIVATIONS = {"gelu": gelu, "leaky_relu": leaky_relu, "relu": tf.nn.relu,
               "silu": tf.nn.silu, "tanh": tf.tanh,
               "linear": tf.identity}


def get(name: str):
    """Returns the activation of that name.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in ACTIVATIONS:
        raise ValueError(
            f"activation must be one of {', '.join(sorted(ACTIVATIONS))}, "
            f"got {name!r}.")
    return ACTIVATIONS[name]
