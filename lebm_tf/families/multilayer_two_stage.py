"""Energies on a frozen hierarchy of Gaussians, trained in a second stage.

p(z) = exp(-sum_i E_i(z_i)) p_backbone(z) / Z with the groups z of a frozen
ladder variational autoencoder, or of any hierarchy: Cui et al. 2023,
arXiv:2306.06323, whose backbone is NVAE. Positive states are samples of the
backbone's encoder. Negative ones come from Langevin chains in the noise e of
all groups, z_i = mean_i + T scale_i e_i, which start from N(0, I).
"""

import dataclasses

import keras

from lebm_tf.assembly.components import ChainConfig, DataSpec, compiled, sampler
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.densities import (
    EnergyPrior, GaussianLikelihood, LayeredNormal, NoiseEncoder)
from lebm_tf.kinds import IMAGE
from lebm_tf.mcmc import rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import MapEnergy, NoiseDecoder, NoiseEnergy
from lebm_tf.networks.hierarchy import check_hierarchy, decoded
from lebm_tf.objectives import Objective, energy_contrast
from lebm_tf.ranges import NonNegativeInt, PositiveFloat, PositiveInt
from lebm_tf.samplers import Encoded, FromBase


@dataclasses.dataclass(frozen=True)
class MultilayerTwoStageConfig(FamilyConfig):
    """Defaults of the official two-stage program, except its target.

    Attributes:
        temperature: T, a factor on all scales of the backbone.
        exact_target: Whether chains sample the density of the noise; otherwise
            their target is log p(z) without the Jacobian of z, as in the
            authors' program.
        likelihood_scale: Standard deviation of a pixel in [-1, 1]: that of the
            backbone, for scores.
        prior: Chains in the noise; the step size is the square root of the
            authors' 1e-5, which is a squared step.
        generation_steps: Steps of the chains that draw samples; 0 takes
            prior_num_steps.
        energy_channels: Channels of the convolutions of every energy.
        energy_head_units: Width of its dense layers.
        energy_optimizer: Optimizer of each energy, with separate moments.
    """
    temperature: PositiveFloat = 1.0
    exact_target: bool = True
    likelihood_scale: PositiveFloat = 0.3
    prior: ChainConfig = ChainConfig(num_steps=10, step_size=1e-5**0.5)
    generation_steps: NonNegativeInt = 0
    energy_channels: PositiveInt = 64
    energy_head_units: PositiveInt = 200
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        2e-5, beta_1=0.99, weight_decay=3e-5)

    kinds = (IMAGE,)

    @property
    def learns_prior_alone(self) -> bool:
        """Always True."""
        return True

    @property
    def backbones(self) -> tuple[str, ...]:
        """Families allowed for --backbone."""
        return ("ladder_vae",)

    def validate(self):
        if self.prior.start != "base":
            raise ValueError("prior_start must be base, N(0, I) of the noise, "
                             f"got {self.prior.start!r}.")


Config = MultilayerTwoStageConfig
EVALUATORS = ("pictures", "reconstruction", "frechet", "chains")


def build(config: MultilayerTwoStageConfig, data: DataSpec, *,
          batch_size: int = 100, seed: int = 0,
          backbone: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all chains.
        backbone: A trained hierarchy with the interface of
            `networks.hierarchy`.

    Raises:
        ValueError: If the backbone is missing, lacks a part of the interface,
            or makes images of another shape.
    """
    if backbone is None:
        raise ValueError(
            "multilayer_two_stage needs the hierarchy of --backbone, got none.")
    check_hierarchy(backbone)
    base = LayeredNormal(list(reversed(backbone.group_shapes)))
    noise = base.sample(1, rng.make_seed(0))
    made = tuple(decoded(backbone, noise)[2].shape[1:])
    if made != tuple(data.shape):
        raise ValueError("the backbone must make images of shape "
                         f"{tuple(data.shape)}, got {made}.")
    energies = [
        MapEnergy(shape, config.energy_channels, config.energy_head_units,
                  seed=rng.named(seed, "energy", i))
        for i, shape in enumerate(base.shapes)]
    encoder = NoiseEncoder(backbone, config.temperature)
    start = FromBase(config.prior.first_states(base))
    parts = {f"energy_{i}": energy for i, energy in enumerate(energies, 1)}
    model = EnergyModel(
        prior=EnergyPrior(base, NoiseEnergy(
            backbone, energies, config.temperature, config.exact_target)),
        likelihood=GaussianLikelihood(NoiseDecoder(
            backbone, config.temperature), config.likelihood_scale),
        encoder=encoder, parts=parts, frozen={"backbone": backbone}, seed=seed,
        objectives={"energy": Objective(
            tuple(parts), {"energy": energy_contrast})},
        roles={"positive": Encoded(encoder),
               "negative": sampler(config.prior, start, 0, base),
               "generation": sampler(
                   config.prior, start, config.generation_steps, base)})
    return compiled(model, dict.fromkeys(parts, config.energy_optimizer), data,
                    batch_size)
