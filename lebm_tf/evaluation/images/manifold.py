"""Precision and recall of samples: fidelity and coverage apart."""

import numpy as np

NUM_NEIGHBORS = 3


def precision_recall(samples: np.ndarray, real: np.ndarray
                     ) -> tuple[float, float]:
    """Precision and recall of Kynkaanniemi et al. 2019, arXiv:1904.06991.

    The manifold of a set is the union of balls around its points, each with the
    distance to its third nearest neighbour as radius (their k=3). Both values
    depend on the sizes of the sets: compare equal numbers only.

    Args:
        samples: Features of samples, float [num > 3, width].
        real: Features of real images, float [num > 3, width].

    Returns:
        The fraction of samples in the manifold of real images, and the fraction
        of real images in that of samples, both in [0, 1].

    Raises:
        ValueError: If a set has 3 rows or fewer.
    """
    for name, values in (("samples", samples), ("real images", real)):
        if len(values) <= NUM_NEIGHBORS:
            raise ValueError(f"precision and recall need more than "
                             f"{NUM_NEIGHBORS} {name}, got {len(values)}.")
    return _covered(samples, real), _covered(real, samples)


def _covered(points, manifold):
    """Fraction of points in a ball of the manifold."""
    from sklearn import metrics, neighbors  # Slow to import.
    radii = neighbors.NearestNeighbors(n_neighbors=NUM_NEIGHBORS).fit(
        manifold).kneighbors()[0][:, -1]
    return float(np.concatenate([
        (block <= radii).any(axis=1)
        for block in metrics.pairwise_distances_chunked(points, manifold)
    ]).mean())
