"""Normalizing constants by annealed importance sampling."""

from typing import Any, Callable, NamedTuple

import numpy as np
import tensorflow as tf

from lebm_tf.densities import prior_target
from lebm_tf.mcmc import Hmc, Kernel, rng, run_chain
from lebm_tf.mcmc.kernel import LogProbFn

_GOAL, _PILOT_STEPS, _NUM_HALVINGS = 0.65, 20, 12


class Estimate(NamedTuple):
    """Logarithm of a mean of weights, with its uncertainty.

    Attributes:
        value: In nats, float64 [...].
        standard_error: Standard error of `value` by the delta method, float64
            [...]. Too small if the effective sample size is small.
        effective_sample_size: (sum w)^2 / sum w^2, from 1 to the number of
            weights, float64 [...].
    """
    value: np.ndarray
    standard_error: np.ndarray
    effective_sample_size: np.ndarray


class Annealed(NamedTuple):
    """Result of an annealing run.

    Attributes:
        log_weights: float32 [chains], in nats.
        position: Nest of float32 [chains, ...].
        accept_prob: Mean over chains and steps, float.
    """
    log_weights: np.ndarray
    position: Any
    accept_prob: float


def log_mean_exp(log_weights: np.ndarray) -> Estimate:
    """Estimates log E[w] from log w, float [..., num >= 2]."""
    log_weights = np.asarray(log_weights, np.float64)
    largest = log_weights.max(axis=-1, keepdims=True)
    weights = np.exp(log_weights - largest)
    mean, num = weights.mean(axis=-1), weights.shape[-1]
    return Estimate(
        largest[..., 0] + np.log(mean),
        weights.std(axis=-1, ddof=1) / mean / num**0.5,
        weights.sum(axis=-1)**2 / np.square(weights).sum(axis=-1))


def log_normalizer(prior: Any, kernel: Kernel, num_steps: int,
                   num_chains: int, seed: rng.Seed
                   ) -> tuple[Estimate, Annealed]:
    """log Z of p(z) = exp(-E(z)) p0(z) / Z.

    Neal 2001, arXiv:physics/9803008: p_k = p0 exp(-k/K E), with one step of the
    kernel at each k. The mean of the weights is an unbiased estimate of Z, so
    its logarithm is biased low, by about half the squared standard error.

    Args:
        prior: An `EnergyPrior` over a base with `sample` and `log_prob`.
        kernel: A calibrated kernel.
        num_steps: K >= 1.
        num_chains: At least 2.
        seed: int32 [2].

    Raises:
        ValueError: If the kernel is not calibrated.
    """
    start = prior.base.sample(num_chains, rng.stream(seed, "start"))
    annealed = anneal(prior, kernel, start,
                      np.linspace(0.0, 1.0, num_steps + 1), seed)
    return log_mean_exp(annealed.log_weights), annealed


def reverse_log_normalizer(prior: Any, kernel: Kernel, num_steps: int,
                           samples: Any, seed: rng.Seed) -> Estimate:
    """log Z from draws of the prior, annealed back to the base.

    Biased high if `samples` are exact: with `log_normalizer` it brackets log Z
    (Grosse et al. 2015, arXiv:1511.02543). Arguments as there.
    """
    annealed = anneal(prior, kernel, samples,
                      np.linspace(1.0, 0.0, num_steps + 1), seed)
    inverse = log_mean_exp(annealed.log_weights)
    return inverse._replace(value=-inverse.value)


