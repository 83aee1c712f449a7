"""Images with a learned prior: Pang et al. 2020, arXiv:2006.08205.

p(z) = exp(-E(z)) p0(z) / Z and p(x | z) = N(g(z), scale^2 I), trained by
maximum likelihood with short-run Langevin chains for both expectations. As
published, p0 is N(0, I); it may be fitted to codes instead (`BaseConfig`), and
the prior alone may be trained on the codes of another model (stage=prior).
"""

import dataclasses
from typing import Annotated

import keras

from lebm_tf.assembly import amortized, learned, starts
from lebm_tf.assembly.components import (
    BaseConfig, ChainConfig, DataSpec, EncoderConfig, EnergyConfig,
    GeneratorConfig, compiled, sampler)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.learned import DiffusionConfig, FlowConfig
from lebm_tf.assembly.probes import of_encoder, of_energy, of_generator
from lebm_tf.densities import Base, EnergyPrior, GaussianLikelihood
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import initial_state, num_chains
from lebm_tf.models import EnergyModel, OptimizerConfig, Role
from lebm_tf.objectives import (
    EnergyContrast, ImportanceContrast, Objective, Term, encoder_teaching,
    energy_magnitude, once_fitted, squared_error)
from lebm_tf.ranges import (
    Interval, Mark, NonNegativeFloat, NonNegativeInt, OneOf, PositiveFloat,
    PositiveInt)
from lebm_tf.samplers import Draw, FromData

STAGES = ("joint", "prior")
CONTRASTS = ("chains", "importance")


