"""log p(x) of held-out data, by importance sampling."""

import dataclasses
import math
from typing import Annotated, Any, Callable, Iterator, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.densities import posterior_target
from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import (
    UNCONDITIONAL, Better, Context, Evaluator, Metric)
from lebm_tf.evaluation.latents import annealing
from lebm_tf.evaluation.latents.annealing import Estimate, log_mean_exp
from lebm_tf.evaluation.text.sequences import perplexity
from lebm_tf.kinds import IMAGE, SEQUENCE
from lebm_tf.mcmc import Hmc, rng, trace_chain
from lebm_tf.ranges import Ge, OneOf, PositiveInt
from lebm_tf.token_ids import PAD

PROPOSALS = ("posterior", "encoder")
_NUM_CHAINS = 10  # Posterior chains per example.
_BATCH_SIZE = 10  # Examples per batch.
_ADAPTATION_STEPS = 150
_LEVELS_PER_UNIT = 127.5  # Pixel values 0..255 span [-1, 1].


class Proposal(NamedTuple):
    """A Gaussian for each example that approximates its posterior.

    Attributes:
        mean: float64 [batch, latent_dim].
        root: Lower Cholesky factors, float64 [batch, latent_dim, latent_dim].
        accept_prob: Acceptance of the chains it is fitted to, float; 1 if none.
    """
    mean: np.ndarray
    root: np.ndarray
    accept_prob: float = 1.0


@dataclasses.dataclass(frozen=True)
class LikelihoodEvaluator(Evaluator):
    """log p(x) of held-out examples.

    Attributes:
        num_examples: Number of held-out examples.
        proposal: Proposal of latents for an example: posterior (a Gaussian
            fitted to exact posterior chains, slow but reliable) or encoder
            (that of the encoder, slightly widened).
        num_proposal_draws: Posterior draws for fitting the proposal of an
            example; use several times the width of the latents.
        num_importance_samples: Draws from each proposal.
        num_annealing_steps: Annealing steps from the base to the prior.
        num_annealing_chains: Number of annealed chains.
    """
    num_examples: PositiveInt = 50
    proposal: Annotated[str, OneOf(PROPOSALS)] = "posterior"
    num_proposal_draws: Annotated[int, Ge(2)] = 1000
    num_importance_samples: Annotated[int, Ge(2)] = 1000
    num_annealing_steps: PositiveInt = 1000
    num_annealing_chains: Annotated[int, Ge(2)] = 100

    name = "likelihood"
    needs_base = True
    kinds = UNCONDITIONAL
    needs_inference = True
    metrics = {
        "likelihood/log_prob": Better.HIGHER,
        "likelihood/nll": Better.LOWER, "likelihood/perplexity": Better.LOWER,
        "likelihood/bits_per_dim": Better.LOWER,
        **{f"likelihood/{name}": Better.NEITHER for name in (
            "log_prob_standard_error", "log_prob_scale",
            "effective_sample_size", "effective_sample_size_smallest",
            "posterior_accept_prob", "importance_samples", "num_examples",
            "log_z", "log_z_standard_error", "log_z_effective_sample_size",
            "log_z_reverse", "log_z_reverse_standard_error",
            "annealing_accept_prob", "annealing_steps", "annealing_chains")}}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises without an encoder for its
        proposals."""
        super().check(context, model)
        if self.proposal == "encoder" and model.encoder is None:
            raise InputError("evaluator likelihood with proposal=encoder "
                             "needs an encoder, got none.")
        if self.proposal == "encoder" and model.num_layers > 1:
            raise InputError("evaluator likelihood with proposal=encoder needs "
                             f"one layer of latents, got {model.num_layers}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Estimates log Z, then log p(x) of the first held-out examples.

        log p(x) of images is a density in nats of pixels in [-1, 1], without
        dequantization noise; bits_per_dim is in units of pixel levels, 1/127.5.
        For sequences it is a probability: nll is the mean of -log p(x),
        perplexity is per token, the end included. A low estimate of log Z makes
        log p(x) high: check the gap between log_z and log_z_reverse, and
        effective sample sizes.
        """
        seed = rng.stream(
            rng.make_seed(context.config.seed), "likelihood")
        log_z = Estimate(np.zeros(()), np.zeros(()), np.full((), np.inf))
        if model.has_energy:
            log_z = yield from self._log_z(
                model, context.config.seed, seed)
        x = np.asarray(context.data.to_model(
            context.data.x_test[:self.num_examples]))
        if self.proposal == "encoder":
            propose = encoder_proposals(model)
        else:
            propose = posterior_proposals(model, self.num_proposal_draws)
        joint, accept_prob = log_marginal(
            model, x, propose, self.num_importance_samples,
            rng.stream(seed, "marginal"))
        log_prob, num = joint.value - log_z.value, len(x)
        mean = float(log_prob.mean())
        error = math.sqrt(np.mean(joint.standard_error**2) / num
                          + log_z.standard_error**2)
        yield "likelihood/log_prob", mean
        yield "likelihood/log_prob_standard_error", error
        yield "likelihood/log_prob_scale", float(log_prob.std())
        if context.data.kind == SEQUENCE:
            yield "likelihood/nll", -mean
            yield "likelihood/perplexity", perplexity(
                -log_prob, int((x != PAD).sum()))
        elif context.data.kind == IMAGE:
            yield "likelihood/bits_per_dim", (
                math.log2(_LEVELS_PER_UNIT)
                - mean / math.prod(x.shape[1:]) / math.log(2.0))
        yield "likelihood/effective_sample_size", float(
            joint.effective_sample_size.mean())
        yield "likelihood/effective_sample_size_smallest", float(
            joint.effective_sample_size.min())
        yield "likelihood/proposal", self.proposal
        yield "likelihood/posterior_accept_prob", accept_prob
        yield "likelihood/importance_samples", self.num_importance_samples
        yield "likelihood/num_examples", num

    def _log_z(self, model, model_seed, seed):
        """Yields metrics of log Z; returns the estimate."""
        chains = self.num_annealing_chains
        start = tf.nest.map_structure(tf.constant, model.sample(
            chains, model_seed).z)
        log_z, reverse, accept_prob = annealing.interval(
            model.prior, start, self.num_annealing_steps, seed)
        yield "likelihood/log_z", float(log_z.value)
        yield "likelihood/log_z_standard_error", float(log_z.standard_error)
        yield "likelihood/log_z_effective_sample_size", float(
            log_z.effective_sample_size)
        yield "likelihood/log_z_reverse", float(reverse.value)
        yield "likelihood/log_z_reverse_standard_error", float(
            reverse.standard_error)
        yield "likelihood/annealing_accept_prob", accept_prob
        yield "likelihood/annealing_steps", self.num_annealing_steps
        yield "likelihood/annealing_chains", chains
        return log_z


