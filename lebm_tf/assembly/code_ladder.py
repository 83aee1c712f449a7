"""Noise levels over latent codes: their configuration and chains."""

import dataclasses
import functools
from typing import Annotated

import tensorflow as tf

from lebm_tf.densities import Base, LadderPrior, LadderTarget, NoiseLevels
from lebm_tf.mcmc import Langevin
from lebm_tf.models import Role
from lebm_tf.ranges import (
    Checked, Ge, NonNegativeFloat, NonNegativeInt, OneOf, PositiveFloat,
    PositiveInt)
from lebm_tf.samplers import (
    Diffused, FromBase, FromRole, Ladder, LowestNoise, Sampler, ShortRun,
    compilation)


@dataclasses.dataclass(frozen=True)
class NoiseLadderConfig(Checked):
    """Noise levels, and the chains at each level.

    Attributes:
        num_levels: Number of levels T, at least 2, with the scales of
            `NoiseLevels.published`.
        noise_scales: Noise scales in place of num_levels: T + 1 increasing
            standard deviations in (0, 1], one for the noise that each level
            adds.
        num_steps: Steps at each level.
        step_factor: Factor on the squared step sizes, see
            `NoiseLevels.step_sizes`.
        noise_scale: Factor on the noise of the moves.
        jit_compile: Whether XLA compiles the chains of training, as in
            `ChainConfig`.
    """
    num_levels: Annotated[int, Ge(2)] = 6
    noise_scales: tuple[float, ...] = ()
    num_steps: PositiveInt = 50
    step_factor: PositiveFloat = 2e-3
    noise_scale: NonNegativeFloat = 1.0
    jit_compile: Annotated[str, OneOf(compilation.SETTINGS)] = "auto"

    def validate(self):
        if self.noise_scales:
            self.leave_out("num_levels", reason="with noise_scales, which "
                                                "gives their number")
        self.levels  # Raises if they are invalid.

    @property
    def levels(self) -> NoiseLevels:
        """The noise levels."""
        return NoiseLevels(self.noise_scales) if self.noise_scales else (
            NoiseLevels.published(self.num_levels))


@dataclasses.dataclass(frozen=True)
class LogitsConfig(Checked):
    """The network F(z, t), see `networks.LevelLogits`.

    Attributes:
        hidden_dim: Width of the layers, even.
        num_blocks: Number of residual layers.
    """
    hidden_dim: Annotated[int, Ge(4)] = 200
    num_blocks: NonNegativeInt = 12

    def validate(self):
        if self.hidden_dim % 2:
            raise ValueError("hidden_dim must be even, for its sines and "
                             f"cosines of the level, got {self.hidden_dim}.")


def divided(levels: NoiseLevels, level: tf.Tensor, state: tf.Tensor
            ) -> tf.Tensor:
    """Returns z_t from a state b_{t+1} z_t at level t, int32 []: the initial
    state of the chain at the level below."""
    return state / tf.gather(
        tf.constant(levels.model_factors, state.dtype), level + 1)


def ladder_roles(config: NoiseLadderConfig, prior: LadderPrior, base: Base
                 ) -> dict[str, Role | Sampler]:
    """Roles of noised codes, of chains at their levels, and of the descent from
    noise.

    Args:
        config: The noise levels and chains.
        prior: Energies of all levels.
        base: N(0, I), where samples start.
    """
    levels, kernel = prior.levels, Langevin(1.0, config.noise_scale)

    def beside(model, draws):
        noised = draws.states["diffused"]
        return prior.at_level(noised.condition["level"], noised.start)

    def step_size(draws):
        noised = draws.states["diffused"]
        return prior.step_sizes(noised.condition["level"], noised.start.dtype)

    def down(model, draws):
        symbol = draws.batch.get("condition")
        return LadderTarget(lambda level, above: prior.at_level(
            tf.fill(tf.shape(above)[:1], level), above, symbol))
    return {
        "diffused": Diffused(levels), "lowest": LowestNoise(levels),
        "negative": Role(ShortRun(
            FromRole("diffused", at_start=True), kernel, config.num_steps,
            config.jit_compile, step_size), beside),
        "generation": Role(Ladder(
            FromBase(base), kernel, config.num_steps,
            levels.step_sizes(config.step_factor),
            functools.partial(divided, levels)), down)}
