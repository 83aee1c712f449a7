"""Errors of predicted paths, as pure functions of arrays.

All positions are in the unit of the data, px or m, and so are all errors. Two
protocols give incomparable numbers, though both are called best of K; every
number must be reported with the name of its protocol:

- `nearest_plan`, of LB-EBM's authors: the prediction whose plan is nearest to
  the true plan is selected, and the final error is that of the plan.
- `minimum`, the common one: the minimum over K of the mean error and of the
  final error, separately, as in Social-GAN (arXiv:1803.10892).
"""

import math
from typing import NamedTuple

import numpy as np

from lebm_tf.datasets.trajectories.transforms import PLAN_STEPS, plan

# Floor of log p of a step, in nats: -20 as in the code of Trajectron
# (arXiv:1810.05993); without it a single agent could dominate the mean.
LOG_PROB_FLOOR = -20.0
# Approximate number of values per piece of a computation.
_PIECE = 4_000_000


class Errors(NamedTuple):
    """Errors of each agent in the unit of the data; report their means.

    Attributes:
        ade: Average displacement error: mean distance over the future, float64
            [N].
        fde: Final displacement error: distance at its end, float64 [N].
    """
    ade: np.ndarray
    fde: np.ndarray


def nearest_plan_errors(predictions, future, plans=None,
                        steps: tuple[int, ...] = PLAN_STEPS) -> Errors:
    """Errors by the protocol of LB-EBM's authors.

    Of an agent's K plans, the one nearest to the true plan is selected, by the
    Euclidean distance over all way-points. ADE is that of the path predicted
    from it. FDE is the error of the plan's own last way-point, which the
    predicted path need not pass through. The selection uses the truth; both
    errors are of one prediction. arXiv:2104.03086, as in `test` of
    bpucla/lbebm, lbebm_sdd.py.

    Args:
        predictions: float [N, K, future_length, 2].
        future: True positions, float [N, future_length, 2].
        plans: Way-points of the predictions, float [N, K, len(steps), 2]; None
            for a model without plans, whose predictions at `steps` are used.
        steps: Indices of the future positions in the plan; the last must be the
            end of the future.

    Raises:
        ValueError: If a shape is wrong, or `steps` has another end.
    """
    predictions, future = _checked(predictions, future)
    if plans is None:
        plans = plan(predictions, steps)
    plans, truth = np.asarray(plans, np.float64), plan(future, steps)
    if plans.shape != (*predictions.shape[:2], len(steps), 2):
        raise ValueError(
            f"plans must have shape {[*predictions.shape[:2], len(steps), 2]},"
            f" got {list(plans.shape)}.")
    if steps[-1] != future.shape[1] - 1:
        raise ValueError(f"plan steps must end with {future.shape[1] - 1}, "
                         f"got {list(steps)}.")
    gap = plans - truth[:, None]
    best = np.argmin(np.sum(gap**2, axis=(2, 3)), axis=1)
    rows = np.arange(len(best))
    return Errors(_distance(predictions[rows, best], future).mean(1),
                  np.linalg.norm(gap[rows, best, -1], axis=-1))


def minimum_errors(predictions, future) -> Errors:
    """Errors by the common protocol: the minimum over K, separately.

    The path with the smallest ADE and that with the smallest FDE may differ. As
    in EigenTrajectory's evaluation of LB-EBM on ETH/UCY.

    Args:
        predictions: float [N, K, future_length, 2].
        future: True positions, float [N, future_length, 2].

    Raises:
        ValueError: If a shape is wrong.
    """
    predictions, future = _checked(predictions, future)
    distance = _distance(predictions, future[:, None])
    return Errors(distance.mean(2).min(1), distance[..., -1].min(1))


PROTOCOLS = {"nearest_plan": nearest_plan_errors, "minimum": minimum_errors}


def miss_rate(predictions, future, distance: float) -> float:
    """Share of agents with none of their K paths ending within `distance`.

    As in Argoverse (arXiv:1911.02620), which uses 2 m.

    Args:
        predictions: float [N, K, future_length, 2].
        future: True positions, float [N, future_length, 2].
        distance: Above 0, in the unit of the data; a path that ends at exactly
            this distance is not a miss.

    Returns:
        A value from 0 to 1.

    Raises:
        ValueError: If a shape is wrong, or `distance` is not positive.
    """
    predictions, future = _checked(predictions, future)
    check_distance(distance)
    last = _distance(predictions[:, :, -1], future[:, None, -1])
    return float(np.mean(last.min(1) > distance))