def log_marginal(model: Any, x: np.ndarray, propose: Callable,
                 num_samples: int, seed: rng.Seed) -> tuple[Estimate, float]:
    """log p(x) + log Z: the mean of p(x, z) Z / q(z | x) under q.

    Args:
        model: An `EnergyModel`.
        x: Observations [batch, ...], as the model takes them.
        propose: Function (rows, seed) -> `Proposal`, q of each row over all
            layers of latents, concatenated.
        num_samples: Draws from q for each row, >= 2.
        seed: int32 [2].

    Returns:
        The estimate for each row, [batch], and the acceptance of the chains
        that q is fitted to.
    """
    layers = model.generation.latents()
    weigh = tf.function(lambda x, z: posterior_target(
        model.prior, model.likelihood, x)(split(z, layers)))
    log_weights, accepted = [], []
    for i in range(0, len(x), _BATCH_SIZE):
        # The last batch is padded by repeated rows, which are cut below.
        rows = x[np.arange(i, i + _BATCH_SIZE) % len(x)]
        part = rng.fold_in(seed, i)
        proposal = propose(rows, rng.stream(part, "posterior"))
        noise = rng.normal([num_samples, *proposal.mean.shape],
                           rng.stream(part, "proposal"), tf.float64).numpy()
        log_weights.append(np.stack([
            weigh(rows, sample.astype(keras.config.floatx())).numpy() - log_prob
            for sample, log_prob in zip(*_propose(proposal, noise))], 1))
        accepted.append(proposal.accept_prob)
    return (log_mean_exp(np.concatenate(log_weights)[:len(x)]),
            float(np.mean(accepted)))


