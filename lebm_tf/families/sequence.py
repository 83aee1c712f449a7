"""Text and molecules with a learned prior and an autoregressive decoder.

p(z) = exp(-E(z)) N(z; 0, I) / Z and p(x | z) = prod_t p(x_t | x_<t, z): Pang et
al. 2020, arXiv:2006.08205 (text) and arXiv:2010.09351 (SMILES). Positive states
come from chains through the decoder, as published; from chains that an encoder
starts; or from the encoder alone (posterior.num_steps = 0), as in Pang and Wu
2021, arXiv:2108.11556. Without a learned prior, the last is a variational
autoencoder, and the first the same decoder with prior N(0, I).
"""

import dataclasses
from typing import Any

import keras

from lebm_tf.assembly import amortized, starts
from lebm_tf.assembly.components import (
    AttributeConfig, ChainConfig, DataSpec, EnergyConfig, compiled, sampler)
from lebm_tf.assembly.learned import FlowSampled, check_prior
from lebm_tf.assembly.observations import (
    DecoderConfig, RecurrentEncoderConfig, make_recurrent_encoder)
from lebm_tf.assembly.probes import of_encoder, of_energy, of_generator
from lebm_tf.densities import (
    DecodingConfig, EnergyPrior, SequenceLikelihood, StandardNormal)
from lebm_tf.kinds import SEQUENCE
from lebm_tf.mcmc import InTurn, Langevin, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.objectives import (
    Annealed, FreeBits, FreeNats, Objective, Term,
    attribute_negative_log_likelihood, dropped_negative_log_likelihood,
    encoded_energy, encoder_teaching, energy_contrast)
from lebm_tf.ranges import (
    NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt)
from lebm_tf.samplers import Encoded, FromBase, ShortRun

SequenceEncoderConfig = RecurrentEncoderConfig


