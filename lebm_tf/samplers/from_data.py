"""States that are observations, or derived from them."""

import dataclasses
from typing import Any, Callable, Mapping

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position, initial_state
from lebm_tf.samplers.draws import Draw
from lebm_tf.samplers.sampler import Sampler


def observed(batch: Mapping[str, Any], seed: rng.Seed) -> Draw:
    """The observations "x" of a batch, unchanged."""
    return Draw(batch["x"], initial_state(batch["x"]))


@dataclasses.dataclass(frozen=True)
class FromData(Sampler):
    """Observations, or states derived from them.

    Attributes:
        make: (batch, seed) -> `Draw`; for example a noised observation that
            starts at its noisier neighbour, with its level as condition.
    """
    make: Callable[[Mapping[str, Any], rng.Seed], Draw] = observed
    climbs = False

    def start(self, num_chains, draws, seed) -> Position:
        return self.make(draws.batch, seed).start

    def draw(self, target, num_chains, draws, seed, num_steps=None):
        """Calls `make`; ignores the target."""
        return self.make(draws.batch, seed)
