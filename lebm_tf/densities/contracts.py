"""Interfaces of densities.

They share one signature: the variable, what it depends on, then by name a
condition and a seed. A density that is not conditional ignores the condition,
because a prior may have one, such as a class, that its likelihood lacks.
"""

import abc
from typing import Any

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position, num_chains


class Prior(abc.ABC):
    """p(z) with an energy or other learned parts; a mixin of densities.

    Attributes:
        has_energy: Whether there is an energy; without one, samples are those
            of the base.
        num_symbols: Number of symbols it can be conditioned on.
        tells_symbols: Whether it has `symbol_log_probs(z)`: log p(y | z), float
            [batch, num_symbols].
    """
    has_energy = False
    num_symbols = 0
    tells_symbols = False

    @abc.abstractmethod
    def unnormalized_log_prob(self, z: Position, *, condition: Any = None
                              ) -> tf.Tensor:
        """log p(z) up to a constant, float [batch]: the target of prior chains.
        """

    def energy(self, z: Position, *, condition: Any = None) -> tf.Tensor:
        """E(z), float [batch], in nats; 0 without an energy."""
        leaf = tf.nest.flatten(z)[0]
        return tf.zeros([num_chains(z)], leaf.dtype)


class Base(Prior):
    """A normalized prior that is sampled without a chain: p0."""

    @abc.abstractmethod
    def sample(self, num_samples, seed: rng.Seed) -> Position:
        """Samples z, nest of [num_samples, ...]."""

    @abc.abstractmethod
    def log_prob(self, z: Position) -> tf.Tensor:
        """Normalized log density, float [batch], in nats."""

    def unnormalized_log_prob(self, z: Position, *, condition: Any = None
                              ) -> tf.Tensor:
        """Same as `log_prob`; the condition is ignored."""
        return self.log_prob(z)


class Likelihood(abc.ABC):
    """p(x | z); a mixin of densities.

    Attributes:
        is_conditional: Whether it uses a condition.
        has_mean: Whether it has `mean(z)`.
        has_distance: Whether it has a distance |x - g(z)|.
        has_temperature: Whether `decode` samples, at a temperature.
        chain_dropout: Whether chains in training use it with dropout.
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
            condition: Nest of [batch, ...], if conditional.
            seed: Seed of dropout in training, else None.
        """

    @abc.abstractmethod
    def decode(self, z: Position, seed: rng.Seed, *, condition: Any = None
               ) -> tf.Tensor:
        """Decodes z to an observation, [batch, ...].

        Args:
            z: Latents, nest of [batch, ...].
            seed: Seed of sampled values, int32 [2] or [batch, 2].
            condition: As in `log_prob`.
        """

    @abc.abstractmethod
    def read(self, x: Any) -> tf.Tensor:
        """Checks observations and converts them for the model.

        Raises:
            ValueError: If they have the wrong type or shape.
        """

    def explain(self, x: tf.Tensor, z: Position, *, condition: Any = None
                ) -> tuple[tf.Tensor, tf.Tensor]:
        """(log p(x | z), |x - g(z)|^2), each float [batch]; NaN without a
        distance."""
        log_prob = self.log_prob(x, z, condition=condition)
        return log_prob, tf.fill(tf.shape(log_prob), float("nan"))

    def adapt(self, data: Any) -> None:
        """Computes statistics of a data set before training, if needed."""


class Encoder(abc.ABC):
    """q(z | x); a mixin of densities.

    An encoder with a density also has `log_prob(z, x, *, condition=None,
    seed=None)` and, for known parameters, `log_prob_of(z, *parameters)`, float
    [batch], in nats.

    Attributes:
        is_conditional: Whether it uses a condition.
    """
    is_conditional = False

    @abc.abstractmethod
    def parameters(self, x: tf.Tensor, *, condition: Any = None,
                   seed: rng.Seed | None = None) -> tuple[tf.Tensor, ...]:
        """Parameters of q(z | x), each [batch, ...].

        Args:
            x: Observations, [batch, ...].
            condition: Condition, if conditional.
            seed: Seed of dropout; None for no dropout.
        """

    @abc.abstractmethod
    def sample_from(self, *parameters_and_seed) -> Position:
        """A reparameterized sample, given the parameters."""

    def draw(self, x: tf.Tensor, seed: rng.Seed, *, condition: Any = None,
             dropout_seed: rng.Seed | None = None
             ) -> tuple[Position, tuple]:
        """A reparameterized sample z, nest of [batch, ...], and the parameters
        of its q(z | x)."""
        encoded = self.parameters(x, condition=condition, seed=dropout_seed)
        return self.sample_from(*encoded, seed), encoded

    def sample(self, x: tf.Tensor, seed: rng.Seed, *, condition: Any = None
               ) -> Position:
        """The sample of `draw` alone."""
        return self.draw(x, seed, condition=condition)[0]


def given(density: Any, condition: Any) -> dict[str, Any]:
    """The condition as a keyword argument, for conditional densities only."""
    return {"condition": condition} if density.is_conditional else {}
