"""What was drawn: one state, and all of a step."""

from typing import Any, Mapping, NamedTuple

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position, State, num_chains


class Draw(NamedTuple):
    """States and where they came from.

    Attributes:
        start: Positions before the first move, nest of [chains, ...].
        state: The state after the last move.
        encoded: What an encoder said of q(z | x), (mean, log_scale), where
            the draw is one of its; kept so that a KL term need not ask again.
        condition: What these states are conditioned on, a level of noise say,
            nest of [chains, ...]; None for that of the batch.
    """
    start: Position
    state: State
    encoded: tuple = ()
    condition: Any = None

    @property
    def position(self) -> Position:
        """Positions after the last move, nest of [chains, ...]."""
        return self.state.position


class Draws(NamedTuple):
    """All that one training step looks at.

    Attributes:
        batch: The data: "x", and "index", "y", "condition" where they exist;
            and "mask", float [rows], 1 for rows that count and 0 for those
            that only fill a batch up.
        states: Role -> draw, of the roles that were drawn so far.
        seed: Of the step, int32 [2], for terms that draw something more; each
            takes an own stream of it. None where nothing is trained.
        shared: What `Objective.prepare` computed once for several terms.
    """
    batch: Mapping[str, Any]
    states: Mapping[str, Draw] = {}
    seed: rng.Seed | None = None
    shared: Mapping[str, Any] = {}

    @property
    def num_rows(self) -> int | tf.Tensor:
        """How many observations there are, int or int32 []."""
        return num_chains(self.batch["x"])

    @property
    def positive(self) -> Draw:
        """States that fit the data."""
        return self.states["positive"]

    @property
    def negative(self) -> Draw:
        """States of the model."""
        return self.states["negative"]

    def condition(self, role: str) -> Any:
        """What the states of a role are conditioned on, or None."""
        condition = self.states[role].condition
        return self.batch.get("condition") if condition is None else condition

    def with_states(self, **states: Draw) -> "Draws":
        """The same with more states, or with others."""
        return self._replace(states={**self.states, **states})

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
