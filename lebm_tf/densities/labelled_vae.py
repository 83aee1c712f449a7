"""A variational autoencoder of a latent vector and a symbol."""

import math

import keras
import tensorflow as tf

from lebm_tf.densities.gaussian import (
    ConditionalGaussian, StandardNormal, kl_to_standard_normal)
from lebm_tf.densities.likelihood import GaussianLikelihood
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng


@keras.saving.register_keras_serializable(package="lebm_tf")
class LabelledVAE(Nested, keras.Model):
    """p(y) p(u) p(z | y, u): y uniform, u ~ N(0, I), z Gaussian around h(y, u).

    The generative model M2 of Kingma et al. 2014, arXiv:1406.5298, for codes z
    of another model (M1), with a learned scale of z. q(y | z) is a classifier.
    In [.; y], y is one-hot.

    Args:
        latent_dim: Dimension of z and u, at least 1.
        num_symbols: Number of symbols, at least 2.
        decoder: Layer h, [u; y] -> mean of z, [batch, latent_dim].
        encoder: Layer, [z; y] -> (mean, log_scale) of q(u | z, y).
        classifier: Layer, z -> logits [batch, num_symbols].
        scale: Initial standard deviation > 0 of z.
    """

    def __init__(self, latent_dim: int, num_symbols: int,
                 decoder: keras.layers.Layer, encoder: keras.layers.Layer,
                 classifier: keras.layers.Layer, scale: float = 1.0,
                 **kwargs):
        super().__init__(**kwargs)
        self.latent_dim, self.num_symbols = latent_dim, num_symbols
        self.base = StandardNormal(latent_dim)
        self.likelihood = GaussianLikelihood(decoder, scale, learn_scale=True)
        self.encoder = ConditionalGaussian(encoder)
        self.classifier = classifier
        self.built = True

    def symbol_log_probs(self, z: tf.Tensor) -> tf.Tensor:
        """log q(y | z), float [batch, num_symbols]."""
        return tf.nn.log_softmax(self.classifier(z))

    def sample(self, num_samples, seed: rng.Seed) -> tf.Tensor:
        """Samples z, float [num_samples, latent_dim]."""
        u = self.base.sample(num_samples, rng.stream(seed, "u"))
        # The argmax of i.i.d. numbers is uniform.
        y = tf.argmax(rng.normal([num_samples, self.num_symbols],
                                 rng.stream(seed, "y")), axis=-1)
        return self.likelihood.sample(
            self._with(u, y), rng.stream(seed, "z"))

    def labelled_bound(self, z: tf.Tensor, y: tf.Tensor, seed: rng.Seed
                       ) -> tf.Tensor:
        """Lower bound of log p(z, y), [batch] in nats, from one sample of q(u |
        z, y).

        Args:
            z: Codes, float [batch, latent_dim].
            y: Symbols, integer [batch].
            seed: Seed of the sample.
        """
        encoded = self.encoder.parameters(self._with(z, y))
        u = self.encoder.sample_from(*encoded, seed)
        return (self.likelihood.log_prob(z, self._with(u, y))
                - kl_to_standard_normal(*encoded)
                - math.log(self.num_symbols))

    def unlabelled_bound(self, z: tf.Tensor, seed: rng.Seed) -> tf.Tensor:
        """Lower bound of log p(z), [batch] in nats, with y summed out under q(y
        | z)."""
        logs = self.symbol_log_probs(z)
        bounds = tf.stack([
            self.labelled_bound(z, tf.fill(tf.shape(z)[:1], y),
                                rng.fold_in(seed, y))
            for y in range(self.num_symbols)], axis=-1)
        return tf.reduce_sum(tf.exp(logs) * (bounds - logs), axis=-1)

    def _with(self, vector, y):
        return tf.concat(
            [vector, tf.one_hot(y, self.num_symbols, dtype=vector.dtype)], -1)

    def call(self, z):
        return self.symbol_log_probs(z)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "num_symbols": self.num_symbols,
                "decoder": serialize(self.likelihood.generator),
                "encoder": serialize(self.encoder.network),
                "classifier": serialize(self.classifier),
                "scale": self.likelihood.first_scale}


@keras.saving.register_keras_serializable(package="lebm_tf")
class ClassifiedNormal(Nested, StandardNormal):
    """N(0, I) of a code z, with the classifier of another density.

    Args:
        density: Has `latent_dim` and `symbol_log_probs(z)`.
    """

    tells_symbols = True

    def __init__(self, density: LabelledVAE, **kwargs):
        super().__init__(density.latent_dim, **kwargs)
        self.density = density

    def symbol_log_probs(self, z: tf.Tensor) -> tf.Tensor:
        """log q(y | z), float [batch, num_symbols]."""
        return self.density.symbol_log_probs(z)

    def get_config(self):
        config = super().get_config()
        del config["latent_dim"]  # That of the density.
        return {**config, "density": keras.saving.serialize_keras_object(
            self.density)}
