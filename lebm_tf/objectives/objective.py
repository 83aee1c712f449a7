"""Objectives: weighted sums of terms, with the parts that they train."""

import dataclasses
from typing import Any, Callable, Mapping

import tensorflow as tf

from lebm_tf.samplers.draws import Draws

Term = Callable[[Any, Draws], tf.Tensor]  # (model, draws) -> scalar.


@dataclasses.dataclass(frozen=True)
class Objective:
    """A sum of terms that some parts of the model minimize.

    Every term sums over event axes and averages over the batch.

    Attributes:
        parts: Names of the parts that it trains.
        terms: Name -> term.
        weights: Name -> weight of that term; default: 1.
        prepare: (model, draws) -> draws with values that several terms share.

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
                f"weights must name terms in {', '.join(self.terms)}, got "
                f"{', '.join(sorted(unknown))}.")

    def __call__(self, model: Any, draws: Draws
                 ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The weighted sum, [], and each term by name."""
        if self.prepare is not None:
            draws = self.prepare(model, draws)
        values = {name: term(model, draws)
                  for name, term in self.terms.items()}
        total = tf.add_n([self.weights.get(name, 1.0) * value
                          for name, value in values.items()])
        return total, values
