"""The learned prior: a base tilted by an energy."""

import keras
import tensorflow as tf

from lebm_tf.densities.contracts import Prior
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc.kernel import Position


@keras.saving.register_keras_serializable(package="lebm_tf")
class EnergyPrior(Nested, Prior, keras.Model):
    """p(z) = exp(-E(z)) p0(z) / Z, or p(z | c) with E(z, c).

    Pang et al. 2020, arXiv:2006.08205, equation of the prior model. Z is
    unknown; `evaluation.likelihood` estimates it.

    Args:
        base: Density p0, a `Base`; or `Flat` for an energy without a base.
        energy: Layer, z -> energies in nats [batch]; with a condition it is
            called as energy(z, condition).
    """

    has_energy = True

    def __init__(self, base: keras.Model, energy: keras.layers.Layer,
                 **kwargs):
        super().__init__(**kwargs)
        self.base, self.energy_network = base, energy
        self.built = True

    def energy(self, z: Position, *, condition=None, drop=None) -> tf.Tensor:
        """E(z), float [batch], in nats; low energies are probable.

        Args:
            z: Latents, nest of [batch, ...].
            condition: Nest of [batch, ...], for a conditional energy.
            drop: Function (values, name) -> values that applies dropout, in
                training only.
        """
        arguments = () if condition is None else (condition,)
        dropped = {} if drop is None else {"drop": drop}
        return self.energy_network(z, *arguments, **dropped)

    def unnormalized_log_prob(self, z: Position, *, condition=None
                              ) -> tf.Tensor:
        """log p0(z) - E(z), float [batch]: log p(z) up to -log Z."""
        return self.base.unnormalized_log_prob(z) - self.energy(
            z, condition=condition)

    def call(self, z, condition=None):
        return self.unnormalized_log_prob(z, condition=condition)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), "base": serialize(self.base),
                "energy": serialize(self.energy_network)}
