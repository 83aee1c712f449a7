"""A two-stage variational autoencoder: the second models the codes of the
first.

Dai and Wipf 2019, arXiv:1903.05789. The first, of images, leaves a gap between
its codes and N(0, I); the second, of codes, closes it. Samples pass through
both decoders. Both learn the standard deviation of their decoder.

Differences from the paper: both stages are trained at the same time, the second
on the current codes and without a gradient to the first, where the authors
train them one after the other; and the second network has no skip connection
around its hidden layers.

Inference, reconstruction and scores use the first stage with prior N(0, I),
since the second has no density in closed form.
"""

import dataclasses

import keras

from lebm_tf.assembly.components import (
    DataSpec, EncoderConfig, GeneratorConfig, compiled)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.probes import of_encoder, of_generator
from lebm_tf.densities import (
    ConditionalGaussian, GaussianLikelihood, LatentVAE, StandardNormal)
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import VectorMLP
from lebm_tf.objectives import (
    Objective, SecondBound, gaussian_kl, negative_log_likelihood)
from lebm_tf.ranges import PositiveFloat, PositiveInt
from lebm_tf.samplers import Encoded, FromBase, ShortRun


@dataclasses.dataclass(frozen=True)
class TwoStageVAEConfig(FamilyConfig):
    """A two-stage variational autoencoder for images.

    Attributes:
        latent_dim: Dimension of z.
        likelihood_scale: Initial standard deviation of a pixel in [-1, 1],
            which is learned.
        second_hidden_units: Widths of the hidden layers of both networks of the
            second stage; the authors' are 1024,1024,1024.
        second_scale: Initial standard deviation of a code given the second
            latent vector, which is learned.
        generator: The generator.
        encoder: The encoder.
        generator_optimizer: Optimizer of the generator and the scale of pixels.
        encoder_optimizer: Optimizer of the encoder.
        second_optimizer: Optimizer of the second stage.
    """
    latent_dim: PositiveInt = 100
    likelihood_scale: PositiveFloat = 0.3
    second_hidden_units: tuple[PositiveInt, ...] = (512, 512)
    second_scale: PositiveFloat = 1.0
    generator: GeneratorConfig = GeneratorConfig()
    encoder: EncoderConfig = EncoderConfig(channels=())
    generator_optimizer: OptimizerConfig = OptimizerConfig(beta_1=0.9)
    encoder_optimizer: OptimizerConfig = OptimizerConfig(beta_1=0.9)
    second_optimizer: OptimizerConfig = OptimizerConfig(beta_1=0.9)

    kinds = (IMAGE,)

    def probes(self, data):
        return {"generator": of_generator(self.latent_dim, data),
                "encoder": of_encoder(self.latent_dim, data)}


Config = TwoStageVAEConfig
EVALUATORS = ("pictures", "reconstruction", "frechet")


def build(config: TwoStageVAEConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, generator: keras.layers.Layer | None = None,
          encoder: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model; arguments as in `image.build`."""
    seeds = rng.seeds(seed)
    width, units = config.latent_dim, config.second_hidden_units
    likelihood = GaussianLikelihood(
        generator or config.generator.make(
            width, data.shape, seeds("generator")),
        config.likelihood_scale, learn_scale=True)
    encoder = ConditionalGaussian(encoder or config.encoder.beside(
        config.generator).make(width, data.shape, seeds("encoder")))
    second = LatentVAE(
        width, VectorMLP(width, width, units, seed=seeds("second_generator")),
        VectorMLP(width, width, units, num_outputs=2,
                  seed=seeds("second_encoder")),
        config.second_scale)
    first = {"reconstruction": negative_log_likelihood, "kl": gaussian_kl}
    model = EnergyModel(
        prior=StandardNormal(width), likelihood=likelihood, encoder=encoder,
        parts={"generator": likelihood, "encoder": encoder, "second": second},
        objectives={
            "bound": Objective(("generator", "encoder"), first),
            "second": Objective(("second",), {"second": SecondBound(second)})},
        seed=seed, roles={
            "positive": Encoded(encoder),
            "generation": ShortRun(FromBase(second), Langevin(1.0), 0)})
    return compiled(model, {part: vars(config)[f"{part}_optimizer"]
                            for part in model.parts}, data, batch_size)
