"""Configurations of networks that depend on the noise level."""

import dataclasses
from typing import Annotated

from lebm_tf.networks import ResidualEnergy, ResidualProposal
from lebm_tf.networks.activations import ACTIVATIONS
from lebm_tf.ranges import Checked, Ge, MinLen, OneOf, PositiveInt


@dataclasses.dataclass(frozen=True)
class LevelEnergyConfig(Checked):
    """The network f(x, t); defaults of DRL for CIFAR-10.

    Attributes:
        channels: Base width, which multipliers refer to.
        multipliers: Relative width of the blocks at each resolution.
        num_blocks: Residual blocks per resolution.
        embedding_dim: Width of the time embedding, even.
        activation: Activation of the layers.
        final_activation: Activation before the sum over the feature map.
        spectral_norm: Whether kernels are divided by their spectral norm.
        activates_time: Whether the time embedding passes one more activation
            before it is added, as in CDRL.
        starts_small: Whether blocks start as the identity, as in DRL but not in
            CDRL.
        has_head_bias: Whether the last layer of the time embedding has a bias,
            as in DRL but not in CDRL.
    """
    channels: PositiveInt = 128
    multipliers: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (1, 2, 2, 2)
    num_blocks: PositiveInt = 8
    embedding_dim: Annotated[int, Ge(4)] = 128
    activation: Annotated[str, OneOf(ACTIVATIONS)] = "leaky_relu"
    final_activation: Annotated[str, OneOf(ACTIVATIONS)] = "relu"
    spectral_norm: bool = True
    activates_time: bool = False
    starts_small: bool = True
    has_head_bias: bool = True

    def make(self, shape: tuple[int, ...], seed: int) -> ResidualEnergy:
        """Builds the network for observations of that shape."""
        return ResidualEnergy(shape, seed=seed, **dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True)
class ProposalConfig(Checked):
    """The network that proposes initial states of chains.

    Attributes:
        channels: Base width, which multipliers refer to.
        multipliers: Relative width of the blocks at each resolution of images.
        num_blocks: Residual blocks per resolution.
        embedding_dim: Width of the time embedding, even.
    """
    channels: PositiveInt = 64
    multipliers: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (1, 2, 2, 2)
    num_blocks: PositiveInt = 2
    embedding_dim: Annotated[int, Ge(4)] = 64

    def make(self, shape: tuple[int, ...], seed: int) -> ResidualProposal:
        """Builds the network for observations of that shape."""
        return ResidualProposal(shape, seed=seed, **dataclasses.asdict(self))
