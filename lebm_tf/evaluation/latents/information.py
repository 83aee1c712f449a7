"""Information of latent vectors about the observations.

For posteriors q(z|x) that are Gaussian with independent dimensions: those of an
encoder, or Gaussians fitted to posterior draws.
"""

import dataclasses
import math
from typing import Annotated, Any, Iterator

import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import (
    UNCONDITIONAL, Better, Context, Evaluator, Metric)
from lebm_tf.mcmc import rng
from lebm_tf.ranges import Ge

_BATCH_SIZE = 200
_LARGEST_BLOCK = 2**22  # Approximate number of values in memory at once.


@dataclasses.dataclass(frozen=True)
class LatentsEvaluator(Evaluator):
    """Information of latents about the observations.

    Attributes:
        num_examples: Maximum number of held-out examples.
    """
    num_examples: Annotated[int, Ge(2)] = 5000

    name = "latents"
    kinds = UNCONDITIONAL
    needs_inference = True
    needs_one_layer = True
    min_examples = 2
    metrics = {
        "latents/active_units": Better.HIGHER,
        "latents/latent_dim": Better.NEITHER,
        "latents/kl": Better.NEITHER,
        "latents/mutual_information": Better.HIGHER,
        "latents/largest_mutual_information": Better.NEITHER,
        "latents/kl_of_all": Better.NEITHER,
        "latents/num_examples": Better.NEITHER,
        "latents/num_draws": Better.NEITHER}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises if there are too few draws."""
        super().check(context, model)
        num_draws = context.config.num_draws
        if num_draws < 2 and not model.inference.is_reparameterized:
            raise InputError(
                "evaluator latents needs num_draws >= 2 to fit posteriors of "
                f"chains, got {num_draws}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Information of the codes of held-out data about the data.

        q(z|x) is that of the encoder if an encoder alone infers; else a
        Gaussian with independent dimensions, fitted to num_draws posterior
        draws each.

        Yields:
            latents/active_units; latents/kl, the mean KL(q(z|x) || N(0, I));
            latents/mutual_information, and its upper bound
            latents/largest_mutual_information; latents/kl_of_all, the KL of the
            aggregated posterior to N(0, I), which a learned prior should
            reduce. In nats.
        """
        data, config = context.data, context.config
        x = np.asarray(data.to_model(data.x_test[:self.num_examples]))
        draws = np.stack([np.asarray(model.infer(
            x, rng.named(config.seed, "latents", i)), np.float64)
            for i in range(config.num_draws)], 1)
        means, log_scales = _posteriors(model, x, draws)
        information = mutual_information(means, log_scales, draws)
        divergence = float(kl_divergence(means, log_scales).mean())
        yield "latents/active_units", active_units(means)
        yield "latents/latent_dim", means.shape[1]
        yield "latents/kl", divergence
        yield "latents/mutual_information", information
        yield "latents/largest_mutual_information", math.log(len(x))
        yield "latents/kl_of_all", divergence - information
        yield "latents/num_examples", len(x)
        yield "latents/num_draws", config.num_draws


def _posteriors(model, x, draws):
    """Means and logarithms of scales of every q(z|x), [num, latent_dim]."""
    if not model.inference.is_reparameterized:
        return draws.mean(1), np.log(draws.std(1, ddof=1))
    parameters = tf.function(model.encoder.parameters, reduce_retracing=True)
    parts = [parameters(x[i:i + _BATCH_SIZE])
             for i in range(0, len(x), _BATCH_SIZE)]
    if len(parts[0]) != 2:
        raise InputError("evaluator latents needs an encoder with mean and "
                         f"scale, got one with {len(parts[0])} output.")
    return tuple(np.concatenate(values) for values in zip(*parts))


