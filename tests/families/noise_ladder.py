"""A ladder of four noise levels, without likelihood and without inference.

Diffusion recovery likelihood in the small: an energy E(x, level) of pictures,
whose chains start at a noisier neighbour and are tethered to it, and samples
that come down the ladder from noise. Gao et al. 2021, arXiv:2012.08125.
"""

import dataclasses

import keras
import tensorflow as tf

from lebm_tf.densities import EnergyPrior, Flat, LadderTarget, Target
from lebm_tf.families import DataSpec
from lebm_tf.families.components import compiled
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.models import EnergyModel, OptimizerConfig, Role
from lebm_tf.networks import EnergyMLP
from lebm_tf.objectives import Objective, energy_contrast
from lebm_tf.samplers import Draw, FromData, FromRole, Ladder, ShortRun


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class LevelEnergy(keras.layers.Layer):
    """E(x, level), [batch]; of data, level 0, where none is given."""

    def __init__(self, network, num_levels, **kwargs):
        super().__init__(**kwargs)
        self.network, self.num_levels, self.built = network, num_levels, True

    def call(self, x, level=None):
        rows = tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])
        level = tf.zeros(tf.shape(rows)[:1], tf.int32) if level is None else (
            level)
        return self.network(tf.concat(
            [rows, tf.one_hot(level, self.num_levels, dtype=rows.dtype)], -1))


@dataclasses.dataclass(frozen=True)
class Noise:
    """N(0, I) of the shape of a picture: where the ladder begins."""
    shape: tuple

    def start(self, num_chains, draws, seed):
        return rng.normal([num_chains, *self.shape], seed)

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class NoiseLadderConfig:
    scales: tuple = (0.2, 0.3, 0.5, 0.8)  # Of the noise that level t adds.
    num_steps: int = 3
    step_factor: float = 0.3
    optimizer: OptimizerConfig = OptimizerConfig(1e-3)


Config = NoiseLadderConfig


def neighbours(scales):
    """(batch, seed) -> x at a random level, which starts one level above."""
    def make(batch, seed):
        x = batch["x"]
        level = tf.cast(len(scales) * rng.uniform(
            [tf.shape(x)[0]], rng.stream(seed, "level")), tf.int32)
        above = x
        for t, scale in enumerate(scales):
            noise = scale * rng.normal_like(x, rng.fold_in(seed, t))
            wanted = tf.reshape(level, [-1, 1, 1, 1])
            x = tf.where(t < wanted, x + noise, x)
            above = tf.where(t <= wanted, above + noise, above)
        return Draw(above, initial_state(x), condition=level)
    return make


def recovery(prior, scales, level, above):
    """The energy of a level, tethered to a noisier neighbour."""
    def log_prob(x, rows):
        above, level, scale = rows
        tether = tf.reduce_sum(tf.square(x - above), [1, 2, 3])
        return (prior.unnormalized_log_prob(x, condition=level)
                - 0.5 * tether / tf.square(scale))
    return Target(log_prob, (above, level, tf.gather(scales, level)),
                  condition=level)


def build(config: NoiseLadderConfig, data: DataSpec, *, batch_size: int = 4,
          seed: int = 0) -> EnergyModel:
    """Assembles and compiles the model."""
    num_levels = len(config.scales)
    size = data.shape[0] * data.shape[1] * data.shape[2]
    prior = EnergyPrior(Flat(), LevelEnergy(EnergyMLP(
        size + num_levels, (5,), seed=seed), num_levels))
    steps = tuple(config.step_factor * scale for scale in config.scales)

    def chains(model, draws):
        data = draws.states["positive"]
        return recovery(prior, config.scales, data.condition, data.start)

    def down(model, draws):
        return LadderTarget(lambda level, start: recovery(
            prior, config.scales, tf.fill(tf.shape(start)[:1], level), start))

    def step_size(draws):
        return tf.gather(steps, draws.states["positive"].condition)
    model = EnergyModel(
        prior=prior, seed=seed, parts={"energy": prior.energy_network},
        objectives={
            "energy": Objective(("energy",), {"energy": energy_contrast})},
        roles={
            "positive": FromData(neighbours(config.scales)),
            "negative": Role(ShortRun(
                FromRole("positive", at_start=True), Langevin(0.1),
                config.num_steps, step_size=step_size), chains),
            "generation": Role(Ladder(
                Noise(data.shape), Langevin(0.1), config.num_steps, steps),
                down)})
    return compiled(model, {"energy": config.optimizer}, data, batch_size)
