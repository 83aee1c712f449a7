"""Losses of plans and futures of trajectories.

Squared distances in model units, summed over positions. LB-EBM,
arXiv:2104.03086, uses means over coordinates, which the weights of the family
account for.
"""

from typing import Any

import tensorflow as tf

from lebm_tf.samplers.draws import Draws


def with_forecast(model: Any, draws: Draws) -> Draws:
    """Adds the forecast of the positive states to the draws, as "forecast"."""
    forecast = model.likelihood.generator.forecast(
        draws.positive.position, draws.batch["condition"])
    return draws._replace(shared={**draws.shared, "forecast": forecast})


def plan_error(model: Any, draws: Draws) -> tf.Tensor:
    """Mean squared distance between the plan and the true one."""
    truth = model.likelihood.generator.plan_of(draws.batch["x"])
    return _error(draws, truth, draws.shared["forecast"].plan)


def future_error(model: Any, draws: Draws) -> tf.Tensor:
    """Mean squared distance between the predicted and the true future."""
    return _error(draws, draws.batch["x"], draws.shared["forecast"].future)


def consistency_error(model: Any, draws: Draws) -> tf.Tensor:
    """Mean squared distance between the plan and the predicted future."""
    plan, future = draws.shared["forecast"]
    return _error(draws, plan, model.likelihood.generator.plan_of(future))


def _error(draws, a, b):
    return draws.mean(tf.reduce_sum(tf.square(a - b), [1, 2]))
