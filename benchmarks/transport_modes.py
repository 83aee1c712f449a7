"""Sixteen modes and a flow that is known exactly, for chains of any kernel.

Each of two coordinates is a mixture of four Gaussians of unequal weights. The
flow is the exact map of N(0, 1) to a mixture with equal weights and wider
components: imperfect, as learned ones are, and f = log p - log q is known.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lebm_tf.mcmc import (
    CrankNicolson, Hmc, Independence, Kernel, Langevin, Mala, rank_r_hat, rng,
    split_r_hat, trace_chain)

CENTRES = np.array([-6.0, -2.0, 2.0, 6.0])
WEIGHTS = np.array([0.4, 0.1, 0.2, 0.3])
SCALE, WIDER = 0.25, 0.35
_HALVINGS, _FAR = 50, 9.0


@dataclasses.dataclass(frozen=True)
class Chains:
    """What moves, where, and how long.

    Attributes:
        name: As in the table.
        kernel: What moves the chains.
        is_latent: Whether they move in z, else in x.
        num_steps: Moves.
    """
    name: str
    kernel: Kernel
    is_latent: bool = True
    num_steps: int = 1000


SAMPLERS = (
    Chains("x space, Langevin 0.1", Langevin(0.1), False, 2000),
    Chains("x space, HMC 0.2 x 5", Hmc(0.2, 5), False),
    Chains("z space, HMC 0.3 x 5", Hmc(0.3, 5)),
    Chains("z space, HMC 0.1 x 10", Hmc(0.1, 10)),
    Chains("z space, MALA 0.5", Mala(0.5)),
    Chains("z space, Langevin 0.3 (biased)", Langevin(0.3), True, 2000),
    Chains("z space, pCN 0.6", CrankNicolson(0.6)),
    Chains("z space, independence", Independence()))


class Outcome(NamedTuple):
    """What became of chains.

    Attributes:
        accept_prob: Mean.
        r_hat: Split R-hat of both coordinates, the larger.
        rank_r_hat: The same of ranks.
        weights: Of the four components of the first coordinate, float [4].
        changes: Changes of mode for each move.
        visited: Modes of 16 that a chain visited, mean.
    """
    accept_prob: float
    r_hat: float
    rank_r_hat: float
    weights: np.ndarray
    changes: float
    visited: float


def log_mixture(x: tf.Tensor, weights, scale: float) -> tf.Tensor:
    """log density of each coordinate, the shape of x."""
    logs = -0.5 * tf.square((x[..., None] - CENTRES) / scale) + (
        np.log(weights) - math.log(scale) - 0.5 * math.log(2.0 * math.pi))
    return tf.reduce_logsumexp(logs, -1)


def log_p(x: tf.Tensor) -> tf.Tensor:
    """log p(x), [chains], of x float64 [chains, 2]."""
    return tf.reduce_sum(log_mixture(x, WEIGHTS, SCALE), -1)


@tf.custom_gradient
def flow(z):
    """x = Q^-1(Phi(z)), by halving; its derivative is N(z) / q(x)."""
    wanted = _normal_cdf(z)

    def halve(low, high):
        middle = 0.5 * (low + high)
        below = tf.reduce_mean(_normal_cdf(
            (middle[..., None] - CENTRES) / WIDER), -1) < wanted
        return tf.where(below, middle, low), tf.where(below, high, middle)
    low, high = tf.fill(tf.shape(z), tf.constant(-_FAR, z.dtype)), tf.fill(
        tf.shape(z), tf.constant(_FAR, z.dtype))
    low, high = tf.while_loop(
        lambda *_: True, halve, (low, high), maximum_iterations=_HALVINGS)
    x = 0.5 * (low + high)

    def gradient(upstream):
        log_normal = -0.5 * tf.square(z) - 0.5 * math.log(2.0 * math.pi)
        return upstream * tf.exp(
            log_normal - log_mixture(x, np.full(4, 0.25), WIDER))
    return x, gradient


def log_p_latent(z: tf.Tensor) -> tf.Tensor:
    """log N(z) + f(flow(z)) up to a constant, [chains]."""
    x = flow(z)
    log_q = tf.reduce_sum(log_mixture(x, np.full(4, 0.25), WIDER), -1)
    return -0.5 * tf.reduce_sum(tf.square(z), -1) + log_p(x) - log_q


def run(chains: Chains, seed: int = 0, num_chains: int = 16
        ) -> tuple[np.ndarray, np.ndarray]:
    """(x, float64 [records, chains, 2], acceptance [records, chains])."""
    random = np.random.default_rng(seed)
    start = random.normal(size=[num_chains, 2]) if chains.is_latent else (
        random.choice(CENTRES, [num_chains, 2]))
    target = log_p_latent if chains.is_latent else log_p

    def record(state):
        x = flow(state.position) if chains.is_latent else state.position
        return x, state.accept_prob
    _, (x, accepted) = tf.function(lambda start: trace_chain(
        chains.kernel, target, start, chains.num_steps, rng.make_seed(seed),
        record), jit_compile=True, autograph=False)(tf.constant(start))
    return x.numpy()[1:], accepted.numpy()[1:]


def outcome(x: np.ndarray, accepted: np.ndarray) -> Outcome:
    """Diagnoses what `run` gave."""
    component = np.abs(x[..., None] - CENTRES).argmin(-1)
    mode = component[..., 0] * 4 + component[..., 1]
    return Outcome(
        float(accepted.mean()), float(np.max(split_r_hat(x))),
        float(np.max(rank_r_hat(x))),
        np.bincount(component[..., 0].ravel(), minlength=4)
        / component[..., 0].size,
        float(np.mean(mode[1:] != mode[:-1])),
        float(np.mean([len(set(column)) for column in mode.T])))


def _normal_cdf(x):
    return 0.5 * tf.math.erfc(-x / math.sqrt(2.0))
