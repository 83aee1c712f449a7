"""What densities owe. One signature for all: the variable, what it is given,
then by name a condition and a seed.

A density that is not conditional does not look at a condition: a prior may
have one, a class say, that its likelihood has not.
"""

import abc
from typing import Any

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position, num_chains


class Prior(abc.ABC):
    """p(z), of which a model learns the energy or all: a mixin of densities.

    Attributes:
        has_energy: Whether chains have an energy to climb; without one, draws
            are those of its base.
        num_symbols: How many symbols it can be conditioned on.
        tells_symbols: Whether there is p(y | z): then `symbol_log_probs(z)` is
            log p(y | z), float [batch, num_symbols].
    """
    has_energy = False
    num_symbols = 0
    tells_symbols = False

    @abc.abstractmethod
    def unnormalized_log_prob(self, z: Position, *, condition: Any = None
                              ) -> tf.Tensor:
        """log p(z) up to a constant, float [batch]: what chains climb."""

    def energy(self, z: Position, *, condition: Any = None) -> tf.Tensor:
        """E(z), float [batch], in nats: how much less probable than under the
        base; 0 without an energy."""
        leaf = tf.nest.flatten(z)[0]
        return tf.zeros([num_chains(z)], leaf.dtype)


class Base(Prior):
    """A prior that is normalized and drawn from without a chain: p0."""

    @abc.abstractmethod
    def sample(self, num_samples, seed: rng.Seed) -> Position:
        """Draws z, nest of [num_samples, ...]."""

    @abc.abstractmethod
    def log_prob(self, z: Position) -> tf.Tensor:
        """Normalized log density, float [batch], in nats."""

    def unnormalized_log_prob(self, z: Position, *, condition: Any = None
                              ) -> tf.Tensor:
        """The same: it has no condition."""
        return self.log_prob(z)


class Likelihood(abc.ABC):
    """p(x | z): a mixin of densities.

    Attributes:
        is_conditional: Whether it looks at a condition.
        has_mean: Whether there is a `mean(z)`.
        has_distance: Whether x has a distance to it, |x - g(z)|.
        has_temperature: Whether `decode` draws, at a temperature.
        chain_dropout: Whether chains in training climb it with dropout.
    """
    is_conditional = False
    has_mean = False
    has_distance = False
    has_temperature = False
    chain_dropout = False

    @abc.abstractmethod
    def log_prob(self, x: tf.Tensor, z: Position, *, condition: Any = None,
                 seed: rng.Seed | None = None) -> tf.Tensor:
        """Normalized log density, float [batch], in nats.

        Args:
            x: Observations, [batch, ...].
            z: Latents, nest of [batch, ...].
            condition: Nest of [batch, ...], of a conditional one.
            seed: Of dropout, in training; None else.
        """

    @abc.abstractmethod
    def decode(self, z: Position, seed: rng.Seed, *, condition: Any = None
               ) -> tf.Tensor:
        """What z stands for, [batch, ...].

        Args:
            z: Latents, nest of [batch, ...].
            seed: Of what is drawn, int32 [2] or [batch, 2].
            condition: As in `log_prob`.
        """

    @abc.abstractmethod
    def read(self, x: Any) -> tf.Tensor:
        """Observations as the model takes them.

        Raises:
            ValueError: If they are none.
        """

    def explain(self, x: tf.Tensor, z: Position, *, condition: Any = None
                ) -> tuple[tf.Tensor, tf.Tensor]:
        """(log p(x | z), |x - g(z)|^2), each float [batch]; NaN where there is
        no distance."""
        log_prob = self.log_prob(x, z, condition=condition)
        return log_prob, tf.fill(tf.shape(log_prob), float("nan"))

    def adapt(self, data: Any) -> None:
        """Takes from a data set what it needs before training, if anything."""


class Encoder(abc.ABC):
    """q(z | x): a mixin of densities. One with a density besides has
    `log_prob(z, x, *, condition=None, seed=None)`, and where the parameters
    are at hand `log_prob_of(z, *parameters)`, float [batch], in nats.

    Attributes:
        is_conditional: Whether it looks at a condition.
    """
    is_conditional = False

    @abc.abstractmethod
    def parameters(self, x: tf.Tensor, *, condition: Any = None,
                   seed: rng.Seed | None = None) -> tuple[tf.Tensor, ...]:
        """What makes q(z | x), each [batch, ...].

        Args:
            x: Observations, [batch, ...].
            condition: Of a conditional one.
            seed: Of dropout; None for none.
        """

    @abc.abstractmethod
    def sample_from(self, *parameters_and_seed) -> Position:
        """A draw, where the parameters are at hand."""

    def draw(self, x: tf.Tensor, seed: rng.Seed, *, condition: Any = None,
             dropout_seed: rng.Seed | None = None
             ) -> tuple[Position, tuple]:
        """A reparameterized draw z, nest of [batch, ...], and what makes the
        q(z | x) that it is of."""
        encoded = self.parameters(x, condition=condition, seed=dropout_seed)
        return self.sample_from(*encoded, seed), encoded

    def sample(self, x: tf.Tensor, seed: rng.Seed, *, condition: Any = None
               ) -> Position:
        """The draw alone."""
        return self.draw(x, seed, condition=condition)[0]


def given(density: Any, condition: Any) -> dict[str, Any]:
    """The argument of a conditional density's network, which no other has."""
    return {"condition": condition} if density.is_conditional else {}
