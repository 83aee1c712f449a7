"""Logged statistics of the states of a step."""

from typing import Any

import tensorflow as tf

from lebm_tf.mcmc.diagnostics import displacement
from lebm_tf.samplers import Draws


def of_roles(model: Any, draws: Draws) -> dict[str, tf.Tensor]:
    """Energy, displacement, gradient norm and acceptance of every role."""
    logs = {}
    for name, draw in draws.states.items():
        role, state = model.roles[name], draw.state
        if role.view is not None:
            continue  # Its rows differ from those of the mask.
        values = {"displacement": displacement(draw.start, state.position),
                  "gradient_norm": state.gradient_norm,
                  "accept_prob": state.accept_prob}
        prior = role.prior or model.prior
        if prior is not None and prior.has_energy:
            values["energy"] = prior.energy(
                state.position, condition=draws.condition(name))
        logs.update({f"{name}/{key}": draws.mean(value)
                     for key, value in values.items()})
    return logs
