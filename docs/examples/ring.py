"""A plugin: a data set, an evaluator, a density, an energy and a family.

    cd docs/examples
    python -m lebm_tf.train --plugins=ring --family=ring --dataset=ring \
        --train_steps=2000 --evaluators=ring --workdir=runs/ring

Every command that reads the run takes --plugins=ring as well.
"""

import dataclasses
import math
import types

import keras
import numpy as np
import tensorflow as tf

from lebm_tf import kinds
from lebm_tf.assembly.components import ChainConfig, compiled, sampler
from lebm_tf.assembly.config import FamilyConfig
from lebm_tf.datasets import VectorData
from lebm_tf.datasets.loading import LOADERS, Loader
from lebm_tf.densities import EnergyPrior, Likelihood, StandardNormal
from lebm_tf.densities.nested import Nested
from lebm_tf.evaluation import EVALUATORS
from lebm_tf.evaluation.evaluator import Better, Evaluator
from lebm_tf.families import FAMILIES
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import VectorMLP
from lebm_tf.objectives import (
    Objective, energy_contrast, negative_log_likelihood)
from lebm_tf.ranges import PositiveFloat, PositiveInt
from lebm_tf.samplers import FromBase


def load_ring(config):
    """Points about a circle; the last tenth is held out."""
    random = np.random.default_rng(0)
    angle = random.uniform(0, 2 * np.pi, 2_000)
    x = np.stack([np.cos(angle), np.sin(angle)], -1) + random.normal(
        scale=0.05, size=[2_000, 2])
    x = x.astype(np.float32)
    return VectorData(config.dataset, x[:1_800], x[1_800:])


LOADERS["ring"] = Loader(kinds.VECTOR, load_ring)


@dataclasses.dataclass(frozen=True)
class RingEvaluator(Evaluator):
    """How round samples are.

    Attributes:
        num_samples: How many.
    """
    num_samples: PositiveInt = 200

    name = "ring"
    kinds = (kinds.VECTOR,)
    metrics = {"ring/radius_error": Better.LOWER}

    def __call__(self, model, context):
        """The mean of |1 - |x||."""
        x = model.sample(self.num_samples, context.config.seed).x
        yield "ring/radius_error", float(np.mean(np.abs(
            1 - np.linalg.norm(x, axis=-1))))


EVALUATORS["ring"] = RingEvaluator()


@keras.saving.register_keras_serializable(package="ring")
class Quartic(keras.layers.Layer):
    """E(z) = a |z|^4, with a learned."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.factor = self.add_weight(
            name="factor", shape=(), initializer="zeros")
        self.built = True

    def call(self, z):
        return self.factor * tf.square(tf.reduce_sum(tf.square(z), -1))


@keras.saving.register_keras_serializable(package="ring")
class Laplace(Nested, Likelihood, keras.Model):
    """p(x | z), each number Laplace about g(z): heavier tails than a Gaussian.

    Args:
        generator: Layer g, z -> [batch, width].
        scale: Mean of |x - g(z)|, > 0.
    """

    has_mean = True

    def __init__(self, generator, scale, **kwargs):
        super().__init__(**kwargs)
        self.generator, self.scale, self.built = generator, scale, True

    def mean(self, z, *, condition=None):
        """g(z), float [batch, width]."""
        return self.generator(z)

    def log_prob(self, x, z, *, condition=None, seed=None):
        error = tf.abs(x - self.mean(z)) / self.scale
        return -tf.reduce_sum(error + math.log(2.0 * self.scale), -1)

    def decode(self, z, seed, *, condition=None):
        return self.mean(z)

    def read(self, x):
        return tf.cast(x, keras.config.floatx())

    def call(self, z):
        return self.mean(z)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "generator":
                keras.saving.serialize_keras_object(self.generator)}


@dataclasses.dataclass(frozen=True)
class RingConfig(FamilyConfig):
    """A quartic energy under a small generator.

    Attributes:
        latent_dim: Width of z.
        scale: Mean distance of a number of x from its mean.
        hidden_units: Widths of the generator's hidden layers.
        chains: Both kinds of chains.
        optimizer: Learns all.
    """
    latent_dim: PositiveInt = 2
    scale: PositiveFloat = 0.1
    hidden_units: tuple[PositiveInt, ...] = (32,)
    chains: ChainConfig = ChainConfig(num_steps=20, step_size=0.1)
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3)


def build(config, data, *, batch_size=100, seed=0, energy=None):
    """Assembles and compiles the model."""
    base = StandardNormal(config.latent_dim)
    prior = EnergyPrior(base, energy or Quartic())
    likelihood = Laplace(VectorMLP(
        config.latent_dim, data.shape[0], config.hidden_units, seed=seed),
        config.scale)
    chains = sampler(config.chains, FromBase(base))
    model = EnergyModel(
        prior=prior, likelihood=likelihood, seed=seed,
        parts={"energy": prior.energy_network, "generator": likelihood},
        objectives={
            "energy": Objective(("energy",), {"energy": energy_contrast}),
            "generator": Objective(
                ("generator",), {"generator": negative_log_likelihood})},
        roles={"positive": chains, "negative": chains})
    return compiled(model, dict.fromkeys(model.parts, config.optimizer), data,
                    batch_size)


# What a family owes: a configuration, what to measure, and how it is built.
FAMILIES["ring"] = types.SimpleNamespace(
    Config=RingConfig, EVALUATORS=("ring",), build=build)
