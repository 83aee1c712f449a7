"""Initial weights as in the authors' PyTorch programs.

Dense layers: U(-b, b) with b = 1 / sqrt(fan_in), for kernels and biases.
Convolutions: Xavier normal kernels, std sqrt(2 / ((in + out) k k)), and biases
U(-b, b), where PyTorch's fan_in of a transposed convolution is out * k * k.
Keras defaults (Glorot uniform, zero biases) differ.
"""

import math
import zlib

import keras


def derive_seed(seed: int, name: str) -> int:
    """A separate seed for every named layer of a network."""
    return (seed * 1_000_003 + zlib.crc32(name.encode())) % (2**31)


def bound(fan_in: int, seed: int) -> keras.initializers.Initializer:
    """U(-b, b) with b = 1 / sqrt(fan_in)."""
    limit = 1.0 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-limit, limit, seed=seed)


def xavier_normal(seed: int) -> keras.initializers.Initializer:
    """N(0, 2 / (fan_in + fan_out)), not truncated."""
    return keras.initializers.VarianceScaling(
        1.0, "fan_avg", "untruncated_normal", seed=seed)


def set_to_zero(layer: keras.layers.Layer) -> None:
    """Sets the weights of a layer to 0, so that its output starts at 0."""
    layer.set_weights([0.0 * weight for weight in layer.get_weights()])


def dense(units: int, fan_in: int, seed: int, name: str,
          **kwargs) -> keras.layers.Dense:
    """A dense layer with PyTorch's default initial weights.

    Args:
        units: Width of the output.
        fan_in: Width of the input.
        seed: Seed of the network.
        name: Name of the layer, unique within the network.
        **kwargs: Arguments of `keras.layers.Dense`.
    """
    return keras.layers.Dense(
        units, name=name,
        kernel_initializer=bound(fan_in, derive_seed(seed, name + "/kernel")),
        bias_initializer=bound(fan_in, derive_seed(seed, name + "/bias")),
        **kwargs)
