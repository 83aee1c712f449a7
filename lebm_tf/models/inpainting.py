"""Inpainting: sampling the missing parts of observations by a noise ladder."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from lebm_tf.densities import LadderTarget
from lebm_tf.densities.neighbours import rows
from lebm_tf.mcmc import rng
from lebm_tf.samplers import Draws


def complete(model: Any, x: Any, known: Any, seed: rng.Seed) -> np.ndarray:
    """Samples the unknown part of observations, given the known part.

    The known part is diffused once through all noise levels, and is held fixed
    at every level on the way down: chains at level t move only the unknown part
    of y, given the known part of x_t. This needs an `EnergyModel` that samples
    by a `samplers.Ladder` with a `densities.LevelPrior`.

    Args:
        model: The model.
        x: Observations [batch, ...]; images in [-1, 1].
        known: Mask of the known elements, bool [...] or [batch, ...].
        seed: int32 [2].

    Returns:
        float32 [batch, ...]; known elements are unchanged.

    Raises:
        ValueError: If images leave [-1, 1], or shapes differ.
    """
    prior, ladder = model.prior, model.generation
    levels = prior.levels
    x = tf.convert_to_tensor(x, tf.float32)
    check_range(x)
    known = tf.convert_to_tensor(known)
    if known.dtype != tf.bool or known.shape[-len(x.shape[1:]):] != x.shape[1:]:
        raise ValueError(f"known must be bool {x.shape[1:]}, got "
                         f"{known.dtype.name} {known.shape}.")
    known = tf.broadcast_to(known, x.shape)
    path = [levels.factors[0] * x + levels.scales[0] * rng.normal_like(
        x, rng.fold_in(seed, 0))]
    for t in range(1, levels.num_levels + 1):
        path.append(levels.factors[t] * path[-1] + levels.scales[t]
                    * rng.normal_like(x, rng.fold_in(seed, t)))
    path = tf.stack(path)

    def held(level, values):
        """Values of x_level, with the known part in place."""
        return tf.where(known, path[level], values)

    def state(level, y):
        """y of a level, with the known part in place."""
        return tf.where(known, rows(
            levels.model_factors[1:], level, y) * path[level], y)

    def at(level, above):
        target = prior.at_level(tf.fill([len(x)], level),
                                held(level + 1, above))
        return dataclasses.replace(target, log_prob=lambda y, rows: (
            target.log_prob(state(level, y), rows)), is_rowwise=False)

    def propose(level, above, seed):
        return state(level, ladder.propose(
            level, held(level + 1, above), seed))

    def descend(level, y):
        return ladder.descend(level, state(level, y))
    completing = dataclasses.replace(ladder, propose=propose, descend=descend)
    drawn = tf.function(lambda seed: completing.draw(
        LadderTarget(at), len(x), Draws({}), seed).position, autograph=False)(
            rng.stream(seed, "completion"))
    return tf.where(known, x, drawn).numpy()


def check_range(x: tf.Tensor) -> None:
    """Raises ValueError if images leave [-1, 1]; ignores vectors."""
    if x.shape.rank != 4:
        return
    largest = float(tf.reduce_max(tf.abs(x)))
    if not largest <= 1 + 1e-6:
        raise ValueError("images must lie in [-1, 1] (data.to_model(x)), got "
                         f"{largest:g}.")
