"""Normalizing flows: one that is fitted to codes, and one that is trained."""

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.densities.contracts import Base
from lebm_tf.densities.fitted import Fitted
from lebm_tf.densities.gaussian import log_normal
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng

_BATCH = 256
_EVERY = 100  # Steps between two evaluations on the held-out codes.


@keras.saving.register_keras_serializable(package="lebm_tf")
class Flow(Nested, Fitted, keras.Model):
    """p(z) of z = c + s f(u), u ~ N(0, I), with f invertible.

    c and s standardize the codes.

    Args:
        network: Layer f, u -> (f(u), log |det|), with an `inverse` of the same
            form and the dimension `dim`; `networks.AffineCouplings`.
        num_steps: Adam steps per fit, at least 1. A tenth of the codes is held
            out, and the weights that are best on it are kept.
        learning_rate: Learning rate of Adam > 0, with cosine decay to 0.

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
        self.network.trainable = False  # Excluded from a model's optimizers.
        self.center = self._number("center", (network.dim,))
        self.scale = self._number("scale", (network.dim,), "ones")
        self.fitted_step = self._number("fitted_step", (), dtype="int64")
        self.fitted_step.assign(-1)
        self.built = True

    def fit(self, codes: np.ndarray, seed: int, step: int) -> None:
        """Fits center and scale, and trains the network from new weights."""
        codes = np.asarray(codes, self.variable_dtype)
        center, scale = codes.mean(0), codes.std(0) + 1e-6
        num_held = max(1, len(codes) // 10)
        key = rng.make_seed(rng.named(seed, "flow"))
        order = rng.permutation(tf.range(len(codes), dtype=tf.int64), key,
                                len(codes))
        held, learned = np.split(
            ((codes - center) / scale)[order.numpy()], [num_held])
        batch = tf.range(min(_BATCH, len(learned)), dtype=tf.int64)
        # A copy on one device, because that of a model may have replicas.
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
        """Samples z, float [num_samples, latent_dim]."""
        return self.from_white(rng.normal(
            [num_samples, self.latent_dim], seed, self.variable_dtype))[0]

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Normalized log density, [batch] in nats, of z [batch, latent_dim]."""
        return _log_prob(self.network, (z - self.center) / self.scale
                         ) - tf.reduce_sum(tf.math.log(self.scale))

    def white(self, z: tf.Tensor) -> tf.Tensor:
        """u of z, float [batch, latent_dim]."""
        return self.network.inverse((z - self.center) / self.scale)[0]

    def from_white(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """z of u, and log |det dz/du|, float [batch]."""
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
    """q(z) of z = f(u), u ~ N(0, I), trained by an optimizer of a model.

    It serves as a prior with exact density, or as a sampler of another density.
    Over a fitted base, u is a draw of the base in its coordinates, and z starts
    as that draw: a sampler of a prior that the base is close to.

    Args:
        network: As in `Flow`; `networks.LatentGlow` or `AffineCouplings`, with
            a base the latter.
        base: A `Fitted` base, which is not trained; None for N(0, I).
    """

    def __init__(self, network: keras.layers.Layer,
                 base: Fitted | None = None, **kwargs):
        super().__init__(**kwargs)
        self.network, self.latent_dim, self.base = network, network.dim, base
        self.built = True

    def sample(self, num_samples, seed: rng.Seed) -> tf.Tensor:
        """Samples z, float [num_samples, latent_dim]."""
        return self.sample_and_log_prob(num_samples, seed)[0]

    def sample_and_log_prob(self, num_samples, seed: rng.Seed
                            ) -> tuple[tf.Tensor, tf.Tensor]:
        """Samples z and computes log q(z), float [num_samples] in nats, in one
        pass; both are reparameterized."""
        if self.base is None:
            u = rng.normal([num_samples, self.latent_dim], seed,
                           self.variable_dtype)
            z, growth = self.network(u)
            return z, log_normal(u) - growth
        drawn = self.base.sample(num_samples, seed)
        u = self.base.white(drawn)
        moved, growth = self.network(u)
        z, spread = self.base.from_white(tf.gather(
            moved, np.argsort(self.network.order()), axis=-1))
        return z, (self.base.log_prob(drawn) + self.base.from_white(u)[1]
                   - growth - spread)

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Normalized log density, [batch] in nats, of z [batch, latent_dim]."""
        if self.base is None:
            return _log_prob(self.network, z)
        white = self.base.white(z)
        u, growth = self.network.inverse(
            tf.gather(white, self.network.order(), axis=-1))
        drawn, start = self.base.from_white(u)
        return (self.base.log_prob(drawn) + start + growth
                - self.base.from_white(white)[1])

    def call(self, z):
        return self.log_prob(z)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), "network": serialize(self.network),
                "base": self.base and serialize(self.base)}


def _log_prob(network, z):
    """Log density of standardized z."""
    u, growth = network.inverse(z)
    return log_normal(u) + growth
