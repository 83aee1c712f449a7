"""Lower the energy of positive states against that of negative ones."""

from typing import Any

import tensorflow as tf

from lebm_tf.objectives.objective import Draws


def energy_contrast(model: Any, draws: Draws) -> tf.Tensor:
    """mean E(z+) - mean E(z-), a scalar in nats.

    Its gradient is that of -log p(x) with respect to the energy; Pang et al.
    2020, arXiv:2006.08205, `loss_e` of train_svhn.py.
    """
    condition = draws.batch.get("condition")
    positive = model.prior.energy(draws.positive_position, condition)
    negative = model.prior.energy(draws.negative_position, condition)
    return draws.mean(positive) - draws.mean(negative)


def energy_magnitude(model: Any, draws: Draws) -> tf.Tensor:
    """mean E(z+)^2 + mean E(z-)^2, in nats squared.

    Keeps energies near 0, so that they stay smooth; Du and Mordatch 2019,
    arXiv:1903.08689, section 3.3.
    """
    condition = draws.batch.get("condition")
    return tf.add_n([draws.mean(tf.square(model.prior.energy(
        position, condition))) for position in (
            draws.positive_position, draws.negative_position)])


def prior_contrast(model: Any, draws: Draws) -> tf.Tensor:
    """The same of the whole unnormalized prior, whose base learns too.

    The base of a multi-layer prior has parameters, and Z depends on them;
    Cui et al. 2023, arXiv:2306.06323, `loss_g2` of train_cifar10.py.
    """
    condition = draws.batch.get("condition")
    log_prob = model.prior.unnormalized_log_prob
    return (draws.mean(log_prob(draws.negative_position, condition))
            - draws.mean(log_prob(draws.positive_position, condition)))
