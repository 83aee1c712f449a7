"""Lower the energy of states that fit the data against that of the model's."""

import dataclasses
from typing import Any

import tensorflow as tf

from lebm_tf.mcmc import replicas, rng
from lebm_tf.objectives.objective import Term
from lebm_tf.samplers.draws import Draws


@dataclasses.dataclass(frozen=True)
class EnergyContrast:
    """mean E(z+) - mean E(z-), a scalar in nats.

    Its gradient is that of -log p(x) with respect to the energy; Pang et al.
    2020, arXiv:2006.08205, `loss_e` of train_svhn.py.

    Attributes:
        prior: Whose energy; the model's prior if None.
        dropout: Part of the energy's hidden values that is left out, of every
            state another, in [0, 1); not in chains. For an `EnergyPrior`.
    """
    prior: Any = None
    dropout: float = 0.0

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        positive, negative = _energies(
            self.prior or model.prior, draws, self.dropout)
        return draws.mean(positive) - draws.mean(negative)


energy_contrast = EnergyContrast()


def with_energies(model: Any, draws: Draws) -> Draws:
    """The draws with the energies of positive and negative states, computed
    once for several terms; for `Objective.prepare`."""
    return draws._replace(shared={
        **draws.shared, "energies": _energies(model.prior, draws)})


@dataclasses.dataclass(frozen=True)
class LevelContrast:
    """mean w_t (E(y+, t) - E(y-, t)), each row at a level t of its own.

    Its gradient is that of a weighted recovery likelihood: Gao et al. 2021,
    arXiv:2012.08125, `training_losses` of official model.py. Needs
    `with_energies`.

    Attributes:
        weights: w_t of each level, such as `NoiseLevels.weights`.
    """
    weights: tuple[float, ...]

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        positive, negative = draws.shared["energies"]
        weights = tf.gather(tf.constant(self.weights, positive.dtype),
                            draws.condition("positive"))
        return draws.mean(weights * (positive - negative))


@dataclasses.dataclass(frozen=True)
class LevelGap:
    """What one level adds to mean E(y+, t) - E(y-, t).

    To be looked at, with weight 0: it tells which level diverges. Needs
    `with_energies`.

    Attributes:
        level: t.
    """
    level: int

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        positive, negative = draws.shared["energies"]
        return draws.mean(tf.where(
            tf.equal(draws.condition("positive"), self.level),
            positive - negative, tf.zeros_like(positive)))


@dataclasses.dataclass(frozen=True)
class ImportanceContrast:
    """mean E(z+) + log mean exp(-E(z0)) of draws z0 of the base, in nats.

    -log p(z+) up to the base, with Z estimated by importance sampling: maximum
    likelihood without a chain. The draws are the negative states, each
    weighted by exp(-E). Good where the base is near the prior already, as one
    that is fitted to codes is; with few of the weights large the estimate, and
    the gradient, are biased.

    Attributes:
        role: Whose states are draws of the base.
        dropout: As of `EnergyContrast`.
    """
    role: str = "base"
    dropout: float = 0.0

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        positive, energies = _energies(
            model.prior, draws, self.dropout, ("positive", self.role))
        positive, logs = draws.mean(positive), -energies
        largest = tf.stop_gradient(tf.reduce_max(replicas.gather(logs)))
        weights = tf.exp(logs - largest)
        total, = replicas.total([tf.reduce_sum(weights)])
        share = tf.stop_gradient(weights / total)
        # The gradient of log Z; its value is added, as those of all replicas
        # are averaged later.
        log_z = replicas.count() * tf.reduce_sum(share * logs)
        count = tf.cast(replicas.count() * tf.size(logs), logs.dtype)
        value = largest + tf.math.log(total / count)
        return positive + log_z + tf.stop_gradient(value - log_z)


def once_fitted(base: Any, term: Term) -> Term:
    """The term, but 0 until the base has been fitted."""
    def waiting(model: Any, draws: Draws) -> tf.Tensor:
        value = term(model, draws)
        return tf.cast(base.fitted_step >= 0, value.dtype) * value
    return waiting


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


def _energies(prior, draws, dropout=0.0, roles=("positive", "negative")):
    return [prior.energy(
        draws.states[role].position, condition=draws.condition(role),
        **_dropped(dropout, draws.seed, role)) for role in roles]


def _dropped(rate, seed, role):
    """What an energy with dropout is called with besides, in training."""
    if not rate or seed is None:
        return {}
    own = rng.stream(rng.stream(seed, "energy_dropout"), role)
    return {"drop": lambda values, name: values * rng.dropout_mask(
        tf.shape(values), rate, rng.stream(own, name), values.dtype)}
