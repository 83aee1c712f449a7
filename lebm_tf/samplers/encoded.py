"""Draws of a network, with no chain at all."""

import dataclasses
from typing import Any

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.samplers.draws import Draw
from lebm_tf.samplers.sampler import Sampler


@dataclasses.dataclass(frozen=True)
class Encoded(Sampler):
    """One reparameterized draw of an encoder.

    The draw carries gradients to the encoder, so `EnergyModel` makes it on
    the tape.

    Attributes:
        encoder: Density q(z | x), such as `densities.ConditionalGaussian`.
        has_dropout: Whether its network leaves out a part of its values, as
            in training.
    """
    encoder: Any
    has_dropout: bool = False
    is_reparameterized = True
    climbs = False

    def start(self, num_chains, draws, seed):
        return self.encoder.sample(
            draws.batch["x"], seed, condition=draws.batch.get("condition"))

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        """Encodes the batch's "x"; the target is not looked at."""
        position, encoded = self.encoder.draw(
            draws.batch["x"], rng.stream(seed, "start"),
            condition=draws.batch.get("condition"),
            dropout_seed=rng.stream(seed, "dropout") if (
                self.has_dropout) else None)
        constant = tf.nest.map_structure(tf.stop_gradient, position)
        state = initial_state(constant)._replace(position=position)
        return Draw(constant, state, encoded)
