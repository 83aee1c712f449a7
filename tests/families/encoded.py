"""An encoder under an energy-based prior, to prove that one fits without its
own train step.

Positive states are reparameterized draws of q(z | x), negative ones come from
prior chains. The encoder learns from two objectives, the generator from one.
"""

import dataclasses

from lebm_tf.densities import (
    ConditionalGaussian, EnergyPrior, GaussianLikelihood, StandardNormal)
from lebm_tf.families import DataSpec
from lebm_tf.mcmc import Langevin
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import ConvEncoder, DeconvGenerator, EnergyMLP
from lebm_tf.objectives import (
    Objective, energy_contrast, kl_to_prior, negative_log_likelihood)
from lebm_tf.samplers import Encoded, FromBase, ShortRun


@dataclasses.dataclass(frozen=True)
class EncodedConfig:
    latent_dim: int = 3
    optimizer: OptimizerConfig = OptimizerConfig(1e-3)


Config = EncodedConfig


def build(config: EncodedConfig, data: DataSpec, *, batch_size: int = 4,
          seed: int = 0) -> EnergyModel:
    """Assembles and compiles the model."""
    base = StandardNormal(config.latent_dim)
    energy = EnergyMLP(config.latent_dim, (5,), seed=seed)
    likelihood = GaussianLikelihood(DeconvGenerator(
        config.latent_dim, data.shape, 4, (4,), seed=seed + 1), 0.3)
    encoder = ConditionalGaussian(ConvEncoder(
        config.latent_dim, data.shape, (4,), seed=seed + 2))
    model = EnergyModel(
        prior=EnergyPrior(base, energy), likelihood=likelihood,
        encoder=encoder, seed=seed,
        parts={"energy": energy, "generator": likelihood, "encoder": encoder},
        objectives={
            "energy": Objective(("energy",), {"energy": energy_contrast}),
            "reconstruction": Objective(
                ("generator", "encoder"),
                {"reconstruction": negative_log_likelihood}),
            "kl": Objective(("encoder",), {"kl": kl_to_prior})},
        roles={"positive": Encoded(encoder),
               "negative": ShortRun(FromBase(base), Langevin(0.4), 3)})
    steps = data.num_train // batch_size
    model.compile({part: config.optimizer.make(steps)
                   for part in model.parts})
    return model
