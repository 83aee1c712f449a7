"""Latents of several layers with a joint energy-based prior.

p(z) = exp(-E(z)) p(z1 | z2) ... p(zL-1 | zL) N(zL; 0, t^2 I) / Z with z1 next
to the data, Gaussians between the layers and x = g(z1) + noise: Cui, Wu and Han
2023, arXiv:2306.06323. The energy is a sum of one energy per layer, as there,
or one energy of all layers, as in arXiv:2310.09604 by the same authors. Z
depends on the Gaussians as well, so they are trained by a contrast, too.

With hierarchy=ladder, the layers meet in the generator instead, each at its own
feature map: each zi has the base N(0, I), and the joint energy couples them
(arXiv:2310.09604).

Positive states come from Langevin chains in all layers, as published; from an
encoder q(z1 | x) q(z2 | z1) ..., trained on the evidence bound with the
energy-based prior (posterior.start=encoder, posterior.num_steps=0); or from an
encoder whose samples are refined by chains, which it learns from.
"""

import dataclasses
from typing import Annotated

import keras

from lebm_tf.assembly import starts
from lebm_tf.assembly.components import (
    ChainConfig, DataSpec, EncoderConfig, GeneratorConfig, compiled, sampler)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.layered import LadderConfig, LayersConfig
from lebm_tf.assembly.probes import Probe, zeros
from lebm_tf.densities import (
    BottomUpGaussian, EnergyPrior, GaussianLikelihood, LayeredGaussian,
    LayeredNormal)
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import FirstLayer, LayerEnergies
from lebm_tf.objectives import (
    LayeredKL, Objective, encoder_teaching, energy_contrast, kl_to_prior,
    negative_log_likelihood, prior_contrast)
from lebm_tf.ranges import (
    Mark, NonNegativeFloat, NonNegativeInt, OneOf, PositiveFloat, PositiveInt)
from lebm_tf.samplers import Encoded

FIRST_STATES = ("normal", "base")
HIERARCHIES = ("conditional", "ladder")


