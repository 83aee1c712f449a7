"""Langevin steps that use the terms of a log density one after the other."""

import dataclasses

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import (
    LogProbFn, Position, State, StepSize, like_leaves, value_and_gradient)
from lebm_tf.mcmc.langevin import Langevin


@dataclasses.dataclass(frozen=True)
class InTurn(Langevin):
    """A Langevin step on the first term, then gradient steps on the others.

    z' = z + s^2/2 grad log p_1(z) + s e, then z'' = z' + s^2/2 grad log p_2(z')
    without noise, as in the public code of Kong et al. 2023, arXiv:2306.14902
    (SGDS), for p(z | x) p(y | z). As s goes to 0, this and `Langevin` have the
    same limit.

    For a target without an attribute `in_turn`, its terms as functions position
    -> [chains], the moves are those of `Langevin`.
    """

    def step(self, log_prob_fn: LogProbFn, state: State, seed: rng.Seed,
             noise: Position | None = None,
             step_size: StepSize | None = None) -> State:
        """Makes one step of every chain; log_prob is that of the first term."""
        first, *others = getattr(log_prob_fn, "in_turn", ()) or (log_prob_fn,)
        state = super().step(first, state, seed, noise, step_size)
        position = state.position
        sizes = tf.nest.pack_sequence_as(position, like_leaves(
            self.step_size if step_size is None else step_size, position))
        for other in others:
            _, gradient = value_and_gradient(other, position)
            position = tf.nest.map_structure(
                lambda z, g, s: z + 0.5 * s**2 * g, position, gradient, sizes)
        return state._replace(position=position)
