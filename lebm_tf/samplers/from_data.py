"""States that are data."""

import dataclasses
from typing import Any, Callable, Mapping

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position, initial_state
from lebm_tf.samplers.draws import Draw
from lebm_tf.samplers.sampler import Sampler


def observed(batch: Mapping[str, Any], seed: rng.Seed) -> Draw:
    """The observations of a batch, its "x", as they are."""
    return Draw(batch["x"], initial_state(batch["x"]))


@dataclasses.dataclass(frozen=True)
class FromData(Sampler):
    """What is learned from: observations, or what is made of them.

    Attributes:
        make: (batch, seed) -> `Draw`; a noised observation, say, that starts
            at its noisier neighbour and has its level as condition.
    """
    make: Callable[[Mapping[str, Any], rng.Seed], Draw] = observed
    climbs = False

    def start(self, num_chains, draws, seed) -> Position:
        return self.make(draws.batch, seed).start

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        """As `make` has it; the target is not looked at."""
        return self.make(draws.batch, seed)
