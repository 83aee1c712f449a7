"""Three layers of latents under one energy over all of them.

p(z) = exp(-E(z1, z2, z3)) p(z1 | z2) p(z2 | z3) N(z3; 0, I) / Z, and
x = g(z1) + noise. Every layer has a step size of its own. Cui et al. 2023 in
the manner of ICCV: the energy sees the layers side by side.
"""

import dataclasses

import keras
import tensorflow as tf

from lebm_tf.densities import EnergyPrior, GaussianLikelihood, TopDownGaussian
from lebm_tf.families import DataSpec
from lebm_tf.families.components import compiled
from lebm_tf.mcmc import Langevin
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import DeconvGenerator, EnergyMLP, FirstLayer, VectorMLP
from lebm_tf.objectives import (
    Objective, negative_log_likelihood, prior_contrast)
from lebm_tf.samplers import FromBase, ShortRun


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class SideBySide(keras.layers.Layer):
    """E([z1, ..., zL]), [batch]."""

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network, self.built = network, True

    def call(self, z):
        return self.network(tf.concat(tf.nest.flatten(z), -1))


@dataclasses.dataclass(frozen=True)
class ThreeLayersConfig:
    latent_dims: tuple = (4, 3, 2)
    prior_step_sizes: tuple = (0.4, 0.3, 0.2)
    posterior_step_sizes: tuple = (0.1, 0.15, 0.2)
    optimizer: OptimizerConfig = OptimizerConfig(1e-3)


Config = ThreeLayersConfig


def build(config: ThreeLayersConfig, data: DataSpec, *, batch_size: int = 4,
          seed: int = 0) -> EnergyModel:
    """Assembles and compiles the model."""
    widths = config.latent_dims
    base = TopDownGaussian(
        [VectorMLP(above, below, (5,), num_outputs=2, seed=seed + i)
         for i, (below, above) in enumerate(zip(widths, widths[1:]))],
        widths[-1])
    prior = EnergyPrior(base, SideBySide(EnergyMLP(
        sum(widths), (6,), seed=seed + 5)))
    likelihood = GaussianLikelihood(FirstLayer(DeconvGenerator(
        widths[0], data.shape, 4, (4,), seed=seed + 6)), 0.3)
    start = FromBase(base)
    model = EnergyModel(
        prior=prior, likelihood=likelihood, seed=seed,
        parts={"energy": prior.energy_network, "base": base,
               "generator": likelihood},
        objectives={
            "prior": Objective(("energy", "base"), {"prior": prior_contrast}),
            "generator": Objective(
                ("generator",), {"generator": negative_log_likelihood})},
        roles={"positive": ShortRun(start, Langevin(
                   config.posterior_step_sizes), 2),
               "negative": ShortRun(start, Langevin(
                   config.prior_step_sizes), 3)})
    return compiled(model, dict.fromkeys(model.parts, config.optimizer), data,
                    batch_size)
