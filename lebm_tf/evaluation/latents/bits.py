"""Bits per dimension of a flow, and of an energy over it."""

import dataclasses
import math
from typing import Annotated, Any, Iterator

import numpy as np
import tensorflow as tf

from lebm_tf.densities import Transport
from lebm_tf.errors import InputError
from lebm_tf.evaluation.evaluator import Better, Context, Evaluator, Metric
from lebm_tf.evaluation.latents import annealing
from lebm_tf.kinds import IMAGE, VECTOR
from lebm_tf.mcmc import rng
from lebm_tf.ranges import Ge, PositiveInt

_BATCH = 500


@dataclasses.dataclass(frozen=True)
class BitsEvaluator(Evaluator):
    """Bits per dimension of held-out examples, and log Z.

    Attributes:
        num_examples: Number of held-out examples, and of training examples.
        num_importance_samples: Draws of the base, for log Z.
        num_annealing_steps: Annealing steps from the base to the prior, and
            back.
        num_annealing_chains: Number of annealed chains.
    """
    num_examples: PositiveInt = 5000
    num_importance_samples: Annotated[int, Ge(2)] = 5000
    num_annealing_steps: PositiveInt = 500
    num_annealing_chains: Annotated[int, Ge(2)] = 200

    name = "bits"
    kinds = (IMAGE, VECTOR)
    metrics = {
        "bits/q": Better.LOWER, "bits/p": Better.LOWER,
        "bits/p_high": Better.LOWER,
        **{f"bits/{name}": Better.NEITHER for name in (
            "q_training", "p_training", "log_z_importance",
            "importance_effective_sample_size", "log_z",
            "log_z_standard_error", "log_z_reverse",
            "log_z_reverse_standard_error", "annealing_accept_prob",
            "energy_held_out", "num_examples")}}

    def check(self, context: Context, model: Any) -> None:
        """As `Evaluator.check`; also raises unless the likelihood is a
        transport with a density."""
        super().check(context, model)
        if not isinstance(model.likelihood, Transport):
            raise InputError("evaluator bits needs a model over a flow or a "
                             "generator with noise, as in the families flow "
                             "and neural_transport, got a "
                             f"{type(model.likelihood).__name__}.")
        encoder = getattr(model.likelihood, "encoder", None)
        if encoder is not None and not hasattr(encoder, "log_prob"):
            raise InputError("evaluator bits needs an encoder with a density, "
                             f"got a {type(encoder).__name__}.")

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """-log2 of the density, divided by the number of dimensions; the mean.

        For images, in units of pixel levels with dequantization: a bound on the
        bits of the pixels themselves. For a generator, whose density has no
        closed form, a further bound by its encoder. q is without the energy. p
        is with it, with log Z annealed from the base, and p_high with log Z
        annealed back; the true value lies between both if chains mix.
        log_z_importance uses draws of the base only, and is reliable if its
        effective sample size is several tens or more.
        """
        data, seed = context.data, rng.stream(
            rng.make_seed(context.config.seed), "bits")
        per_dim = math.prod(data.shape) * math.log(2.0)
        bits, energies = {}, {}
        for part, rows in (("held_out", data.x_test),
                           ("training", data.x_train)):
            log_q, energy = _measured(
                model, data, rows[:self.num_examples], rng.stream(seed, part),
                context.config.num_draws)
            bits[part] = model.likelihood.unit_bits - log_q / per_dim
            energies[part] = energy
        yield "bits/num_examples", min(self.num_examples, len(data.x_test))
        yield "bits/q", bits["held_out"]
        yield "bits/q_training", bits["training"]
        if not model.has_energy:
            return
        z = model.prior.base.sample(
            self.num_importance_samples, rng.stream(seed, "importance"))
        log_weights = np.concatenate([
            -np.asarray(model.energy(z[i:i + _BATCH]))
            for i in range(0, len(z), _BATCH)])
        drawn = annealing.log_mean_exp(log_weights)
        yield "bits/log_z_importance", float(drawn.value)
        yield "bits/importance_effective_sample_size", float(
            drawn.effective_sample_size)
        start = tf.constant(model.sample(
            self.num_annealing_chains, context.config.seed).z)
        low, high, accept_prob = annealing.interval(
            model.prior, start, self.num_annealing_steps, seed)
        yield "bits/log_z", float(low.value)
        yield "bits/log_z_standard_error", float(low.standard_error)
        yield "bits/log_z_reverse", float(high.value)
        yield "bits/log_z_reverse_standard_error", float(high.standard_error)
        yield "bits/annealing_accept_prob", accept_prob
        yield "bits/energy_held_out", energies["held_out"]
        for name, part, log_z in (("p", "held_out", low),
                                  ("p_high", "held_out", high),
                                  ("p_training", "training", low)):
            yield f"bits/{name}", bits[part] + (
                energies[part] + float(log_z.value)) / per_dim


def _measured(model, data, rows, seed, num_draws):
    """Means of log q(x) and E(x) at dequantized x."""
    transport = model.likelihood

    @tf.function(autograph=False)
    def measure(x, seed):
        log_q = transport.log_density(x, seed)
        return log_q, model.energy(transport.inverse(x, seed))
    totals = np.zeros(2)
    for draw in range(num_draws):
        for i in range(0, len(rows), _BATCH):
            values = measure(
                transport.read(data.to_model(rows[i:i + _BATCH])),
                rng.fold_in(rng.fold_in(seed, draw), i))
            totals += [np.asarray(value, np.float64).sum() for value in values]
    return totals / (num_draws * len(rows))
