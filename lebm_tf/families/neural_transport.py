"""An energy on the output of a flow, or of a generator with noise.

p(x) = exp(-E(x)) q(x) / Z with q the distribution of x = g(z), z ~ N(0, I). The
latents have the density exp(-E(g(z))) N(z; 0, I) / Z with the same Z, and
chains mix in z where chains in x never leave their mode: Nijkamp et al. 2022,
arXiv:2006.06897 (ICLR 2022), of which there is no released code. The transport
g comes from another run (--backbone). It stays fixed or, with refit, is trained
on the samples of the model (Xie et al. 2022, "A tale of two flows").
"""

import dataclasses
from typing import Annotated, ClassVar

import keras

from lebm_tf.assembly import starts
from lebm_tf.assembly.components import (
    KERNELS, ChainConfig, DataSpec, EnergyConfig, compiled)
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.probes import Probe, zeros
from lebm_tf.densities import (
    Encoder, EnergyPrior, GeneratorTransport, StandardNormal, Transport,
    TransportedEnergy)
from lebm_tf.families.flow import inverted
from lebm_tf.kinds import IMAGE, VECTOR
from lebm_tf.mcmc import Alternating, CrankNicolson, Independence, Kernel, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import ConvEnergy, initializers
from lebm_tf.networks.activations import ACTIVATIONS
from lebm_tf.objectives import (
    Objective, Term, energy_contrast, energy_magnitude)
from lebm_tf.ranges import (
    Checked, Interval, NonNegativeFloat, NonNegativeInt, OneOf, PositiveFloat,
    PositiveInt)
from lebm_tf.samplers import ShortRun, StepSizeAdaptation

TRANSPORTS = ("flow", "generator")
GRADIENT_FREE = ("pcn", "independence")


@dataclasses.dataclass(frozen=True)
class TransportChainConfig(ChainConfig):
    """Chains in latents that are close to N(0, I).

    Attributes:
        kernel: langevin (biased), mala, hmc or nuts; or, without gradients, pcn
            (preconditioned Crank-Nicolson, step_size in (0, 1]) or independence
            (proposals from N(0, I)).
        pcn_every: Every pcn_every-th move is one of pcn; 0 for none.
        pcn_step_size: Step size of those moves.
        adapt: Whether training adapts the step size to the acceptance rate, and
            keeps it from step to step.
    """
    num_steps: NonNegativeInt = 30
    step_size: PositiveFloat = 0.2
    kernel: Annotated[str, OneOf((*KERNELS, "pcn"))] = "hmc"
    pcn_every: NonNegativeInt = 0
    pcn_step_size: Annotated[float, Interval(gt=0, le=1)] = 0.6
    adapt: bool = True

    def validate(self):
        super().validate()
        if self.kernel in GRADIENT_FREE:
            self.leave_out("pcn_every", "num_adaptation_steps", reason=(
                f"with kernel={self.kernel}"))
        if self.pcn_every == 1:
            raise ValueError("pcn_every must be 0 or >= 2, got 1; for pcn "
                             "moves only, use kernel=pcn.")
        if self.pcn_every and self.num_adaptation_steps:
            raise ValueError("num_adaptation_steps must be 0 with pcn_every, "
                             f"got {self.num_adaptation_steps}.")
        if not self.pcn_every:
            self.leave_out("pcn_step_size", reason="without pcn_every")

    @property
    def is_adapted(self) -> bool:
        """Whether the step size is adapted to an acceptance rate."""
        return self.adapt and not self.num_adaptation_steps and (
            self.kernel not in ("langevin", "independence"))

    def make_kernel(self, step_sizes: tuple[float, ...] = ()) -> Kernel:
        """Returns the kernel of the chains."""
        if self.kernel == "pcn":
            return CrankNicolson(self.step_size)
        if self.kernel == "independence":
            return Independence()
        kernel = super().make_kernel(step_sizes)
        return kernel if not self.pcn_every else Alternating(
            kernel, CrankNicolson(self.pcn_step_size), self.pcn_every)


@dataclasses.dataclass(frozen=True)
class ConvEnergyConfig(Checked):
    """The energy of images.

    Attributes:
        widths: Channels of the feature maps; each map after the first halves
            the side.
        head_units: Width of the hidden layer.
        activation: Activation of every layer.
    """
    widths: tuple[PositiveInt, ...] = (32, 64)
    head_units: PositiveInt = 128
    activation: Annotated[str, OneOf(ACTIVATIONS)] = "gelu"


