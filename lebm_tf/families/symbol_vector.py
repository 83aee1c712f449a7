"""A joint prior of a symbol and a vector, trained with few labels.

p(y, z) = exp(F_y(z)) N(z; 0, I) / Z and p(x | z) of images, vectors, word
counts or sequences: Pang et al. 2020, arXiv:2010.09359; with the mutual
information of z and y, Pang and Wu 2021, arXiv:2108.11556. An encoder infers z,
or chains (posterior.num_steps > 0). Without labels the symbols are clusters.
"""

import dataclasses
from typing import Annotated, Any

import keras

from lebm_tf.assembly import amortized, starts, symbol_terms
from lebm_tf.assembly.components import (
    ChainConfig, DataSpec, EncoderConfig, EnergyConfig, GeneratorConfig,
    compiled, sampler)
from lebm_tf.assembly.learned import FlowSampled, check_prior
from lebm_tf.assembly.observations import (
    DenseConfig, RecurrentDecoderConfig, RecurrentReaderConfig, ResidualConfig,
    make_encoder, make_likelihood)
from lebm_tf.assembly.probes import of_encoder, of_energy, of_generator
from lebm_tf.densities import DecodingConfig, StandardNormal, SymbolPrior
from lebm_tf.kinds import COUNTS, IMAGE, SEQUENCE, VECTOR
from lebm_tf.mcmc import rng
from lebm_tf.models import TARGETS, EnergyModel, OptimizerConfig, Role
from lebm_tf.networks import VectorMLP
from lebm_tf.ranges import (
    Ge, NonNegativeFloat, NonNegativeInt, OrZero, PositiveFloat, PositiveInt)
from lebm_tf.samplers import Encoded, FromBase


