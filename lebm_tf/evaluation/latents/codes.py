"""What there is for the energy to correct: codes of data against the prior.

A generator that never sees N(0, I) as the codes of real data has no reason to
make good pictures of it. The aggregate posterior, the law of z over all data,
is what the prior must match; the energy earns its place by as much as the
learned prior is nearer to it than the base is.
"""

import dataclasses
from typing import Annotated, Any, Iterator

import numpy as np
import tensorflow as tf

from lebm_tf.evaluation.evaluator import (
    UNCONDITIONAL, Better, Context, Evaluator, Metric)
from lebm_tf.evaluation.images.frechet import frechet_distance
from lebm_tf.ranges import Ge


@dataclasses.dataclass(frozen=True)
class CodesEvaluator(Evaluator):
    """How near the prior, and the base, come to the codes of data.

    Attributes:
        num_examples: Training examples whose codes are compared with as many
            draws, or as many as there are.
    """
    num_examples: Annotated[int, Ge(2)] = 5000

    name = "codes"
    kinds = UNCONDITIONAL
    metrics = {
        "codes/frechet_prior": Better.LOWER,
        "codes/frechet_base": Better.LOWER, "codes/num_codes": Better.NEITHER,
        **{f"codes/{law}_{name}": Better.NEITHER
           for law in ("posterior", "prior") for name in (
               "mean_norm", "variance_smallest", "variance_largest")}}

    def __call__(self, model: Any, context: Context) -> Iterator[Metric]:
        """Moments of codes, and Frechet distances between their laws.

        Codes are posterior draws of training examples, by the chains of
        training on new data (for a short run: its law after K steps, not the
        posterior itself). All in units of z.

        Yields:
            codes/X_mean_norm, codes/X_variance_smallest and _largest
            (eigenvalues of the covariance) for X of posterior and prior;
            codes/frechet_prior and codes/frechet_base, the distance of
            posterior draws to either; codes/num_codes.
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


def _flat(z) -> np.ndarray:
    """A nest of [num, ...] as one float64 matrix [num, width]."""
    leaves = [np.asarray(leaf, np.float64).reshape(len(leaf), -1)
              for leaf in tf.nest.flatten(z)]
    return np.concatenate(leaves, axis=1)
