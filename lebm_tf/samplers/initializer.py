"""Where chains start. Short-run, warm-started and persistent chains differ
in nothing else."""

import dataclasses
from typing import Any, Mapping, Protocol

from lebm_tf.densities.conditions import given
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position


class Initializer(Protocol):
    """(number of chains, batch, seed) -> starting position."""

    def start(self, num_chains, batch: Mapping[str, Any], seed: rng.Seed
              ) -> Position:
        """Positions [num_chains, ...] to start from."""

    def update(self, batch: Mapping[str, Any], position: Position,
               seed: rng.Seed) -> None:
        """Takes note of where the chains ended; `seed` is that of `start`."""


@dataclasses.dataclass(frozen=True)
class FromBase:
    """Draws from the base p0, afresh for every batch: the short run.

    Attributes:
        base: Density with `sample(num_samples, seed)`.
    """
    base: Any

    def start(self, num_chains, batch, seed):
        return self.base.sample(num_chains, seed)

    def update(self, batch, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class FromBatch:
    """Goes on from the positions that a batch holds as "start"."""

    def start(self, num_chains, batch, seed):
        return batch["start"]

    def update(self, batch, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class FromEncoder:
    """Draws from q(z | x), so that a few steps suffice: the warm start.

    Attributes:
        encoder: Density with `sample(x, seed)`.
    """
    encoder: Any

    def start(self, num_chains, batch, seed):
        return self.encoder.sample(
            batch["x"], seed, **given(self.encoder, batch.get("condition")))

    def update(self, batch, position, seed):
        pass
