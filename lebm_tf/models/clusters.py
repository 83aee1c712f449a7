"""Clusters of the codes of training data: labels that nobody gave."""

import keras
import numpy as np
from scipy import optimize
from sklearn import cluster
import tensorflow as tf

_MAX_ITERATIONS = 20  # Of k-means, as in the authors' program.


class CodeClusters(keras.layers.Layer):
    """A cluster for every training example, found anew now and then.

    The means of q(z | x) of all examples, whitened along their first principal
    axes, scaled to length 1, and clustered by k-means: geometric clustering of
    Yu et al. 2022, arXiv:2206.05895, text_generation.py. (In two dimensions
    that cuts angles.) Unlike there, clusters keep their numbers as far as they
    hold the same examples; and where the authors draw every batch evenly from
    all clusters, rows weigh so that all clusters count alike, and what else is
    learned sees the data as they are.

    Args:
        num_examples: Training examples.
        num_clusters: How many clusters.
        num_axes: Principal axes that are looked at, at most the width of z.
        interval: Steps between two clusterings.

    Raises:
        ValueError: If there are more clusters than examples, or a number is
            below 1.
    """

    def __init__(self, num_examples: int, num_clusters: int,
                 num_axes: int = 3, interval: int = 1, **kwargs):
        super().__init__(**kwargs)
        if min(num_clusters, num_axes, interval) < 1:
            raise ValueError("num_clusters, num_axes and interval must be >= "
                             f"1, got {num_clusters}, {num_axes} and "
                             f"{interval}.")
        if num_clusters > num_examples:
            raise ValueError(
                f"num_symbols must be at most the {num_examples} training "
                f"examples to cluster, got {num_clusters}.")
        self.num_clusters, self.num_axes = num_clusters, num_axes
        self.interval = interval
        self.labels = self._number("labels", (num_examples,))
        self.fitted_step = self._number("fitted_step", ())
        self.built = True

    def _number(self, name, shape):
        return self.add_weight(name=name, shape=shape, trainable=False,
                               dtype="int64", initializer=(
                                   lambda shape, dtype=None: tf.fill(
                                       shape, tf.constant(-1, tf.int64))))

    def of(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Clusters of training examples, int64 [rows], -1 before there are
        any; and their weights, float32 [rows], of mean 1 over all examples.

        Args:
            index: Rows of the training part, int64 [rows].
        """
        labels = tf.convert_to_tensor(self.labels)
        sizes = tf.math.unsorted_segment_sum(
            tf.ones_like(labels, tf.float32), labels, self.num_clusters)
        used = tf.reduce_sum(tf.cast(sizes > 0, tf.float32))
        weights = tf.cast(tf.size(labels), tf.float32) / (
            tf.maximum(used, 1.0) * tf.maximum(sizes, 1.0))
        own = tf.gather(labels, index)
        return own, tf.gather(weights, tf.maximum(own, 0))

    def fit(self, means: np.ndarray, seed: int, step: int) -> None:
        """Clusters all training examples.

        Args:
            means: Of q(z | x), float [num_examples, latent_dim].
            seed: Where k-means begins, any int.
            step: Training step of the codes; kept as `fitted_step`.

        Raises:
            ValueError: If a mean is not finite.
        """
        if not np.isfinite(means).all():
            raise ValueError("clusters need codes that are finite, got some "
                             "that are not.")
        found = cluster.KMeans(
            self.num_clusters, n_init=1, max_iter=_MAX_ITERATIONS,
            random_state=seed % 2**32).fit_predict(
                directions(means, self.num_axes))
        self.labels.assign(self._renumbered(found))
        self.fitted_step.assign(step)

    def _renumbered(self, found):
        """The clusters with the numbers of those that they share most with."""
        before = self.labels.numpy()
        shared = np.zeros((self.num_clusters,) * 2, np.int64)
        known = before >= 0
        np.add.at(shared, (found[known], before[known]), 1)
        _, numbers = optimize.linear_sum_assignment(-shared)
        return numbers[found].astype(np.int64)


def directions(codes: np.ndarray, num_axes: int) -> np.ndarray:
    """Codes as points of a sphere, float [num, axes]: along their principal
    axes, the largest first, of variance 1 each, then of length 1.

    Args:
        codes: float [num, latent_dim].
        num_axes: Axes, if there are as many in which the codes vary.
    """
    centred = np.asarray(codes, np.float64) - np.mean(codes, 0)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(codes))
    order = np.argsort(-variances)[:num_axes]
    varying = order[variances[order] > 1e-12 * max(variances[-1], 1e-300)]
    white = centred @ axes[:, varying] / np.sqrt(variances[varying])
    return white / np.maximum(
        np.linalg.norm(white, axis=1, keepdims=True), 1e-300)
