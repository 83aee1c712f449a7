"""Samples of an encoder, without chains."""

import dataclasses
from typing import Any

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.samplers.draws import Draw
from lebm_tf.samplers.sampler import Sampler


@dataclasses.dataclass(frozen=True)
class Encoded(Sampler):
    """One reparameterized sample of an encoder.

    Gradients flow to the encoder, so `EnergyModel` draws it on the tape.

    Attributes:
        encoder: Density q(z | x), such as `densities.ConditionalGaussian`.
        has_dropout: Whether dropout is active in its network.
    """
    encoder: Any
    has_dropout: bool = False
    is_reparameterized = True
    climbs = False

    def start(self, num_chains, draws, seed):
        return self.encoder.sample(
            draws.batch["x"], seed, condition=draws.batch.get("condition"))

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        """Encodes the batch's "x"; ignores the target."""
        position, encoded = self.encoder.draw(
            draws.batch["x"], rng.stream(seed, "start"),
            condition=draws.batch.get("condition"),
            dropout_seed=rng.stream(seed, "dropout") if (
                self.has_dropout) else None)
        constant = tf.nest.map_structure(tf.stop_gradient, position)
        state = initial_state(constant)._replace(position=position)
        return Draw(constant, state, encoded)