def active_units(means: np.ndarray, threshold: float = 0.01) -> int:
    """Number of dimensions whose posterior means vary with x.

    Burda et al. 2016, arXiv:1509.00519, section 5.2: Var_x(E[z_i|x]) > 0.01.

    Args:
        means: Means of q(z|x), float [num, latent_dim], at least 2 rows.
        threshold: Variance above which a dimension is active, in units of z
            squared.
    """
    means, = _check(means)
    return int((means.var(axis=0, ddof=1) > threshold).sum())


def kl_divergence(means: np.ndarray, log_scales: np.ndarray) -> np.ndarray:
    """KL(q(z|x) || N(0, I)) of every row.

    The KL to the base, not to a learned prior.

    Args:
        means: float [num, latent_dim], at least 2 rows.
        log_scales: Logarithms of standard deviations, the same shape.

    Returns:
        Nats, float64 [num].

    Raises:
        ValueError: If shapes differ, or a value is not finite.
    """
    means, log_scales = _check(means, log_scales)
    return 0.5 * (means**2 + np.exp(2.0 * log_scales) - 1.0
                  - 2.0 * log_scales).sum(axis=1)


def mutual_information(means: np.ndarray, log_scales: np.ndarray,
                       draws: np.ndarray) -> float:
    """I(x; z) under q(z|x) and the given x, by the aggregated posterior.

    E_x E_q(z|x) [log q(z|x) - log q(z)] with q(z) = sum_j q(z|x_j) / N over all
    N rows; Hoffman and Johnson 2016, and Dieng et al. 2018, arXiv:1807.04863.
    The x are N equally likely values, so it is at most log N: a value close to
    that only means that N is too small. KL(q(z|x) || p0) minus this is KL(q(z)
    || p0).

    Args:
        means: float [num, latent_dim], at least 2 rows.
        log_scales: Logarithms of standard deviations, the same shape.
        draws: Draws from each q(z|x), float [num, latent_dim] or [num,
            num_draws, latent_dim].

    Returns:
        Nats.

    Raises:
        ValueError: If shapes differ, or a value is not finite.
    """
    means, log_scales = _check(means, log_scales)
    draws = np.asarray(draws, np.float64)
    if draws.ndim == 2:
        draws = draws[:, None]
    if (draws.ndim != 3 or draws.shape[::2] != means.shape
            or not draws.size):
        raise ValueError(f"draws must be [{len(means)}, num_draws >= 1, "
                         f"{means.shape[1]}], got {list(draws.shape)}.")
    if not np.isfinite(draws).all():
        raise ValueError("draws must be finite, got NaN or infinity.")
    conditional = _log_prob(draws, means[:, None], log_scales[:, None])
    flat, aggregated = draws.reshape(-1, means.shape[1]), []
    block = max(1, _LARGEST_BLOCK // means.size)
    for start in range(0, len(flat), block):
        every = _log_prob(flat[start:start + block, None], means, log_scales)
        aggregated.append(_log_mean_exp(every))
    return float(conditional.mean() - np.concatenate(aggregated).mean())


def _log_prob(z, means, log_scales):
    """log N(z; means, scales^2), summed over the last axis."""
    scaled = (z - means) * np.exp(-log_scales)
    return -(0.5 * scaled**2 + log_scales
             + 0.5 * math.log(2.0 * math.pi)).sum(axis=-1)


def _log_mean_exp(values):
    largest = values.max(axis=1)
    return largest + np.log(np.exp(values - largest[:, None]).mean(axis=1))


def _check(*given):
    arrays = [np.asarray(values, np.float64) for values in given]
    shapes = " and ".join(str(list(values.shape)) for values in arrays)
    if any(values.ndim != 2 or len(values) < 2 or not values.size
           or values.shape != arrays[0].shape for values in arrays):
        raise ValueError("means and log_scales must be [num >= 2, latent_dim "
                         f">= 1], got {shapes}.")
    if not all(np.isfinite(values).all() for values in arrays):
        raise ValueError("means and log_scales must be finite, got NaN or "
                         "infinity.")
    return arrays
