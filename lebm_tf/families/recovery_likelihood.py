"""An energy at every noise level, trained by recovery likelihood.

Diffusion recovery likelihood (DRL, Gao et al. 2021, arXiv:2012.08125) has no
latent vector. log p(x_t) is a network of x_t and the level t, up to a constant.
Given the noisier neighbour x_{t+1}, x_t is nearly Gaussian, so short chains
sample it well, and this conditional density is trained. Samples descend from
N(0, I). With start=proposal it is the cooperative successor (CDRL, Zhu et al.
2024, arXiv:2309.05153): a second network proposes the initial states of the
chains at each level, and learns from their final states.
"""

import dataclasses
import math
from typing import Annotated, Any

import keras
import tensorflow as tf

from lebm_tf import kinds
from lebm_tf.assembly.components import DataSpec, compiled
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.assembly.level_networks import LevelEnergyConfig, ProposalConfig
from lebm_tf.assembly.probes import Probe, zeros
from lebm_tf.densities import (
    LadderTarget, LevelPrior, LevelProposal, NoiseLevels)
from lebm_tf.densities.neighbours import draw_neighbours, rows
from lebm_tf.densities.noise_levels import angles
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.mcmc.kernel import initial_state, value_and_gradient
from lebm_tf.models import EnergyModel, OptimizerConfig, Role
from lebm_tf.networks import LevelEnergy
from lebm_tf.objectives import (
    LevelContrast, LevelGap, Objective, ProposalTeaching, with_energies)
from lebm_tf.ranges import (
    Mark, NonNegativeFloat, NonNegativeInt, OneOf, PositiveFloat, PositiveInt)
from lebm_tf.samplers import (
    Draw, FromData, FromNoise, FromRole, Initializer, Ladder, Proposed,
    ShortRun, compilation)

SCHEDULES = ("betas", "angles", "given")
STARTS = ("neighbour", "proposal")
DENOISING = ("none", "exact", "published")
_MOST_LOGGED = 10  # Maximum number of levels logged separately.


@dataclasses.dataclass(frozen=True)
class RecoveryLikelihoodConfig(FamilyConfig):
    """Defaults of DRL for CIFAR-10, official config.py and README.

    Attributes:
        schedule: betas (as published), angles (as in CDRL) or given.
        num_levels: Number of noise levels T, besides N(0, I) above them; not
            used with schedule=given.
        noise_scales: s_0, ..., s_T of schedule=given, increasing, each in (0,
            1].
        log_ratio_max: log(signal^2 / noise^2) of the lowest noise level, with
            schedule=angles, which also gives networks angles in place of
            levels.
        log_ratio_min: log(signal^2 / noise^2) of the highest noise level.
        num_steps: Steps of the chains at each level.
        step_factor: Factor c of the squared step size c s_{t+1}^2 S_t / S_0 at
            level t, where S_t is the total noise scale of x_t.
        steps_grow: Whether the squared step grows with S_t; otherwise S_t is
            replaced by 1 there, as in CDRL's toy example.
        noise_scale: Factor on the noise of chains in training.
        generation_noise_scale: The same for chains that draw samples; 0.99 in
            the published figures of DRL.
        generation_steps: Steps at each level when sampling; 0 takes num_steps.
        start: Initial states: neighbour (as in DRL) or proposal (as in CDRL).
        shares_noise: Whether an observation and its noisier neighbour share
            their noise, as in CDRL.
        denoising: Final step of samples from level 0 to no noise, by the score
            of the energy: none, exact, or published (as in CDRL, which takes
            twice the score).
        flips: Whether images are randomly flipped left to right.
        jit_compile: Whether XLA compiles the chains of training: on, off or
            auto.
        energy: The energy network.
        proposal: The proposal network, of start=proposal.
        energy_optimizer: Optimizer of the energy.
        proposal_optimizer: Optimizer of the proposal.
    """
    schedule: Annotated[str, OneOf(SCHEDULES)] = "betas"
    num_levels: PositiveInt = 6
    noise_scales: tuple[float, ...] = ()
    log_ratio_max: float = 9.8
    log_ratio_min: float = -5.1
    num_steps: PositiveInt = 30
    step_factor: PositiveFloat = 2e-4
    steps_grow: bool = True
    noise_scale: NonNegativeFloat = 1.0
    generation_noise_scale: NonNegativeFloat = 1.0
    generation_steps: NonNegativeInt = 0
    start: Annotated[str, OneOf(STARTS)] = "neighbour"
    shares_noise: bool = False
    denoising: Annotated[str, OneOf(DENOISING)] = "none"
    flips: bool = False
    jit_compile: Annotated[str, OneOf(compilation.SETTINGS),
                           Mark.MAY_CHANGE] = "auto"
    energy: LevelEnergyConfig = LevelEnergyConfig()
    proposal: ProposalConfig = ProposalConfig()
    energy_optimizer: OptimizerConfig = OptimizerConfig(
        beta_1=0.9, epsilon=1e-7, warmup_steps=1000, warmup_offset=0,
        average_decay=0.999)
    proposal_optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-5, beta_1=0.9, clip_norm=1.0, warmup_steps=10_000,
        warmup_offset=500, average_decay=0.9999, average_warmup=True)

    kinds = (kinds.IMAGE, kinds.VECTOR)

    def probes(self, data):
        x, time = zeros(*data.shape), zeros()
        return {"energy": Probe((x, time), ((),)),
                "proposal": Probe((x, time), (data.shape,))}

    def validate(self):
        if self.schedule != "angles":
            self.leave_out("log_ratio_max", "log_ratio_min",
                           reason="without schedule=angles")
        if self.schedule == "given":
            self.leave_out("num_levels", reason="with schedule=given")
        else:
            self.leave_out("noise_scales", reason="without schedule=given")
        if self.start != "proposal":
            self.leave_out("proposal", "proposal_optimizer",
                           reason="without start=proposal")
        self.levels()

    def levels(self) -> NoiseLevels:
        """The noise levels.

        Raises:
            ValueError: If they are invalid.
        """
        if self.schedule == "betas":
            return NoiseLevels.published(self.num_levels)
        if self.schedule == "given":
            return NoiseLevels(self.noise_scales)
        return NoiseLevels.by_angles(
            self.num_levels, self.log_ratio_min, self.log_ratio_max)

    def times(self) -> tuple[float, ...]:
        """Time values of x_0, ..., x_T for the networks."""
        if self.schedule != "angles":
            return tuple(map(float, range(self.levels().num_levels + 1)))
        return tuple((angles(
            self.num_levels, self.log_ratio_min, self.log_ratio_max)
            * 2000.0 / math.pi).tolist())


