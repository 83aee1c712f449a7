"""The interface of samplers."""

import abc
from typing import Any, Callable

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import LogProbFn, Position, State, initial_state
from lebm_tf.samplers.draws import Draw, Draws


class Sampler(abc.ABC):
    """Draws the states of one role.

    Attributes:
        is_reparameterized: Whether gradients flow to parameters; such samples
            are drawn on the tape.
        climbs: Whether it uses a target.
        has_own_steps: Whether every row may have its own number of moves.
        num_steps: Steps per sample; 0 without a chain.
    """
    is_reparameterized = False
    climbs = True
    has_own_steps = False
    num_steps = 0

    @property
    def layers(self) -> tuple:
        """Layers whose variables it reads, apart from densities."""
        return ()

    @abc.abstractmethod
    def start(self, num_chains, draws: Draws, seed: rng.Seed) -> Position:
        """Initial positions, nest of [num_chains, ...].

        Args:
            num_chains: Number of chains, int or int32 [].
            draws: The batch, and the states of earlier roles.
            seed: int32 [2], or [num_chains, 2].
        """

    @abc.abstractmethod
    def draw(self, target: LogProbFn | None, num_chains, draws: Draws,
             seed: rng.Seed, num_steps: tf.Tensor | None = None) -> Draw:
        """Draws states.

        Args:
            target: Position -> [chains]; None if the sampler uses none.
            num_chains: Number of chains, int or int32 [].
            draws: The batch ("x", "index", ...), and the states of earlier
                roles.
            seed: int32 [2]; or [num_chains, 2], and then row i depends on seed
                i alone, see `row_seeds_need`.
            num_steps: Steps of each chain, int32 [num_chains]; needs
                `has_own_steps`. Default: those of the sampler.
        """

    def trace(self, target: LogProbFn, start: Position, seed: rng.Seed,
              trace_fn: Callable[[State, LogProbFn], Any], *,
              num_steps: int | None = None, every: int = 1) -> Any:
        """Records states along the chains; without chains, the start alone.

        Args:
            target: As in `draw`.
            start: Initial positions, as returned by `start`.
            seed: Seed of the moves, int32 [2].
            trace_fn: (state, target of the chain) -> nest of tensors to record.
            num_steps: Number of moves; default: that of the sampler.
            every: Steps between two records, a divisor of their number.

        Returns:
            The records, stacked along a new first axis.
        """
        return tf.nest.map_structure(
            lambda leaf: leaf[None], trace_fn(initial_state(start), target))

    def latents(self, draws: Draws = Draws({})) -> Any:
        """Shapes and dtypes of samples, a nest of tf.TensorSpec [None, ...].

        Args:
            draws: One row of the inputs of the sampler, if it needs any.
        """
        return tf.nest.map_structure(
            lambda leaf: tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype),
            self.start(1, draws, rng.make_seed(0)))

    def with_steps(self, num_steps: int) -> "Sampler":
        """Returns the sampler with another number of moves.

        Raises:
            ValueError: If it runs no chains.
        """
        raise ValueError(f"num_steps needs a chain, got {num_steps} for "
                         f"{type(self).__name__}.")

    def continued(self, role: str) -> "Sampler":
        """Returns the sampler with chains that start at the final states of a
        role.

        Raises:
            ValueError: If it runs no chains.
        """
        raise ValueError(f"{type(self).__name__} has no chain to continue.")

    def lowest(self, num_layers: int) -> "Sampler":
        """Returns the sampler with chains of positions that hold the lowest
        layers of latents alone.

        Raises:
            ValueError: If it runs no chains.
        """
        raise ValueError(f"{type(self).__name__} has no chain of layers, got "
                         f"num_layers {num_layers}.")

    def calibrated(self, num_adaptation_steps: int) -> "Sampler":
        """Returns the sampler with an exact kernel, whose step size is tuned
        first.

        Raises:
            ValueError: If there is no such kernel.
        """
        raise ValueError(f"{type(self).__name__} has no exact kernel.")

    def row_seeds_need(self) -> str:
        """"needed, got ..." if rows cannot have seeds of their own, else ""."""
        return ""
