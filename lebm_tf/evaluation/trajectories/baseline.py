"""The constant velocity baseline, which needs no training.

Every trained model should be better. arXiv:1903.07933 (Schoeller et al.). Their
numbers, 0.39 / 0.83 m on average over ETH/UCY and 0.28 / 0.56 m best of 20,
include windows with as few as 2 of the 12 future positions, so they are not
comparable with numbers for whole windows.
"""

import math
from typing import NamedTuple

import numpy as np

from lebm_tf.mcmc import rng

# As in OUR-S of cschoeller/constant_velocity_pedestrian_motion.
ANGLE_SCALE = math.radians(25.0)


class Sampled(NamedTuple):
    """Predictions and their negative log densities under the baseline.

    Attributes:
        predictions: float64 [N, K, future_length, 2], in the unit of the data.
        energy: -log p of the rotation angle of each, in nats, float64 [N, K].
    """
    predictions: np.ndarray
    energy: np.ndarray


def constant_velocity(past, future_length: int) -> np.ndarray:
    """Extrapolates the last observed displacement.

    x_t = x_0 + t (x_0 - x_-1), with x_0 the last observed position.

    Args:
        past: float [N, past_length, 2], past_length >= 2.
        future_length: Number of positions to predict, at least 1.

    Returns:
        float64 [N, 1, future_length, 2], one prediction per agent.

    Raises:
        ValueError: If `past` has another shape, or `future_length` is below 1.
    """
    past = np.asarray(past, np.float64)
    if past.ndim != 3 or past.shape[1] < 2 or past.shape[2] != 2:
        raise ValueError("past must have shape [N, length, 2] with length >= "
                         f"2, got {list(past.shape)}.")
    if future_length < 1:
        raise ValueError(f"future_length must be >= 1, got {future_length}.")
    move = past[:, -1] - past[:, -2]
    steps = np.arange(1.0, future_length + 1)[:, None]
    return (past[:, None, -1] + steps * move[:, None])[:, None]


def constant_velocity_samples(past, future_length: int, num_samples: int,
                              seed: int, angle_scale: float = ANGLE_SCALE
                              ) -> Sampled:
    """Extrapolates the last displacement, rotated by a random angle.

    One angle per path, drawn from N(0, angle_scale^2), as in the sampling
    variant of arXiv:1903.07933.

    Args:
        past: float [N, past_length, 2], past_length >= 2.
        future_length: Number of positions to predict, at least 1.
        num_samples: Number of paths per agent, K, at least 1.
        seed: Any int64.
        angle_scale: Standard deviation in radians, above 0.

    Raises:
        ValueError: If `past` has another shape, or a number is out of range.
    """
    if num_samples < 1 or not 0 < angle_scale < math.inf:
        raise ValueError(
            "num_samples must be >= 1 and angle_scale > 0, got "
            f"{num_samples} and {angle_scale}.")
    straight = constant_velocity(past, future_length)
    noise = rng.normal(
        [len(straight), num_samples],
        rng.stream(rng.make_seed(seed), "constant_velocity"), "float64")
    noise = noise.numpy()
    angle = angle_scale * noise
    origin = np.asarray(past, np.float64)[:, None, -1:]
    x, y = np.moveaxis(straight - origin, -1, 0)  # [N, 1, future_length]
    cosine, sine = np.cos(angle)[..., None], np.sin(angle)[..., None]
    turned = np.stack([cosine * x - sine * y, sine * x + cosine * y], -1)
    energy = 0.5 * noise**2 + math.log(angle_scale * math.sqrt(2 * math.pi))
    return Sampled(turned + origin, energy)
