"""Where chains start. Short-run, warm-started and persistent chains differ
in nothing else."""

import dataclasses
from typing import Any, Callable, Protocol

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position
from lebm_tf.samplers.draws import Draws


class Initializer(Protocol):
    """(number of chains, draws, seed) -> starting position."""

    def start(self, num_chains, draws: Draws, seed: rng.Seed) -> Position:
        """Positions [num_chains, ...] to start from."""

    def update(self, draws: Draws, position: Position, seed: rng.Seed
               ) -> None:
        """Takes note of where the chains ended; `seed` is that of `start`."""


@dataclasses.dataclass(frozen=True)
class FromBase:
    """Draws from the base p0, afresh for every batch: the short run.

    Attributes:
        base: Density with `sample(num_samples, seed)`.
    """
    base: Any

    def start(self, num_chains, draws, seed):
        return self.base.sample(num_chains, seed)

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class FromNoise:
    """N(0, I) of any shape, such as that of pictures.

    Attributes:
        shape: Of one state.
    """
    shape: tuple[int, ...]

    def start(self, num_chains, draws, seed):
        return rng.normal([num_chains, *self.shape], seed)

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class FromEncoder:
    """Draws from q(z | x), so that a few steps suffice: the warm start.

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
    """Goes on where another role of the same step ended, or where it began:
    the refinement of a learned start, a chain beside its data.

    No gradient comes back through it, if not told so.

    Attributes:
        role: Drawn before.
        at_start: Whether to take its start.
        keeps_gradient: Whether gradients do come back, of chains that are
            drawn on the tape.
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
    """A guess from where another role of the same step began, by its level:
    the learned start of a chain beside its data.

    No gradient comes back through it.

    Attributes:
        role: Drawn before, with a level as its condition.
        propose: (level, int32 [chains]; where the role began; seed) -> where
            chains start.
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
        first, second: Where each half starts.
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
