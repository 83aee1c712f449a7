"""Latent codes of data, compared with the prior.

A generator that never sees N(0, I) as the codes of real data has no reason to
generate good images from it. The prior must match the aggregate posterior, the
distribution of z over all data; the energy is useful in so far as the learned
prior is closer to it than the base. A mixture of Gaussians or a flow can be
fitted to codes in seconds, so the learned prior must do better than those.
"""

import dataclasses
import functools
from typing import Annotated, Any, Callable, Iterator

import numpy as np
import tensorflow as tf

from lebm_tf.densities import Flow, GaussianMixture
from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import (
    UNCONDITIONAL, Better, Context, Evaluator, Metric, has_base)
from lebm_tf.evaluation.images.frechet import frechet_distance
from lebm_tf.evaluation.latents import annealing
from lebm_tf.mcmc import rng
from lebm_tf.networks import AffineCouplings
from lebm_tf.ranges import Ge, PositiveInt

# Candidate floors of a mixture; the best is used.
_FLOORS = (0.003, 0.03, 0.1)


@dataclasses.dataclass(frozen=True)
class CodesEvaluator(Evaluator):
    """Distance of the prior and of the base to the latent codes of data.

    Attributes:
        num_examples: Training examples whose codes are compared with the same
            number of draws.
        components: Numbers of Gaussians in mixtures that are fitted to these
            codes for comparison; a mixture is skipped with fewer than ten codes
            per Gaussian.
        flow: Whether to fit a flow as well; needs codes of even width.
        num_annealing_steps: Annealing steps from the base to the prior, for log
            Z.
        num_annealing_chains: Number of annealed chains.
    """
    num_examples: Annotated[int, Ge(2)] = 5000
    components: tuple[PositiveInt, ...] = (1, 10, 30)
    flow: bool = False
    num_annealing_steps: PositiveInt = 200
    num_annealing_chains: Annotated[int, Ge(2)] = 200

    name = "codes"
    kinds = UNCONDITIONAL
    needs_inference = True
    metrics = {
        "codes/log_prob_prior": Better.HIGHER,
        "codes/log_prob_prior_low": Better.HIGHER,
        "codes/log_prob_*": Better.NEITHER,
        "codes/frechet_prior": Better.LOWER,
        "codes/frechet_base": Better.LOWER, "codes/num_codes": Better.NEITHER,
        **{f"codes/{law}_{name}": Better.NEITHER
           for law in ("posterior", "prior") for name in (
               "mean_norm", "variance_smallest", "variance_largest")}}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises if a requested flow is impossible.
        """
        super().check(context, model)
        width = model.generation.latents().shape[-1] if (
            model.num_layers == 1) else 0
        if self.flow and (not width or width % 2):
            raise InputError("evaluator codes with flow needs one layer of "
                             "latents of even width, got "
                             f"{width or f'{model.num_layers} layers'}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Moments of codes, and Frechet distances between distributions of z.

        Codes are posterior draws of training examples, by the chains of
        training on new data (for a short run, its distribution after K steps,
        not the posterior itself). All values are in units of z.

        Yields:
            codes/X_mean_norm, codes/X_variance_smallest and _largest
            (eigenvalues of the covariance) for X in posterior and prior;
            codes/frechet_prior and codes/frechet_base, the distance of
            posterior draws to each; codes/num_codes; then, in nats, the mean of
            log p(z) over codes of held-out examples under the prior (with log Z
            annealed from the base, and _low with log Z annealed back, which
            bracket the true value if chains mix), under the base, and under
            mixtures and a flow fitted to the same training codes.
        """
        config, data = context.config, context.data
        rows = data.x_train[:self.num_examples]
        x = np.asarray(data.to_model(rows))
        posterior = _flat(model.infer(x, config.seed))
        prior = _flat(model.sample(len(x), config.seed).z)
        for name, z in (("posterior", posterior), ("prior", prior)):
            covariance = np.atleast_2d(np.cov(z, rowvar=False, ddof=1))
            variances = np.linalg.eigvalsh(covariance)
            yield f"codes/{name}_mean_norm", float(np.linalg.norm(z.mean(0)))
            yield f"codes/{name}_variance_smallest", float(variances[0])
            yield f"codes/{name}_variance_largest", float(variances[-1])
        yield "codes/frechet_prior", frechet_distance(prior, posterior)
        if model.has_energy:
            base = _flat(model.sample(len(x), config.seed, num_steps=0).z)
            yield "codes/frechet_base", frechet_distance(base, posterior)
        yield "codes/num_codes", len(x)
        if model.num_layers == 1:
            yield from self._nats(model, context, posterior)

    def _nats(self, model, context, codes):
        """Mean log p(z) of codes of held-out data under several densities."""
        data, seed = context.data, rng.stream(
            rng.make_seed(context.config.seed), "codes")
        held = _flat(model.infer(np.asarray(data.to_model(
            data.x_test[:self.num_examples])), rng.named(
                context.config.seed, "held_out")))
        held = held.astype(np.float32)
        if has_base(model):
            base = model.prior.base if model.has_energy else model.prior
            yield "codes/log_prob_base", _mean_log_prob(base, held)
        fits: dict[str, Callable] = {
            f"mixture_{k}": functools.partial(best_mixture, k=k)
            for k in self.components if 10 * k <= len(codes)}
        if self.flow:
            fits["flow"] = _fitted_flow
        for name, fit in fits.items():
            yield f"codes/log_prob_{name}", _mean_log_prob(
                fit(codes, seed=context.config.seed), held)
        if not has_base(model):
            return  # The density of the prior is unknown.
        if not model.has_energy:
            yield "codes/log_prob_prior", _mean_log_prob(model.prior, held)
            return
        target = float(np.mean(model.prior.unnormalized_log_prob(
            tf.constant(held))))
        start = tf.constant(model.sample(
            self.num_annealing_chains, context.config.seed).z)
        low, high, _ = annealing.interval(
            model.prior, start, self.num_annealing_steps, seed)
        # A low estimate of log Z makes log p(z) high.
        yield "codes/log_prob_prior", target - float(low.value)
        yield "codes/log_prob_prior_low", target - float(high.value)
        yield "codes/log_prob_standard_error", float(low.standard_error)


