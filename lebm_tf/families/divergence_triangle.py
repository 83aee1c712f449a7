"""Energy, generator and encoder of images, trained without chains.

The divergence triangle, Han et al. 2019, arXiv:1812.10907: min over generator
and encoder, max over the energy, of KL(Q || P) + KL(P || Pi) - KL(Q || Pi),
where Q is data and q(z | x), P is N(z; 0, I) and p(x | z), Pi is exp(-E(x)) and
q(z | x). Energy, encoder and generator are updated in turn within a step.

This follows train_cifar10.py of the public code, with one difference: theirs
normalizes samples with the statistics of their own batch. Here samples and
reconstructions use the moving statistics of training, so an image does not
depend on the others in its batch.
"""

import dataclasses
import math
from typing import Annotated

import tensorflow as tf

from lebm_tf.assembly.components import DataSpec, compiled
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.densities import (
    ConditionalGaussian, EnergyPrior, Flat, GaussianLikelihood, StandardNormal)
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.mcmc.kernel import initial_state, num_chains
from lebm_tf.models import EnergyModel, OptimizerConfig, Role
from lebm_tf.networks.triangle import (
    FORMS, FormedEnergy, HalvedLogVariance, NormalizedGenerator, PlainEncoder)
from lebm_tf.objectives import EnergyContrast, Objective, OnRoles
from lebm_tf.objectives.triangle import (
    SampleEnergy, averaged_kl, latent_error, normalized_error, with_samples)
from lebm_tf.ranges import (
    MinLen, NonNegativeFloat, OneOf, PositiveFloat, PositiveInt)
from lebm_tf.samplers import Draw, Encoded, FromBase, FromData, ShortRun

_Widths = Annotated[tuple[PositiveInt, ...], MinLen(1)]


@dataclasses.dataclass(frozen=True)
class DivergenceTriangleConfig(FamilyConfig):
    """Defaults of the public train_cifar10.py.

    Attributes:
        latent_dim: Dimension of z.
        likelihood_scale: Standard deviation of a pixel in [-1, 1], for scores;
            the default makes -log p(x | z) the squared error of training.
        generator_base_size: Side of the generator's first feature map.
        generator_channels: Channels of its feature maps; each map after the
            first doubles the side.
        energy_widths: Channels of the feature maps of the energy; each map
            after the first halves the side.
        encoder_channels: Channels of the feature maps of the encoder, likewise.
        energy_form: Function of the network output that gives the energy:
            identity, or tanh, sigmoid or softplus of its negative.
        reconstruction_weight: Weight of reconstruction error and KL.
        latent_weight: Weight of -log q(z | g(z)).
        energy_optimizer: Optimizer of the energy.
        encoder_optimizer: Optimizer of the encoder.
        generator_optimizer: Optimizer of the generator.
    """
    latent_dim: PositiveInt = 100
    likelihood_scale: PositiveFloat = math.sqrt(0.5)
    generator_base_size: PositiveInt = 4
    generator_channels: _Widths = (512, 512, 256, 128)
    energy_widths: _Widths = (64, 128, 256, 256)
    encoder_channels: _Widths = (64, 128, 256, 512)
    energy_form: Annotated[str, OneOf(tuple(FORMS))] = "identity"
    reconstruction_weight: PositiveFloat = 1.0
    latent_weight: NonNegativeFloat = 0.1
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, epoch_decay=0.998, clip_norm=100.0)
    encoder_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=3e-4, epoch_decay=0.998, clip_norm=100.0)
    generator_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=3e-4, epoch_decay=0.998, clip_norm=100.0,
        weight_decay=5e-4)

    kinds = (IMAGE,)


Config = DivergenceTriangleConfig
EVALUATORS = ("pictures", "reconstruction", "frechet")


def build(config: DivergenceTriangleConfig, data: DataSpec, *,
          batch_size: int = 100, seed: int = 0) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all draws.

    Raises:
        ValueError: If the generator can't make the images.
    """
    seeds, latent_dim = rng.seeds(seed), config.latent_dim
    base = StandardNormal(latent_dim)
    generator = NormalizedGenerator(
        latent_dim, data.shape, config.generator_base_size,
        config.generator_channels, seeds("generator"))
    likelihood = GaussianLikelihood(generator, config.likelihood_scale)
    pictures = EnergyPrior(Flat(), FormedEnergy(PlainEncoder(
        data.shape, config.energy_widths, 1, seed=seeds("energy")),
        config.energy_form))
    encoder = ConditionalGaussian(HalvedLogVariance(PlainEncoder(
        data.shape, config.encoder_channels, latent_dim, 2,
        seeds("encoder"))))

    def samples(batch, seed):
        """Samples of the current generator, drawn once for all turns of a step.
        """
        z = base.sample(num_chains(batch["x"]), seed)
        x = tf.stop_gradient(generator(z, training=True, remember=True))
        return Draw(x, initial_state(x), (z,))
    weight = config.reconstruction_weight
    model = EnergyModel(
        prior=base, likelihood=likelihood, encoder=encoder, seed=seed,
        parts={"energy": pictures.energy_network, "encoder": encoder,
               "generator": likelihood},
        turns=(("energy",), ("encoder",), ("generator",)),
        objectives={
            "energy": Objective(("energy",), {"energy": OnRoles(
                EnergyContrast(pictures), {"positive": "data"})}),
            "encoder": Objective(
                ("encoder",), {"encoder_error": normalized_error,
                               "kl": averaged_kl,
                               "encoder_latent": latent_error},
                {"encoder_error": weight, "kl": weight,
                 "encoder_latent": config.latent_weight}),
            "generator": Objective(
                ("generator",), {"generator_error": normalized_error,
                                 "generator_energy": SampleEnergy(pictures),
                                 "generator_latent": latent_error},
                {"generator_error": weight,
                 "generator_latent": config.latent_weight}, with_samples)},
        roles={
            "data": Role(FromData(), prior=pictures),
            "negative": Role(FromData(samples), prior=pictures),
            "positive": Encoded(encoder),
            # Without an energy, a prior sample is a chain of 0 moves.
            "generation": ShortRun(FromBase(base), Langevin(1.0), 0)})
    return compiled(model, {part: vars(config)[f"{part}_optimizer"]
                            for part in model.parts}, data, batch_size)
