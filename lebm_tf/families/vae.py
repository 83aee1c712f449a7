"""A baseline: a variational autoencoder with the prior N(0, I).

Kingma and Welling 2014, arXiv:1312.6114. It has the generator and the
observation model of the image family, an encoder in place of chains, and no
energy.
"""

import dataclasses

import keras

from lebm_tf.assembly.components import (
    DataSpec, EncoderConfig, GeneratorConfig, compiled)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.probes import of_encoder, of_generator
from lebm_tf.densities import (
    ConditionalGaussian, GaussianLikelihood, StandardNormal)
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.objectives import Objective, gaussian_kl, negative_log_likelihood
from lebm_tf.ranges import PositiveFloat, PositiveInt
from lebm_tf.samplers import Encoded, FromBase, ShortRun


@dataclasses.dataclass(frozen=True)
class VAEConfig(FamilyConfig):
    """A variational autoencoder for images.

    Attributes:
        latent_dim: Dimension of z.
        likelihood_scale: Standard deviation of a pixel in [-1, 1].
        kl_weight: Weight of the KL term; 1 gives the evidence bound.
        generator: The generator.
        encoder: The encoder.
        generator_optimizer: Optimizer of the generator.
        encoder_optimizer: Optimizer of the encoder.
    """
    latent_dim: PositiveInt = 100
    likelihood_scale: PositiveFloat = 0.3
    kl_weight: PositiveFloat = 1.0
    generator: GeneratorConfig = GeneratorConfig()
    encoder: EncoderConfig = EncoderConfig(channels=())
    generator_optimizer: OptimizerConfig = OptimizerConfig(beta_1=0.9)
    encoder_optimizer: OptimizerConfig = OptimizerConfig(beta_1=0.9)

    kinds = (IMAGE,)

    def probes(self, data):
        return {"generator": of_generator(self.latent_dim, data),
                "encoder": of_encoder(self.latent_dim, data)}


Config = VAEConfig
EVALUATORS = ("pictures", "reconstruction", "frechet")


def build(config: VAEConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, generator: keras.layers.Layer | None = None,
          encoder: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model; arguments as in `image.build`."""
    seeds = rng.seeds(seed)
    base = StandardNormal(config.latent_dim)
    likelihood = GaussianLikelihood(
        generator or config.generator.make(
            config.latent_dim, data.shape, seeds("generator")),
        config.likelihood_scale)
    encoder = ConditionalGaussian(encoder or config.encoder.beside(
        config.generator).make(
            config.latent_dim, data.shape, seeds("encoder")))
    bound = Objective(
        ("generator", "encoder"),
        {"reconstruction": negative_log_likelihood, "kl": gaussian_kl},
        {"kl": config.kl_weight})
    model = EnergyModel(
        prior=base, likelihood=likelihood, encoder=encoder,
        parts={"generator": likelihood, "encoder": encoder},
        objectives={"bound": bound}, seed=seed,
        # Without an energy, a prior sample is a chain of 0 moves.
        roles={"positive": Encoded(encoder),
               "generation": ShortRun(FromBase(base), Langevin(1.0), 0)})
    return compiled(model, {"generator": config.generator_optimizer,
                            "encoder": config.encoder_optimizer}, data,
                    batch_size)
