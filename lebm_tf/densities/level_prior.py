"""An energy of observations at every noise level."""

import keras
import tensorflow as tf

from lebm_tf.densities.energy_prior import EnergyPrior
from lebm_tf.densities.flat import Flat
from lebm_tf.densities.neighbours import rows
from lebm_tf.densities.noise_levels import NoiseLevels
from lebm_tf.densities.targets import Target
from lebm_tf.mcmc.kernel import Position


@keras.saving.register_keras_serializable(package="lebm_tf")
class LevelPrior(EnergyPrior):
    """p(y, t) = exp(-E(y, t) / s_t^2) / Z_t of the states y = b_{t+1} x_t.

    Trained by recovery likelihood: Gao et al. 2021, arXiv:2012.08125. Their
    network is f = -E, their chains have the target f / s_t^2 with the step size
    s_t, and their loss uses f. Energies therefore have one magnitude at all
    levels, and `unnormalized_log_prob` is in nats. The condition is the level,
    int32 [batch]; without it z is an observation x at level 0, with y = b_1 x.

    Args:
        energy: Layer E, (y, level or None) -> [batch], such as
            `networks.LevelEnergy`.
        scales: Scales of `NoiseLevels`.
        step_sizes: Step size s_t > 0 of each level.
    """

    def __init__(self, energy: keras.layers.Layer, scales: tuple[float, ...],
                 step_sizes: tuple[float, ...], **kwargs):
        super().__init__(Flat(), energy, **kwargs)
        self.levels = NoiseLevels(tuple(scales))
        self.step_sizes = tuple(step_sizes)

    def unnormalized_log_prob(self, z: Position, *, condition=None
                              ) -> tf.Tensor:
        """log p(z) up to a constant, float [batch], in nats."""
        energy = self.energy(z, condition=condition)
        if condition is None:
            return -energy / self.step_sizes[0]**2
        return -energy / tf.square(rows(self.step_sizes, condition, energy))

    def at_level(self, level: tf.Tensor, above: Position) -> Target:
        """Target y -> log p(y | x_{t+1}) up to a constant, [batch], in nats.

        It is log p(y, t) - |y - x_{t+1}|^2 / (2 s_{t+1}^2); at the highest
        level log p alone. Equation (5) of the paper.

        Args:
            level: t, int32 [batch].
            above: x_{t+1}, [batch, ...].
        """
        def log_prob(y, known):
            above, level = known
            strength = rows(
                [0.5 * held / scale**2 for held, scale in zip(
                    self.levels.tethered[1:], self.levels.scales[1:])],
                level, y)
            distance = tf.reduce_sum(strength * tf.square(y - above),
                                     list(range(1, y.shape.rank)))
            return self.unnormalized_log_prob(y, condition=level) - distance
        return Target(log_prob, (above, level), condition=level)

    def get_config(self):
        config = super().get_config()
        del config["base"]
        return {**config, "scales": self.levels.scales,
                "step_sizes": self.step_sizes}
