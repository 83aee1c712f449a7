"""Variational losses that keep an encoder close to the prior."""

import dataclasses
import math
from typing import Any

import tensorflow as tf

from lebm_tf.densities.gaussian import kl_to_standard_normal
from lebm_tf.densities.targets import prior_target
from lebm_tf.mcmc import rng
from lebm_tf.samplers.draws import Draws


def gaussian_kl(model: Any, draws: Draws) -> tf.Tensor:
    """mean KL(q(z | x) || N(0, I)) in closed form, in nats.

    For positive states drawn by an encoder (`samplers.Encoded`). Kingma and
    Welling 2014, arXiv:1312.6114, appendix B.
    """
    return draws.mean(kl_to_standard_normal(*draws.positive.encoded))


def layered_gaussian_kl(model: Any, draws: Draws) -> tf.Tensor:
    """`gaussian_kl` summed over layers, or over the noise of groups: KL(q(zi |
    x, those before) || N(0, I)).

    For (means, log_scales) of all layers, as in `densities.NoiseEncoder`.
    """
    def flat(leaf):
        return tf.reshape(leaf, [tf.shape(leaf)[0], math.prod(leaf.shape[1:])])
    return draws.mean(tf.add_n([
        kl_to_standard_normal(flat(mean), flat(log_scale))
        for mean, log_scale in zip(*draws.positive.encoded)]))


def summed_gaussian_kl(model: Any, draws: Draws) -> tf.Tensor:
    """`gaussian_kl` summed over the batch, so its weight grows with the batch
    size.

    As in the published code of LB-EBM (arXiv:2104.03086; bpucla/lbebm), where
    every other term is a mean.
    """
    return draws.sum(kl_to_standard_normal(*draws.positive.encoded))


@dataclasses.dataclass(frozen=True)
class FreeBits:
    """KL(q(z | x) || N(0, I)) with a minimum per dimension.

    A dimension whose batch mean of the KL is below `level` has no gradient:
    Kingma et al. 2016, arXiv:1606.04934, equation of the free bits.

    Attributes:
        level: Nats >= 0 per dimension; 0 gives `gaussian_kl`.
        base_scale: s > 0 of N(0, s^2 I), which replaces N(0, I).
    """
    level: float = 0.0
    base_scale: float = 1.0

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        mean, log_scale = _in_units_of(
            self.base_scale, *draws.positive.encoded)
        terms = 0.5 * (tf.square(mean) + tf.exp(2.0 * log_scale)
                       - 2.0 * log_scale - 1.0)
        return tf.reduce_sum(tf.maximum(draws.mean(terms), self.level))


@dataclasses.dataclass(frozen=True)
class MaskedKL:
    """KL(q(z | x) || N(0, I)) over the dimensions of each row above a
    threshold.

    Unlike `FreeBits`, it decides for each example and dimension separately;
    those below the level have no gradient. text_generation.py of Pang and Wu
    2021, arXiv:2108.11556, with level 1.

    Attributes:
        level: Nats >= 0; 0 gives `gaussian_kl`.
        base_scale: See `FreeBits`.
    """
    level: float = 0.0
    base_scale: float = 1.0

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        mean, log_scale = _in_units_of(
            self.base_scale, *draws.positive.encoded)
        terms = 0.5 * (tf.square(mean) + tf.exp(2.0 * log_scale)
                       - 2.0 * log_scale - 1.0)
        counted = tf.where(terms > self.level, terms, tf.zeros_like(terms))
        return tf.reduce_mean(tf.reduce_sum(counted, axis=-1))


def encoded_energy(model: Any, draws: Draws) -> tf.Tensor:
    """mean E(z+) of states drawn by an encoder, in nats.

    With the KL to N(0, I) it is the KL to the learned prior up to log Z, part
    of the evidence bound; Pang and Wu 2021, arXiv:2108.11556.
    """
    return draws.mean(model.prior.energy(
        draws.positive.position, condition=draws.condition("positive")))


