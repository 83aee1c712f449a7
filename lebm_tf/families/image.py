"""Images under a learned prior: Pang et al. 2020, arXiv:2006.08205.

p(z) = exp(-E(z)) N(z; 0, I) / Z and p(x | z) = N(g(z), scale^2 I), learned by
maximum likelihood with short-run Langevin chains for both expectations.
"""

import dataclasses

import keras

from lebm_tf.densities import EnergyPrior, GaussianLikelihood, StandardNormal
from lebm_tf.families import starts
from lebm_tf.families.components import (
    ChainConfig, DataSpec, EncoderConfig, EnergyConfig, GeneratorConfig,
    compiled, sampler)
from lebm_tf.families.config import FamilyConfig
from lebm_tf.mcmc import rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.objectives import (
    Objective, encoder_teaching, energy_contrast, energy_magnitude,
    squared_error)
from lebm_tf.ranges import (
    NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt)


@dataclasses.dataclass(frozen=True)
class ImageConfig(FamilyConfig):
    """Defaults of the official train_svhn.py.

    Attributes:
        latent_dim: Width of z.
        likelihood_scale: Standard deviation of a pixel in [-1, 1].
        prior: Chains that draw negative states, and samples.
        prior_bank_size: Number of chains in the bank of prior.start=bank.
        generation_steps: Moves of the chains that draw samples; 0 takes
            prior_num_steps. Samples start from the base: an energy learned
            with a bank needs more moves than its chains make between updates.
        posterior: Chains that draw positive states.
        inference_steps: Moves of the posterior chains on new data; 0 takes
            posterior_num_steps. A bank knows training data only, so chains
            on new data start from the base and may need more.
        energy: The energy network.
        energy_penalty: Weight of mean E(z+)^2 + mean E(z-)^2, which keeps
            energies small; 0, as published, leaves it out.
        generator: The generator.
        encoder: The encoder of posterior.start=encoder.
        energy_optimizer: Learns the energy.
        generator_optimizer: Learns the generator.
        encoder_optimizer: Learns the encoder.
    """
    latent_dim: PositiveInt = 100
    likelihood_scale: PositiveFloat = 0.3
    prior: ChainConfig = ChainConfig(num_steps=60, step_size=0.4)
    prior_bank_size: PositiveInt = 10_000
    generation_steps: NonNegativeInt = 0
    posterior: ChainConfig = ChainConfig(num_steps=20, step_size=0.1)
    inference_steps: NonNegativeInt = 0
    energy: EnergyConfig = EnergyConfig()
    energy_penalty: NonNegativeFloat = 0.0
    generator: GeneratorConfig = GeneratorConfig()
    encoder: EncoderConfig = EncoderConfig()
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=2e-5, epoch_decay=0.998)
    generator_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, epoch_decay=0.998)
    encoder_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, epoch_decay=0.998)

    def validate(self):
        if self.prior.start == "encoder":
            raise ValueError("prior_start must be base or bank, got "
                             "'encoder': a prior sees no image.")
        if self.prior.start != "bank":
            self.leave_out("prior_bank_size", reason="without prior_start=bank")


Config = ImageConfig
EVALUATORS = ("pictures", "reconstruction", "frechet", "chains")


def build(config: ImageConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, energy: keras.layers.Layer | None = None,
          generator: keras.layers.Layer | None = None,
          encoder: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: The family's configuration.
        data: What the data look like.
        batch_size: Examples a step; learning rates decay by epochs.
        seed: Of initial weights and of all chains.
        energy: Layer in place of the built-in energy, z -> [batch].
        generator: Layer in place of the built-in generator, z -> image.
        encoder: Layer in place of the built-in encoder, x -> (mean,
            log_scale); used with posterior.start=encoder.

    Raises:
        ValueError: If the built-in generator can't make the images, or the
            bank holds less than a batch.
    """
    seeds = rng.seeds(seed)
    latent_dim = config.latent_dim
    base = StandardNormal(latent_dim)
    prior = EnergyPrior(base, energy or config.energy.make(
        latent_dim, seeds("energy")))
    likelihood = GaussianLikelihood(
        generator or config.generator.make(
            latent_dim, data.shape, seeds("generator")),
        config.likelihood_scale)
    parts = {"energy": prior.energy_network, "generator": likelihood}
    contrast, weights = {"energy": energy_contrast}, {}
    if config.energy_penalty:
        contrast["energy_penalty"] = energy_magnitude
        weights["energy_penalty"] = config.energy_penalty
    objectives = {
        "energy": Objective(("energy",), contrast, weights),
        "generator": Objective(("generator",), {"generator": squared_error})}
    configs = {"energy": config.energy_optimizer,
               "generator": config.generator_optimizer}
    priors = starts.of_prior(config.prior, base, config.prior_bank_size,
                             batch_size, seeds("prior_bank"))
    posteriors = starts.of_posterior(
        config.posterior, base, data, seeds("posterior_bank"), encoder,
        lambda: config.encoder.beside(config.generator).make(
            latent_dim, data.shape, seeds("encoder")))
    if posteriors.encoder is not None:
        parts["encoder"] = posteriors.encoder
        objectives["encoder"] = Objective(
            ("encoder",), {"encoder": encoder_teaching})
        configs["encoder"] = config.encoder_optimizer
    model = EnergyModel(
        prior=prior, likelihood=likelihood, encoder=posteriors.encoder,
        parts=parts, objectives=objectives, seed=seed,
        banks=(*priors.banks, *posteriors.banks),
        roles={
            "positive": sampler(config.posterior, posteriors.training),
            "negative": sampler(config.prior, priors.training),
            "generation": sampler(config.prior, priors.fresh,
                                  config.generation_steps),
            "inference": sampler(config.posterior, posteriors.fresh,
                                 config.inference_steps)})
    return compiled(model, configs, data, batch_size)
