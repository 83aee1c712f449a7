"""Networks that are told a level of noise."""

import dataclasses
from typing import Annotated

from lebm_tf.networks import ResidualEnergy, ResidualProposal
from lebm_tf.networks.activations import ACTIVATIONS
from lebm_tf.ranges import Checked, Ge, MinLen, OneOf, PositiveInt


@dataclasses.dataclass(frozen=True)
class LevelEnergyConfig(Checked):
    """The network f of an observation and a time; DRL's for CIFAR-10.

    Attributes:
        channels: Width to which multipliers refer.
        multipliers: Width of the blocks between two halvings of the sides.
        num_blocks: Blocks of each of these widths.
        embedding_dim: Numbers that tell the time, even.
        activation: Between the layers.
        final_activation: Before the sum over the map.
        spectral_norm: Whether kernels are divided by their spectral norm.
        activates_time: Whether what is told of the time passes one more
            activation before it is added, as in CDRL.
        starts_small: Whether blocks begin as the identity, as in DRL; not in
            CDRL.
        has_head_bias: Whether the last layer of the time has a bias, as in
            DRL; not in CDRL.
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
        """The network for observations of that shape."""
        return ResidualEnergy(shape, seed=seed, **dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True)
class ProposalConfig(Checked):
    """The network that proposes where chains start.

    Attributes:
        channels: Width to which multipliers refer.
        multipliers: Width of the blocks between two halvings of the sides, of
            pictures.
        num_blocks: Blocks of each of these widths.
        embedding_dim: Numbers that tell the time, even.
    """
    channels: PositiveInt = 64
    multipliers: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (1, 2, 2, 2)
    num_blocks: PositiveInt = 2
    embedding_dim: Annotated[int, Ge(4)] = 64

    def make(self, shape: tuple[int, ...], seed: int) -> ResidualProposal:
        """The network for observations of that shape."""
        return ResidualProposal(shape, seed=seed, **dataclasses.asdict(self))
