"""A latent-space prior with an energy at every noise level of a diffusion.

Codes z of text, molecules, vectors or images have an energy E(z_t, t) at every
level t of a diffusion of z. Chains are conditioned on the level above (recovery
likelihood), and symbols are learned from k-means clusters or labels: Yu et al.
2022, arXiv:2206.05895, "Latent diffusion energy-based model for interpretable
text modeling". Without a learned prior, the same encoder and decoder have the
prior N(0, I).
"""

import dataclasses
import functools
from typing import Annotated

import keras
import tensorflow as tf

from lebm_tf.assembly.code_ladder import (
    LogitsConfig, NoiseLadderConfig, ladder_roles)
from lebm_tf.assembly.components import (
    DataSpec, EncoderConfig, GeneratorConfig, compiled)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.observations import (
    DenseConfig, RecurrentDecoderConfig, RecurrentEncoderConfig, ResidualConfig,
    make_encoder, make_likelihood)
from lebm_tf.assembly.probes import Probe, of_encoder, of_generator, zeros
from lebm_tf.densities import (
    ConditionalGaussian, DecodingConfig, LadderPrior, StandardNormal)
from lebm_tf.kinds import COUNTS, IMAGE, SEQUENCE, VECTOR
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import CodeClusters, EnergyModel, OptimizerConfig
from lebm_tf.networks import LevelLogits
from lebm_tf.objectives import (
    ClusterCrossEntropy, DiffusedEnergy, HighestNormal, LadderContrast,
    MaskedKL, NegativeEntropy, Objective, OnRoles, SymbolCrossEntropy, Term,
    dropped_negative_log_likelihood, encoded_noised, negative_log_likelihood,
    symbol_information)
from lebm_tf.ranges import (
    Ge, NonNegativeFloat, NonNegativeInt, OrZero, PositiveFloat, PositiveInt)
from lebm_tf.samplers import Encoded, FromBase, ShortRun


@dataclasses.dataclass(frozen=True)
class LatentDiffusionConfig(FamilyConfig):
    """Defaults of text_generation.py, for Penn Treebank.

    Attributes:
        latent_dim: Dimension of z.
        num_symbols: Number of symbols; 0 takes the classes of the data.
        learned_prior: Whether the prior is learned; otherwise it is N(0, I),
            without symbols, noise levels and energy.
        likelihood_scale: Standard deviation of an element of an image (pixels
            in [-1, 1]) or vector (of variance 1).
        prior_weight: Weight of the prior terms in the loss of the encoder, and
            of the loss of the energies; constant during training.
        masks_entropy: Whether dimensions of q(z | x) with low entropy are
            excluded, as in the authors' programs for text but not for points.
        entropy_threshold: Threshold on -(1 + log variance) / 2, in nats, from
            which on a dimension counts.
        information_weight: Weight of the mutual information of z and y.
        symbol_weight: Weight of the cross-entropy of the symbols: of labels if
            there are any (num_labels), else of clusters of the codes; 0 uses
            neither.
        cluster_every: Steps between two clusterings; 0 takes an epoch.
        cluster_axes: Number of principal axes of the codes for k-means; in the
            public code 3, and 2 for points.
        prior: The noise levels and chains.
        energy: The logits.
        generator: p(x | z) of images.
        image_encoder: q(z | x) of images.
        residual_encoder: Wide residual network that replaces it if depth > 0.
        dense_generator: p(x | z) of vectors and word counts.
        dense_encoder: q(z | x) of vectors and word counts.
        decoder: p(x | z) of sequences.
        sequence_encoder: q(z | x) of sequences.
        log_variance_head: Whether the encoder outputs log variances, as in the
            authors' programs, and not log scales.
        max_sample_length: Maximum number of tokens of a sampled sequence; 0
            takes the longest of the data.
        decoding: Decoding of sequences from p(x | z).
        energy_optimizer: Optimizer of the energies.
        autoencoder_optimizer: Optimizer of p(x | z) and q(z | x), whose
            gradients are clipped together.
    """
    latent_dim: PositiveInt = 40
    num_symbols: Annotated[int, OrZero(Ge(2))] = 20
    learned_prior: bool = True
    likelihood_scale: PositiveFloat = 0.3
    prior_weight: PositiveFloat = 0.1
    masks_entropy: bool = True
    entropy_threshold: float = 1.0
    information_weight: NonNegativeFloat = 0.05
    symbol_weight: NonNegativeFloat = 0.05
    cluster_every: NonNegativeInt = 0
    cluster_axes: PositiveInt = 3
    prior: NoiseLadderConfig = NoiseLadderConfig()
    energy: LogitsConfig = LogitsConfig()
    generator: GeneratorConfig = GeneratorConfig()
    image_encoder: EncoderConfig = EncoderConfig()
    residual_encoder: ResidualConfig = ResidualConfig()
    dense_generator: DenseConfig = DenseConfig((200,), "relu")
    dense_encoder: DenseConfig = DenseConfig((200, 200), "relu")
    decoder: RecurrentDecoderConfig = RecurrentDecoderConfig(
        "gru", 512, 512, 0.3, tied=True)
    sequence_encoder: RecurrentEncoderConfig = RecurrentEncoderConfig(
        "gru", 512, 512, has_leaky_head=True)
    log_variance_head: bool = False
    max_sample_length: NonNegativeInt = 0
    decoding: DecodingConfig = DecodingConfig()
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, beta_1=0.9, clip_norm=10.0)
    autoencoder_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-3, beta_1=0.9, clip_norm=0.5)

    kinds = (IMAGE, SEQUENCE, VECTOR, COUNTS)
    learns_from_labels = True

    def probes(self, data):
        z, level = zeros(self.latent_dim), zeros(dtype=tf.int32)
        return {"energy": Probe((z, level), (
                    (self.num_symbols or data.num_classes,),)),
                "generator": of_generator(self.latent_dim, data),
                "encoder": of_encoder(self.latent_dim, data)}

    def validate(self):
        if not self.learned_prior:
            self.leave_out(
                "num_symbols", "information_weight", "symbol_weight",
                "cluster_every", "cluster_axes", "prior", "energy",
                "energy_optimizer", reason="without learned_prior")
        if not self.symbol_weight:
            self.leave_out("cluster_every", "cluster_axes",
                           reason="without symbol_weight")
        if not self.masks_entropy:
            self.leave_out("entropy_threshold",
                           reason="without masks_entropy")