def encoder_proposals(model: Any) -> Callable:
    """(rows, seed) -> the encoder's `Proposal`, widened as in `fit_proposal`.

    Raises:
        InputError: If the encoder has no mean and scale.
    """
    def propose(x, seed):
        moments = model.encoder.parameters(x)
        if len(moments) != 2:
            raise InputError("evaluator likelihood with proposal=encoder needs "
                             "an encoder with mean and scale, got one with "
                             f"{len(moments)} output.")
        mean, log_scale = (np.asarray(values, np.float64)
                           for values in moments)
        dim = mean.shape[1]
        scale = np.exp(log_scale) * math.sqrt(1.0 + dim**-0.5)
        return Proposal(mean, scale[..., None] * np.eye(dim))
    return propose


def posterior_proposals(model: Any, num_draws: int) -> Callable:
    """(rows, seed) -> `Proposal` fitted to draws of exact chains.

    Args:
        model: An `EnergyModel`.
        num_draws: Draws for each row, at least 2.
    """
    draw = tf.function(lambda x, z, seed: _posterior_draws(
        model, x, z, num_draws, seed))

    def propose(x, seed):
        repeated = x.repeat(_NUM_CHAINS, axis=0)
        z, accept_prob = draw(repeated, model.infer(repeated), seed)
        return fit_proposal(z.numpy(), float(accept_prob))
    return propose


def _posterior_draws(model, x, start, num_draws, seed):
    """float [batch, num_draws or a few more, latent_dim], and acceptance."""
    steps = -(-num_draws // _NUM_CHAINS)
    kernel = Hmc(0.1, num_leapfrog_steps=5,
                 num_adaptation_steps=_ADAPTATION_STEPS)
    _, (z, accept_prob) = trace_chain(
        kernel, posterior_target(model.prior, model.likelihood, x), start,
        _ADAPTATION_STEPS + steps, seed,
        lambda state: (joined(state.position), state.accept_prob))
    z = tf.reshape(z[-steps:], [steps, _BATCH_SIZE, _NUM_CHAINS, z.shape[-1]])
    z = tf.reshape(tf.transpose(z, [1, 0, 2, 3]), [
        _BATCH_SIZE, steps * _NUM_CHAINS, z.shape[-1]])
    return z, tf.reduce_mean(accept_prob[-steps:])


def joined(z: Any) -> tf.Tensor:
    """All layers of latents concatenated, [batch, width of all]."""
    return tf.concat([
        tf.reshape(leaf, [-1, math.prod(leaf.shape[1:])])
        for leaf in tf.nest.flatten(z)], -1)


def split(z: tf.Tensor, layers: Any) -> Any:
    """The inverse of `joined`.

    Args:
        z: [batch, width of all].
        layers: Nest of objects with the shape of a layer, [batch, ...].
    """
    shapes = [leaf.shape[1:] for leaf in tf.nest.flatten(layers)]
    parts = tf.split(z, [math.prod(shape) for shape in shapes], -1)
    return tf.nest.pack_sequence_as(layers, [
        tf.reshape(part, [-1, *shape])
        for part, shape in zip(parts, shapes)])


def fit_proposal(z: np.ndarray, accept_prob: float = 1.0) -> Proposal:
    """Fits a Gaussian, slightly wider than the draws, for each example.

    The covariance is shrunk to its diagonal by d / (d + n) for n draws of
    dimension d, so it is regular for any n, and multiplied by 1 + d^(-1/2).
    That covers the tails of the posterior and costs a factor of about e^(-1/2)
    in effective sample size on a Gaussian, for any d.

    Args:
        z: Draws, float [batch, num_draws, latent_dim].
        accept_prob: Acceptance to store in the proposal.
    """
    z = z.astype(np.float64)
    _, num, dim = z.shape
    mean = z.mean(axis=1)
    centred = z - mean[:, None]
    covariance = np.einsum("bni,bnj->bij", centred, centred) / (num - 1)
    shrinkage = dim / (dim + num)
    covariance *= 1.0 - shrinkage * (1.0 - np.eye(dim))
    covariance *= 1.0 + dim**-0.5
    return Proposal(mean, np.linalg.cholesky(covariance), accept_prob)


def _propose(proposal, noise):
    """z and log q(z), from noise [num_samples, batch, latent_dim]."""
    z = proposal.mean + np.einsum("bij,nbj->nbi", proposal.root, noise)
    diagonal = np.diagonal(proposal.root, axis1=-2, axis2=-1)
    constant = 0.5 * noise.shape[-1] * math.log(2.0 * math.pi)
    log_prob = (-0.5 * np.square(noise).sum(-1)
                - np.log(diagonal).sum(-1) - constant)
    return z, log_prob
