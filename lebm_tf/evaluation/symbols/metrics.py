"""Calibration, information and homogeneity of symbols."""

import numpy as np
import tensorflow as tf

from lebm_tf.mcmc import rng


def calibration_error(probs: np.ndarray, labels: np.ndarray,
                      num_bins: int = 15) -> float:
    """Expected calibration error, in [0, 1].

    |accuracy - mean confidence| in bins of equal width of the confidence,
    weighted by the share of examples in each: Guo et al. 2017,
    arXiv:1706.04599, equation 3, with its 15 bins.

    Args:
        probs: p(y | x), float [num, num_symbols].
        labels: Integer [num].
        num_bins: Number of bins, at least 1.
    """
    confidence, right = probs.max(1), probs.argmax(1) == labels
    # Bins are open at the left, as in the paper.
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0,
                   num_bins - 1)
    gaps = [(bins == b).sum() * abs(right[bins == b].mean()
                                    - confidence[bins == b].mean())
            for b in np.unique(bins)]
    return float(sum(gaps) / len(labels))


def symbol_information(probs: np.ndarray) -> float:
    """I(x; y) = H(mean of p(y | x)) - mean of H(p(y | x)), in nats.

    Args:
        probs: float [num, num_symbols], rows sum to 1.
    """
    return float(_entropy(probs.mean(0)) - _entropy(probs).mean())


def homogeneity(labels: np.ndarray, clusters: np.ndarray) -> float:
    """1 - H(label | cluster) / H(label), of the whole set, in [0, 1].

    Published values are often averages over minibatches, where random clusters
    already reach 0.4 to 0.9; compare with `chance_homogeneity`.
    """
    from sklearn import metrics  # Slow to import.
    return float(metrics.homogeneity_score(labels, clusters))


def chance_homogeneity(labels: np.ndarray, clusters: np.ndarray, seed: int,
                       num_draws: int = 10) -> float:
    """Homogeneity of random clusters of the same sizes, the mean over
    `num_draws` permutations."""
    rows = tf.range(len(clusters), dtype=tf.int64)
    orders = [rng.permutation(rows, rng.fold_in(rng.stream(
        rng.make_seed(seed), "homogeneity"), draw), len(clusters)).numpy()
        for draw in range(num_draws)]
    return float(np.mean([homogeneity(labels, clusters[order])
                          for order in orders]))


def _entropy(probs):
    """Entropy over the last axis, in nats; 0 log 0 is 0."""
    probs = np.asarray(probs, np.float64)
    return -(probs * np.log(np.where(probs > 0, probs, 1.0))).sum(-1)
