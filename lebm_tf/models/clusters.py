"""Clusters of the codes of training data, used as labels."""

import keras
import numpy as np
import tensorflow as tf

_MAX_ITERATIONS = 20  # Of k-means, as in the authors' program.


class CodeClusters(keras.layers.Layer):
    """A cluster for every training example, recomputed at intervals.

    The means of q(z | x) of all examples are whitened along their first
    principal axes, scaled to length 1 and clustered by k-means: geometric
    clustering of Yu et al. 2022, arXiv:2206.05895, text_generation.py. (In two
    dimensions these are clusters of angles.) Two differences: clusters keep
    their numbers as far as they contain the same examples; and where the
    authors sample batches evenly from all clusters, rows are weighted so that
    all clusters count equally, and the other losses see the original
    distribution.

    Args:
        num_examples: Number of training examples.
        num_clusters: Number of clusters.
        num_axes: Number of principal axes, at most the dimension of z.
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
        """Returns the clusters of training examples and their weights.

        Args:
            index: Rows of the training part, int64 [rows].

        Returns:
            Clusters, int64 [rows], -1 before the first clustering; and weights,
            float32 [rows], with mean 1 over all examples.
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
            means: Means of q(z | x), float [num_examples, latent_dim].
            seed: Seed of k-means, any int.
            step: Training step of the codes, kept as `fitted_step`.

        Raises:
            ValueError: If a mean is not finite.
        """
        if not np.isfinite(means).all():
            raise ValueError("clusters need finite codes, got some that are "
                             "not.")
        from sklearn import cluster  # Slow to import.
        found = cluster.KMeans(
            self.num_clusters, n_init=1, max_iter=_MAX_ITERATIONS,
            random_state=seed % 2**32).fit_predict(
                directions(means, self.num_axes))
        self.labels.assign(self._renumbered(found))
        self.fitted_step.assign(step)

    def _renumbered(self, found):
        """Renumbers the clusters to maximize their overlap with the previous
        ones."""
        from scipy import optimize  # Slow to import.
        before = self.labels.numpy()
        shared = np.zeros((self.num_clusters,) * 2, np.int64)
        known = before >= 0
        np.add.at(shared, (found[known], before[known]), 1)
        _, numbers = optimize.linear_sum_assignment(-shared)
        return numbers[found].astype(np.int64)


def directions(codes: np.ndarray, num_axes: int) -> np.ndarray:
    """Whitens codes along their principal axes and scales them to length 1.

    Args:
        codes: float [num, latent_dim].
        num_axes: Number of axes, largest variance first; fewer if the codes
            vary in fewer.

    Returns:
        float [num, axes].
    """
    centred = np.asarray(codes, np.float64) - np.mean(codes, 0)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(codes))
    order = np.argsort(-variances)[:num_axes]
    varying = order[variances[order] > 1e-12 * max(variances[-1], 1e-300)]
    white = centred @ axes[:, varying] / np.sqrt(variances[varying])
    return white / np.maximum(
        np.linalg.norm(white, axis=1, keepdims=True), 1e-300)