@dataclasses.dataclass(frozen=True)
class FreeNats:
    """The KL of an encoder to the prior, with a minimum in total.

    mean KL(q(z | x) || N(0, I)) and, with an energy, + mean E(z+) - mean E(z-)
    as an estimate of log Z. This is an upper bound of the KL to the learned
    prior, as log Z = -E_p[E] - KL(p || p0). It corresponds to `FreeBits` over
    all dimensions together. An energy with free bits of the KL to N(0, I) only
    is unbounded: below those, encoder and energy diverge together.

    Attributes:
        level: Nats >= 0 without penalty.
        with_energy: Whether the energy counts; otherwise the encoder is kept
            close to N(0, I), as in a variational autoencoder.
        base_scale: See `FreeBits`.
    """
    level: float
    with_energy: bool = True
    base_scale: float = 1.0

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        cost = FreeBits(base_scale=self.base_scale)(model, draws) if (
            self.base_scale != 1.0) else gaussian_kl(model, draws)
        if self.with_energy and model.prior.has_energy:
            cost += encoded_energy(model, draws) - tf.reduce_mean(
                model.prior.energy(draws.negative.position,
                                   condition=draws.condition("negative")))
        return tf.maximum(cost, self.level)


def _in_units_of(scale, mean, log_scale):
    """The Gaussian of z / scale, given that of z: its KL to N(0, I) is that of
    z to N(0, scale^2 I)."""
    if scale == 1.0:
        return mean, log_scale
    return mean / scale, log_scale - math.log(scale)


def kl_to_prior(model: Any, draws: Draws) -> tf.Tensor:
    """mean of log q(z+ | x) - log p(z+), with p unnormalized.

    For positive states drawn by the model's encoder (`samplers.Encoded`), which
    needs a density: one reparameterized sample per example; exact up to log Z,
    which does not depend on the encoder.
    """
    z = draws.positive.position
    log_prior = prior_target(model.prior, draws.condition("positive"))
    return draws.mean(model.encoder.log_prob_of(
        z, *draws.positive.encoded) - log_prior(z))


@dataclasses.dataclass(frozen=True)
class LayeredKL:
    """mean of log q(z+ | x) - log p(z+) for layers that q draws at once.

    The loss of train_fid.py of Cui et al. 2023, arXiv:2310.09604: `kl_to_prior`
    with the base N(0, I) for every layer, but with a constant added to the
    variances in the quadratic terms. For `LayeredGaussian`.

    Attributes:
        variance_floor: That constant >= 0; 1e-6 in their code.
    """
    variance_floor: float = 0.0

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        terms = [self._of_layer(*layer) for layer in zip(
            draws.positive.position, *draws.positive.encoded)]
        return draws.mean(tf.add_n(terms) + model.prior.energy(
            draws.positive.position))

    def _of_layer(self, z, mean, log_scale):
        variance = tf.exp(2.0 * log_scale) + self.variance_floor
        return 0.5 * tf.reduce_sum(
            tf.square(z) / (1.0 + self.variance_floor)
            - tf.square(z - mean) / variance, -1) - tf.reduce_sum(log_scale, -1)


@dataclasses.dataclass(frozen=True)
class FlowDivergence:
    """mean of log q(z) - log p(z) over a flow's samples, with p unnormalized.

    KL(q || p) - log Z, the loss of a flow that learns to sample the prior.

    Attributes:
        role: Role whose states the flow drew (`samplers.Flowed`).
    """
    role: str = "negative"

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        (log_prob,) = draws.states[self.role].encoded
        log_prior = prior_target(model.prior, draws.condition(self.role))
        return draws.mean(
            log_prob - log_prior(draws.states[self.role].position))


@dataclasses.dataclass(frozen=True)
class SecondBound:
    """mean of an upper bound of -log p(z+) of a density of codes.

    The codes are constants, so only the density is trained. Second stage of Dai
    and Wipf 2019, arXiv:1903.05789.

    Attributes:
        density: Has `evidence_bound(z, seed)`, as `densities.LatentVAE`.
    """
    density: Any

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        z = tf.stop_gradient(draws.positive.position)
        seed = rng.stream(draws.seed, "second")
        return -tf.reduce_mean(self.density.evidence_bound(z, seed))
