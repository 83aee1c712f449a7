"""Configurations that several families share."""

import dataclasses
from typing import Annotated, Any, Mapping, NamedTuple

import keras

from lebm_tf.assembly.chains import (
    BANK_ORDERS, KERNELS, STARTS, ChainConfig, sampler)
from lebm_tf.assembly.data import DataSpec
from lebm_tf.densities import (
    Base, Flow, GaussianAttribute, GaussianMixture, StandardNormal)
from lebm_tf.densities.attribute import OUTPUTS
from lebm_tf.models import EnergyModel, OptimizerConfig, turns
from lebm_tf.networks import (
    AffineCouplings, ConvEncoder, DeconvGenerator, EnergyMLP, VectorMLP,
    check_image_shape, initializers)
from lebm_tf.networks.activations import ACTIVATIONS
from lebm_tf.ranges import (
    Checked, Interval, MinLen, NonNegativeFloat, OneOf, PositiveFloat,
    PositiveInt)

BASES = ("normal", "affine", "mixture", "flow")


class Recipe(NamedTuple):
    """Arguments from which a model was built, so that it can be rebuilt.

    Attributes:
        family: Name of the family.
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step.
        seed: Seed of initial weights and chains.
        precision: Keras name of the dtype policy of the networks.
        loss_scale: Initial loss scale of mixed_float16.
        networks: Name -> layer, for layers that replaced built-in ones.
    """
    family: str
    config: Any
    data: DataSpec
    batch_size: int
    seed: int
    precision: str
    loss_scale: float
    networks: Mapping[str, keras.layers.Layer] = {}


