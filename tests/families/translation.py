"""Two domains of pictures, two energies, two translators.

The chains of each energy start at the translation of the other domain; the
translators learn from where chains end, and from the way back. Cooperative
translation in the small; there is no prior of latents and no likelihood.
"""

import dataclasses

import keras
import tensorflow as tf

from lebm_tf.densities import EnergyPrior, Flat, prior_target
from lebm_tf.families import DataSpec
from lebm_tf.families.components import compiled
from lebm_tf.mcmc import Langevin
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.models import EnergyModel, OptimizerConfig, Role
from lebm_tf.networks import EnergyMLP
from lebm_tf.objectives import EnergyContrast, Objective, OnRoles
from lebm_tf.samplers import Draw, FromData, ShortRun


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class PixelEnergy(keras.layers.Layer):
    """E(x), [batch], of pictures as vectors."""

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network, self.built = network, True

    def call(self, x, condition=None):  # That of the chains' start.
        return self.network(tf.reshape(x, [-1, x.shape[1] * x.shape[2]
                                           * x.shape[3]]))


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class Translator(keras.layers.Layer):
    """tanh(W x + b) of every pixel."""

    def __init__(self, channels, seed, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.seed = channels, seed
        self.kernel = self.add_weight(
            name="kernel", shape=(channels, channels),
            initializer=keras.initializers.RandomNormal(seed=seed))
        self.bias = self.add_weight(
            name="bias", shape=(channels,), initializer="zeros")
        self.built = True

    def call(self, x):
        return tf.tanh(tf.tensordot(x, self.kernel, 1) + self.bias)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels,
                "seed": self.seed}


@dataclasses.dataclass(frozen=True)
class FromTranslator:
    """Starts at the translation of what `source` picks from the batch."""
    translator: Translator
    source: object

    def start(self, num_chains, draws, seed):
        return tf.stop_gradient(self.translator(self.source(draws.batch)))

    def update(self, draws, position, seed):
        pass


@dataclasses.dataclass(frozen=True)
class TranslationConfig:
    num_steps: int = 3
    step_size: float = 0.1
    optimizer: OptimizerConfig = OptimizerConfig(1e-3)


Config = TranslationConfig


def build(config: TranslationConfig, data: DataSpec, *, batch_size: int = 4,
          seed: int = 0) -> EnergyModel:
    """Assembles and compiles the model."""
    size = data.shape[0] * data.shape[1] * data.shape[2]
    other = {"a": "b", "b": "a"}
    # translators["a"] makes a's of b's.
    translators = {name: Translator(data.shape[-1], seed + i)
                   for i, name in enumerate(other)}
    priors = {name: EnergyPrior(Flat(), PixelEnergy(EnergyMLP(
        size, (5,), seed=seed + 4 + i))) for i, name in enumerate(other)}
    roles, parts, objectives = {}, {}, {}
    for name in other:
        def own(batch, seed, name=name):
            return Draw(batch["x"][name], initial_state(batch["x"][name]))

        def climb(model, draws, name=name):
            return prior_target(priors[name])

        def chains(source, name=name):
            return Role(ShortRun(
                FromTranslator(translators[name], source),
                Langevin(config.step_size), config.num_steps),
                climb, prior=priors[name])
        roles[f"data_{name}"] = Role(FromData(own), prior=priors[name])
        roles[f"chains_{name}"] = chains(
            lambda batch, source=other[name]: batch["x"][source])
        if name == "b":  # An a is given as condition.
            roles["generation"] = chains(lambda batch: batch["condition"])

        def teaching(model, draws, name=name):
            made = translators[name](draws.batch["x"][other[name]])
            return draws.mean(tf.reduce_sum(tf.square(
                made - draws.states[f"chains_{name}"].position), [1, 2, 3]))

        def cycle(model, draws, name=name):
            x = draws.batch["x"][name]
            back = translators[name](translators[other[name]](x))
            return draws.mean(tf.reduce_sum(tf.abs(back - x), [1, 2, 3]))
        parts[f"energy_{name}"] = priors[name].energy_network
        parts[f"translator_{name}"] = translators[name]
        objectives[f"energy_{name}"] = Objective((f"energy_{name}",), {
            f"energy_{name}": OnRoles(EnergyContrast(priors[name]), {
                "positive": f"data_{name}", "negative": f"chains_{name}"})})
        objectives[f"translator_{name}"] = Objective(
            (f"translator_{name}",), {f"teaching_{name}": teaching})
        objectives[f"cycle_{name}"] = Objective(
            ("translator_a", "translator_b"), {f"cycle_{name}": cycle},
            {f"cycle_{name}": 0.1})
    model = EnergyModel(parts=parts, objectives=objectives, roles=roles,
                        seed=seed)
    return compiled(model, dict.fromkeys(parts, config.optimizer), data,
                    batch_size)