@dataclasses.dataclass(frozen=True)
class SymbolVectorConfig(FlowSampled):
    """Defaults of semi_sup_classification.py for AG News, where given.

    Attributes:
        latent_dim: Dimension of z.
        num_symbols: Number of symbols; 0 takes the classes of the data.
        likelihood_scale: Standard deviation of an element of an image (pixels
            in [-1, 1]) or vector (of variance 1).
        prior: Chains that draw negative states and samples.
        posterior: Chains that draw positive states; with 0 steps, the encoder
            alone draws them.
        inference_steps: Steps of the posterior chains on new data; 0 takes
            posterior_num_steps.
        labelled_weight: Weight of the cross-entropy of the labels.
        information_weight: Weight of the mutual information of z and y.
        labels_only: Whether to train a classifier alone, with the same
            networks, on the labels; a baseline that cannot generate.
        kl_threshold: KL of a dimension of q(z | x), in nats, below which it has
            no penalty, see `objectives.MaskedKL`.
        kl_weight: Weight of the prior terms in the loss of the encoder; 1 gives
            the evidence bound.
        kl_hold_steps: Initial steps in which this weight is 0.
        kl_warmup_steps: Steps in which it then rises to kl_weight.
        kl_cycle_steps: Period after which this schedule restarts; 0 for never.
        energy_annealed: Whether the schedule also scales the loss of the
            energy, and the information term counts only while the weight is not
            0, as in the authors' text_generation.py: w (f- - f+) - m MI, and
            the likelihood alone while w = 0. Otherwise the loss of the energy
            has weight 1.
        updates_in_turns: Whether a step makes three updates, as in the authors'
            semi_sup_classification.py: energy and encoder with the labels;
            generator and encoder; the energy with the states of the second
            update. Each uses the weights of the one before it. Otherwise a
            step makes one update with the sum of the losses.
        mean_logits: Whether the energy of positive states is minus the mean of
            the logits, as in the authors' sentence_attribute_control.py
            (Yelp), and not minus their logsumexp.
        labels_of_draws: Whether labels are classified at a sample of q(z | x),
            as in the same program, and not at its mean.
        energy: Hidden layers of the logits F.
        generator: p(x | z) of images.
        image_encoder: q(z | x) of images.
        residual_encoder: Wide residual network that replaces it if depth > 0.
        dense_generator: p(x | z) of vectors and word counts.
        dense_encoder: q(z | x) of vectors and word counts.
        decoder: p(x | z) of sequences.
        sequence_encoder: q(z | x) of sequences.
        max_sample_length: Maximum number of tokens of a sampled sequence; 0
            takes the longest of the data.
        decoding: Decoding of sequences from p(x | z).
        energy_optimizer: Optimizer of F.
        generator_optimizer: Optimizer of p(x | z).
        encoder_optimizer: Optimizer of q(z | x).
    """
    latent_dim: PositiveInt = 100
    num_symbols: Annotated[int, OrZero(Ge(2))] = 0
    likelihood_scale: PositiveFloat = 0.3
    prior: ChainConfig = ChainConfig(num_steps=100, step_size=0.4)
    posterior: ChainConfig = ChainConfig(
        num_steps=0, step_size=0.1, start="encoder")
    inference_steps: NonNegativeInt = 0
    labelled_weight: NonNegativeFloat = 200.0
    information_weight: NonNegativeFloat = 0.0
    labels_only: bool = False
    kl_threshold: NonNegativeFloat = 0.0
    kl_weight: PositiveFloat = 1.0
    kl_hold_steps: NonNegativeInt = 0
    kl_warmup_steps: NonNegativeInt = 0
    kl_cycle_steps: NonNegativeInt = 0
    energy_annealed: bool = False
    updates_in_turns: bool = False
    mean_logits: bool = False
    labels_of_draws: bool = False
    energy: EnergyConfig = EnergyConfig(activation="leaky_relu")
    generator: GeneratorConfig = GeneratorConfig()
    image_encoder: EncoderConfig = EncoderConfig()
    residual_encoder: ResidualConfig = ResidualConfig()
    dense_generator: DenseConfig = DenseConfig((2000, 2000, 2000))
    dense_encoder: DenseConfig = DenseConfig((2000, 2000), "relu", 0.5)
    decoder: RecurrentDecoderConfig = RecurrentDecoderConfig()
    sequence_encoder: RecurrentReaderConfig = RecurrentReaderConfig()
    max_sample_length: NonNegativeInt = 0
    decoding: DecodingConfig = DecodingConfig()
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-5, beta_1=0.9, epoch_decay=0.998, weight_decay=1e-3)
    generator_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, epoch_decay=0.998)
    encoder_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, beta_1=0.9, epoch_decay=0.998, weight_decay=2e-3)

    kinds = (IMAGE, SEQUENCE, VECTOR, COUNTS)
    learns_from_labels = True

    def probes(self, data):
        symbols = self.num_symbols or data.num_classes
        return {"energy": of_energy(self.latent_dim, symbols),
                "generator": of_generator(self.latent_dim, data),
                "encoder": of_encoder(self.latent_dim, data)}

    def validate(self):
        if self.prior.start != "base":
            raise ValueError("prior_start must be base, got "
                             f"{self.prior.start!r}.")
        if self.posterior.start == "bank":
            raise ValueError("posterior_start must be base or encoder, got "
                             "'bank'.")
        if not self.is_amortized:
            self.leave_out(
                "kl_threshold", "kl_weight", "kl_hold_steps",
                "kl_warmup_steps", "kl_cycle_steps", "energy_annealed",
                "updates_in_turns", "mean_logits", "labels_of_draws",
                reason="with posterior chains, which have no KL term")
        if self.labels_only and not self.is_amortized:
            raise ValueError("labels_only must be False with posterior chains, "
                             "got True.")
        check_prior(self)
        if self.prior_sampler != "chains":
            self.leave_out("updates_in_turns", reason="with prior_sampler="
                           f"{self.prior_sampler}")
        if self.labels_only:
            self.leave_out("prior_sampler", "updates_in_turns", "mean_logits",
                           reason="with labels_only, which trains no sampler")

    @property
    def is_classifier(self) -> bool:
        """Whether the model is trained on labels alone."""
        return self.labels_only

    @property
    def is_amortized(self) -> bool:
        """Whether the encoder alone draws positive states."""
        return self.posterior.start == "encoder" and (
            not self.posterior.num_steps)


