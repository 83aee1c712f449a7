"""A mixture of Gaussians that is fitted to codes, not learned by gradient."""

import math

import keras
import numpy as np
from sklearn import mixture
import tensorflow as tf

from lebm_tf.densities.contracts import Base
from lebm_tf.mcmc import rng

_LOG_TWO_PI = math.log(2.0 * math.pi)
_FLOOR = 1e-6  # Added to variances, in squared units of z.


@keras.saving.register_keras_serializable(package="lebm_tf")
class GaussianMixture(Base, keras.Model):
    """p(z) = sum_k w_k N(z; mean_k, root_k root_k^T), N(0, I) until fitted.

    The density of codes of Ghosh et al. 2020, arXiv:1903.12436: one Gaussian
    with a full covariance, or a mixture of ten.

    Args:
        latent_dim: Width of z, at least 1.
        num_components: Number of Gaussians, at least 1.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, latent_dim: int, num_components: int = 1, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("latent_dim", latent_dim),
                            ("num_components", num_components)):
            if value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}.")
        self.latent_dim, self.num_components = latent_dim, num_components
        shape = (num_components, latent_dim)
        self.proportions = self._number("proportions", (num_components,))
        self.means = self._number("means", shape)
        self.roots = self._number("roots", (*shape, latent_dim))
        self.fitted_step = self._number("fitted_step", (), "int64")
        self.proportions.assign(np.full(num_components, 1.0 / num_components))
        self.roots.assign(np.tile(np.eye(latent_dim), (num_components, 1, 1)))
        self.fitted_step.assign(-1)
        self.built = True

    def _number(self, name, shape, dtype=None):
        return self.add_weight(name=name, shape=shape, initializer="zeros",
                               trainable=False, dtype=dtype)

    def fit(self, codes: np.ndarray, seed: int, step: int) -> None:
        """Fits the mixture: moments for one Gaussian, otherwise EM.

        EM is scikit-learn's, started by k-means, as in the authors' program.

        Args:
            codes: float [num, latent_dim], num >= num_components.
            seed: Of the start of EM, any int.
            step: Training step of the codes; kept as `fitted_step`.
        """
        codes = np.asarray(codes, np.float64)
        if self.num_components == 1:
            found = (np.ones(1), codes.mean(0)[None], np.cov(
                codes, rowvar=False, ddof=0).reshape(1, *2 * codes.shape[1:])
                + _FLOOR * np.eye(codes.shape[1]))
        else:
            result = mixture.GaussianMixture(
                self.num_components, reg_covar=_FLOOR, max_iter=200,
                random_state=seed % 2**32).fit(codes)
            found = result.weights_, result.means_, result.covariances_
        self.proportions.assign(found[0])
        self.means.assign(found[1])
        self.roots.assign(np.linalg.cholesky(found[2]))
        self.fitted_step.assign(step)

    def sample(self, num_samples, seed: rng.Seed) -> tf.Tensor:
        """Draws z, float [num_samples, latent_dim]."""
        dtype = self.variable_dtype
        # The normal distribution function of a normal number is uniform; so
        # the seed may be one a row, which uniform numbers do not take.
        pick = rng.normal([num_samples], rng.stream(seed, "component"), dtype)
        uniform = 0.5 * tf.math.erfc(-pick / math.sqrt(2.0))
        ends = tf.cumsum(self.proportions)[:-1]
        component = tf.reduce_sum(
            tf.cast(uniform[:, None] >= ends, tf.int32), axis=1)
        noise = rng.normal([num_samples, self.latent_dim],
                           rng.stream(seed, "z"), dtype)
        return tf.gather(self.means.value, component) + tf.linalg.matvec(
            tf.gather(self.roots.value, component), noise)

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Normalized log density, [batch] in nats, of z [batch, latent_dim]."""
        error = tf.transpose(z[:, None] - self.means, [1, 2, 0])
        white = tf.linalg.triangular_solve(self.roots.value, error)
        scales = tf.linalg.diag_part(self.roots.value)
        logs = (-0.5 * tf.reduce_sum(tf.square(white), 1)
                - tf.reduce_sum(tf.math.log(scales), 1)[:, None]
                - 0.5 * self.latent_dim * _LOG_TWO_PI
                + tf.math.log(self.proportions)[:, None])
        return tf.reduce_logsumexp(logs, axis=0)

    def call(self, z):
        return self.log_prob(z)

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "num_components": self.num_components}
