"""A normalizing flow with exact likelihood: RealNVP or Glow, for images or
vectors.

x = g(z) with z ~ N(0, I) and g invertible, trained by maximum likelihood: Dinh
et al. 2017, arXiv:1605.08803; Kingma and Dhariwal 2018, arXiv:1807.03039. It is
a baseline, and the transport of the family `neural_transport`.
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
    """A flow on the data space.

    Attributes:
        network: realnvp (coupling layers on interleaved halves) or glow
            (convolutional, for images).
        num_couplings: Number of coupling layers of realnvp.
        hidden_units: Widths of the hidden layers of each coupling network.
        glow_levels: Levels of glow; each halves the sides.
        glow_steps: Steps per level.
        glow_channels: Channels of its convolutions.
        bound: Maximum log scale of one coupling.
        pixel_levels: Number of pixel values, for dequantization: 256; 17 for
            digits.
        margin: Distance that pixels keep from 0 and 1 before their logit.
        optimizer: Optimizer of the flow.
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
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all draws.
        flow: Layer that replaces the built-in network, z -> (f(z), log |det|),
            with `inverse` and `dim`.

    Raises:
        ValueError: If the flow cannot have the dimension of the data.
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
    """Builds the flow with initial weights.

    Args:
        config: Configuration of the flow.
        data: Specification of the data.
        seed: Seed of initial weights.
        network: Layer that replaces the built-in one.
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
    """Returns an initializer of z = g^-1(x) for every observation x of a batch.
    """
    def make(batch, seed):
        z = transport.inverse(batch["x"], seed)
        return Draw(z, initial_state(z))
    return FromData(make)


def negative_log_density(model, draws):
    """Mean over the batch of -log q(x), in nats, of dequantized x."""
    return -draws.mean(model.likelihood.log_density(
        draws.batch["x"], rng.stream(draws.seed, "dequantization")))


def _width(data):
    width = 1
    for size in data.shape:
        width *= size
    return width
