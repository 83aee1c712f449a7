"""A flow with exact likelihood: RealNVP or Glow, of pictures or of vectors.

x = g(z) with z ~ N(0, I) and g invertible, learned by maximum likelihood:
Dinh et al. 2017, arXiv:1605.08803; Kingma and Dhariwal 2018, arXiv:1807.03039.
A baseline, and what the family `neural_transport` tilts by an energy.
"""

import dataclasses
from typing import Annotated

import keras

from lebm_tf.assembly.components import DataSpec, compiled
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.densities import FlowTransport, StandardNormal
from lebm_tf.kinds import IMAGE, VECTOR
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import AffineCouplings, PictureGlow
from lebm_tf.objectives import Objective
from lebm_tf.ranges import Ge, Interval, OneOf, PositiveFloat, PositiveInt
from lebm_tf.samplers import Draw, FromBase, FromData, ShortRun

NETWORKS = ("realnvp", "glow")


@dataclasses.dataclass(frozen=True)
class FlowConfig(FamilyConfig):
    """A flow whose width is that of the data.

    Attributes:
        network: realnvp (couplings of all numbers, interleaved) or glow
            (convolutions, of pictures).
        num_couplings: Couplings of realnvp.
        hidden_units: Widths of the hidden layers of each of them.
        glow_levels: Levels of glow, each of which halves the sides.
        glow_steps: Steps of each level.
        glow_channels: Width of its convolutions.
        bound: Largest log scale of one coupling.
        pixel_levels: Levels of a pixel, which are dequantized: 256; 17 of
            digits.
        margin: How far pixels are drawn from 0 and 1 before their logit.
        optimizer: Learns the flow.
    """
    network: Annotated[str, OneOf(NETWORKS)] = "realnvp"
    num_couplings: PositiveInt = 12
    hidden_units: tuple[PositiveInt, ...] = (256, 256)
    glow_levels: PositiveInt = 3
    glow_steps: PositiveInt = 8
    glow_channels: PositiveInt = 128
    bound: PositiveFloat = 2.0
    pixel_levels: Annotated[int, Ge(2)] = 256
    margin: Annotated[float, Interval(ge=0, lt=0.5)] = 0.05
    optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-3, beta_1=0.9)

    kinds = (IMAGE, VECTOR)

    def validate(self):
        if self.network != "glow":
            self.leave_out("glow_levels", "glow_steps", "glow_channels",
                           reason="with network=realnvp")
        else:
            self.leave_out("num_couplings", "hidden_units",
                           reason="with network=glow")


Config = FlowConfig
EVALUATORS = ("bits",)


def build(config: FlowConfig, data: DataSpec, *, batch_size: int = 100,
          seed: int = 0, flow: keras.layers.Layer | None = None
          ) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: The family's configuration.
        data: What the data look like.
        batch_size: Examples a step; learning rates decay by epochs.
        seed: Of initial weights and of all draws.
        flow: Layer in place of the built-in network, z -> (f(z), log |det|),
            with `inverse` and `dim`.

    Raises:
        ValueError: If the flow can't have the width of the data.
    """
    transport = make_transport(config, data, rng.named(seed, "flow"), flow)
    base = StandardNormal(transport.latent_dim)
    model = EnergyModel(
        prior=base, likelihood=transport, seed=seed,
        parts={"flow": transport}, objectives={"flow": Objective(
            ("flow",), {"nll": negative_log_density})},
        roles={"positive": FromData(), "inference": inverted(transport),
               "generation": ShortRun(FromBase(base), Langevin(1.0), 0)})
    return compiled(model, {"flow": config.optimizer}, data, batch_size)


def make_transport(config: FlowConfig, data: DataSpec, seed: int,
                   network: keras.layers.Layer | None = None
                   ) -> FlowTransport:
    """The flow, with weights as drawn.

    Args:
        config: Its sizes.
        data: What the data look like.
        seed: Of initial weights.
        network: In place of the built-in one.
    """
    if network is None and config.network == "glow":
        network = PictureGlow(
            data.shape, config.glow_levels, config.glow_steps,
            config.glow_channels, config.bound, seed)
    elif network is None:
        network = AffineCouplings(
            _width(data), config.num_couplings, config.hidden_units,
            config.bound, seed)
    levels = config.pixel_levels if data.kind == IMAGE else 0
    return FlowTransport(network, data.shape, levels, config.margin)


def inverted(transport) -> FromData:
    """z of every observation of a batch, by the inverse of a transport."""
    def make(batch, seed):
        z = transport.inverse(batch["x"], seed)
        return Draw(z, initial_state(z))
    return FromData(make)


def negative_log_density(model, draws):
    """mean over the batch of -log q(x), in nats, of x dequantized."""
    return -draws.mean(model.likelihood.log_density(
        draws.batch["x"], rng.stream(draws.seed, "dequantization")))


def _width(data):
    width = 1
    for size in data.shape:
        width *= size
    return width