@dataclasses.dataclass(frozen=True)
class ImageConfig(FamilyConfig):
    """Defaults of the official train_svhn.py.

    Attributes:
        latent_dim: Dimension of z.
        likelihood_scale: Standard deviation of a pixel in [-1, 1].
        p0: The base.
        stage: joint trains all parts; prior trains the energy alone, on the
            codes of the generator and the encoder of --backbone.
        contrast: Negative states of the energy: chains (as published), or
            importance (samples of a fitted base, weighted by exp(-E)).
        contrast_draws: Number of those samples per example of a batch.
        prior: Chains that draw negative states and samples.
        prior_bank_size: Number of chains in the bank of prior.start=bank.
        generation_steps: Steps of the chains that draw samples; 0 takes
            prior_num_steps. Samples start from the base, so an energy trained
            with a bank needs more moves than its chains make between updates.
        posterior: Chains that draw positive states.
        inference_steps: Steps of the posterior chains on new data; 0 takes
            posterior_num_steps. A bank holds chains of training data only, so
            chains on new data start from the base and may need more moves.
        energy: The energy network.
        energy_bound: Largest absolute energy in nats, so that regions that no
            chain visits cannot hold much mass; 0 for no bound. Recommended with
            a fitted base.
        energy_dropout: Dropout rate of the energy in its loss; chains use the
            full network.
        energy_penalty: Weight of mean E(z+)^2 + mean E(z-)^2, which keeps
            energies small; as published, 0.
        generator: The generator.
        encoder: The encoder of posterior.start=encoder.
        prior_sampler: Source of negative states and samples: chains (as
            published), flow (one evaluation), hybrid (a flow, followed by
            prior_num_steps moves), or diffusion (samples of the unconditional
            diffusion of posterior_sampler=diffusion).
        posterior_sampler: Source of positive states: chains (as published),
            encoder (trained as in a variational autoencoder), hybrid (both), or
            diffusion (chains initialized by a diffusion model that learns their
            final states; DAMC, Yu et al. 2023, arXiv:2310.03218).
        flow: The flow of prior_sampler.
        flow_updates: Updates of the flow per step.
        flow_teaching: Weight of -log q(z) of posterior codes in the loss of the
            flow, added to KL(q || p); prevents collapse of the flow.
        diffusion: The diffusion model of posterior_sampler.
        energy_optimizer: Optimizer of the energy.
        generator_optimizer: Optimizer of the generator.
        encoder_optimizer: Optimizer of the encoder.
        flow_optimizer: Optimizer of the flow.
        diffusion_optimizer: Optimizer of the diffusion model.
    """
    latent_dim: PositiveInt = 100
    likelihood_scale: PositiveFloat = 0.3
    p0: Annotated[BaseConfig, Mark.FLAT] = BaseConfig()
    stage: Annotated[str, OneOf(STAGES)] = "joint"
    contrast: Annotated[str, OneOf(CONTRASTS)] = "chains"
    contrast_draws: PositiveInt = 10
    prior: ChainConfig = ChainConfig(num_steps=60, step_size=0.4)
    prior_bank_size: PositiveInt = 10_000
    generation_steps: NonNegativeInt = 0
    posterior: ChainConfig = ChainConfig(num_steps=20, step_size=0.1)
    inference_steps: NonNegativeInt = 0
    energy: EnergyConfig = EnergyConfig()
    energy_bound: NonNegativeFloat = 0.0
    energy_dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    energy_penalty: NonNegativeFloat = 0.0
    generator: GeneratorConfig = GeneratorConfig()
    encoder: EncoderConfig = EncoderConfig()
    prior_sampler: Annotated[str, OneOf(learned.PRIOR_SAMPLERS)] = "chains"
    posterior_sampler: Annotated[
        str, OneOf(learned.POSTERIOR_SAMPLERS)] = "chains"
    flow: FlowConfig = FlowConfig()
    flow_updates: PositiveInt = 1
    flow_teaching: NonNegativeFloat = 0.0
    diffusion: DiffusionConfig = DiffusionConfig()
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=2e-5, epoch_decay=0.998)
    generator_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, epoch_decay=0.998)
    encoder_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, epoch_decay=0.998)
    flow_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=4e-4, epoch_decay=0.998)
    diffusion_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=2e-4, clip_norm=100.0, decoupled_decay=1e-4)

    kinds = (IMAGE,)

    @property
    def learns_prior_alone(self) -> bool:
        """Whether generator and encoder come from another run."""
        return self.stage == "prior"

    def probes(self, data):
        return {"energy": of_energy(self.latent_dim),
                "generator": of_generator(self.latent_dim, data),
                **({} if self.posterior_sampler == "diffusion" else {
                    "encoder": of_encoder(self.latent_dim, data)})}

    def validate(self):
        if self.prior.start == "encoder":
            raise ValueError("prior_start must be base or bank, got "
                             "'encoder': a prior has no input image.")
        if self.prior.start != "bank":
            self.leave_out("prior_bank_size", reason="without prior_start=bank")
        if self.contrast == "chains":
            self.leave_out("contrast_draws", reason="with contrast=chains")
        elif not self.p0.is_fitted:
            raise ValueError("contrast must be chains with base=normal, which "
                             "is far from the codes, got 'importance'.")
        elif self.prior.start == "bank":
            raise ValueError("prior_start must be base with "
                             "contrast=importance, which uses no chains, got "
                             "'bank'.")
        else:
            self.leave_out("energy_penalty", reason="with contrast=importance")
        if self.stage == "prior":
            self.leave_out(
                "generator", "encoder", "generator_optimizer",
                "encoder_optimizer", reason="with stage=prior, which takes "
                "generator and encoder from --backbone")
            self.p0.leave_out("base_fit_every", reason="with stage=prior, "
                                                       "whose codes are fixed")
            self.leave_out("posterior_sampler", reason="with stage=prior")
        learned.check(self)


Config = ImageConfig
EVALUATORS = ("pictures", "reconstruction", "frechet", "chains")


