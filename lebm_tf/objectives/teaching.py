"""Fit a fast sampler to the states that a chain refined."""

import dataclasses
from typing import Any

import tensorflow as tf

from lebm_tf.samplers.draws import Draws


def attribute_negative_log_likelihood(model: Any, draws: Draws) -> tf.Tensor:
    """mean of -log p(y | z+), in nats; y is batch["attribute"]."""
    return -tf.reduce_mean(model.attribute.log_prob(
        draws.batch["attribute"], draws.positive.position))


@dataclasses.dataclass(frozen=True)
class FlowTeaching:
    """mean of -log q(z) at states of a role, in nats, which are constants.

    Minimizes KL(states || q). Beside KL(q || p) of a flow's own draws, which
    forgets what q does not draw, it keeps q wide: where the model fits, codes
    of data and draws of the prior follow one law.

    Attributes:
        flow: Density with `log_prob(z)`.
        role: Whose states: codes of data, or ends of chains behind the flow.
    """
    flow: Any
    role: str = "positive"

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        return -draws.mean(self.flow.log_prob(
            tf.stop_gradient(draws.states[self.role].position)))


def encoder_teaching(model: Any, draws: Draws) -> tf.Tensor:
    """mean of -log q(z+ | x), in nats: the encoder learns the posterior.

    Minimizes KL(chain || q); the refined states are constants.
    """
    z = tf.nest.map_structure(tf.stop_gradient, draws.positive.position)
    return -draws.mean(model.encoder.log_prob(
        z, draws.batch["x"],
        condition=draws.batch.get("condition")))


@dataclasses.dataclass(frozen=True)
class PictureTeaching:
    """mean (x'' - x')^2 over pixels and batch: a network that makes pictures
    x' learns what chains that start there make of them, x''.

    Xie et al. 2021, arXiv:2103.04285, `gen_loss` of model/cyclecoopnets.py.
    Divided by 2 scale^2 and times the number of pixels it would be -log
    N(x''; x', scale^2 I). x'' is constant unless its chains keep gradients.

    Attributes:
        made: Role of x', drawn on the tape.
        revised: Role of x''.
    """
    made: str
    revised: str

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        error = draws.states[self.revised].position - (
            draws.states[self.made].position)
        return draws.mean(tf.reduce_mean(tf.square(error), [1, 2, 3]))


@dataclasses.dataclass(frozen=True)
class CycleError:
    """mean |x - back(x)| over pixels and batch, of what comes back.

    Zhu et al. 2017, arXiv:1703.10593, section 3.2.

    Attributes:
        observed: Role of x.
        back: Role of its translation that was translated back, drawn on the
            tape.
    """
    observed: str
    back: str

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        error = draws.states[self.observed].position - (
            draws.states[self.back].position)
        return draws.mean(tf.reduce_mean(tf.abs(error), [1, 2, 3]))


@dataclasses.dataclass(frozen=True)
class ProposalTeaching:
    """mean |y_K - y_0|^2, of where chains ended and where they were proposed.

    The proposal p learns from where its own starts led: y_0 = p(x_{t+1}) and
    noise, which stays. Zhu et al. 2024, arXiv:2309.05153, algorithm 1.

    Attributes:
        proposal: A `densities.LevelProposal`.
        data: Role that began at x_{t+1}, with its level as condition.
        chains: Role whose chains were proposed from there.
    """
    proposal: Any
    data: str = "positive"
    chains: str = "negative"

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        data, chains = (draws.states[role] for role in (
            self.data, self.chains))
        mean = self.proposal.mean(data.start, data.condition)
        noise = tf.stop_gradient(chains.start - mean)
        error = tf.stop_gradient(chains.position) - (mean + noise)
        return draws.mean(tf.reduce_sum(
            tf.square(error), list(range(1, error.shape.rank))))
