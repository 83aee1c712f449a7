"""Outputs of a network on data or on other states."""

import dataclasses
from typing import Any, Callable

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position, initial_state
from lebm_tf.samplers.draws import Draw, Draws
from lebm_tf.samplers.sampler import Sampler


@dataclasses.dataclass(frozen=True)
class Mapped(Sampler):
    """The output of a network on the states that a source selects, on the tape.

    Attributes:
        network: Layer, position -> position; called with `drop` for dropout.
        source: Draws -> inputs, [batch, ...]: a part of the batch, or the
            states of an earlier role.
        dropout: Dropout rate in [0, 1) in training, that is if the draws have a
            seed.
    """
    network: Any
    source: Callable[[Draws], Position]
    dropout: float = 0.0
    is_reparameterized = True
    climbs = False

    def start(self, num_chains, draws, seed):
        return tf.stop_gradient(self._made(draws, seed))

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        """Calls the network; ignores the target."""
        position = self._made(draws, seed)
        constant = tf.stop_gradient(position)
        return Draw(constant, initial_state(constant)._replace(
            position=position))

    def update(self, draws, position, seed):
        """Does nothing: as an initializer it has no memory."""

    def _made(self, draws, seed):
        x = self.source(draws)
        if not self.dropout or draws.seed is None:
            return self.network(x)
        seed = rng.stream(seed, "dropout")
        return self.network(x, drop=lambda values, name: values *
                            rng.dropout_mask(
                                tf.shape(values), self.dropout,
                                rng.stream(seed, name), values.dtype))