@dataclasses.dataclass(frozen=True)
class MultilayerConfig(FamilyConfig):
    """Defaults of the official train_cifar10.py of arXiv:2306.06323.

    Attributes:
        layers: Widths, energies and Gaussians of the layers.
        hierarchy: conditional (Gaussians between the layers, and a generator of
            z1) or ladder (a feature map of the generator for every layer).
        ladder: Generator and encoder of hierarchy=ladder.
        likelihood_scale: Standard deviation of a pixel in [-1, 1].
        prior: Chains that draw negative states and samples.
        prior_step_sizes: Step size for each layer; empty takes prior_step_size
            for all.
        prior_bank_size: Number of chains in the bank of prior.start=bank.
        generation_steps: Steps of the chains that draw samples; 0 takes
            prior_num_steps.
        posterior: Chains that draw positive states. With start=encoder and 0
            steps, the encoder draws them and is trained on the evidence bound.
        posterior_step_sizes: Step size for each layer; empty takes
            posterior_step_size for all.
        inference_steps: Steps of the posterior chains on new data; 0 takes
            posterior_num_steps.
        kl_variance_floor: Added to the variances in the quadratic terms of the
            bound; 1e-6 in the authors' code of hierarchy=ladder.
        first_states: Initial states of chains with start=base: normal (N(0, I)
            in every layer, as published) or base (samples of p0).
        generator: The generator, of z1.
        encoder: The encoder q(z1 | x) of posterior.start=encoder.
        energy_optimizer: Optimizer of each energy, with separate moments.
        base_optimizer: Optimizer of the Gaussians between the layers.
        generator_optimizer: Optimizer of the generator.
        encoder_optimizer: Optimizer of the encoder.
    """
    layers: Annotated[LayersConfig, Mark.FLAT] = LayersConfig()
    hierarchy: Annotated[str, OneOf(HIERARCHIES)] = "conditional"
    ladder: LadderConfig = LadderConfig()
    likelihood_scale: PositiveFloat = 0.3
    prior: ChainConfig = ChainConfig(num_steps=60, step_size=0.4)
    prior_step_sizes: tuple[PositiveFloat, ...] = ()
    prior_bank_size: PositiveInt = 10_000
    generation_steps: NonNegativeInt = 0
    posterior: ChainConfig = ChainConfig(num_steps=40, step_size=0.1)
    posterior_step_sizes: tuple[PositiveFloat, ...] = ()
    inference_steps: NonNegativeInt = 0
    kl_variance_floor: NonNegativeFloat = 0.0
    first_states: Annotated[str, OneOf(FIRST_STATES)] = "normal"
    generator: GeneratorConfig = GeneratorConfig(
        base_size=8, channels=(1024, 512, 256), final_stride=1)
    encoder: EncoderConfig = EncoderConfig(channels=())
    energy_optimizer: OptimizerConfig = OptimizerConfig(2e-5, beta_1=0.9)
    base_optimizer: OptimizerConfig = OptimizerConfig(1e-4, beta_1=0.9)
    generator_optimizer: OptimizerConfig = OptimizerConfig(1e-4, beta_1=0.9)
    encoder_optimizer: OptimizerConfig = OptimizerConfig(1e-4, beta_1=0.9)

    kinds = (IMAGE,)

    @property
    def is_variational(self) -> bool:
        """Whether positive states are samples of the encoder alone."""
        return self.posterior.start == "encoder" and (
            not self.posterior.num_steps)

    def probes(self, data):
        dims = self.layers.latent_dims
        layers = tuple(map(zeros, dims))
        above = layers if self.hierarchy == "ladder" else layers[0]
        inferred = dims if self.hierarchy == "ladder" else dims[:1]
        return {"energy": Probe((layers,), ((),)),
                "generator": Probe((above,), (data.shape,)),
                "encoder": Probe((zeros(*data.shape),), tuple(
                    (width,) for width in 2 * inferred))}

    def validate(self):
        if self.prior.start == "encoder":
            raise ValueError("prior_start must be base or bank, got "
                             "'encoder': a prior has no input image.")
        if self.prior.start != "bank":
            self.leave_out("prior_bank_size", reason="without prior_start=bank")
        if self.posterior.start != "encoder":
            self.leave_out("encoder", "encoder_optimizer",
                           reason="without posterior_start=encoder")
        if self.is_variational:
            self.leave_out(
                "posterior_step_sizes", "inference_steps",
                reason="with posterior_num_steps=0, which runs no chains")
        if not (self.is_variational and self.hierarchy == "ladder"):
            self.leave_out("kl_variance_floor", reason="without the evidence "
                                                       "bound of "
                                                       "hierarchy=ladder")
        if self.hierarchy == "ladder":
            reason = "with hierarchy=ladder"
            self.leave_out("generator", "encoder", "base_optimizer",
                           "first_states", reason=reason)
            self.layers.leave_out("base_units", "base_layers", "scale_floor",
                                  "top_scale", reason=reason)
        else:
            self.leave_out("ladder", reason="without hierarchy=ladder")
        for name in ("prior_step_sizes", "posterior_step_sizes"):
            self.layers.check_one_each(name, getattr(self, name))


Config = MultilayerConfig
EVALUATORS = ("pictures", "reconstruction", "frechet", "chains")