Config = LatentDiffusionConfig
EVALUATORS = ()


def build(config: LatentDiffusionConfig, data: DataSpec, *,
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
        energy: Layer that replaces the built-in logits, (z, level) -> [batch,
            symbols], with `num_symbols`.
        generator: Layer that replaces the built-in generator or decoder.
        encoder: Layer that replaces the built-in encoder, x -> (mean,
            log_scale).

    Raises:
        ValueError: If the number of symbols fits neither labels nor examples,
            or an energy is given without a learned prior.
    """
    seeds = rng.seeds(seed)
    likelihood = make_likelihood(config, data, seeds("generator"), generator)
    encoder = ConditionalGaussian(
        encoder or make_encoder(config, data, seeds("encoder")),
        says_log_variance=config.log_variance_head)
    base = StandardNormal(config.latent_dim)
    parts = {"autoencoder": (likelihood, encoder)}
    optimizers = {"autoencoder": config.autoencoder_optimizer}
    fit = {"nll": negative_log_likelihood if data.kind in (IMAGE, VECTOR)
           else dropped_negative_log_likelihood}
    positive = Encoded(encoder, has_dropout=True)
    if not config.learned_prior:
        if energy is not None:
            raise ValueError("an energy needs learned_prior, got none.")
        model = EnergyModel(
            prior=base, likelihood=likelihood, encoder=encoder, parts=parts,
            objectives={"bound": Objective(
                ("autoencoder",), {**fit, "kl": MaskedKL(
                    config.entropy_threshold if config.masks_entropy
                    else 0.0)}, {"kl": config.prior_weight})},
            roles={"positive": positive,
                   "generation": ShortRun(FromBase(base), Langevin(1.0), 0),
                   "inference": Encoded(encoder)}, seed=seed)
        return compiled(model, optimizers, data, batch_size)
    levels = config.prior.levels
    num_symbols = _num_symbols(config, data)
    prior = LadderPrior(energy or LevelLogits(
        config.latent_dim, num_symbols, levels.num_levels,
        config.energy.hidden_dim, config.energy.num_blocks,
        seed=seeds("energy")), levels.scales, config.prior.step_factor)
    clusters = None
    if config.symbol_weight and not data.num_labels:
        clusters = CodeClusters(
            data.num_train, num_symbols,
            min(config.cluster_axes, config.latent_dim),
            config.cluster_every or max(1, data.num_train // batch_size))
    model = EnergyModel(
        prior=prior, likelihood=likelihood, encoder=encoder,
        parts={"energy": prior.logits_network, **parts},
        objectives=_objectives(config, levels, fit, clusters,
                               bool(data.num_labels)),
        roles={"positive": positive, **ladder_roles(
            config.prior, prior, base),
               "inference": Encoded(encoder)},
        frozen={"clusters": clusters} if clusters else {}, seed=seed)
    return compiled(model, {"energy": config.energy_optimizer, **optimizers},
                    data, batch_size)


def _num_symbols(config, data):
    num_symbols = config.num_symbols or data.num_classes
    if num_symbols < 2:
        raise ValueError("num_symbols must be >= 2 for data without labels, "
                         f"got {num_symbols}.")
    if data.num_labels and num_symbols != data.num_classes:
        raise ValueError(
            f"num_symbols must be the {data.num_classes} classes of the "
            f"labels, or 0, got {num_symbols}.")
    return num_symbols


def _objectives(config, levels, fit, clusters, has_labels):
    """Objectives of every part; `contrastive` and all prior terms share one
    weight, as in the authors' sum."""
    weight = config.prior_weight
    entropy = NegativeEntropy(
        config.entropy_threshold if config.masks_entropy else None)
    objectives = {
        "energy": Objective(("energy",), {"energy": LadderContrast(levels)},
                            {"energy": weight}),
        "bound": Objective(("autoencoder",), {
            **fit, "entropy": entropy,
            "diffused_energy": DiffusedEnergy(levels),
            "highest_normal": HighestNormal(levels)}, dict.fromkeys((
                "entropy", "diffused_energy", "highest_normal"), weight))}
    terms: dict[str, Term] = {}
    if config.information_weight:
        terms["information"] = OnRoles(
            symbol_information, {"positive": "lowest"})
    if config.symbol_weight:
        terms["classification"] = SymbolCrossEntropy(
            functools.partial(encoded_noised, levels)) if has_labels else (
                ClusterCrossEntropy(clusters))
    if terms:
        weights = {"information": -config.information_weight,
                   "classification": config.symbol_weight}
        objectives["symbols"] = Objective(
            ("energy", "autoencoder"), terms,
            {name: weights[name] for name in terms})
    return objectives
