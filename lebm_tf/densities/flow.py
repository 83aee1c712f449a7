"""Flows: one that is fitted to codes, and one that learns with a model."""

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.densities.contracts import Base
from lebm_tf.densities.fitted import Fitted
from lebm_tf.densities.gaussian import log_normal
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng

_BATCH = 256
_EVERY = 100  # Steps between two looks at the codes that are held out.


@keras.saving.register_keras_serializable(package="lebm_tf")
class Flow(Nested, Fitted, keras.Model):
    """p(z) of z = c + s f(u), u ~ N(0, I), with f invertible.

    c and s standardize the codes.

    Args:
        network: Layer f, u -> (f(u), log |det|), with an `inverse` of the same
            form and the width of z as `dim`; `networks.AffineCouplings`.
        num_steps: Steps of Adam of a fit, at least 1. A tenth of the codes is
            held out, and the best weights for it are kept.
        learning_rate: Of Adam, > 0; it falls to 0 along a cosine.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, network: keras.layers.Layer, num_steps: int = 2000,
                 learning_rate: float = 2e-3, **kwargs):
        super().__init__(**kwargs)
        if num_steps < 1 or not learning_rate > 0:
            raise ValueError("num_steps must be >= 1 and learning_rate > 0, "
                             f"got {num_steps} and {learning_rate}.")
        self.network, self.latent_dim = network, network.dim
        self.num_steps, self.learning_rate = num_steps, learning_rate
        self.network.trainable = False  # By no optimizer of a model.
        self.center = self._number("center", (network.dim,))
        self.scale = self._number("scale", (network.dim,), "ones")
        self.fitted_step = self._number("fitted_step", (), dtype="int64")
        self.fitted_step.assign(-1)
        self.built = True

    def fit(self, codes: np.ndarray, seed: int, step: int) -> None:
        """Fits center and scale, and the network from new weights."""
        codes = np.asarray(codes, self.variable_dtype)
        center, scale = codes.mean(0), codes.std(0) + 1e-6
        num_held = max(1, len(codes) // 10)
        key = rng.make_seed(rng.named(seed, "flow"))
        order = rng.permutation(tf.range(len(codes), dtype=tf.int64), key,
                                len(codes))
        held, learned = np.split(
            ((codes - center) / scale)[order.numpy()], [num_held])
        batch = tf.range(min(_BATCH, len(learned)), dtype=tf.int64)
        # One of its own, on one device: that of a model may have replicas.
        network = type(self.network).from_config(self.network.get_config())
        network.trainable, variables = True, network.variables
        optimizer = keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                self.learning_rate, self.num_steps))
        optimizer.build(variables)

        @tf.function
        def update(k):
            z = tf.gather(learned, rng.permutation(
                batch, rng.fold_in(key, k), len(learned)))
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(_log_prob(network, z))
            optimizer.apply(tape.gradient(loss, variables), variables)
        best, weights = -np.inf, network.get_weights()
        for k in range(self.num_steps):
            update(tf.constant(k))
            if (k + 1) % _EVERY == 0 or k + 1 == self.num_steps:
                score = float(tf.reduce_mean(_log_prob(network, held)))
                if score > best:
                    best, weights = score, network.get_weights()
        self.network.set_weights(weights)
        self.center.assign(center)
        self.scale.assign(scale)
        self.fitted_step.assign(step)

    def sample(self, num_samples, seed: rng.Seed) -> tf.Tensor:
        """Draws z, float [num_samples, latent_dim]."""
        return self.from_white(rng.normal(
            [num_samples, self.latent_dim], seed, self.variable_dtype))[0]

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Normalized log density, [batch] in nats, of z [batch, latent_dim]."""
        return _log_prob(self.network, (z - self.center) / self.scale
                         ) - tf.reduce_sum(tf.math.log(self.scale))

    def white(self, z: tf.Tensor) -> tf.Tensor:
        """u of z: what the flow makes z of."""
        return self.network.inverse((z - self.center) / self.scale)[0]

    def from_white(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """z of u, and log |det dz/du|."""
        z, growth = self.network(u)
        return (self.center + self.scale * z,
                growth + tf.reduce_sum(tf.math.log(self.scale)))

    def call(self, z):
        return self.log_prob(z)

    def get_config(self):
        return {**super().get_config(), "num_steps": self.num_steps,
                "learning_rate": self.learning_rate,
                "network": keras.saving.serialize_keras_object(self.network)}


@keras.saving.register_keras_serializable(package="lebm_tf")
class LearnedFlow(Nested, Base, keras.Model):
    """q(z) of z = f(u), u ~ N(0, I), whose f an optimizer of a model trains.

    A prior with an exact density, or a sampler that learns another one.

    Args:
        network: As of `Flow`; `networks.LatentGlow` or `AffineCouplings`.
    """

    def __init__(self, network: keras.layers.Layer, **kwargs):
        super().__init__(**kwargs)
        self.network, self.latent_dim = network, network.dim
        self.built = True

    def sample(self, num_samples, seed: rng.Seed) -> tf.Tensor:
        """Draws z, float [num_samples, latent_dim]."""
        return self.sample_and_log_prob(num_samples, seed)[0]

    def sample_and_log_prob(self, num_samples, seed: rng.Seed
                            ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws z and log q(z), float [num_samples] in nats, at the price of
        z alone; both reparameterized."""
        u = rng.normal([num_samples, self.latent_dim], seed,
                       self.variable_dtype)
        z, growth = self.network(u)
        return z, log_normal(u) - growth

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Normalized log density, [batch] in nats, of z [batch, latent_dim]."""
        return _log_prob(self.network, z)

    def call(self, z):
        return self.log_prob(z)

    def get_config(self):
        return {**super().get_config(), "network":
                keras.saving.serialize_keras_object(self.network)}


def _log_prob(network, z):
    """Of standardized z."""
    u, growth = network.inverse(z)
    return log_normal(u) + growth
