"""Calibrated gradient-free kernels, for targets close to N(0, I) or to another
density that can be sampled.

The proposals are reversible under that density, so the acceptance depends only
on the ratio of the target to it. An energy that is small in the coordinates of
a flow or generator, or over a fitted base, is accepted often, however steep the
path between two modes is.
"""

import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import (
    LogProbFn, Position, State, StepSize, check_step_size, like_leaves,
    num_chains)


class _Reversible:
    """Accepts a proposal by the ratio of the target to a reference density,
    N(0, I) unless a kernel has another."""

    is_calibrated = True
    is_rowwise = True
    takes_noise = False
    num_adaptation_steps = 0

    def init(self, log_prob_fn: LogProbFn, position: Position,
             step_size: StepSize | None = None) -> State:
        """Evaluates the target at `position`."""
        position = tf.nest.map_structure(tf.convert_to_tensor, position)
        log_prob = log_prob_fn(position)
        return State(position, log_prob, tf.zeros_like(log_prob),
                     tf.ones_like(log_prob))

    def _moved(self, log_prob_fn, state, proposal, seed):
        """The proposal where it is accepted, otherwise the previous state."""
        log_prob = log_prob_fn(proposal)
        log_ratio = (log_prob - self._reference(proposal)
                     - state.log_prob + self._reference(state.position))
        # NaN compares as false: points with an undefined target are rejected.
        accepted = tf.math.log(rng.uniform(
            [num_chains(proposal)], rng.stream(seed, "accept"),
            log_prob.dtype)) < log_ratio
        position = tf.nest.map_structure(
            lambda new, old: tf.where(tf.reshape(
                accepted, [-1] + [1] * (new.shape.rank - 1)), new, old),
            proposal, state.position)
        probability = tf.exp(tf.minimum(log_ratio, 0.0))
        return State(
            position, tf.where(accepted, log_prob, state.log_prob),
            state.gradient_norm, tf.where(
                tf.math.is_nan(probability), tf.zeros_like(probability),
                probability))

    def _reference(self, position):
        """Log of the reference density up to a constant, [chains]."""
        return -half_square(position)

    def _refuse_noise(self, noise):
        if noise is not None:
            raise ValueError(
                f"{type(self).__name__} draws its own noise; got noise.")


@dataclasses.dataclass(frozen=True)
class CrankNicolson(_Reversible):
    """Preconditioned Crank-Nicolson: z' = sqrt(1 - s^2) z + s e, e ~ N(0, I).

    Accepted with probability min(1, r(z') / r(z)), where r is the target over
    N(0, I). Cotter et al. 2013, arXiv:1202.0709, pCN with their beta as s.

    Attributes:
        step_size: s in (0, 1], without a unit: a number, or a nest of numbers
            with the structure of z.
    """
    step_size: StepSize

    def __post_init__(self):
        check_step_size(self.step_size)
        for number in tf.nest.flatten(self.step_size):
            if not tf.is_tensor(number) and number > 1:
                raise ValueError(f"step_size must lie in (0, 1], got {number}.")

    def step(self, log_prob_fn: LogProbFn, state: State, seed: rng.Seed,
             noise: Position | None = None,
             step_size: StepSize | None = None) -> State:
        """Moves every chain once.

        Args:
            log_prob_fn: Target, position -> [chains].
            state: State of the chains.
            seed: int32 [2]; or [chains, 2], one per chain.
            noise: Must be None, since the accept step draws as well.
            step_size: Replaces that of the kernel; also [chains].
        """
        self._refuse_noise(noise)
        sizes = tf.nest.pack_sequence_as(state.position, like_leaves(
            self.step_size if step_size is None else step_size,
            state.position))
        proposal = tf.nest.map_structure(
            lambda z, e, s: (1.0 - s**2)**0.5 * z + s * e, state.position,
            rng.normal_like(state.position, rng.stream(seed, "proposal")),
            sizes)
        return self._moved(log_prob_fn, state, proposal, seed)


@dataclasses.dataclass(frozen=True)
class Independence(_Reversible):
    """The independence sampler: every proposal is a new draw of one density.

    A proposal costs one evaluation of the target and no gradient, and reaches
    every mode at once, while gradient-based chains stay in theirs. Its
    acceptance measures how close the density is to the target: below 5 % the
    proposals are too far off. It has no step size. Tierney 1994, "Markov chains
    for exploring posterior distributions", section 2.3.3.

    Attributes:
        proposal: Density with `sample(num_samples, seed)` and `log_prob(z)`,
            such as the base of the target; None for N(0, I).
    """
    proposal: Any = None
    step_size: ClassVar[None] = None

    def step(self, log_prob_fn: LogProbFn, state: State, seed: rng.Seed,
             noise: Position | None = None,
             step_size: StepSize | None = None) -> State:
        """As in `CrankNicolson`, but without a step size."""
        self._refuse_noise(noise)
        if step_size is not None:
            raise ValueError("Independence has no step size; got one.")
        drawn = rng.stream(seed, "proposal")
        proposal = rng.normal_like(state.position, drawn) if (
            self.proposal is None) else self.proposal.sample(
                num_chains(state.position), drawn)
        return self._moved(log_prob_fn, state, proposal, seed)

    def _reference(self, position):
        return super()._reference(position) if self.proposal is None else (
            self.proposal.log_prob(position))


def half_square(position) -> tf.Tensor:
    """-log N(z; 0, I) up to a constant, [chains]."""
    return 0.5 * tf.add_n([
        tf.reduce_sum(tf.square(leaf), list(range(1, leaf.shape.rank)))
        for leaf in tf.nest.flatten(position)])
