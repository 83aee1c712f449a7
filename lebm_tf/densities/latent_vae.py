"""A variational autoencoder of latent vectors, used as a prior."""

import keras
import tensorflow as tf

from lebm_tf.densities.gaussian import (
    ConditionalGaussian, StandardNormal, kl_to_standard_normal)
from lebm_tf.densities.likelihood import GaussianLikelihood
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng


@keras.saving.register_keras_serializable(package="lebm_tf")
class LatentVAE(Nested, keras.Model):
    """p(z) = int N(z; h(u), scale^2 I) N(u; 0, I) du, with a learned scale.

    The second stage of Dai and Wipf 2019, arXiv:1903.05789. u has the dimension
    of z, so the codes of the data, which fill their space, can be matched.

    Args:
        latent_dim: Dimension of z and u, at least 1.
        decoder: Layer h, u -> mean of z [batch, latent_dim].
        encoder: Layer, z -> (mean, log_scale) of q(u | z), each [batch,
            latent_dim].
        scale: Initial standard deviation > 0, in units of z.
    """

    def __init__(self, latent_dim: int, decoder: keras.layers.Layer,
                 encoder: keras.layers.Layer, scale: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.latent_dim = latent_dim
        self.base = StandardNormal(latent_dim)
        self.likelihood = GaussianLikelihood(decoder, scale, learn_scale=True)
        self.encoder = ConditionalGaussian(encoder)
        self.built = True

    def sample(self, num_samples, seed: rng.Seed) -> tf.Tensor:
        """Samples z, float [num_samples, latent_dim]."""
        u = self.base.sample(num_samples, rng.stream(seed, "u"))
        return self.likelihood.sample(u, rng.stream(seed, "z"))

    def evidence_bound(self, z: tf.Tensor, seed: rng.Seed) -> tf.Tensor:
        """Lower bound of log p(z), [batch] in nats, from one sample of q(u |
        z)."""
        encoded = self.encoder.parameters(z)
        u = self.encoder.sample_from(*encoded, seed)
        return (self.likelihood.log_prob(z, u)
                - kl_to_standard_normal(*encoded))

    def call(self, z):
        return self.encoder(z)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "decoder": serialize(self.likelihood.generator),
                "encoder": serialize(self.encoder.network),
                "scale": self.likelihood.first_scale}
