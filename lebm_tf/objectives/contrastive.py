"""Lower the energy of states that fit the data against that of the model's."""

import dataclasses
from typing import Any

import tensorflow as tf

from lebm_tf.samplers.draws import Draws


@dataclasses.dataclass(frozen=True)
class EnergyContrast:
    """mean E(z+) - mean E(z-), a scalar in nats.

    Its gradient is that of -log p(x) with respect to the energy; Pang et al.
    2020, arXiv:2006.08205, `loss_e` of train_svhn.py.

    Attributes:
        prior: Whose energy; the model's prior if None.
    """
    prior: Any = None

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        positive, negative = _energies(self.prior or model.prior, draws)
        return draws.mean(positive) - draws.mean(negative)


energy_contrast = EnergyContrast()


def energy_magnitude(model: Any, draws: Draws) -> tf.Tensor:
    """mean E(z+)^2 + mean E(z-)^2, in nats squared.

    Keeps energies near 0, so that they stay smooth; Du and Mordatch 2019,
    arXiv:1903.08689, section 3.3.
    """
    return tf.add_n([draws.mean(tf.square(energies))
                     for energies in _energies(model.prior, draws)])


def prior_contrast(model: Any, draws: Draws) -> tf.Tensor:
    """The same of the whole unnormalized prior, whose base learns too.

    The base of a multi-layer prior has parameters, and Z depends on them;
    Cui et al. 2023, arXiv:2306.06323, `loss_g2` of train_cifar10.py.
    """
    negative, positive = (draws.mean(model.prior.unnormalized_log_prob(
        draws.states[role].position, condition=draws.condition(role)))
        for role in ("negative", "positive"))
    return negative - positive


def _energies(prior, draws):
    return [prior.energy(draws.states[role].position,
                         condition=draws.condition(role))
            for role in ("positive", "negative")]
