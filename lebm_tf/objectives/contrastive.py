"""Contrastive losses of the energy: positive states against negative ones."""

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
        prior: Prior with the energy; None takes the model's.
        dropout: Dropout rate of the energy in [0, 1), with a separate mask for
            every state; chains use none. For an `EnergyPrior`.
    """
    prior: Any = None
    dropout: float = 0.0

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        positive, negative = _energies(
            self.prior or model.prior, draws, self.dropout)
        return draws.mean(positive) - draws.mean(negative)


energy_contrast = EnergyContrast()


def with_energies(model: Any, draws: Draws) -> Draws:
    """Adds the energies of positive and negative states to the draws, for
    several terms; a `prepare` function of `Objective`."""
    return draws._replace(shared={
        **draws.shared, "energies": _energies(model.prior, draws)})


@dataclasses.dataclass(frozen=True)
class LevelContrast:
    """mean w_t (E(y+, t) - E(y-, t)), with a level t per row.

    Its gradient is that of a weighted recovery likelihood: Gao et al. 2021,
    arXiv:2012.08125, `training_losses` of the official model.py. Needs
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
    """The part of mean E(y+, t) - E(y-, t) that comes from one level.

    A diagnostic with weight 0 that shows which level diverges. Needs
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
    """mean E(z+) + log mean exp(-E(z0)) over samples z0 of the base, in nats.

    This is -log p(z+) up to the base, with Z estimated by importance sampling:
    maximum likelihood without chains. The samples are the negative states,
    weighted by exp(-E). It suits a base that is close to the prior, such as one
    fitted to codes; if few weights dominate, the estimate and the gradient are
    biased.

    Attributes:
        role: Role whose states are samples of the base.
        dropout: As in `EnergyContrast`.
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
        # The gradient of log Z. Its value is added separately, since values
        # of all replicas are averaged later.
        log_z = replicas.count() * tf.reduce_sum(share * logs)
        count = tf.cast(replicas.count() * tf.size(logs), logs.dtype)
        value = largest + tf.math.log(total / count)
        return positive + log_z + tf.stop_gradient(value - log_z)


def once_fitted(base: Any, term: Term) -> Term:
    """Returns the term with value 0 until the base has been fitted."""
    def waiting(model: Any, draws: Draws) -> tf.Tensor:
        value = term(model, draws)
        return tf.cast(base.fitted_step >= 0, value.dtype) * value
    return waiting


def energy_magnitude(model: Any, draws: Draws) -> tf.Tensor:
    """mean E(z+)^2 + mean E(z-)^2, in nats squared.

    Keeps energies near 0 and therefore smooth; Du and Mordatch 2019,
    arXiv:1903.08689, section 3.3.
    """
    return tf.add_n([draws.mean(tf.square(energies))
                     for energies in _energies(model.prior, draws)])


def prior_contrast(model: Any, draws: Draws) -> tf.Tensor:
    """mean log p(z-) - mean log p(z+) of the unnormalized prior, whose base is
    trained as well.

    The base of a multi-layer prior has parameters, and Z depends on them; Cui
    et al. 2023, arXiv:2306.06323, `loss_g2` of train_cifar10.py.
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
    """The dropout argument of an energy, in training."""
    if not rate or seed is None:
        return {}
    own = rng.stream(rng.stream(seed, "energy_dropout"), role)
    return {"drop": lambda values, name: values * rng.dropout_mask(
        tf.shape(values), rate, rng.stream(own, name), values.dtype)}
