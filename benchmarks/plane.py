"""Densities of the plane whose noised versions are known on a grid."""

import functools

import numpy as np
import scipy.ndimage

SIDE, NUM_CELLS = 4.0, 256  # The grid covers [-SIDE, SIDE]^2.
_NUM_COUNTED = 2_000_000


def checkerboard(count: int, rng: np.random.Generator) -> np.ndarray:
    """Eight squares of a board of 4 x 4, scaled to variance 1 or so."""
    column = rng.integers(0, 4, count)
    row = 2 * rng.integers(0, 2, count) + column % 2
    corner = np.stack([column, row], 1) - 2.0
    return 0.85 * (corner + rng.uniform(size=[count, 2]))


def ring(count: int, rng: np.random.Generator) -> np.ndarray:
    """A circle of radius 1.3 with Gaussian width 0.1."""
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = 1.3 + 0.1 * rng.normal(size=count)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)


def pinwheel(count: int, rng: np.random.Generator) -> np.ndarray:
    """Five bent arms."""
    arm = rng.integers(0, 5, count)
    x = np.stack([1.0 + 0.3 * rng.normal(size=count),
                  0.1 * rng.normal(size=count)], 1)
    angle = 2 * np.pi * arm / 5 + 0.25 * np.exp(x[:, 0])
    cos, sin = np.cos(angle), np.sin(angle)
    return 1.4 * np.stack([x[:, 0] * cos - x[:, 1] * sin,
                           x[:, 0] * sin + x[:, 1] * cos], 1)


SETS = {"checkerboard": checkerboard, "ring": ring, "pinwheel": pinwheel}


def grid() -> np.ndarray:
    """Centres of the cells, float32 [NUM_CELLS^2, 2]; rows are the first."""
    width = 2 * SIDE / NUM_CELLS
    ends = -SIDE + width * (np.arange(NUM_CELLS) + 0.5)
    return np.stack(np.meshgrid(ends, ends, indexing="ij"), -1).reshape(
        -1, 2).astype(np.float32)


@functools.cache
def _points(name: str) -> np.ndarray:
    return SETS[name](_NUM_COUNTED, np.random.default_rng(0))


@functools.cache
def noised(name: str, factor: float, scale: float) -> np.ndarray:
    """Probabilities of the cells under factor x + scale e, [NUM_CELLS^2].

    A count of two million points, smoothed by the Gaussian: where thirty
    thousand cells are filled, the KL divergence of any density from it has an
    error of 0.008 nats by counting; steps of 0.03 are not resolved.

    Args:
        name: Of `SETS`.
        factor: On the points, > 0.
        scale: Of the noise, >= 0.
    """
    edges = np.linspace(-SIDE, SIDE, NUM_CELLS + 1)
    x = factor * _points(name)
    counts = np.histogram2d(x[:, 0], x[:, 1], [edges, edges])[0]
    if scale > 0:
        counts = scipy.ndimage.gaussian_filter(
            counts, scale * NUM_CELLS / (2 * SIDE), mode="constant",
            truncate=6.0)
    return (counts / counts.sum()).ravel()


def divergence(probs: np.ndarray, log_density: np.ndarray) -> float:
    """KL(p || q) in nats, q the density at the cells, made to sum to 1.

    Args:
        probs: p of the cells, [cells].
        log_density: log q up to a constant, [cells].
    """
    log_density = np.asarray(log_density, np.float64)
    log_probs = log_density - np.logaddexp.reduce(log_density)
    there = probs > 0
    return float(np.sum(probs[there] * (
        np.log(probs[there]) - log_probs[there])))


def sample_divergence(probs: np.ndarray, x: np.ndarray, coarseness: int = 8
                      ) -> float:
    """KL(samples || p) in nats over blocks of cells, each p of at least one in
    a million; biased upwards by about blocks / (2 samples).

    Args:
        probs: p of the cells, [cells].
        x: Samples, [count, 2]; what leaves the grid counts in its last block.
        coarseness: Cells of a block, along each side.
    """
    edges = np.linspace(-SIDE, SIDE, NUM_CELLS // coarseness + 1)
    x = np.clip(x, -SIDE + 1e-6, SIDE - 1e-6)
    found = np.histogram2d(x[:, 0], x[:, 1], [edges, edges])[0]
    found /= found.sum()
    blocks = NUM_CELLS // coarseness
    true = probs.reshape(blocks, coarseness, blocks, coarseness).sum((1, 3))
    there = found > 0
    return float(np.sum(found[there] * np.log(
        found[there] / np.maximum(true[there], 1e-6))))
