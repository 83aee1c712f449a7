"""Initializers of chains. Short-run, warm-started and persistent chains differ
in nothing else."""

import dataclasses
from typing import Any, Callable, Protocol

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position
from lebm_tf.samplers.draws import Draws


class Initializer(Protocol):
    """(number of chains, draws, seed) -> initial positions."""

    def start(self, num_chains, draws: Draws, seed: rng.Seed) -> Position:
        """Initial positions, nest of [num_chains, ...]."""

    def update(self, draws: Draws, position: Position, seed: rng.Seed
               ) -> None:
        """Records the final positions; `seed` is that of `start`."""


@dataclasses.dataclass(frozen=True)
class FromBase:
    """New samples of the base p0 for every batch: the short run.

    Attributes:
        base: Density with `sample(num_samples, seed)`.
    """
    base: Any

    def start(self, num_chains, draws, seed):
        return self.base.sample(num_chains, seed)

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class NormalLike:
    """N(0, scale^2 I) with the shapes of the samples of a density.

    The initial states of chains in the authors' programs (e_init_sig).

    Attributes:
        density: Has `sample(num_samples, seed)`.
        scale: Standard deviation > 0.
    """
    density: Any
    scale: float

    def sample(self, num_samples, seed: rng.Seed) -> Position:
        """Draws, nest of [num_samples, ...]."""
        one = self.density.sample(1, rng.make_seed(0))
        leaves = tf.nest.flatten(one)
        drawn = [self.scale * rng.normal(
            [num_samples, *leaf.shape[1:]],
            seed if len(leaves) == 1 else rng.stream(seed, str(i)), leaf.dtype)
            for i, leaf in enumerate(leaves)]
        return tf.nest.pack_sequence_as(one, drawn)


@dataclasses.dataclass(frozen=True)
class FromNoise:
    """Samples of N(0, I) of any shape, such as that of images.

    Attributes:
        shape: Shape of one state.
    """
    shape: tuple[int, ...]

    def start(self, num_chains, draws, seed):
        return rng.normal([num_chains, *self.shape], seed)

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class FromEncoder:
    """Samples of q(z | x), from which few moves suffice: the warm start.

    Attributes:
        encoder: Density with `sample(x, seed, condition=None)`.
    """
    encoder: Any

    def start(self, num_chains, draws, seed):
        return self.encoder.sample(
            draws.batch["x"], seed, condition=draws.batch.get("condition"))

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class FromRole:
    """Final or initial states of another role of the same step, for chains that
    refine a learned sampler, or start at noised data.

    Gradients are stopped unless `keeps_gradient` is set.

    Attributes:
        role: Role that is drawn before.
        at_start: Whether to take its initial states.
        keeps_gradient: Whether gradients flow through, for chains drawn on the
            tape.
    """
    role: str
    at_start: bool = False
    keeps_gradient: bool = False

    def start(self, num_chains, draws, seed):
        draw = draws.states[self.role]
        position = draw.start if self.at_start else draw.position
        return position if self.keeps_gradient else tf.nest.map_structure(
            tf.stop_gradient, position)

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class Proposed:
    """Proposals from the initial states of another role, given its level, as
    learned starts of chains.

    Gradients are stopped.

    Attributes:
        role: Role that is drawn before, with a level as its condition.
        propose: (level, int32 [chains]; initial states of the role; seed) ->
            initial states.
    """
    role: str
    propose: Callable[[tf.Tensor, Position, rng.Seed], Position]

    def start(self, num_chains, draws, seed):
        draw = draws.states[self.role]
        return tf.nest.map_structure(tf.stop_gradient, self.propose(
            draw.condition, draw.start, seed))

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class Beside:
    """Twice as many chains: those of one initializer, then those of another.

    Attributes:
        first, second: Initializers of the two halves.
    """
    first: Initializer
    second: Initializer

    def start(self, num_chains, draws, seed):
        halves = (half.start(num_chains, draws, rng.stream(seed, name))
                  for name, half in (("first", self.first),
                                     ("second", self.second)))
        return tf.nest.map_structure(
            lambda *leaves: tf.concat(leaves, 0), *halves)

    def update(self, draws, position, seed):
        pass
