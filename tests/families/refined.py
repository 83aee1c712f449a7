"""An encoder's draw, and the same refined by chains; both are taught.

The proposal is drawn on the tape and learns by its price under the prior; the
refined states teach the encoder where chains took them, the generator, and a
copy of the encoder that follows slowly. The encoder is updated three times a
step.
"""

import dataclasses

import tensorflow as tf

from lebm_tf.assembly.components import compiled
from lebm_tf.densities import (
    ConditionalGaussian, EnergyPrior, GaussianLikelihood, StandardNormal)
from lebm_tf.families import DataSpec
from lebm_tf.mcmc import Langevin
from lebm_tf.models import EnergyModel, MovingCopy, OptimizerConfig
from lebm_tf.networks import ConvEncoder, DeconvGenerator, EnergyMLP
from lebm_tf.objectives import (
    Objective, OnRoles, encoder_teaching, energy_contrast, kl_to_prior,
    squared_error)
from lebm_tf.samplers import Encoded, FromBase, FromEncoder, FromRole, ShortRun


@dataclasses.dataclass(frozen=True)
class RefinedConfig:
    latent_dim: int = 3
    updates: int = 3
    rate: float = 0.5
    interval: int = 2
    optimizer: OptimizerConfig = OptimizerConfig(1e-3)


Config = RefinedConfig


def build(config: RefinedConfig, data: DataSpec, *, batch_size: int = 4,
          seed: int = 0) -> EnergyModel:
    """Assembles and compiles the model."""
    def encoder():
        return ConditionalGaussian(ConvEncoder(
            config.latent_dim, data.shape, (4,), seed=seed + 2))
    base = StandardNormal(config.latent_dim)
    prior = EnergyPrior(base, EnergyMLP(config.latent_dim, (5,), seed=seed))
    likelihood = GaussianLikelihood(DeconvGenerator(
        config.latent_dim, data.shape, 4, (4,), seed=seed + 1), 0.3)
    learner, target = encoder(), encoder()

    def consistency(model, draws):
        """How far the encoder's mean went from that of its slow copy."""
        near, far = (density.parameters(draws.batch["x"])[0]
                     for density in (learner, target))
        return draws.mean(tf.reduce_sum(tf.square(
            near - tf.stop_gradient(far)), -1))
    chains = ShortRun(FromRole("proposal"), Langevin(0.1), 2)
    model = EnergyModel(
        prior=prior, likelihood=likelihood, encoder=learner, seed=seed,
        parts={"energy": prior.energy_network, "generator": likelihood,
               "encoder": learner},
        objectives={
            "energy": Objective(("energy",), {"energy": energy_contrast}),
            "generator": Objective(
                ("generator",), {"generator": squared_error}),
            "encoder": Objective(("encoder",), {
                "teaching": encoder_teaching,
                "price": OnRoles(kl_to_prior, {"positive": "proposal"}),
                "consistency": consistency})},
        roles={"proposal": Encoded(learner), "positive": chains,
               "inference": dataclasses.replace(
                   chains, initializer=FromEncoder(learner)),
               "negative": ShortRun(FromBase(base), Langevin(0.4), 3)},
        updates={"encoder": config.updates},
        copies={"target": MovingCopy(
            target, learner, config.rate, config.interval)})
    return compiled(model, dict.fromkeys(model.parts, config.optimizer), data,
                    batch_size)