Config = RecoveryLikelihoodConfig
EVALUATORS = ("pictures", "frechet")


def build(config: RecoveryLikelihoodConfig, data: DataSpec, *,
          batch_size: int = 256, seed: int = 0,
          energy: keras.layers.Layer | None = None,
          proposal: keras.layers.Layer | None = None) -> EnergyModel:
    """Assembles and compiles the model.

    Args:
        config: Configuration of the family.
        data: Specification of the data: images or vectors.
        batch_size: Examples per step.
        seed: Seed of initial weights and all chains.
        energy: Layer that replaces the built-in f, (y, time) -> [batch].
        proposal: Layer that replaces the built-in proposal, (x, time) -> same
            shape as x; used with start=proposal.

    Raises:
        ValueError: If a network does not fit the shape of the data.
    """
    seeds, levels, times = rng.seeds(seed), config.levels(), config.times()
    step_sizes = levels.step_sizes(config.step_factor, config.steps_grow)
    prior = LevelPrior(LevelEnergy(
        energy or config.energy.make(data.shape, seeds("energy")),
        times[:-1], levels.model_factors[1]), levels.scales, step_sizes)
    parts = {"energy": prior.energy_network}
    objectives = {"energy": _contrast(levels)}
    configs = {"energy": config.energy_optimizer}
    first: Initializer = FromRole("positive", at_start=True)
    further: dict[str, Any] = {}
    if config.start == "proposal":
        guess = LevelProposal(
            proposal or config.proposal.make(data.shape, seeds("proposal")),
            times[1:], levels.proposal_scales)

        def propose(level, above, seed):
            return guess.sample(above, level, seed)
        first, further = Proposed("positive", propose), {"propose": propose}
        parts["proposal"] = guess
        objectives["proposal"] = Objective(
            ("proposal",), {"proposal": ProposalTeaching(guess)})
        configs["proposal"] = config.proposal_optimizer
    if config.denoising != "none":
        further["finish"] = denoising(
            prior, 2.0 if config.denoising == "published" else 1.0)

    def beside_data(model, draws):
        data = draws.states["positive"]
        return prior.at_level(data.condition, data.start)

    def down(model, draws):
        return LadderTarget(lambda level, above: prior.at_level(
            tf.fill(tf.shape(above)[:1], level), above))

    def descend(level, position):
        return position / rows(levels.model_factors[1:], level, position)
    model = EnergyModel(
        prior=prior, seed=seed, parts=parts, objectives=objectives, roles={
            "positive": FromData(_neighbours(config, levels)),
            "negative": Role(ShortRun(
                first, Langevin(1.0, config.noise_scale), config.num_steps,
                config.jit_compile, step_size=lambda draws: tf.gather(
                    step_sizes, draws.states["positive"].condition)),
                beside_data),
            "generation": Role(Ladder(
                FromNoise(data.shape), Langevin(
                    1.0, config.generation_noise_scale),
                config.generation_steps or config.num_steps, step_sizes,
                descend, **further), down)})
    return compiled(model, configs, data, batch_size)


def _contrast(levels: NoiseLevels) -> Objective:
    """Objective of the energy, with the contribution of each level."""
    gaps = {f"gap_{t}": LevelGap(t) for t in range(
        min(levels.num_levels, _MOST_LOGGED))}
    return Objective(
        ("energy",), {"energy": LevelContrast(levels.weights), **gaps},
        dict.fromkeys(gaps, 0.0), prepare=with_energies)


def _neighbours(config: RecoveryLikelihoodConfig, levels: NoiseLevels):
    """Returns (batch, seed) -> noised states, with their noisier neighbours."""
    def make(batch, seed):
        x = batch["x"]
        if config.flips and x.shape.rank == 4:
            mirrored = rng.uniform(
                tf.shape(x)[:1], rng.stream(seed, "flip")) < 0.5
            x = tf.where(mirrored[:, None, None, None],
                         tf.reverse(x, [2]), x)
        level, y, above = draw_neighbours(
            levels, x, seed, config.shares_noise)
        return Draw(above, initial_state(y), condition=level)
    return make


def denoising(prior: LevelPrior, factor: float):
    """Returns x_0 -> its denoised mean, (x_0 + s_0^2 score) / a_0 (Tweedie's
    formula)."""
    levels = prior.levels

    def finish(x):
        _, score = value_and_gradient(
            lambda x: prior.unnormalized_log_prob(x), x)
        return (x + factor * levels.scales[0]**2 * score) / levels.factors[0]
    return finish
