"""KL divergence of a learned flow sampler to the prior."""

import dataclasses
import math
from typing import Annotated, Any, Iterator

import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import (
    UNCONDITIONAL, Better, Context, Evaluator, Metric)
from lebm_tf.evaluation.latents import annealing
from lebm_tf.evaluation.latents.annealing import log_mean_exp
from lebm_tf.mcmc import rng
from lebm_tf.ranges import Ge, PositiveInt


@dataclasses.dataclass(frozen=True)
class SamplerEvaluator(Evaluator):
    """KL(q || p) from the flow q of prior_sampler to the prior p.

    Attributes:
        num_samples: Draws of the flow.
        num_annealing_steps: Annealing steps from the base to the prior, for log
            Z.
        num_annealing_chains: Number of annealed chains.
    """
    num_samples: Annotated[int, Ge(2)] = 5000
    num_annealing_steps: PositiveInt = 1000
    num_annealing_chains: Annotated[int, Ge(2)] = 100

    name = "sampler"
    kinds = UNCONDITIONAL
    needs_energy = needs_one_layer = True
    metrics = {"sampler/kl": Better.LOWER,
               "sampler/effective_share": Better.HIGHER,
               **{f"sampler/{name}": Better.NEITHER for name in (
                   "kl_standard_error", "kl_reverse", "log_z",
                   "log_z_reverse", "num_samples")}}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises if there is no flow."""
        super().check(context, model)
        if "flow" not in model.parts:
            raise InputError("evaluator sampler needs a model with prior_"
                             "sampler=flow or hybrid, got one without a flow.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Mean of log q - log p~ over draws of q, plus log Z by annealing.

        log Z from below makes the KL too small, from above (`kl_reverse`) too
        large; above about 1 nat, chains after the flow are worthwhile.
        effective_share is the effective sample size of the importance weights p
        / q, divided by the number of draws.
        """
        seed = rng.stream(rng.make_seed(context.config.seed), "sampler")
        (flow,) = model.parts["flow"]
        z, log_flow = tf.function(
            lambda seed: flow.sample_and_log_prob(self.num_samples, seed))(
                rng.stream(seed, "flow"))
        log_prior = model.prior.unnormalized_log_prob(z)
        gaps = np.asarray(log_flow - log_prior, np.float64)
        low, high, _ = annealing.interval(
            model.prior, tf.constant(model.sample(
                self.num_annealing_chains, context.config.seed).z),
            self.num_annealing_steps, rng.stream(seed, "annealing"))
        yield "sampler/kl", float(gaps.mean() + low.value)
        yield "sampler/kl_standard_error", math.sqrt(
            gaps.var(ddof=1) / len(gaps) + float(low.standard_error)**2)
        yield "sampler/kl_reverse", float(gaps.mean() + high.value)
        yield "sampler/log_z", float(low.value)
        yield "sampler/log_z_reverse", float(high.value)
        yield "sampler/effective_share", float(
            log_mean_exp(-gaps).effective_sample_size) / len(gaps)
        yield "sampler/num_samples", self.num_samples
