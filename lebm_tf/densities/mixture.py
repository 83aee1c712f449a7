"""A mixture of Gaussians that is fitted to codes by expectation maximization.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.densities.fitted import Fitted
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import num_chains

_LOG_TWO_PI = math.log(2.0 * math.pi)
_FLOOR = 1e-6  # Added to variances, in squared units of z.


@keras.saving.register_keras_serializable(package="lebm_tf")
class GaussianMixture(Fitted, keras.Model):
    """p(z) = sum_k w_k N(z; mean_k, root_k root_k^T); N(0, I) until fitted.

    The density of codes of Ghosh et al. 2020, arXiv:1903.12436: one Gaussian
    with full covariance, or a mixture of ten.

    Args:
        latent_dim: Dimension of z, at least 1.
        num_components: Number of Gaussians, at least 1.
        floor: Added to the variances if there are several Gaussians, in
            coordinates in which all codes have covariance I. With 0, many
            Gaussians overfit few codes.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, latent_dim: int, num_components: int = 1,
                 floor: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("latent_dim", latent_dim),
                            ("num_components", num_components)):
            if value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}.")
        if not 0 <= floor < math.inf:
            raise ValueError(f"floor must be >= 0, got {floor}.")
        self.latent_dim, self.num_components = latent_dim, num_components
        self.floor, self.min_codes = floor, max(2, num_components)
        shape = (num_components, latent_dim)
        self.proportions = self._number("proportions", (num_components,))
        self.means = self._number("means", shape)
        self.roots = self._number("roots", (*shape, latent_dim))
        self.inverses = self._number("inverses", (*shape, latent_dim))
        self.center = self._number("center", (latent_dim,))
        self.spread = self._number("spread", (latent_dim, latent_dim))
        self.fitted_step = self._number("fitted_step", (), dtype="int64")
        self._assign(np.full(num_components, 1.0 / num_components),
                     np.zeros(shape), np.tile(
                         np.eye(latent_dim), (num_components, 1, 1)))
        self.spread.assign(np.eye(latent_dim))
        self.fitted_step.assign(-1)
        self.built = True

    def _assign(self, proportions, means, roots):
        self.proportions.assign(proportions)
        self.means.assign(means)
        self.roots.assign(roots)
        self.inverses.assign(np.linalg.inv(roots))

    def fit(self, codes: np.ndarray, seed: int, step: int) -> None:
        """Fits the mixture: moments for one Gaussian, otherwise EM.

        EM is scikit-learn's, initialized by k-means, as in the authors'
        program; with a floor it runs on codes of covariance I.
        """
        codes = np.asarray(codes, np.float64)
        mean, covariance = codes.mean(0), np.cov(
            codes, rowvar=False, ddof=0).reshape(2 * codes.shape[1:])
        spread = np.linalg.cholesky(
            covariance + _FLOOR * np.eye(codes.shape[1]))
        if self.num_components == 1:
            self._assign(np.ones(1), mean[None], spread[None])
        elif self.floor:
            white = np.linalg.solve(spread, (codes - mean).T).T
            found = self._em(white, self.floor, seed)
            self._assign(found.weights_, mean + found.means_ @ spread.T,
                         spread @ np.linalg.cholesky(found.covariances_))
        else:
            found = self._em(codes, _FLOOR, seed)
            self._assign(found.weights_, found.means_,
                         np.linalg.cholesky(found.covariances_))
        self.center.assign(mean)
        self.spread.assign(spread)
        self.fitted_step.assign(step)

    def _em(self, codes, floor, seed):
        from sklearn import mixture  # Slow to import.
        return mixture.GaussianMixture(
            self.num_components, reg_covar=floor, max_iter=200,
            random_state=seed % 2**32).fit(codes)

    def sample(self, num_samples, seed: rng.Seed) -> tf.Tensor:
        """Samples z, float [num_samples, latent_dim]."""
        dtype = self.variable_dtype
        # Uniform numbers by the normal distribution function.
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
        # One product for all Gaussians: chains evaluate this at every move.
        count, dim = self.means.shape
        inverses = tf.reshape(self.inverses.value, [count * dim, dim])
        means = tf.reshape(tf.linalg.matvec(
            self.inverses.value, self.means.value), [count * dim])
        white = tf.reshape(tf.matmul(z, inverses, transpose_b=True) - means,
                           [-1, count, dim])
        scales = tf.linalg.diag_part(self.inverses.value)
        logs = (-0.5 * tf.reduce_sum(tf.square(white), -1)
                + tf.reduce_sum(tf.math.log(scales), 1)
                - 0.5 * dim * _LOG_TWO_PI + tf.math.log(self.proportions))
        return tf.reduce_logsumexp(logs, axis=-1)

    def white(self, z: tf.Tensor) -> tf.Tensor:
        """z in coordinates in which the fitted codes have covariance I."""
        return tf.linalg.matvec(
            tf.linalg.inv(self.spread.value), z - self.center)

    def from_white(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """z of u, and log |det dz/du|, float [batch]."""
        growth = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(
            self.spread.value)))
        return (self.center + tf.linalg.matvec(self.spread.value, u),
                tf.fill([num_chains(u)], growth))

    def call(self, z):
        return self.log_prob(z)

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "num_components": self.num_components, "floor": self.floor}
