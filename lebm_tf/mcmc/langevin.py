"""Unadjusted Langevin dynamics, the standard short-run sampler."""

import dataclasses

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import (
    LogProbFn, Position, State, StepSize, check_step_size, initial_state,
    like_leaves, norm, value_and_gradient)


@dataclasses.dataclass(frozen=True)
class Langevin:
    """Unadjusted Langevin: z' = z + s^2/2 grad log p(z) + s e, e ~ N(0, I).

    As in train_svhn.py of Pang et al. 2020, arXiv:2006.08205. Biased for any s
    > 0: on N(0, 1) its stationary variance is 1 / (1 - s^2/4). `exact.Mala`
    makes the same proposal and removes the bias.

    Attributes:
        step_size: Step size s > 0, in units of z (TFP's step size is s^2): a
            number, or a nest of numbers with the structure of z.
        noise_scale: Factor >= 0 on e; 1 samples p, 0 climbs to a mode.

    Raises:
        ValueError: If an argument is out of range.
    """
    step_size: StepSize
    noise_scale: float = 1.0
    is_calibrated = False
    is_rowwise = True
    takes_noise = True
    num_adaptation_steps = 0

    def __post_init__(self):
        check_step_size(self.step_size)
        if not self.noise_scale >= 0:
            raise ValueError(
                f"noise_scale must be >= 0, got {self.noise_scale}.")

    def init(self, log_prob_fn: LogProbFn, position: Position,
             step_size: StepSize | None = None) -> State:
        """The state before the first move; evaluates nothing."""
        return initial_state(position)

    def step(self, log_prob_fn: LogProbFn, state: State, seed: rng.Seed,
             noise: Position | None = None,
             step_size: StepSize | None = None) -> State:
        """Moves every chain once.

        Args:
            log_prob_fn: Target, position -> [chains].
            state: State of the chains.
            seed: int32 [2]; not used if `noise` is given.
            noise: The noise e; drawn if not given.
            step_size: Replaces that of the kernel; also [chains].
        """
        log_prob, gradient = value_and_gradient(log_prob_fn, state.position)
        sizes = tf.nest.pack_sequence_as(state.position, like_leaves(
            self.step_size if step_size is None else step_size,
            state.position))
        position = tf.nest.map_structure(
            lambda z, g, s: z + 0.5 * s**2 * g, state.position, gradient,
            sizes)
        if self.noise_scale > 0:
            if noise is None:
                noise = rng.normal_like(position, seed)
            position = tf.nest.map_structure(
                lambda z, e, s: z + s * self.noise_scale * e, position, noise,
                sizes)
        return State(position, log_prob, norm(gradient), state.accept_prob)
