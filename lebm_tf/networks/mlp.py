"""Multilayer perceptrons: energies of latents, and maps between them."""

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers
from lebm_tf.networks.spectral_norm import SpectralLayer


@keras.saving.register_keras_serializable(package="lebm_tf")
class EnergyMLP(keras.layers.Layer):
    """Energy of a latent vector: dense layers with a scalar output.

    E(z) = W_n act(... act(W_1 z + b_1) ...) + b_n; Pang et al. 2020,
    arXiv:2006.08205, `_netE` of train_svhn.py (two hidden layers of 200).

    Args:
        latent_dim: Dimension of z, at least 1.
        hidden_units: Widths of the hidden layers, each at least 1.
        activation: One of `activations.ACTIVATIONS`.
        seed: Seed of the initial weights.
        bound: Bound on |E|, by a hyperbolic tangent; 0 for no bound.
        spectral_norm: Whether every kernel is divided by its largest singular
            value, see `SpectralLayer`.

    Call arguments:
        z: Latent vectors, float [batch, latent_dim].
        drop: Dropout function (values, name) -> values; None for no dropout.

    Returns:
        Energies in nats, float [batch]. Computed in float32 under mixed
        precision: the network is small, and half precision is slower on a CPU.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, latent_dim: int, hidden_units: tuple = (200, 200),
                 activation: str = "gelu", seed: int = 0, bound: float = 0.0,
                 spectral_norm: bool = False, **kwargs):
        super().__init__(**kwargs)
        widths = (latent_dim, *hidden_units)
        if not bound >= 0:
            raise ValueError(f"bound must be >= 0, got {bound}.")
        if min(widths) < 1:
            raise ValueError(
                "latent_dim and hidden_units must be >= 1, got "
                f"{latent_dim} and {tuple(hidden_units)}.")
        self.latent_dim, self.hidden_units = latent_dim, tuple(hidden_units)
        self.activation, self.seed, self.bound = activation, seed, bound
        self.spectral_norm = spectral_norm
        self.act = activations.get(activation)
        self.layers = [
            self._dense(f"dense_{i}", fan_in, units)
            for i, (fan_in, units) in enumerate(zip(widths, widths[1:]))]
        self.head = self._dense("energy", widths[-1], 1)
        self.build((None, latent_dim))

    def _dense(self, name, fan_in, units):
        if self.spectral_norm:
            return SpectralLayer(fan_in, units, seed=self.seed, name=name,
                                 dtype=self.variable_dtype)
        return initializers.dense(units, fan_in, self.seed, name,
                                  dtype=self.variable_dtype)

    def build(self, input_shape):
        for layer in (*self.layers, self.head):
            layer.build(input_shape)
            input_shape = (None, layer.units)
        self.built = True

    def call(self, z: tf.Tensor, drop=None) -> tf.Tensor:
        for layer in self.layers:
            z = self.act(layer(z))
            if drop is not None:
                z = drop(z, layer.name)
        energy = self.head(z)[:, 0]
        if self.bound:
            energy = self.bound * tf.tanh(energy / self.bound)
        return energy

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "hidden_units": self.hidden_units,
                "activation": self.activation, "seed": self.seed,
                "bound": self.bound, "spectral_norm": self.spectral_norm}


@keras.saving.register_keras_serializable(package="lebm_tf")
class VectorMLP(keras.layers.Layer):
    """Dense layers from a vector to one or more vectors.

    With two outputs, these are the mean and log standard deviation of a
    Gaussian.

    Args:
        input_dim: Width of the input, at least 1.
        output_dim: Width of each output, at least 1.
        hidden_units: Widths of the hidden layers, each at least 1.
        num_outputs: Number of output vectors, at least 1.
        activation: One of `activations.ACTIVATIONS`.
        seed: Seed of the initial weights.
        dropout: Dropout rate of the hidden layers, in [0, 1).

    Call arguments:
        z: float [batch, input_dim].
        drop: Dropout function (values, name) -> values; None for no dropout.

    Returns:
        float [batch, output_dim], float32 under mixed precision; a tuple if
        there are several.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, input_dim: int, output_dim: int,
                 hidden_units: tuple = (200,), num_outputs: int = 1,
                 activation: str = "leaky_relu", seed: int = 0,
                 dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}.")
        widths = (input_dim, *hidden_units)
        if min(*widths, output_dim, num_outputs) < 1:
            raise ValueError(
                "all widths and num_outputs must be >= 1, got "
                f"{(*widths, output_dim)} and {num_outputs}.")
        self.input_dim, self.output_dim = input_dim, output_dim
        self.hidden_units, self.num_outputs = tuple(hidden_units), num_outputs
        self.activation, self.seed = activation, seed
        self.dropout, self.act = dropout, activations.get(activation)
        self.layers = [
            initializers.dense(units, fan_in, seed, f"dense_{i}",
                               dtype=self.dtype_policy)
            for i, (fan_in, units) in enumerate(zip(widths, widths[1:]))]
        self.head = initializers.dense(
            num_outputs * output_dim, widths[-1], seed, "head",
            dtype=self.variable_dtype)
        self.build((None, input_dim))

    def build(self, input_shape):
        for layer in (*self.layers, self.head):
            layer.build(input_shape)
            input_shape = (None, layer.units)
        self.built = True

    def call(self, z: tf.Tensor, drop=None):
        for layer in self.layers:
            z = self.act(layer(z))
            if drop is not None:
                z = drop(z, layer.name)
        outputs = tuple(tf.split(self.head(z), self.num_outputs, axis=-1))
        return outputs if self.num_outputs > 1 else outputs[0]

    def get_config(self):
        return {**super().get_config(), "input_dim": self.input_dim,
                "output_dim": self.output_dim, "seed": self.seed,
                "hidden_units": self.hidden_units,
                "num_outputs": self.num_outputs, "dropout": self.dropout,
                "activation": self.activation}


@keras.saving.register_keras_serializable(package="lebm_tf")
class FirstLayer(keras.layers.Layer):
    """g(z1) of latents with several layers: a generator that uses only z1.

    Args:
        generator: Layer, z1 -> x.

    Call arguments:
        z: Tuple of latents, the one next to the data first.
    """

    def __init__(self, generator: keras.layers.Layer, **kwargs):
        super().__init__(**kwargs)
        self.generator, self.built = generator, True

    def call(self, z: tuple) -> tf.Tensor:
        return self.generator(z[0])

    def get_config(self):
        return {**super().get_config(), "generator":
                keras.saving.serialize_keras_object(self.generator)}

    @classmethod
    def from_config(cls, config):
        generator = keras.saving.deserialize_keras_object(
            config.pop("generator"))
        return cls(generator, **config)
