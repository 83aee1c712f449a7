"""Losses that fit a fast sampler to states that chains refined."""

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
    """mean of -log q(z) at the states of a role, in nats, which are constants.

    Minimizes KL(states || q). It complements KL(q || p) of the flow's own
    samples, which ignores regions that q does not reach, and keeps q wide: in a
    well-fitted model, posterior codes and prior samples have the same
    distribution.

    Attributes:
        flow: Density with `log_prob(z)`.
        role: Role of the states: posterior codes, or chains that follow the
            flow.
    """
    flow: Any
    role: str = "positive"

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        return -draws.mean(self.flow.log_prob(
            tf.stop_gradient(draws.states[self.role].position)))


def encoder_teaching(model: Any, draws: Draws) -> tf.Tensor:
    """mean of -log q(z+ | x), in nats: fits the encoder to the posterior.

    Minimizes KL(chain || q); the refined states are constants.
    """
    z = tf.nest.map_structure(tf.stop_gradient, draws.positive.position)
    return -draws.mean(model.encoder.log_prob(
        z, draws.batch["x"],
        condition=draws.batch.get("condition")))


@dataclasses.dataclass(frozen=True)
class PictureTeaching:
    """mean (x'' - x')^2 over pixels and batch: fits a network's images x' to
    the revisions x'' of chains that start there.

    Xie et al. 2021, arXiv:2103.04285, `gen_loss` of model/cyclecoopnets.py.
    Divided by 2 scale^2 and times the number of pixels it would be -log N(x'';
    x', scale^2 I). x'' is constant unless its chains keep gradients.

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
    """mean |x - back(x)| over pixels and batch: the cycle-consistency loss.

    Zhu et al. 2017, arXiv:1703.10593, section 3.2.

    Attributes:
        observed: Role of x.
        back: Role of its translation there and back, drawn on the tape.
    """
    observed: str
    back: str

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        error = draws.states[self.observed].position - (
            draws.states[self.back].position)
        return draws.mean(tf.reduce_mean(tf.abs(error), [1, 2, 3]))


@dataclasses.dataclass(frozen=True)
class ProposalTeaching:
    """mean |y_K - y_0|^2 between final and proposed states of chains.

    The proposal p learns from the chains that it started: y_0 = p(x_{t+1}) plus
    noise, which is constant. Zhu et al. 2024, arXiv:2309.05153, algorithm 1.

    Attributes:
        proposal: A `densities.LevelProposal`.
        data: Role that started at x_{t+1}, with its level as condition.
        chains: Role of the chains that were proposed from there.
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
