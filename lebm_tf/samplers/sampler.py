"""What every sampler owes."""

import abc
from typing import Any, Callable

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import LogProbFn, Position, State, initial_state
from lebm_tf.samplers.draws import Draw, Draws


class Sampler(abc.ABC):
    """Draws states of one role.

    Attributes:
        is_reparameterized: Whether draws carry gradients to parameters; then
            they are made on the tape.
        climbs: Whether it looks at the target at all.
        has_own_steps: Whether every row may have a number of moves of its own.
        num_steps: Moves of a draw; 0 where there is no chain.
        layers: Layers whose numbers a draw reads, beside those of densities.
    """
    is_reparameterized = False
    climbs = True
    has_own_steps = False
    num_steps = 0
    layers: tuple = ()

    @abc.abstractmethod
    def start(self, num_chains, draws: Draws, seed: rng.Seed) -> Position:
        """Where draws begin, nest of [num_chains, ...].

        Args:
            num_chains: How many, int or int32 [].
            draws: The batch, and what other roles drew before.
            seed: int32 [2], or [num_chains, 2].
        """

    @abc.abstractmethod
    def draw(self, target: LogProbFn | None, num_chains, draws: Draws,
             seed: rng.Seed, num_steps: tf.Tensor | None = None) -> Draw:
        """Draws states.

        Args:
            target: Position -> [chains]; None for one that does not climb.
            num_chains: How many, int or int32 [].
            draws: The batch ("x", "index", ...), and what other roles drew
                before.
            seed: int32 [2]; or [num_chains, 2], and then row i depends on its
                own seed alone, see `row_seeds_need`.
            num_steps: int32 [num_chains], moves of each chain if not as the
                sampler has them; needs `has_own_steps`.
        """

    def trace(self, target: LogProbFn, start: Position, seed: rng.Seed,
              trace_fn: Callable[[State, LogProbFn], Any], *,
              num_steps: int | None = None, every: int = 1) -> Any:
        """Records along the way of chains; of no chain, one of the start.

        Args:
            target: As in `draw`.
            start: Where the chains begin, as of `start`.
            seed: int32 [2], of the moves.
            trace_fn: (state, what its chain climbs) -> nest of tensors to
                record.
            num_steps: Moves, if not as the sampler has them.
            every: Moves between two records, a divisor of their number.

        Returns:
            The records, stacked along a new first axis.
        """
        return tf.nest.map_structure(
            lambda leaf: leaf[None], trace_fn(initial_state(start), target))

    def latents(self, draws: Draws = Draws({})) -> Any:
        """What a draw looks like, a nest of tf.TensorSpec [None, ...].

        Args:
            draws: One row of what the sampler looks at, if anything.
        """
        return tf.nest.map_structure(
            lambda leaf: tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype),
            self.start(1, draws, rng.make_seed(0)))

    def with_steps(self, num_steps: int) -> "Sampler":
        """The same with another number of moves.

        Raises:
            ValueError: If it makes none.
        """
        raise ValueError(f"num_steps needs a chain, got {num_steps} for "
                         f"{type(self).__name__}.")

    def continued(self, role: str) -> "Sampler":
        """The same chains, going on where those of a role ended.

        Raises:
            ValueError: If it makes none.
        """
        raise ValueError(f"{type(self).__name__} has no chain to go on with.")

    def calibrated(self, num_adaptation_steps: int) -> "Sampler":
        """The same with an exact kernel, whose step size is tuned first.

        Raises:
            ValueError: If there is no such kernel for it.
        """
        raise ValueError(f"{type(self).__name__} has no exact form.")

    def row_seeds_need(self) -> str:
        """What is missing for a seed of every row: "needed, got ...", or
        nothing if rows can have one."""
        return ""