def build(config: MultilayerConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, energy: keras.layers.Layer | None = None,
          generator: keras.layers.Layer | None = None,
          encoder: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all chains.
        energy: Layer that replaces the built-in energies, (z1, ..., zL) ->
            [batch].
        generator: Layer that replaces the built-in generator, z1 -> image; with
            hierarchy=ladder, (z1, ..., zL) -> image.
        encoder: Layer that replaces the built-in encoder, x -> (mean,
            log_scale) of z1; with hierarchy=ladder, a tuple of each for all
            layers. Used with posterior.start=encoder.

    Raises:
        ValueError: If the generator cannot make the images, or the bank is
            smaller than a batch.
    """
    seeds, dims = rng.seeds(seed), config.layers.latent_dims
    is_ladder = config.hierarchy == "ladder"
    independent = LayeredNormal(dims)
    base = independent if is_ladder else config.layers.make_base(seeds("base"))
    prior = EnergyPrior(
        base, energy or config.layers.make_energy(seeds("energy")))
    likelihood = GaussianLikelihood(
        _generator(config, data, seeds("generator"), generator),
        config.likelihood_scale)
    first = base if config.first_states == "base" else independent
    priors = starts.of_prior(config.prior, first, config.prior_bank_size,
                             batch_size, seeds("prior_bank"))
    posteriors = starts.of_posterior(
        config.posterior, first, data, seeds("posterior_bank"),
        _encoder(config, data, seeds, encoder), lambda: None)
    parts = _energy_parts(prior.energy_network)
    objectives = {"energy": Objective(
        tuple(parts), {"energy": energy_contrast}), **_of_data(config)}
    parts["generator"] = likelihood
    if not is_ladder:
        parts["base"] = base
        objectives["base"] = Objective(("base",), {"base": prior_contrast})
    if posteriors.encoder is not None:
        parts["encoder"] = posteriors.encoder
    model = EnergyModel(
        prior=prior, likelihood=likelihood, encoder=posteriors.encoder,
        parts=parts, objectives=objectives, seed=seed,
        banks=(*priors.banks, *posteriors.banks),
        roles=_roles(config, base, priors, posteriors))
    return compiled(model, {
        part: vars(config)[f"{part.split('_')[0]}_optimizer"]
        for part in parts}, data, batch_size)


def _encoder(config, data, seeds, network):
    """Builds q(z | x). If no encoder is configured, returns `network`, which
    `starts.of_posterior` refuses."""
    if config.posterior.start != "encoder":
        return network
    if config.hierarchy == "ladder":
        return LayeredGaussian(network or config.ladder.make_encoder(
            config.layers.latent_dims, data.shape, seeds("encoder")))
    network = network or config.encoder.beside(config.generator).make(
        config.layers.latent_dims[0], data.shape, seeds("encoder"))
    return BottomUpGaussian(
        network, config.layers.upward(seeds("encoder_layers")),
        config.layers.scale_floor)


def _generator(config, data, seed, network):
    """Builds the mean of p(x | z), a function of all layers or of z1."""
    dims = config.layers.latent_dims
    if config.hierarchy == "ladder":
        return network or config.ladder.make_generator(dims, data.shape, seed)
    return FirstLayer(network or config.generator.make(
        dims[0], data.shape, seed))


def _energy_parts(energy):
    """Parts of the energy: one per layer if they are separate."""
    if not isinstance(energy, LayerEnergies):
        return {"energy": energy}
    return {f"energy_{i}": layer for i, layer in enumerate(energy.energies, 1)}


def _of_data(config):
    """Objectives of generator and encoder."""
    reconstruction = {"reconstruction": negative_log_likelihood}
    if config.is_variational:
        kl = kl_to_prior if not config.kl_variance_floor else LayeredKL(
            config.kl_variance_floor)
        return {"bound": Objective(("generator", "encoder"), {
            **reconstruction, "kl": kl})}
    objectives = {"generator": Objective(("generator",), reconstruction)}
    if config.posterior.start == "encoder":
        objectives["encoder"] = Objective(
            ("encoder",), {"encoder": encoder_teaching})
    return objectives


def _roles(config, base, priors, posteriors):
    def of_prior(start, steps=0):
        return sampler(config.prior, start, steps, base,
                       step_sizes=config.layers.of_each(
                           config.prior_step_sizes))

    def of_posterior(start, steps=0):
        return sampler(config.posterior, start, steps,
                       step_sizes=config.layers.of_each(
                           config.posterior_step_sizes))
    roles = {"negative": of_prior(priors.training),
             "generation": of_prior(priors.fresh, config.generation_steps)}
    if config.is_variational:
        return {"positive": Encoded(posteriors.encoder), **roles}
    return {"positive": of_posterior(posteriors.training), **roles,
            "inference": of_posterior(
                posteriors.fresh, config.inference_steps)}
