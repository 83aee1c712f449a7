"""A multi-layer family, to prove that one fits without its own train step.

p(z1, z2) = exp(-E1(z1) - E2(z2)) p(z1 | z2) N(z2; 0, t^2) / Z with a Gaussian
p(z1 | z2), and x = g(z1) + noise. Cui et al. 2023, arXiv:2306.06323, joint
training. Both layers move in one chain, which starts from N(0, I) for each.
"""

import dataclasses

import keras

from lebm_tf.densities import EnergyPrior, GaussianLikelihood, TopDownGaussian
from lebm_tf.families import DataSpec
from lebm_tf.mcmc import Langevin, rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import DeconvGenerator, EnergyMLP, FirstLayer, VectorMLP
from lebm_tf.objectives import (
    Objective, energy_contrast, negative_log_likelihood, prior_contrast)
from lebm_tf.samplers import ShortRun


class LayerEnergies(keras.layers.Layer):
    """E1(z1) + E2(z2), [batch]."""

    def __init__(self, first, second, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second, self.built = first, second, True

    def call(self, z):
        return self.first(z[0]) + self.second(z[1])


@dataclasses.dataclass(frozen=True)
class IndependentStart:
    """Every layer from its own N(0, I), as in the authors' code."""
    latent_dims: tuple

    def start(self, num_chains, draws, seed):
        return tuple(
            rng.normal([num_chains, width], rng.fold_in(seed, i),
                       keras.config.floatx())
            for i, width in enumerate(self.latent_dims))

    def update(self, draws, position, seed):
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
    base = TopDownGaussian(
        [VectorMLP(config.latent_dims[1], config.latent_dims[0],
                   config.base_units, num_outputs=2, seed=seed + 2)],
        config.latent_dims[1], config.top_scale)
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
        roles={"positive": ShortRun(start, Langevin(0.1),
                                    config.posterior_steps),
               "negative": ShortRun(start, Langevin(0.4),
                                    config.prior_steps)})
    steps = data.num_train // batch_size
    model.compile({
        "energy_1": config.energy_optimizer.make(steps),
        "energy_2": config.energy_optimizer.make(steps),
        "base": config.generator_optimizer.make(steps),
        "generator": config.generator_optimizer.make(steps)})
    return model
