"""Samples of a flow with their log density."""

import dataclasses
from typing import Any

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.samplers.draws import Draw
from lebm_tf.samplers.sampler import Sampler


@dataclasses.dataclass(frozen=True)
class Flowed(Sampler):
    """One reparameterized sample of a flow, with its log q as `encoded`.

    Gradients flow to the flow, so `EnergyModel` draws it on the tape.

    Attributes:
        flow: Density with `sample_and_log_prob(num_samples, seed)`, such as
            `densities.LearnedFlow`.
    """
    flow: Any
    is_reparameterized = True
    climbs = False

    def start(self, num_chains, draws, seed):
        return self.flow.sample(num_chains, seed)

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        """As `Sampler.draw`; ignores the target."""
        position, log_prob = self.flow.sample_and_log_prob(
            num_chains, rng.stream(seed, "start"))
        constant = tf.stop_gradient(position)
        state = initial_state(constant)._replace(position=position)
        return Draw(constant, state, (log_prob,))