def anneal(prior: Any, kernel: Kernel, start: Any, powers: np.ndarray,
           seed: rng.Seed) -> Annealed:
    """Moves chains along p0 exp(-power E) and weights them.

    Args:
        prior, kernel, seed: As in `log_normalizer`.
        start: Draws at the first power, nest of [chains, ...].
        powers: float [K + 1], each in [0, 1].
    """
    check_calibrated(kernel)
    powers = tf.constant(powers, tf.nest.flatten(start)[0].dtype)
    num_steps = len(powers) - 1

    def body(k, position, log_weights, accepted):
        # The weight uses the position before the step at the new power.
        log_weights -= (powers[k] - powers[k - 1]) * prior.energy(position)

        def target(z):
            return prior.base.log_prob(z) - powers[k] * prior.energy(z)
        state = kernel.step(target, kernel.init(target, position),
                            rng.fold_in(seed, k))
        return (k + 1, state.position, log_weights,
                accepted + tf.reduce_mean(state.accept_prob) / num_steps)

    @tf.function
    def run(position):
        zeros = tf.zeros_like(prior.energy(position))
        return tf.while_loop(
            lambda k, *_: k <= num_steps, body,
            (1, position, zeros, tf.zeros([], zeros.dtype)),
            maximum_iterations=num_steps)[1:]
    position, log_weights, accepted = run(start)
    return Annealed(log_weights.numpy(),
                    tf.nest.map_structure(lambda leaf: leaf.numpy(), position),
                    float(accepted))


class Interval(NamedTuple):
    """Estimates of log Z from below and from above.

    Attributes:
        low: Estimate annealed from the base.
        high: Estimate annealed back, from the ends of long exact chains of the
            prior.
        accept_prob: Acceptance in the former.
    """
    low: Estimate
    high: Estimate
    accept_prob: float


def interval(prior: Any, start: Any, num_steps: int, seed: rng.Seed
             ) -> Interval:
    """Estimates log Z from both sides.

    Args:
        prior: As in `log_normalizer`.
        start: Starts of the exact chains, nest of [chains, ...]; the number of
            annealed chains is the same.
        num_steps: Steps of annealing, and of the exact chains.
        seed: int32 [2].
    """
    target, chains = prior_target(prior), len(tf.nest.flatten(start)[0])
    kernel = tuned(hmc, target, start, rng.stream(seed, "pilot"))
    low, annealed = log_normalizer(
        prior, kernel, num_steps, chains, rng.stream(seed, "annealing"))
    # The reverse run starts at the ends of long exact chains.
    samples = tf.function(lambda start, seed: run_chain(
        kernel, target, start, num_steps, seed).position)(
            start, rng.stream(seed, "exact"))
    high = reverse_log_normalizer(
        prior, kernel, num_steps, samples, rng.stream(seed, "reverse"))
    return Interval(low, high, annealed.accept_prob)


def tuned(make_kernel: Callable[[float], Kernel], target: LogProbFn,
          start: Any, seed: rng.Seed) -> Kernel:
    """A kernel whose acceptance probability is 0.65 or more.

    Halves the step size from 1 until 20 pilot steps reach it. The kernel is
    fixed thereafter and so stays calibrated, unlike one that adapts while it is
    used.

    Args:
        make_kernel: Function from step size to kernel.
        target: Function from position to log densities [chains].
        start: Typical positions, nest of [chains, ...].
        seed: int32 [2].

    Raises:
        ValueError: If no step size down to 2^-12 reaches it.
    """
    for k in range(_NUM_HALVINGS + 1):
        kernel = make_kernel(2.0**-k)
        state = tf.function(lambda start, seed: run_chain(
            kernel, target, start, _PILOT_STEPS, seed))(  # noqa: B023
                start, rng.fold_in(seed, k))
        accepted = float(tf.reduce_mean(state.accept_prob))
        if accepted >= _GOAL:
            return kernel
    raise ValueError(
        f"a step size with acceptance >= {_GOAL} is needed, got "
        f"{accepted:.2f} at {2.0**-_NUM_HALVINGS}.")


def hmc(step_size: float) -> Hmc:
    """The kernel of all estimates here, for `tuned`."""
    return Hmc(step_size, num_leapfrog_steps=5)


def check_calibrated(kernel: Kernel) -> None:
    """Raises ValueError unless the kernel's stationary distribution is exact.
    """
    if not kernel.is_calibrated:
        raise ValueError("a likelihood estimate needs a calibrated kernel, "
                         f"got {type(kernel).__name__}.")
    if kernel.num_adaptation_steps:
        raise ValueError(
            "a likelihood estimate needs a kernel with num_adaptation_steps "
            f"0, got {kernel.num_adaptation_steps}.")