def build(config: ImageConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, energy: keras.layers.Layer | None = None,
          generator: keras.layers.Layer | None = None,
          encoder: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all chains.
        energy: Layer that replaces the built-in energy, z -> [batch].
        generator: Layer that replaces the built-in generator, z -> image.
        encoder: Layer that replaces the built-in encoder, x -> (mean,
            log_scale); used with posterior.start=encoder and learned posterior
            samplers.

    Raises:
        ValueError: If the built-in generator cannot make the images, the bank
            is smaller than a batch, or stage=prior has no generator.
    """
    seeds = rng.seeds(seed)
    if config.stage == "prior" and generator is None:
        raise ValueError(
            "stage=prior needs the generator of --backbone, got none.")
    latent_dim, frozen = config.latent_dim, {}
    base = config.p0.make(latent_dim, seeds("base"))
    prior = EnergyPrior(base, energy or config.energy.make(
        latent_dim, seeds("energy"), config.p0.is_fitted,
        config.energy_bound))
    likelihood = GaussianLikelihood(
        generator or config.generator.make(
            latent_dim, data.shape, seeds("generator")),
        config.likelihood_scale)
    parts = {"energy": prior.energy_network, "generator": likelihood}
    objectives = {
        "energy": _contrast(config, base),
        "generator": Objective(("generator",), {"generator": squared_error})}
    configs = {"energy": config.energy_optimizer,
               "generator": config.generator_optimizer}
    priors = starts.of_prior(config.prior, base, config.prior_bank_size,
                             batch_size, seeds("prior_bank"))

    def make_encoder():
        return config.encoder.beside(config.generator).make(
            latent_dim, data.shape, seeds("encoder"))
    learning = amortized.of_image(config, base, data, seeds, encoder,
                                  make_encoder)
    posteriors = starts.of_posterior(
        config.posterior, base, data, seeds("posterior_bank"),
        None if learning.encoder else encoder, make_encoder)
    if posteriors.encoder is not None:
        parts["encoder"] = posteriors.encoder
        objectives["encoder"] = Objective(
            ("encoder",), {"encoder": encoder_teaching})
        configs["encoder"] = config.encoder_optimizer
    parts |= learning.parts
    objectives |= learning.objectives
    configs |= {part: vars(config)[name]
                for part, name in learning.optimizers.items()}
    if config.stage == "prior":
        frozen = {name: parts.pop(name) for name in list(parts)
                  if name not in ("energy", "flow")}
        objectives = {name: objectives[name] for name in parts}
        configs = {name: configs[name] for name in parts}
    roles = learning.added({
        "positive": sampler(config.posterior, posteriors.training),
        "negative": sampler(config.prior, priors.training, 0, base),
        "generation": sampler(
            config.prior, priors.fresh, config.generation_steps, base),
        "inference": sampler(config.posterior, posteriors.fresh,
                             config.inference_steps)})
    if config.contrast == "importance":
        roles["base"] = _base_draws(base, config.contrast_draws)
        if config.prior_sampler != "flow":  # The flow learns from them.
            del roles["negative"]
    model = EnergyModel(
        prior=prior, likelihood=likelihood,
        encoder=learning.encoder or posteriors.encoder, parts=parts,
        updates=learning.updates, copies=learning.copies,
        frozen=frozen, objectives=objectives, seed=seed,
        banks=(*priors.banks, *posteriors.banks), roles=roles,
        bases=(base,) if config.p0.is_fitted else (),
        fit_bases_every=0 if config.stage == "prior"
        else config.p0.base_fit_every)
    return compiled(model, configs, data, batch_size)


def _contrast(config: ImageConfig, base: Base) -> Objective:
    """Objective of the energy."""
    contrast = ImportanceContrast if config.contrast == "importance" else (
        EnergyContrast)
    terms: dict[str, Term] = {
        "energy": contrast(dropout=config.energy_dropout)}
    weights = {}
    if config.energy_penalty:
        terms["energy_penalty"] = energy_magnitude
        weights["energy_penalty"] = config.energy_penalty
    if config.p0.is_fitted:
        terms = {name: once_fitted(base, term) for name, term in terms.items()}
    return Objective(("energy",), terms, weights)


def _base_draws(base: Base, count: int) -> Role:
    """Role with `count` samples of the base for each row of a batch."""
    def make(batch, seed):
        z = base.sample(count * num_chains(batch["x"]), seed)
        return Draw(z, initial_state(z))
    return Role(FromData(make), view=lambda batch: batch)
