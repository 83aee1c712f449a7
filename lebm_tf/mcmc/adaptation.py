"""Tuning of a kernel's step size before its chains run."""

from typing import NamedTuple

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Kernel, LogProbFn, Position

# Dual averaging of Hoffman and Gelman 2014, JMLR 15, section 3.2.1.
_GAMMA, _DELAY, _KAPPA = 0.05, 10.0, 0.75
# Optimal acceptance in high dimension; for Crank-Nicolson there is no such
# theory, and 0.25 is common.
GOALS = {"Mala": 0.574, "Hmc": 0.65, "Nuts": 0.8, "CrankNicolson": 0.25}
_LARGEST = {"CrankNicolson": 1.0}


class Tuned(NamedTuple):
    """Result of `tune`.

    Attributes:
        step_size: float [].
        position: Positions of the chains after tuning, nest of [chains, ...].
        accept_prob: Mean acceptance in the second half, float [].
    """
    step_size: tf.Tensor
    position: Position
    accept_prob: tf.Tensor


def goal(kernel: Kernel) -> float:
    """Mean acceptance that a kernel's step size is tuned to.

    Raises:
        ValueError: If the kernel cannot be tuned.
    """
    # For `Alternating`, that of its first kernel.
    name = type(getattr(kernel, "kernel", kernel)).__name__
    if name not in GOALS:
        raise ValueError("a step size can be tuned for "
                         f"{', '.join(GOALS)}, got {name}.")
    return GOALS[name]


def largest(kernel: Kernel) -> float:
    """Largest step size that a kernel accepts."""
    return _LARGEST.get(type(kernel).__name__, float("inf"))


def tune(kernel: Kernel, log_prob_fn: LogProbFn, position: Position,
         num_steps: int, seed: rng.Seed, accept_prob: float | None = None
         ) -> Tuned:
    """Tunes the step size of a kernel for all chains together.

    The moves during tuning are not calibrated; later moves with the returned
    step size are.

    Args:
        kernel: Kernel with the initial step size, a number.
        log_prob_fn: Target, position -> [chains].
        position: Initial positions.
        num_steps: Number of moves, at least 2; a few hundred come close to the
            goal.
        seed: int32 [2].
        accept_prob: Goal in (0, 1); default: that of `GOALS`.

    Raises:
        ValueError: If an argument is out of range.
    """
    wanted = goal(kernel) if accept_prob is None else accept_prob
    if not 0 < wanted < 1 or num_steps < 2:
        raise ValueError("accept_prob must lie in (0, 1) and num_steps be >= "
                         f"2, got {wanted} and {num_steps}.")
    position = tf.nest.map_structure(tf.convert_to_tensor, position)
    dtype = tf.nest.flatten(position)[0].dtype
    bound = tf.constant(largest(kernel), dtype)
    first = tf.math.log(tf.constant(kernel.step_size, dtype))
    # Dual averaging is centred at ten times the initial step size.
    centre = first + tf.math.log(tf.constant(10.0, dtype))

    def body(k, position, log_step, log_mean, error, accepted):
        size = tf.minimum(tf.exp(log_step), bound)
        state = kernel.step(
            log_prob_fn, kernel.init(log_prob_fn, position, size),
            rng.fold_in(seed, k), step_size=size)
        rate = tf.reduce_mean(state.accept_prob)
        count = tf.cast(k + 1, dtype)
        share = 1.0 / (count + _DELAY)
        error = (1.0 - share) * error + share * (wanted - rate)
        log_step = tf.minimum(
            centre - tf.sqrt(count) / _GAMMA * error,
            tf.math.log(bound))
        weight = count**-_KAPPA
        log_mean = weight * log_step + (1.0 - weight) * log_mean
        late = tf.cast(k >= num_steps - num_steps // 2, dtype)
        return (k + 1, state.position, log_step, log_mean, error,
                accepted + late * rate / (num_steps // 2))

    zero = tf.zeros([], dtype)
    _, position, _, log_mean, _, accepted = tf.while_loop(
        lambda k, *_: k < num_steps, body,
        (0, position, first, first, zero, zero),
        maximum_iterations=num_steps)
    return Tuned(tf.minimum(tf.exp(log_mean), bound), position, accepted)
