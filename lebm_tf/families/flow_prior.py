"""A baseline with an exact prior density: a flow over latent vectors.

Xie et al. 2023, arXiv:2301.09300. p(z) is a flow and p(x | z) = N(g(z), scale^2
I). Both are trained by maximum likelihood with short-run posterior chains as in
the image family, started from N(0, I). There is no energy and therefore no
prior chain: a sample costs one pass of the flow, and log p(z) is exact.

The public code adds log 2 pi to the log density of the flow instead of
subtracting half of it per dimension of z. No gradient depends on it; here the
constant is correct.
"""

import dataclasses

import keras

from lebm_tf.assembly.components import (
    ChainConfig, DataSpec, GeneratorConfig, compiled, sampler)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.learned import FlowConfig
from lebm_tf.assembly.probes import of_generator
from lebm_tf.densities import GaussianLikelihood, StandardNormal
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.objectives import Objective, negative_log_prior, squared_error
from lebm_tf.ranges import NonNegativeInt, PositiveFloat, PositiveInt
from lebm_tf.samplers import FromBase, ShortRun


@dataclasses.dataclass(frozen=True)
class FlowPriorConfig(FamilyConfig):
    """Defaults of the public train.py for SVHN.

    Attributes:
        latent_dim: Dimension of z, even.
        likelihood_scale: Standard deviation of a pixel in [-1, 1].
        posterior: Chains that draw positive states, from N(0, I).
        inference_steps: Steps of the posterior chains on new data; 0 takes
            posterior_num_steps. The public code takes 400 for test
            reconstructions.
        flow: The prior.
        generator: The generator.
        flow_optimizer: Optimizer of the flow.
        generator_optimizer: Optimizer of the generator.
    """
    latent_dim: PositiveInt = 100
    likelihood_scale: PositiveFloat = 0.3
    posterior: ChainConfig = ChainConfig(num_steps=20, step_size=0.1)
    inference_steps: NonNegativeInt = 0
    flow: FlowConfig = FlowConfig()
    generator: GeneratorConfig = GeneratorConfig()
    flow_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=4e-4, epoch_decay=0.998)
    generator_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=4e-4, epoch_decay=0.998)

    kinds = (IMAGE,)

    def probes(self, data):
        return {"generator": of_generator(self.latent_dim, data)}

    def validate(self):
        if self.posterior.start != "base":
            raise ValueError("posterior_start must be base, got "
                             f"{self.posterior.start!r}: chains start from "
                             "N(0, I).")
        if self.latent_dim % 2:
            raise ValueError("latent_dim must be even for a flow of coupling "
                             f"layers, got {self.latent_dim}.")


Config = FlowPriorConfig
EVALUATORS = ("pictures", "reconstruction", "frechet")


def build(config: FlowPriorConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, generator: keras.layers.Layer | None = None
          ) -> EnergyModel:
    """Assembles and compiles the model; arguments as in `image.build`."""
    seeds = rng.seeds(seed)
    prior = config.flow.make(config.latent_dim, seeds("flow"))
    likelihood = GaussianLikelihood(
        generator or config.generator.make(
            config.latent_dim, data.shape, seeds("generator")),
        config.likelihood_scale)
    start = FromBase(config.posterior.first_states(
        StandardNormal(config.latent_dim)))
    model = EnergyModel(
        prior=prior, likelihood=likelihood, seed=seed,
        parts={"flow": prior, "generator": likelihood},
        objectives={
            "flow": Objective(("flow",), {"flow": negative_log_prior}),
            "generator": Objective(
                ("generator",), {"generator": squared_error})},
        roles={
            "positive": sampler(config.posterior, start),
            "inference": sampler(
                config.posterior, start, config.inference_steps),
            # Without an energy, a prior sample is a chain of 0 moves.
            "generation": ShortRun(FromBase(prior), Langevin(1.0), 0)})
    return compiled(model, {"flow": config.flow_optimizer,
                            "generator": config.generator_optimizer}, data,
                    batch_size)