def best_mixture(codes: np.ndarray, k: int, seed: int) -> GaussianMixture:
    """A mixture fitted to codes, with the best floor on a held-out tenth of
    them.

    Args:
        codes: float [num, latent_dim], num >= 10 k.
        k: Number of Gaussians.
        seed: Seed of EM, and of the split.
    """
    order = rng.permutation(
        tf.range(len(codes), dtype=tf.int64),
        rng.make_seed(rng.named(seed, "mixture")), len(codes))
    held, learned = np.split(codes[order.numpy()], [len(codes) // 10])

    def fitted(floor, codes):
        density = GaussianMixture(codes.shape[1], k, floor)
        density.fit(codes, seed, 0)
        return density
    floor = 0.0 if k == 1 else max(_FLOORS, key=lambda floor: _mean_log_prob(
        fitted(floor, learned), held.astype(np.float32)))
    return fitted(floor, codes)


def _fitted_flow(codes, seed):
    density = Flow(AffineCouplings(
        codes.shape[1], seed=rng.named(seed, "flow")))
    density.fit(codes, seed, 0)
    return density


def _mean_log_prob(density, z) -> float:
    return float(np.mean(density.log_prob(tf.constant(z))))


def _flat(z) -> np.ndarray:
    """A nest of [num, ...] as one float64 matrix [num, width]."""
    leaves = [np.asarray(leaf, np.float64).reshape(len(leaf), -1)
              for leaf in tf.nest.flatten(z)]
    return np.concatenate(leaves, axis=1)