def kde_nll(predictions, future, floor: float = LOG_PROB_FLOOR) -> float:
    """Negative log density of the truth under the K predictions.

    At every step a Gaussian kernel density is fitted to the K positions of an
    agent; the result is the mean over steps and agents of -log p of the true
    position. The kernel's covariance is that of the positions times K^(-1/3),
    Scott's rule. arXiv:1810.05993 (Trajectron) uses 2,000 predictions; with 20
    the density is rough, so compare equal K only.

    Args:
        predictions: float [N, K, future_length, 2], K >= 3.
        future: True positions, float [N, future_length, 2].
        floor: Smallest log p of a step, in nats; also used for positions on one
            point or line, which have no density.

    Returns:
        Nats, for densities in 1 / (unit of the data)^2: a change from px to m
        adds a constant.

    Raises:
        ValueError: If a shape is wrong, or K is below 3.
    """
    predictions, future = _checked(predictions, future)
    num_agents, num_paths, length = predictions.shape[:3]
    if num_paths < 3:
        raise ValueError("predictions must have at least 3 paths per agent for "
                         f"a density in the plane, got {num_paths}.")
    rows = max(1, _PIECE // (2 * num_paths * length))
    total = sum(_log_density(predictions[first:first + rows],
                             future[first:first + rows], floor).sum()
                for first in range(0, num_agents, rows))
    return float(-total / (num_agents * length))


def _log_density(predictions, future, floor):
    """log p of the true positions, at least `floor`, [rows, length]."""
    num_paths = predictions.shape[1]
    centred = predictions - predictions.mean(1, keepdims=True)
    a, b, d = (
        np.sum(centred[..., i] * centred[..., j], 1) / (num_paths - 1)
        * num_paths ** (-1.0 / 3.0) for i, j in ((0, 0), (0, 1), (1, 1)))
    determinant = a * d - b**2
    # A relative threshold at rounding errors, for any unit.
    flat = determinant <= 1e-12 * np.maximum(a, d)**2
    gap = future[:, None] - predictions
    with np.errstate(divide="ignore", invalid="ignore"):
        square = (d[:, None] * gap[..., 0]**2 + a[:, None] * gap[..., 1]**2
                  - 2.0 * b[:, None] * gap[..., 0] * gap[..., 1]
                  ) / determinant[:, None]
        least = square.min(1, keepdims=True)
        log_prob = (np.log(np.mean(np.exp(0.5 * (least - square)), 1))
                    - 0.5 * least[:, 0] - 0.5 * np.log(determinant)
                    - math.log(2.0 * math.pi))
    return np.maximum(np.where(flat, floor, log_prob), floor)


def _distance(a, b) -> np.ndarray:
    return np.linalg.norm(a - b, axis=-1)


def _checked(predictions, future) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64.

    Raises:
        ValueError: If their shapes do not match.
    """
    predictions = np.asarray(predictions, np.float64)
    future = np.asarray(future, np.float64)
    check_predictions(predictions)
    num_agents, _, length, _ = predictions.shape
    if future.shape != (num_agents, length, 2):
        raise ValueError(f"future must have shape {[num_agents, length, 2]} "
                         f"as predictions, got {list(future.shape)}.")
    return predictions, future


def check_predictions(predictions):
    """Raises ValueError unless they are finite, [N, K, length, 2]."""
    shape = predictions.shape
    if len(shape) != 4 or shape[-1] != 2 or 0 in shape:
        raise ValueError("predictions must have shape [N, K, length, 2] "
                         f"without empty axes, got {list(shape)}.")
    if not np.isfinite(predictions).all():
        raise ValueError(
            "predictions must be finite, got "
            f"{np.sum(~np.isfinite(predictions))} NaN or infinite values.")


def check_distance(distance):
    """Raises ValueError unless `distance` is positive and finite."""
    if not 0 < distance < math.inf:
        raise ValueError(f"distance must be > 0, got {distance}.")