@dataclasses.dataclass(frozen=True)
class NeuralTransportConfig(FamilyConfig):
    """An energy of observations, and chains in the latents of a transport.

    Attributes:
        transport: flow, or generator (of a run of the family vae, image or rae,
            with an encoder).
        noise_scale: With transport=generator, the standard deviation of a pixel
            in [-1, 1] given its latent vector.
        latent_dim: With transport=generator, the dimension of its latent
            vector.
        chains: Chains that draw negative states and samples.
        bank_size: Number of chains in the bank of chains_start=bank.
        generation_steps: Steps of the chains that draw samples; 0 takes
            chains_num_steps.
        energy: The energy network of images; starts at 0, so p starts as q.
        dense_energy: The energy network of vectors; starts at 0 as well.
        energy_bound: Largest absolute energy in nats; 0 for no bound.
        energy_penalty: Weight of mean E(z+)^2 + mean E(z-)^2; without it or a
            bound, energies are unconstrained.
        refit: Whether the flow is trained on samples of the model.
        energy_optimizer: Optimizer of the energy.
        flow_optimizer: Optimizer of the flow, with refit.
    """
    transport: Annotated[str, OneOf(TRANSPORTS)] = "flow"
    noise_scale: PositiveFloat = 0.1
    latent_dim: PositiveInt = 16
    chains: TransportChainConfig = TransportChainConfig()
    bank_size: PositiveInt = 10_000
    generation_steps: NonNegativeInt = 0
    energy: ConvEnergyConfig = ConvEnergyConfig()
    dense_energy: EnergyConfig = EnergyConfig(hidden_units=(128, 128))
    energy_bound: NonNegativeFloat = 0.0
    energy_penalty: NonNegativeFloat = 0.0
    refit: bool = False
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-4, beta_1=0.9)
    flow_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-5, beta_1=0.9)

    kinds: ClassVar[tuple[str, ...]] = (IMAGE, VECTOR)

    @property
    def backbones(self) -> tuple[str, ...]:
        """Families allowed for --backbone."""
        return ("flow",) if self.transport == "flow" else (
            "image", "vae", "rae")

    def probes(self, data):
        return {"energy": Probe((zeros(*data.shape),), ((),))}

    def validate(self):
        if self.chains.start == "encoder":
            raise ValueError("chains_start must be base or bank, got "
                             "'encoder': samples have no input observation.")
        if self.chains.start != "bank":
            self.leave_out("bank_size", reason="without chains_start=bank")
        if self.transport == "flow":
            self.leave_out("noise_scale", "latent_dim",
                           reason="with transport=flow")
        elif self.refit:
            raise ValueError("refit must be left out with transport=generator,"
                             " got True.")
        if not self.refit:
            self.leave_out("flow_optimizer", reason="without refit")


Config = NeuralTransportConfig
EVALUATORS = ("bits", "chains")


def build(config: NeuralTransportConfig, data: DataSpec, *,
          batch_size: int = 100, seed: int = 0,
          transport: keras.Model | None = None,
          generator: keras.layers.Layer | None = None,
          encoder: keras.Model | None = None,
          energy: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data.
        batch_size: Examples per step; learning-rate decay counts in epochs.
        seed: Seed of initial weights and all chains.
        transport: A trained `densities.Transport`, with transport=flow.
        generator: A trained generator, with transport=generator.
        encoder: q(z | x) of the generator, an `Encoder`.
        energy: Layer that replaces the built-in energy, x -> [batch].

    Raises:
        ValueError: If the transport is missing or has another shape, or the
            bank is smaller than a batch.
    """
    seeds = rng.seeds(seed)
    transport = _transport(config, data, transport, generator, encoder)
    base = StandardNormal(transport.latent_dim)
    network = energy or _energy(config, data, seeds("energy"))
    prior = EnergyPrior(base, TransportedEnergy(network, transport))
    terms: dict[str, Term] = {"energy": energy_contrast}
    weights = {}
    if config.energy_penalty:
        terms["energy_penalty"] = energy_magnitude
        weights["energy_penalty"] = config.energy_penalty
    parts = {"energy": network}
    objectives = {"energy": Objective(("energy",), terms, weights)}
    configs = {"energy": config.energy_optimizer}
    if config.refit:
        parts["flow"] = transport
        objectives["flow"] = Objective(("flow",), {"refit": refit})
        configs["flow"] = config.flow_optimizer
    where = starts.of_prior(config.chains, base, config.bank_size, batch_size,
                            seeds("bank"))
    kernel, banks = config.chains.make_kernel(), list(where.banks)
    adaptation = StepSizeAdaptation(kernel) if (
        config.chains.is_adapted) else None
    if adaptation is not None:
        banks.append(adaptation)

    def chains(start, num_steps):
        return ShortRun(start, kernel, num_steps, config.chains.jit_compile,
                        adaptation=adaptation)
    model = EnergyModel(
        prior=prior, likelihood=transport, seed=seed, parts=parts,
        objectives=objectives, banks=banks,
        frozen={} if config.refit else {"transport": transport},
        roles={"positive": inverted(transport),
               "negative": chains(where.training, config.chains.num_steps),
               "generation": chains(where.fresh, config.generation_steps
                                    or config.chains.num_steps)})
    return compiled(model, configs, data, batch_size)


def refit(model, draws):
    """Mean of -log q(x-) over samples x- of the model, in nats."""
    return -draws.mean(model.likelihood.log_density_of(
        draws.negative.position))


def _transport(config, data, transport, generator, encoder) -> Transport:
    if config.transport == "flow":
        if not isinstance(transport, Transport):
            raise ValueError("transport=flow needs a --backbone of the family "
                             "flow, got none.")
    else:
        if generator is None or not isinstance(encoder, Encoder):
            raise ValueError(
                "transport=generator needs a --backbone with generator and "
                "encoder, got "
                f"{'no generator' if generator is None else 'no encoder'}.")
        transport = GeneratorTransport(
            generator, encoder, data.shape, config.latent_dim,
            config.noise_scale)
    if tuple(transport.shape) != tuple(data.shape):
        raise ValueError("the transport must have outputs of shape "
                         f"{tuple(data.shape)}, got {transport.shape}.")
    return transport


def _energy(config, data, seed):
    if data.kind == IMAGE:
        return ConvEnergy(data.shape, config.energy.widths,
                          config.energy.head_units, config.energy.activation,
                          config.energy_bound, seed)
    network = config.dense_energy.make(
        data.shape[0], seed, is_flat=True, bound=config.energy_bound)
    initializers.set_to_zero(network.head)
    return network
