"""Energies of latents with several layers."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="lebm_tf")
class LayerEnergies(keras.layers.Layer):
    """E(z) = sum_i E_i(zi), one energy per layer.

    No term couples two layers; only the base does. Cui et al. 2023,
    arXiv:2306.06323, whose f_i is -E_i.

    Args:
        energies: Layers, zi -> energies [batch], from z1 upwards.

    Call arguments:
        z: Tuple of as many latents.

    Returns:
        Energies in nats, float [batch].
    """

    def __init__(self, energies, **kwargs):
        # Latents stay in full precision: what is inside casts them itself.
        super().__init__(**{"autocast": False, **kwargs})
        self.energies, self.built = list(energies), True

    def of_layers(self, z: tuple) -> tuple[tf.Tensor, ...]:
        """E_i(zi) of every layer, each [batch]."""
        return tuple(energy(layer)
                     for energy, layer in zip(self.energies, z, strict=True))

    def call(self, z: tuple) -> tf.Tensor:
        return tf.add_n(self.of_layers(z))

    def get_config(self):
        return {**super().get_config(), "energies": [
            keras.saving.serialize_keras_object(energy)
            for energy in self.energies]}

    @classmethod
    def from_config(cls, config):
        return cls([keras.saving.deserialize_keras_object(energy)
                    for energy in config.pop("energies")], **config)


@keras.saving.register_keras_serializable(package="lebm_tf")
class JoinedEnergy(keras.layers.Layer):
    """E(z) = E([z1; ...; zL]), one energy of all layers, concatenated.

    Cui, Wu and Han 2023, arXiv:2310.09604.

    Args:
        energy: Layer, float [batch, sum of all widths] -> [batch].

    Call arguments:
        z: Tuple of latent vectors.

    Returns:
        Energies in nats, float [batch].
    """

    def __init__(self, energy: keras.layers.Layer, **kwargs):
        # Latents stay in full precision: what is inside casts them itself.
        super().__init__(**{"autocast": False, **kwargs})
        self.energy, self.built = energy, True

    def call(self, z: tuple) -> tf.Tensor:
        return self.energy(tf.concat(z, -1))

    def get_config(self):
        return {**super().get_config(), "energy":
                keras.saving.serialize_keras_object(self.energy)}

    @classmethod
    def from_config(cls, config):
        energy = keras.saving.deserialize_keras_object(config.pop("energy"))
        return cls(energy, **config)
