"""What there is for the energy to correct: codes of data against the prior.

A generator that never sees N(0, I) as the codes of real data has no reason to
make good pictures of it. The aggregate posterior, the law of z over all data,
is what the prior must match; the energy earns its place by as much as the
learned prior is nearer to it than the base is. A mixture of Gaussians or a
flow is fitted to codes in seconds: the learned prior must be better than
those.
"""

import dataclasses
import functools
from typing import Annotated, Any, Iterator

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

# Floors of a mixture of which the best is taken.
_FLOORS = (0.003, 0.03, 0.1)


@dataclasses.dataclass(frozen=True)
class CodesEvaluator(Evaluator):
    """How near the prior, and the base, come to the codes of data.

    Attributes:
        num_examples: Training examples whose codes are compared with as many
            draws, or as many as there are.
        components: Gaussians of the mixtures that are fitted to these codes,
            for comparison; left out with less than ten codes for each.
        flow: Whether a flow is fitted as well; for codes of even width.
        num_annealing_steps: Steps from the base to the prior, for its Z.
        num_annealing_chains: Chains that make them.
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
        """Besides, raises if a flow is asked for that there can't be."""
        super().check(context, model)
        width = model.generation.latents().shape[-1] if (
            model.num_layers == 1) else 0
        if self.flow and (not width or width % 2):
            raise InputError("evaluator codes with flow needs one layer of "
                             "latents of even width, got "
                             f"{width or f'{model.num_layers} layers'}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Moments of codes, and Frechet distances between their laws.

        Codes are posterior draws of training examples, by the chains of
        training on new data (for a short run: its law after K steps, not the
        posterior itself). All in units of z.

        Yields:
            codes/X_mean_norm, codes/X_variance_smallest and _largest
            (eigenvalues of the covariance) for X of posterior and prior;
            codes/frechet_prior and codes/frechet_base, the distance of
            posterior draws to either; codes/num_codes; then, in nats, the mean
            of log p(z) of codes of held-out examples under the prior (with
            log Z by annealing from the base, and _low with log Z by annealing
            back, between which the truth lies if chains mix), the base, and
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
        fits = {f"mixture_{k}": functools.partial(best_mixture, k=k)
                for k in self.components if 10 * k <= len(codes)}
        if self.flow:
            fits["flow"] = _fitted_flow
        for name, fit in fits.items():
            yield f"codes/log_prob_{name}", _mean_log_prob(
                fit(codes, seed=context.config.seed), held)
        if not has_base(model):
            return  # Nobody knows the prior's own.
        if not model.has_energy:
            yield "codes/log_prob_prior", _mean_log_prob(model.prior, held)
            return
        target = float(np.mean(model.prior.unnormalized_log_prob(
            tf.constant(held))))
        start = tf.constant(model.sample(
            self.num_annealing_chains, context.config.seed).z)
        low, high, _ = annealing.interval(
            model.prior, start, self.num_annealing_steps, seed)
        # A low log Z makes log p(z) high.
        yield "codes/log_prob_prior", target - float(low.value)
        yield "codes/log_prob_prior_low", target - float(high.value)
        yield "codes/log_prob_standard_error", float(low.standard_error)


def best_mixture(codes: np.ndarray, k: int, seed: int) -> GaussianMixture:
    """A mixture fitted to codes, its floor the best for a tenth of them.

    Args:
        codes: float [num, latent_dim], num >= 10 k.
        k: Gaussians.
        seed: Of EM, and of the tenth.
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