def labelled(batch):
    """The labelled rows of a batch, with their symbols as condition, so that
    chains sample p(z | x, y); None if there are none."""
    if "labelled_x" not in batch:
        return None
    return {"x": batch["labelled_x"], "condition": batch["labelled_y"]}


Config = SymbolVectorConfig
EVALUATORS = ("symbols",)


def build(config: SymbolVectorConfig, data: DataSpec, *,
          batch_size: int = 100, seed: int = 0,
          energy: keras.layers.Layer | None = None,
          generator: keras.layers.Layer | None = None,
          encoder: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all chains.
        energy: Layer that replaces the built-in logits, z -> [batch, symbols].
        generator: Layer that replaces the built-in generator or decoder.
        encoder: Layer that replaces the built-in encoder, x -> (mean,
            log_scale).

    Raises:
        ValueError: If the number of symbols is unknown or too small, or
            labels_only has no labels.
    """
    seeds = rng.seeds(seed)
    num_symbols = config.num_symbols or data.num_classes
    if num_symbols < max(2, data.num_classes if data.num_labels else 2):
        raise ValueError(
            "num_symbols must be >= 2 and, with labels, at least the "
            f"{data.num_classes} classes of the data, got {num_symbols}.")
    if config.labels_only and not data.num_labels:
        raise ValueError("labels_only needs num_labels >= 1, got 0.")
    base = StandardNormal(config.latent_dim, config.base_scale)
    prior = SymbolPrior(base, energy or VectorMLP(
        config.latent_dim, num_symbols, config.energy.hidden_units, 1,
        config.energy.activation, seeds("energy")))
    likelihood = make_likelihood(config, data, seeds("generator"), generator)
    parts = {"energy": prior.energy_network, "generator": likelihood}
    optimizers = {"energy": config.energy_optimizer,
                  "generator": config.generator_optimizer}
    posteriors = starts.of_posterior(
        config.posterior, base, data, seeds("posterior_bank"), encoder,
        lambda: make_encoder(config, data, seeds("encoder")),
        config.log_variance_head)
    encoder, inferred = posteriors.encoder, posteriors.fresh
    if encoder is not None:
        parts["encoder"] = encoder
        optimizers["encoder"] = config.encoder_optimizer
    if config.labels_only:
        del parts["generator"]
    chains = sampler(config.prior, FromBase(config.prior.first_states(base)),
                     0, base)
    alone, learns = config.is_amortized, not config.labels_only
    learning = amortized.of_prior(config, base, seeds("flow"))
    optimizers["flow"] = config.flow_optimizer
    roles: dict[str, Any] = {
             "generation": chains,
             "inference": Encoded(encoder) if alone else sampler(
                 config.posterior, inferred, config.inference_steps)}
    if learns:
        roles["positive"] = Encoded(encoder, has_dropout=True) if (
            alone) else sampler(config.posterior, inferred)
        roles["negative"] = chains
    if not alone:
        roles["labelled"] = Role(
            roles["positive"], TARGETS["positive"], labelled)
    model = EnergyModel(
        prior=prior, likelihood=likelihood, encoder=encoder, seed=seed,
        parts={**parts, **learning.parts}, updates=learning.updates,
        objectives={**symbol_terms.objectives(config, data),
                    **learning.objectives},
        turns=symbol_terms.turns(config, data),
        joint_clip_norm=config.joint_clip_norm,
        roles=learning.added(roles))
    return compiled(model, {part: optimizers[part] for part in model.parts},
                    data, batch_size)
