"""Who learns from what."""

import dataclasses
from typing import Any, Callable, Mapping, NamedTuple

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position
from lebm_tf.samplers.short_run import Draw


class Draws(NamedTuple):
    """All that one training step looks at.

    Attributes:
        batch: The data: "x", and "index", "y", "condition" where they exist;
            and "mask", float [rows], 1 for rows that count and 0 for those
            that only fill a batch up.
        positive: States that fit the data, or None.
        negative: States of the model, or None.
        seed: Of the step, int32 [2], for terms that draw something more; each
            takes an own stream of it.
    """
    batch: Mapping[str, Any]
    positive: Draw | None
    negative: Draw | None
    seed: rng.Seed | None = None

    @property
    def positive_position(self) -> Position:
        return self.positive.position

    @property
    def negative_position(self) -> Position:
        return self.negative.position

    def mean(self, values: tf.Tensor) -> tf.Tensor:
        """The mean over the rows that count, [...] of [rows, ...]."""
        mask = self.batch.get("mask")
        if mask is None:
            return tf.reduce_mean(values, 0)
        return self.sum(values) / tf.cast(tf.reduce_sum(mask), values.dtype)

    def sum(self, values: tf.Tensor) -> tf.Tensor:
        """The sum over the rows that count, [...] of [rows, ...]."""
        mask = self.batch.get("mask")
        if mask is None:
            return tf.reduce_sum(values, 0)
        return tf.tensordot(tf.cast(mask, values.dtype), values, 1)


Term = Callable[[Any, Draws], tf.Tensor]  # (model, draws) -> scalar.


@dataclasses.dataclass(frozen=True)
class Objective:
    """A sum of terms that some parts of the model descend.

    Every term sums over event axes and averages over the batch.

    Attributes:
        parts: Names of the parts that learn from it.
        terms: Name -> term.
        weights: Name -> factor on that term; 1 where not given.
        prepare: (model, draws) -> draws with what several terms look at, so
            that it is computed once.

    Raises:
        ValueError: If a weight belongs to no term.
    """
    parts: tuple[str, ...]
    terms: Mapping[str, Term]
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    prepare: Callable[[Any, Draws], Draws] | None = None

    def __post_init__(self):
        unknown = set(self.weights) - set(self.terms)
        if unknown:
            raise ValueError(
                f"weights must be of the terms {', '.join(self.terms)}, got "
                f"{', '.join(sorted(unknown))}.")

    def __call__(self, model: Any, draws: Draws
                 ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The weighted sum, [], and each term on its own."""
        if self.prepare is not None:
            draws = self.prepare(model, draws)
        values = {name: term(model, draws)
                  for name, term in self.terms.items()}
        total = tf.add_n([self.weights.get(name, 1.0) * value
                          for name, value in values.items()])
        return total, values
