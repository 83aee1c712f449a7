"""A regularized autoencoder, with a density fitted to its codes afterwards.

Ghosh et al. 2020, arXiv:1903.12436: a deterministic encoder and decoder
minimize |x - g(z)|^2 with penalties on z and on the decoder. After training, a
Gaussian with full covariance, or a mixture, is fitted to the codes of the
training data, and samples are drawn from it. Until then it is N(0, I).

Scores use that density as the prior and N(g(z), scale^2 I) as the likelihood;
neither is part of the training loss.
"""

import dataclasses
from typing import Annotated, Any

import keras

from lebm_tf.assembly.components import (
    DataSpec, EncoderConfig, GeneratorConfig, compiled)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.probes import of_encoder, of_generator
from lebm_tf.densities import GaussianLikelihood, GaussianMixture, PointEncoder
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.objectives import (
    Objective, Term, gradient_penalty, latent_penalty, squared_error,
    weight_penalty)
from lebm_tf.ranges import NonNegativeFloat, OneOf, PositiveFloat, PositiveInt
from lebm_tf.samplers import Encoded, FromBase, ShortRun

PENALTIES: dict[str, Any] = {
    "weights": weight_penalty, "gradient": gradient_penalty, "none": None}


@dataclasses.dataclass(frozen=True)
class RAEConfig(FamilyConfig):
    """A regularized autoencoder for images.

    Attributes:
        latent_dim: Dimension of z.
        likelihood_scale: Standard deviation of a pixel in [-1, 1]; for scores
            only.
        latent_weight: Weight of `|z|^2 / 2`, added to `|x - g(z)|^2`.
        decoder_penalty: weights (their squares), gradient (of the image by z,
            squared) or none.
        decoder_weight: Weight of that penalty.
        mixture_components: Number of Gaussians of the density of codes.
        mixture_floor: Added to their variances, in coordinates in which the
            codes have covariance I; the authors use none.
        generator: The generator.
        encoder: The encoder.
        generator_optimizer: Optimizer of the generator.
        encoder_optimizer: Optimizer of the encoder.
    """
    latent_dim: PositiveInt = 100
    likelihood_scale: PositiveFloat = 0.3
    latent_weight: PositiveFloat = 0.01
    decoder_penalty: Annotated[str, OneOf(PENALTIES)] = "weights"
    decoder_weight: PositiveFloat = 1e-4
    mixture_components: PositiveInt = 10
    mixture_floor: NonNegativeFloat = 0.0
    generator: GeneratorConfig = GeneratorConfig()
    encoder: EncoderConfig = EncoderConfig(channels=())
    generator_optimizer: OptimizerConfig = OptimizerConfig(beta_1=0.9)
    encoder_optimizer: OptimizerConfig = OptimizerConfig(beta_1=0.9)

    kinds = (IMAGE,)

    def probes(self, data):
        return {"generator": of_generator(self.latent_dim, data),
                "encoder": of_encoder(self.latent_dim, data, 1)}


Config = RAEConfig
EVALUATORS = ("pictures", "reconstruction", "frechet")


def build(config: RAEConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, generator: keras.layers.Layer | None = None,
          encoder: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all draws.
        generator: Layer that replaces the built-in generator, z -> image.
        encoder: Layer that replaces the built-in encoder, x -> z.

    Raises:
        ValueError: If the built-in generator cannot make the images, or there
            are fewer training examples than mixture components.
    """
    seeds = rng.seeds(seed)
    if config.mixture_components > data.num_train:
        raise ValueError(
            "mixture_components must be at most the number of training "
            f"examples, {data.num_train}, got {config.mixture_components}.")
    prior = GaussianMixture(
        config.latent_dim, config.mixture_components, config.mixture_floor)
    likelihood = GaussianLikelihood(
        generator or config.generator.make(
            config.latent_dim, data.shape, seeds("generator")),
        config.likelihood_scale)
    encoder = PointEncoder(encoder or config.encoder.beside(
        config.generator).make(
            config.latent_dim, data.shape, seeds("encoder"), has_scale=False))
    terms: dict[str, Term] = {
        "reconstruction": squared_error, "latent": latent_penalty}
    weights = {"latent": config.latent_weight}
    if config.decoder_penalty != "none":
        terms["decoder"] = PENALTIES[config.decoder_penalty]
        weights["decoder"] = config.decoder_weight
    model = EnergyModel(
        prior=prior, likelihood=likelihood, encoder=encoder,
        parts={"generator": likelihood, "encoder": encoder}, fitted=(prior,),
        objectives={"autoencoder": Objective(
            ("generator", "encoder"), terms, weights)},
        seed=seed, roles={
            "positive": Encoded(encoder),
            "generation": ShortRun(FromBase(prior), Langevin(1.0), 0)})
    return compiled(model, {part: vars(config)[f"{part}_optimizer"]
                            for part in model.parts}, data, batch_size)
