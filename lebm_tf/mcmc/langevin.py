"""Unadjusted Langevin dynamics, the short-run sampler of the field."""

import dataclasses
import math

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import (
    LogProbFn, Position, State, initial_state, norm, value_and_gradient)


@dataclasses.dataclass(frozen=True)
class Langevin:
    """Unadjusted Langevin: z' = z + s^2/2 grad log p(z) + s e, e ~ N(0, I).

    As in train_svhn.py of Pang et al. 2020, arXiv:2006.08205. Biased for any
    s > 0: on N(0, 1) its stationary variance is 1 / (1 - s^2/4). `exact.Mala`
    makes the same proposal and removes the bias.

    Attributes:
        step_size: Step s > 0, in units of z. (TFP calls s^2 the step size.)
        noise_scale: Factor >= 0 on e; 1 samples p, 0 climbs to a mode.

    Raises:
        ValueError: If either is out of range.
    """
    step_size: float
    noise_scale: float = 1.0
    is_calibrated = False
    is_rowwise = True

    def __post_init__(self):
        if not self.step_size > 0:
            raise ValueError(f"step_size must be > 0, got {self.step_size}.")
        if math.isinf(self.step_size):
            raise ValueError("step_size must be finite, got inf.")
        if not self.noise_scale >= 0:
            raise ValueError(
                f"noise_scale must be >= 0, got {self.noise_scale}.")

    def init(self, log_prob_fn: LogProbFn, position: Position) -> State:
        """The state before the first move; evaluates nothing."""
        return initial_state(position)

    def step(self, log_prob_fn: LogProbFn, state: State, seed: rng.Seed,
             noise: Position | None = None) -> State:
        """Moves every chain once.

        Args:
            log_prob_fn: Target, position -> [chains].
            state: Where the chains are.
            seed: int32 [2]; not used when `noise` is given.
            noise: The e of the equation, if it is not to be drawn.
        """
        log_prob, gradient = value_and_gradient(log_prob_fn, state.position)
        drift = 0.5 * self.step_size**2
        position = tf.nest.map_structure(
            lambda z, g: z + drift * g, state.position, gradient)
        if self.noise_scale > 0:
            if noise is None:
                noise = rng.normal_like(position, seed)
            scale = self.step_size * self.noise_scale
            position = tf.nest.map_structure(
                lambda z, e: z + scale * e, position, noise)
        return State(position, log_prob, norm(gradient), state.accept_prob)