@dataclasses.dataclass(frozen=True)
class SequenceConfig(FlowSampled):
    """Defaults of the public code for Penn Treebank, where it exists.

    Attributes:
        latent_dim: Dimension of z.
        learned_prior: Whether an energy tilts N(0, I); otherwise N(0, I) is the
            prior.
        prior: Chains that draw negative states and samples.
        posterior: Chains that draw positive states; with start=encoder and 0
            steps, the encoder alone draws them.
        inference_steps: Steps of the posterior chains on new data; 0 takes
            posterior_num_steps.
        chain_dropout: Whether posterior chains in training use the decoder with
            dropout, one mask per step (public code sri_text).
        max_sample_length: Maximum number of tokens of a sample, including its
            end; 0 takes the longest sequence of the data.
        decoding: Decoding of samples from p(x | z).
        energy: The energy network.
        decoder: The decoder.
        encoder: The encoder of posterior.start=encoder.
        attribute: The head for data with a number y per row.
        attribute_in_turn: Whether each step of a chain conditioned on y follows
            the gradient of log p(y | z) after that of all other terms and
            without noise, as in the public code of Kong et al. 2023 (SGDS), and
            not jointly.
        free_bits: KL per dimension of z, in nats, below which an encoder
            without chains has no penalty.
        free_nats: KL(q(z | x) || p(z)), in nats, below which that encoder has
            no penalty; p(z) is the learned prior if there is one.
        encoder_energy: Whether the energy enters the loss of that encoder; both
            may then diverge. Otherwise the energy only learns the distribution
            of codes.
        kl_weight: Weight of the prior terms in the loss of that encoder; 1
            gives a bound of log p(x). Public code of text has as little as 0.1.
        kl_hold_steps: Initial steps in which this weight is 0.
        kl_warmup_steps: Steps in which it then rises to kl_weight.
        kl_cycle_steps: Period after which this schedule restarts; 0 for never.
        energy_optimizer: Optimizer of the energy.
        decoder_optimizer: Optimizer of the decoder.
        encoder_optimizer: Optimizer of the encoder.
        attribute_optimizer: Optimizer of the head.
    """
    latent_dim: PositiveInt = 32
    learned_prior: bool = True
    prior: ChainConfig = ChainConfig(num_steps=40, step_size=0.5)
    posterior: ChainConfig = ChainConfig(num_steps=20, step_size=0.5)
    inference_steps: NonNegativeInt = 0
    chain_dropout: bool = False
    max_sample_length: NonNegativeInt = 0
    decoding: DecodingConfig = DecodingConfig()
    energy: EnergyConfig = EnergyConfig()
    decoder: DecoderConfig = DecoderConfig()
    encoder: SequenceEncoderConfig = SequenceEncoderConfig()
    attribute: AttributeConfig = AttributeConfig()
    attribute_in_turn: bool = False
    free_bits: NonNegativeFloat = 0.0
    free_nats: NonNegativeFloat = 0.0
    encoder_energy: bool = True
    kl_weight: PositiveFloat = 1.0
    kl_hold_steps: NonNegativeInt = 0
    kl_warmup_steps: NonNegativeInt = 0
    kl_cycle_steps: NonNegativeInt = 0
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, beta_1=0.9, clip_norm=1.0)
    decoder_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-3, beta_1=0.9, clip_norm=5.0)
    encoder_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-3, beta_1=0.9, clip_norm=5.0)
    attribute_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-3, beta_1=0.9)

    kinds = (SEQUENCE,)

    def probes(self, data):
        known = {"decoder": of_generator(self.latent_dim, data),
                 "encoder": of_encoder(self.latent_dim, data)}
        if self.learned_prior:
            known["energy"] = of_energy(self.latent_dim)
        return known

    def validate(self):
        if not self.is_amortized:
            self.leave_out(
                "free_bits", "free_nats", "kl_weight", "kl_hold_steps",
                "kl_warmup_steps", "kl_cycle_steps", "encoder_energy",
                reason="with posterior chains, which have no KL term")
        if self.free_bits and self.free_nats:
            raise ValueError("free_bits must be 0 with free_nats, got "
                             f"{self.free_bits}.")
        if self.prior.start != "base":
            raise ValueError("prior_start must be base, got "
                             f"{self.prior.start!r}.")
        for chain in (self.prior, self.posterior):
            if self.attribute_in_turn and chain.kernel != "langevin":
                raise ValueError("attribute_in_turn needs chains of "
                                 f"kernel=langevin, got {chain.kernel}.")
        check_prior(self)
        if not self.learned_prior:
            self.leave_out("prior_sampler", reason="without learned_prior")

    @property
    def is_amortized(self) -> bool:
        """Whether the encoder alone draws positive states."""
        return self.posterior.start == "encoder" and (
            not self.posterior.num_steps)


Config = SequenceConfig
EVALUATORS = ("sequences",)


