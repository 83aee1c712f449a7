"""A multi-layer family, to prove that one fits without its own train step.

p(z1, z2) = exp(-E1(z1) - E2(z2)) p(z1 | z2) N(z2; 0, t^2) / Z with a Gaussian
p(z1 | z2), and x = g(z1) + noise. Cui et al. 2023, arXiv:2306.06323, joint
training. Both layers move in one chain, which starts from N(0, I) for each.
"""

import dataclasses

import keras
import tensorflow as tf

from lebm_tf.densities import EnergyPrior, GaussianLikelihood, log_normal
from lebm_tf.families import DataSpec
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import DeconvGenerator, EnergyMLP, activations
from lebm_tf.networks.initializers import dense
from lebm_tf.objectives import (
    Objective, energy_contrast, negative_log_likelihood, prior_contrast)
from lebm_tf.samplers import ShortRun


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class TopDownGaussian(keras.Model):
    """p(z1 | z2) N(z2; 0, t^2): the scale of z1 is exp(h(z2)) + floor.

    Args:
        latent_dims: Widths of z1 and z2.
        hidden_units: Widths of the network from z2 to (mean, h).
        top_scale: Standard deviation t of z2; the authors' code has 1.01.
        scale_floor: Least standard deviation of z1.
        seed: Seed of the first weights.
    """

    def __init__(self, latent_dims, hidden_units, top_scale=1.0,
                 scale_floor=0.01, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.latent_dims, self.hidden_units = latent_dims, hidden_units
        self.top_scale, self.scale_floor = top_scale, scale_floor
        self.seed = seed
        widths = (latent_dims[1], *hidden_units, 2 * latent_dims[0])
        self.stack = [
            dense(units, fan_in, seed, f"dense_{i}", dtype=self.dtype_policy)
            for i, (fan_in, units) in enumerate(zip(widths, widths[1:]))]
        for layer, fan_in in zip(self.stack, widths):
            layer.build((None, fan_in))
        self.built = True

    def parameters(self, z2):
        """(mean, scale) of z1, each [batch, latent_dims[0]]."""
        for layer in self.stack[:-1]:
            z2 = activations.leaky_relu(layer(z2))
        mean, log_scale = tf.split(self.stack[-1](z2), 2, axis=-1)
        return mean, tf.exp(log_scale) + self.scale_floor

    def sample(self, num_samples, seed):
        z2 = self.top_scale * rng.normal(
            [num_samples, self.latent_dims[1]], rng.stream(seed, "z2"),
            self.variable_dtype)
        mean, scale = self.parameters(z2)
        return mean + scale * rng.normal_like(
            mean, rng.stream(seed, "z1")), z2

    def log_prob_of_layers(self, z):
        """(log p(z1 | z2), log p(z2)), each [batch]."""
        mean, scale = self.parameters(z[1])
        return (log_normal(z[0], mean, tf.math.log(scale)),
                log_normal(z[1], 0.0, tf.math.log(
                    tf.constant(self.top_scale, z[1].dtype))))

    def log_prob(self, z):
        return tf.add_n(self.log_prob_of_layers(z))

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for name
                in ("latent_dims", "hidden_units", "top_scale",
                    "scale_floor", "seed")}}


class LayerEnergies(keras.layers.Layer):
    """E1(z1) + E2(z2), [batch]."""

    def __init__(self, first, second, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second, self.built = first, second, True

    def call(self, z):
        return self.first(z[0]) + self.second(z[1])


class FirstLayer(keras.layers.Layer):
    """g(z1), whatever the layers above."""

    def __init__(self, generator, **kwargs):
        super().__init__(**kwargs)
        self.generator, self.built = generator, True

    def call(self, z):
        return self.generator(z[0])


@dataclasses.dataclass(frozen=True)
class IndependentStart:
    """Every layer from its own N(0, I), as in the authors' code."""
    latent_dims: tuple

    def start(self, num_chains, batch, seed):
        return tuple(
            rng.normal([num_chains, width], rng.fold_in(seed, i),
                       keras.config.floatx())
            for i, width in enumerate(self.latent_dims))

    def update(self, batch, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class TwoLayerConfig:
    latent_dims: tuple = (3, 2)
    energy_units: tuple = ((5,), (4,))
    base_units: tuple = (5,)
    top_scale: float = 1.0
    base_size: int = 4
    channels: tuple = (4,)
    final_stride: int = 2
    scale: float = 0.3
    prior_steps: int = 3
    posterior_steps: int = 2
    energy_optimizer: OptimizerConfig = OptimizerConfig(2e-5, beta_1=0.9)
    generator_optimizer: OptimizerConfig = OptimizerConfig(1e-4, beta_1=0.9)


Config = TwoLayerConfig


def build(config: TwoLayerConfig, data: DataSpec, *, batch_size: int = 4,
          seed: int = 0) -> EnergyModel:
    """Assembles and compiles the model."""
    energies = [EnergyMLP(width, units, "leaky_relu", seed + i)
                for i, (width, units) in enumerate(zip(
                    config.latent_dims, config.energy_units))]
    base = TopDownGaussian(config.latent_dims, config.base_units,
                           config.top_scale, seed=seed + 2)
    likelihood = GaussianLikelihood(FirstLayer(DeconvGenerator(
        config.latent_dims[0], data.shape, config.base_size, config.channels,
        config.final_stride, seed=seed + 3)), config.scale)
    start = IndependentStart(config.latent_dims)
    model = EnergyModel(
        prior=EnergyPrior(base, LayerEnergies(*energies)),
        likelihood=likelihood, seed=seed,
        parts={"energy_1": energies[0], "energy_2": energies[1],
               "base": base, "generator": likelihood},
        objectives={
            "energy": Objective(
                ("energy_1", "energy_2"), {"energy": energy_contrast}),
            "base": Objective(("base",), {"base": prior_contrast}),
            "generator": Objective(
                ("generator",), {"generator": negative_log_likelihood})},
        positive=ShortRun(start, Langevin(0.1), config.posterior_steps),
        negative=ShortRun(start, Langevin(0.4), config.prior_steps))
    steps = data.num_train // batch_size
    model.compile({
        "energy_1": config.energy_optimizer.make(steps),
        "energy_2": config.energy_optimizer.make(steps),
        "base": config.generator_optimizer.make(steps),
        "generator": config.generator_optimizer.make(steps)})
    return model
