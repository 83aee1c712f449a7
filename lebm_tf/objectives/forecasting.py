"""Fit plans and futures to those that came.

Squared distances in units of the model, summed over positions; LB-EBM,
arXiv:2104.03086, has means over coordinates, which the family's weights undo.
"""

from typing import Any

import tensorflow as tf

from lebm_tf.samplers.draws import Draws


def with_forecast(model: Any, draws: Draws) -> Draws:
    """The draws with what the positive states stand for, as "forecast"."""
    forecast = model.likelihood.generator.forecast(
        draws.positive.position, draws.batch["condition"])
    return draws._replace(shared={**draws.shared, "forecast": forecast})


def plan_error(model: Any, draws: Draws) -> tf.Tensor:
    """Mean squared distance of the plan from the true one."""
    truth = model.likelihood.generator.plan_of(draws.batch["x"])
    return _error(draws, truth, draws.shared["forecast"].plan)


def future_error(model: Any, draws: Draws) -> tf.Tensor:
    """Mean squared distance of the predicted future from the true one."""
    return _error(draws, draws.batch["x"], draws.shared["forecast"].future)


def consistency_error(model: Any, draws: Draws) -> tf.Tensor:
    """Mean squared distance of the plan from the future predicted along it."""
    plan, future = draws.shared["forecast"]
    return _error(draws, plan, model.likelihood.generator.plan_of(future))


def _error(draws, a, b):
    return draws.mean(tf.reduce_sum(tf.square(a - b), [1, 2]))