def compiled(model: EnergyModel, optimizers: Mapping[str, OptimizerConfig],
             data: DataSpec, batch_size: int) -> EnergyModel:
    """Compiles a model; learning-rate schedules count in epochs.

    Args:
        model: The model.
        optimizers: Part -> optimizer configuration, for exactly the parts.
        data: Specification of the training data.
        batch_size: Examples per step.
    """
    steps_per_epoch = max(1, data.num_train // batch_size)
    model.compile({
        part: optimizer.make(steps_per_epoch * turns.updates_of(
            model.turns, part)) for part, optimizer in optimizers.items()})
    return model


@dataclasses.dataclass(frozen=True)
class BaseConfig(Checked):
    """The base density p0 of p(z) = exp(-E(z)) p0(z) / Z.

    Attributes:
        base: normal (N(0, I), as published), or a density fitted to the codes
            of the training data: affine (one Gaussian), mixture (of Gaussians)
            or flow (coupling layers). With a fitted base, E starts at 0, so the
            prior starts as the fit, and chains move in its coordinates.
        base_components: Number of Gaussians of base=mixture.
        base_floor: Added to their variances, in coordinates in which the codes
            have covariance I; 0 lets many Gaussians overfit few codes.
        base_fit_every: Steps between two fits to the current codes. Until the
            first fit, p0 is N(0, I) and E is not trained. With stage=prior
            there is one fit, before the first step.
        base_scale: Standard deviation of base=normal (e_prior_sig in the
            authors' programs).
    """
    base: Annotated[str, OneOf(BASES)] = "normal"
    base_components: PositiveInt = 10
    base_floor: NonNegativeFloat = 0.03
    base_fit_every: PositiveInt = 500
    base_scale: PositiveFloat = 1.0

    def validate(self):
        if self.base != "mixture":
            self.leave_out("base_components", "base_floor",
                           reason="without base=mixture")
        if self.base == "normal":
            self.leave_out("base_fit_every", reason="with base=normal")
        else:
            self.leave_out("base_scale", reason=f"with base={self.base}, which "
                           "is fitted")

    @property
    def is_fitted(self) -> bool:
        """Whether the base is fitted to codes."""
        return self.base != "normal"

    def make(self, latent_dim: int, seed: int) -> Base:
        """Builds the base.

        Raises:
            ValueError: If a flow cannot have that width.
        """
        if self.base == "normal":
            return StandardNormal(latent_dim, self.base_scale)
        if self.base == "flow":
            return Flow(AffineCouplings(latent_dim, seed=seed))
        if self.base == "affine":
            return GaussianMixture(latent_dim)
        return GaussianMixture(
            latent_dim, self.base_components, self.base_floor)


@dataclasses.dataclass(frozen=True)
class EnergyConfig(Checked):
    """The energy network, a multilayer perceptron.

    Attributes:
        hidden_units: Widths of the hidden layers.
        activation: Activation function; gelu in the authors' code, leaky_relu
            in the paper.
    """
    hidden_units: tuple[PositiveInt, ...] = (200, 200)
    activation: Annotated[str, OneOf(ACTIVATIONS)] = "gelu"

    def make(self, latent_dim: int, seed: int, is_flat: bool = False,
             bound: float = 0.0) -> EnergyMLP:
        """Builds the network; with `is_flat`, E starts at 0."""
        network = EnergyMLP(
            latent_dim, self.hidden_units, self.activation, seed, bound)
        if is_flat:
            initializers.set_to_zero(network.head)
        return network


@dataclasses.dataclass(frozen=True)
class AttributeConfig(Checked):
    """The head that predicts a number y, such as a property of a molecule, from
    z.

    Defaults of the public code of Kong et al. 2023, arXiv:2306.14902 (SGDS),
    for penalised logP; for QED it has relu and sigmoid.

    Attributes:
        hidden_units: Widths of the hidden layers.
        activation: Activation of the hidden layers.
        output: linear, or sigmoid for y in [0, 1].
        scale: Standard deviation of y given z, in units of y.
    """
    hidden_units: tuple[PositiveInt, ...] = (200, 200)
    activation: Annotated[str, OneOf(ACTIVATIONS)] = "silu"
    output: Annotated[str, OneOf(OUTPUTS)] = "linear"
    scale: PositiveFloat = 0.05**0.5

    def make(self, latent_dim: int, seed: int) -> GaussianAttribute:
        return GaussianAttribute(
            VectorMLP(latent_dim, 1, self.hidden_units, 1, self.activation,
                      seed), self.scale, self.output)


@dataclasses.dataclass(frozen=True)
class GeneratorConfig(Checked):
    """The generator: transposed convolutions, from a small feature map.

    Attributes:
        base_size: Side of the first feature map.
        channels: Channels of the feature maps; each map after the first doubles
            the side.
        final_stride: Stride of the output layer; 2 doubles the side once more.
        activation: Activation of the hidden layers.
    """
    base_size: PositiveInt = 4
    channels: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (512, 256, 128)
    final_stride: Annotated[int, Interval(ge=1, le=2)] = 2
    activation: Annotated[str, OneOf(ACTIVATIONS)] = "leaky_relu"

    def check(self, shape: tuple[int, ...]) -> None:
        """Raises ValueError if the generator cannot make images of that shape.
        """
        check_image_shape(
            shape, self.base_size, self.channels, self.final_stride)

    def make(self, latent_dim: int, shape: tuple[int, ...], seed: int
             ) -> DeconvGenerator:
        return DeconvGenerator(
            latent_dim, shape, self.base_size, self.channels,
            self.final_stride, self.activation, seed)


@dataclasses.dataclass(frozen=True)
class EncoderConfig(Checked):
    """The encoder: convolutions that output a Gaussian over z.

    Attributes:
        channels: Channels of the feature maps; each map after the first halves
            the side. Empty takes half the channels of the generator, in reverse
            order.
        activation: Activation of every layer.
    """
    channels: tuple[PositiveInt, ...] = (32, 64)
    activation: Annotated[str, OneOf(ACTIVATIONS)] = "leaky_relu"

    def beside(self, generator: GeneratorConfig) -> "EncoderConfig":
        """Returns the configuration with `channels` taken from the generator if
        empty."""
        widths = tuple(max(1, width // 2)
                       for width in reversed(generator.channels))
        return dataclasses.replace(self, channels=self.channels or widths)

    def make(self, latent_dim: int, shape: tuple[int, ...], seed: int,
             has_scale: bool = True) -> ConvEncoder:
        return ConvEncoder(
            latent_dim, shape, self.channels, self.activation, seed, has_scale)


__all__ = ["BANK_ORDERS", "BASES", "KERNELS", "STARTS", "AttributeConfig",
           "BaseConfig", "ChainConfig", "DataSpec", "EncoderConfig",
           "EnergyConfig", "GeneratorConfig", "Recipe", "compiled", "sampler"]
