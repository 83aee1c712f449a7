"""A ladder variational autoencoder: a Gaussian hierarchy without an energy.

Groups of feature maps, each Gaussian given all above it: Sonderby et al. 2016,
arXiv:1602.02282. It is a baseline for priors with several layers, and the
backbone of `multilayer_two_stage`. Its latents are the noise of the groups,
(e1, ..., eL) with e1 next to the data, so p(e) is N(0, I) and any layer can be
held fixed while another changes; the bound is the same.
"""

import dataclasses
from typing import Annotated

import keras

from lebm_tf.assembly.components import DataSpec, compiled
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.densities import GaussianLikelihood, LayeredNormal, NoiseEncoder
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import LadderNetwork, NoiseDecoder
from lebm_tf.networks.hierarchy import check_hierarchy
from lebm_tf.objectives import (
    Annealed, Objective, layered_gaussian_kl, negative_log_likelihood)
from lebm_tf.ranges import MinLen, NonNegativeInt, PositiveFloat, PositiveInt
from lebm_tf.samplers import Encoded, FromBase, ShortRun


@dataclasses.dataclass(frozen=True)
class LadderVAEConfig(FamilyConfig):
    """A ladder variational autoencoder for square images.

    Attributes:
        group_sides: Side of the feature maps of every group, next to the image
            first: each equal to the next or twice as large.
        group_channels: Channels of the feature maps of every group.
        channels: Channels of all other feature maps.
        likelihood_scale: Standard deviation of a pixel in [-1, 1].
        kl_warmup_steps: Steps in which the weight of the KL term rises from 0
            to 1, which keeps the upper groups in use.
        network_optimizer: Optimizer of all networks.
    """
    group_sides: Annotated[tuple[PositiveInt, ...], MinLen(2)] = (16, 8)
    group_channels: Annotated[tuple[PositiveInt, ...], MinLen(2)] = (2, 8)
    channels: PositiveInt = 32
    likelihood_scale: PositiveFloat = 0.3
    kl_warmup_steps: NonNegativeInt = 0
    network_optimizer: OptimizerConfig = OptimizerConfig(1e-3, beta_1=0.9)

    kinds = (IMAGE,)

    def validate(self):
        if len(self.group_channels) != len(self.group_sides):
            raise ValueError(
                "group_channels must hold one number for each of the "
                f"{len(self.group_sides)} groups of group_sides, got "
                f"{len(self.group_channels)}.")


Config = LadderVAEConfig
EVALUATORS = ("pictures", "reconstruction", "frechet")


def build(config: LadderVAEConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, network: keras.layers.Layer | None = None
          ) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all draws.
        network: Layer that replaces the built-in encoder and decoder, with the
            interface of `networks.hierarchy`.

    Raises:
        ValueError: If the groups do not fit the images, or the network lacks a
            part of the interface.
    """
    seeds = rng.seeds(seed)
    network = network or LadderNetwork(
        data.shape, config.group_sides, config.group_channels,
        config.channels, seeds("network"))
    check_hierarchy(network)
    base = LayeredNormal(list(reversed(network.group_shapes)))
    encoder = NoiseEncoder(network)
    kl = layered_gaussian_kl if not config.kl_warmup_steps else Annealed(
        layered_gaussian_kl, warmup_steps=config.kl_warmup_steps)
    model = EnergyModel(
        prior=base, encoder=encoder, seed=seed, parts={"network": network},
        likelihood=GaussianLikelihood(
            NoiseDecoder(network), config.likelihood_scale),
        objectives={"bound": Objective(("network",), {
            "reconstruction": negative_log_likelihood, "kl": kl})},
        # Without an energy, a prior sample is a chain of 0 moves.
        roles={"positive": Encoded(encoder),
               "generation": ShortRun(FromBase(base), Langevin(1.0), 0)})
    return compiled(model, {"network": config.network_optimizer}, data,
                    batch_size)