def build(config: SequenceConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, energy: keras.layers.Layer | None = None,
          decoder: keras.layers.Layer | None = None,
          encoder: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all chains.
        energy: Layer that replaces the built-in energy, z -> [batch].
        decoder: Layer that replaces the built-in `networks.RecurrentDecoder`.
        encoder: Layer that replaces the built-in one, x -> (mean, log_scale).

    Raises:
        ValueError: If the configuration excludes a given part, or does not fit
            the data.
    """
    seeds = rng.seeds(seed)
    latent_dim = config.latent_dim
    prior = base = StandardNormal(latent_dim, config.base_scale)
    likelihood = SequenceLikelihood(
        decoder or config.decoder.make(
            data.num_tokens, latent_dim, seeds("decoder")),
        config.max_sample_length or data.shape[0], config.decoding,
        config.chain_dropout)
    parts: dict[str, Any] = {"decoder": likelihood}
    optimizers = {"decoder": config.decoder_optimizer}
    objectives = {}
    if config.learned_prior:
        prior = EnergyPrior(base, energy or config.energy.make(
            latent_dim, seeds("energy")))
        parts["energy"] = prior.energy_network
        optimizers["energy"] = config.energy_optimizer
        objectives["energy"] = Objective(
            ("energy",), {"energy": energy_contrast})
    elif energy is not None:
        raise ValueError("an energy needs learned_prior, got none.")
    posteriors = starts.of_posterior(
        config.posterior, base, data, seeds("posterior_bank"), encoder,
        lambda: make_recurrent_encoder(
            config.encoder, latent_dim, data, seeds("encoder")),
        config.log_variance_head)
    encoder = posteriors.encoder
    if encoder is not None:
        parts["encoder"] = encoder
        optimizers["encoder"] = config.encoder_optimizer
    attribute = None
    if data.has_attributes:
        parts["attribute"] = attribute = config.attribute.make(
            latent_dim, seeds("attribute"))
        optimizers["attribute"] = config.attribute_optimizer
    objectives.update(_reconstruction(config, data.has_attributes))
    # Without an energy, a prior sample is a chain of 0 moves.
    chains = sampler(
        config.prior, FromBase(config.prior.first_states(base)), 0, base) if (
            config.learned_prior) else ShortRun(
                FromBase(base), Langevin(1.0), 0)
    alone = config.is_amortized
    learning = amortized.of_prior(config, base, seeds("flow"))
    if attribute is not None and config.prior_sampler == "flow":
        raise ValueError("prior_sampler must be chains or hybrid for data with "
                         "a number y, whose chains sample p(z | y), got "
                         "'flow'.")
    roles = {"positive": Encoded(encoder) if alone else sampler(
                 config.posterior, posteriors.training),
             "generation": chains,
             "inference": Encoded(encoder) if alone else sampler(
                 config.posterior, posteriors.fresh, config.inference_steps)}
    if config.learned_prior:
        roles["negative"] = chains
    if config.attribute_in_turn and attribute is None:
        raise ValueError("attribute_in_turn needs data with a number, got "
                         "none.")
    optimizers["flow"] = config.flow_optimizer
    model = EnergyModel(
        prior=prior, likelihood=likelihood, encoder=encoder,
        parts={**parts, **learning.parts}, updates=learning.updates,
        objectives={**objectives, **learning.objectives}, attribute=attribute,
        roles={name: _in_turn(role) if config.attribute_in_turn else role
               for name, role in learning.added(roles).items()},
        banks=posteriors.banks, seed=seed,
        joint_clip_norm=config.joint_clip_norm)
    return compiled(model, {part: optimizers[part] for part in model.parts},
                    data, batch_size)


def _in_turn(role):
    """The sampler with steps that use the parts of its target in turn."""
    if not isinstance(role, ShortRun) or not isinstance(
            role.kernel, Langevin):
        return role
    return dataclasses.replace(role, kernel=InTurn(
        role.kernel.step_size, role.kernel.noise_scale))


def _reconstruction(config: SequenceConfig, has_attributes: bool
                    ) -> dict[str, Objective]:
    """Objectives of decoder, encoder and attribute head."""
    values = {"attribute": attribute_negative_log_likelihood} if (
        has_attributes) else {}
    nll = {"nll": dropped_negative_log_likelihood}
    if not config.is_amortized:
        learned = {"decoder": Objective(("decoder",), nll)}
        if config.posterior.start == "encoder":
            learned["encoder"] = Objective(
                ("encoder",), {"encoder": encoder_teaching})
        if values:
            learned["attribute"] = Objective(("attribute",), values)
        return learned

    def annealed(term):
        return Annealed(term, config.kl_hold_steps, config.kl_warmup_steps,
                        config.kl_cycle_steps)
    prices: dict[str, Term]
    if config.free_nats:
        prices = {"kl": FreeNats(
            config.free_nats, config.encoder_energy, config.base_scale)}
    else:
        prices = {"kl": FreeBits(config.free_bits, config.base_scale)}
        if config.learned_prior and config.encoder_energy:
            prices["encoded_energy"] = encoded_energy
    terms = {name: annealed(term) for name, term in prices.items()}
    return {"bound": Objective(
        ("decoder", "encoder", *values), {**nll, **terms, **values},
        dict.fromkeys(prices, config.kl_weight))}
