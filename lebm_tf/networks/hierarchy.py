"""Hierarchies of latent groups, and layers in the coordinates of their noise.

A hierarchy is a Keras layer, of this library or not, with

    group_shapes: shape of a row of every group, in the order of drawing;
    walk(choose, num_rows) -> mean image [num_rows, ...], in which
        choose(i, mean, scale, state) -> z of group i, [num_rows, *shape], is
        called once for every group i in order: N(mean, scale^2) is p(z |
        earlier groups), and state that of the decoder, float [...];

and, for encoding,

    features(x) -> features of every group;
    posterior(i, features, state) -> (m, h), each [num_rows, *shape]: the noise
        e of z = mean + scale e is N(m, exp(h)^2), given x and earlier groups.

The noise of all groups is a nest (e1, ..., eL), with e1 of the group that is
drawn last, next to the data.
"""

from typing import Any

import keras
import tensorflow as tf

_NEEDED = ("group_shapes", "walk")


def check_hierarchy(network: Any) -> None:
    """Raises ValueError if a network lacks a part of the interface of a
    hierarchy."""
    lacking = [name for name in _NEEDED if not hasattr(network, name)]
    if lacking:
        raise ValueError(
            f"a hierarchy needs {' and '.join(lacking)}, got a "
            f"{type(network).__name__} without them.")


def decoded(hierarchy: Any, noise: tuple, temperature: float = 1.0
            ) -> tuple[tuple, tuple, tf.Tensor]:
    """Decodes noise.

    Args:
        hierarchy: A hierarchy.
        noise: (e1, ..., eL), each [batch, *shape].
        temperature: Factor > 0 on all scales.

    Returns:
        (z1, ..., zL), their scales, and the mean image.
    """
    z: list[tf.Tensor] = []
    scales: list[tf.Tensor] = []
    count = len(noise)

    def choose(i, mean, scale, state):
        scale = temperature * scale
        scales.insert(0, scale)
        z.insert(0, mean + scale * noise[count - 1 - i])
        return z[0]
    rows = noise[0].shape[0]
    x = hierarchy.walk(choose, tf.shape(noise[0])[0] if rows is None else rows)
    return tuple(z), tuple(scales), x


class _OnHierarchy(keras.layers.Layer):
    """A layer with a hierarchy and a temperature."""

    def __init__(self, hierarchy, temperature: float = 1.0, **kwargs):
        super().__init__(**{"autocast": False, **kwargs})
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature}.")
        check_hierarchy(hierarchy)
        self.hierarchy, self.temperature = hierarchy, temperature
        self.built = True

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature,
                "hierarchy": keras.saving.serialize_keras_object(
                    self.hierarchy)}

    @classmethod
    def from_config(cls, config):
        config["hierarchy"] = keras.saving.deserialize_keras_object(
            config["hierarchy"])
        if "energies" in config:
            config["energies"] = [keras.saving.deserialize_keras_object(energy)
                                  for energy in config["energies"]]
        return cls(**config)


@keras.saving.register_keras_serializable(package="lebm_tf")
class NoiseDecoder(_OnHierarchy):
    """Noise of all groups -> mean image, float [batch, ...].

    Args:
        hierarchy: A hierarchy with the interface of this module.
        temperature: Factor > 0 on all scales.
    """

    def call(self, noise: tuple) -> tf.Tensor:
        return decoded(self.hierarchy, noise, self.temperature)[2]


@keras.saving.register_keras_serializable(package="lebm_tf")
class NoiseEnergy(_OnHierarchy):
    """Energy of noise, relative to N(0, I): sum_i E_i(z_i(e)).

    z is a smooth function of e with the Jacobian prod_i scale_i, so exp(-sum_i
    E_i(z_i)) p(z) has in e the density exp(-E(e)) N(e; 0, I). The two-stage
    program of Cui et al. 2023, arXiv:2306.06323, has the target log p(z)
    without the Jacobian: E(e) is then sum_i E_i(z_i) + log scale_i, summed over
    elements, which makes narrow scales improbable.

    Args:
        hierarchy: A hierarchy with the interface of this module; not trained
            here.
        energies: Layers z_i -> [batch], with the group next to the data first.
        temperature: Factor > 0 on all scales.
        exact: Whether to include the Jacobian; False as in the authors'
            program.

    Call arguments:
        noise: (e1, ..., eL).

    Returns:
        Energies in nats, float [batch].
    """

    def __init__(self, hierarchy, energies, temperature: float = 1.0,
                 exact: bool = True, **kwargs):
        super().__init__(hierarchy, temperature, **kwargs)
        self.energies, self.exact = list(energies), exact

    def call(self, noise: tuple) -> tf.Tensor:
        z, scales, _ = decoded(self.hierarchy, noise, self.temperature)
        terms = [energy(group) for energy, group in zip(
            self.energies, z, strict=True)]
        if not self.exact:
            # Broadcast to the shape of z, since a scale may be one number for
            # all elements.
            terms += [tf.reduce_sum(
                tf.math.log(scale + tf.zeros_like(group)),
                list(range(1, group.shape.rank)))
                for scale, group in zip(scales, z)]
        return tf.add_n(terms)

    def get_config(self):
        return {**super().get_config(), "exact": self.exact, "energies": [
            keras.saving.serialize_keras_object(energy)
            for energy in self.energies]}
