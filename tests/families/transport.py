"""An energy of pictures under an invertible base, sampled by HMC in its space.

p(x) = exp(-E(x)) q(x) / Z with q the law of x = f(z), z ~ N(0, I). In z the
target is exp(-E(f(z))) N(z; 0, I), which is easy to walk in. Data are states
of z by the inverse of f. Nijkamp et al. 2022, arXiv:2006.06897.
"""

import dataclasses

import keras
import tensorflow as tf

from lebm_tf.assembly.components import compiled
from lebm_tf.densities import EnergyPrior, Likelihood, StandardNormal
from lebm_tf.families import DataSpec
from lebm_tf.mcmc import Hmc
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import EnergyMLP
from lebm_tf.objectives import Objective, energy_contrast
from lebm_tf.samplers import Draw, FromBase, FromData, ShortRun


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class Affine(Likelihood, keras.Model):
    """x = exp(s) z + m, element by element: an invertible map, as the
    likelihood of a z that tells all of x.

    `explain` gives log |dz / dx|, so that a score is log p(x) + log Z.
    """

    has_mean = has_distance = True

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape_of_x = tuple(shape)
        size = tf.TensorShape(shape).num_elements()
        self.shift, self.log_scale = (self.add_weight(
            name=name, shape=(size,), initializer=initial)
            for name, initial in (("shift", "zeros"), ("log_scale", "zeros")))
        self.built = True

    def mean(self, z, *, condition=None):
        x = tf.exp(self.log_scale) * z + self.shift
        return tf.reshape(tf.tanh(x), [-1, *self.shape_of_x])

    def inverse(self, x):
        """z, [batch, size]; x in [-1, 1] comes from within."""
        flat = tf.reshape(x, [-1, self.shift.shape[0]])
        inner = tf.atanh(0.99 * flat)
        return (inner - self.shift) * tf.exp(-self.log_scale), flat

    def log_determinant(self, x):
        """log |dz / dx|, [batch]."""
        _, flat = self.inverse(x)
        inner = tf.math.log(0.99 / (1.0 - tf.square(0.99 * flat)))
        return tf.reduce_sum(inner - self.log_scale, -1)

    def decode(self, z, seed, *, condition=None):
        return self.mean(z)

    def explain(self, x, z, *, condition=None):
        log_prob = self.log_prob(x, z)
        return log_prob, tf.zeros_like(log_prob)

    def log_prob(self, x, z, *, condition=None, seed=None):
        return self.log_determinant(x)

    def read(self, x):
        return tf.cast(x, keras.config.floatx())

    def call(self, z):
        return self.mean(z)

    def get_config(self):
        return {**super().get_config(), "shape": self.shape_of_x}


@keras.saving.register_keras_serializable(package="lebm_tf_tests")
class Pulled(keras.layers.Layer):
    """E(f(z)), [batch]. The map is not a part of it, so it learns apart."""

    def __init__(self, network, flow, **kwargs):
        super().__init__(**kwargs)
        self.network, self._flow, self.built = network, (flow,), True

    def call(self, z):
        x = self._flow[0].mean(z)
        return self.network(tf.reshape(x, [-1, z.shape[-1]]))


@dataclasses.dataclass(frozen=True)
class TransportConfig:
    step_size: float = 0.2
    optimizer: OptimizerConfig = OptimizerConfig(1e-3)


Config = TransportConfig


def build(config: TransportConfig, data: DataSpec, *, batch_size: int = 4,
          seed: int = 0) -> EnergyModel:
    """Assembles and compiles the model."""
    flow = Affine(data.shape)
    size = flow.shift.shape[0]
    base, energy = StandardNormal(size), EnergyMLP(size, (5,), seed=seed)
    prior = EnergyPrior(base, Pulled(energy, flow))

    def backwards(batch, seed):
        z = tf.stop_gradient(flow.inverse(batch["x"])[0])
        return Draw(z, initial_state(z))

    def fit(model, draws):
        """mean -log q(x), in nats."""
        x = draws.batch["x"]
        return -draws.mean(base.log_prob(flow.inverse(x)[0])
                           + flow.log_determinant(x))
    model = EnergyModel(
        prior=prior, likelihood=flow, seed=seed,
        parts={"energy": energy, "flow": flow},
        objectives={
            "energy": Objective(("energy",), {"energy": energy_contrast}),
            "flow": Objective(("flow",), {"nll": fit})},
        roles={"positive": FromData(backwards),
               "negative": ShortRun(FromBase(base), Hmc(
                   config.step_size, num_leapfrog_steps=2), 2)})
    return compiled(model, dict.fromkeys(model.parts, config.optimizer), data,
                    batch_size)
