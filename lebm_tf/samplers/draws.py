"""Sampled states: of one role, and of a whole step."""

from typing import Any, Mapping, NamedTuple

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position, State, num_chains


class Draw(NamedTuple):
    """Sampled states and their start.

    Attributes:
        start: Positions before the first move, nest of [chains, ...].
        state: The state after the last move.
        encoded: Parameters (mean, log_scale) of q(z | x), if an encoder drew
            the states; stored for reuse by KL terms.
        condition: Condition of these states, such as a noise level, nest of
            [chains, ...]; None for that of the batch.
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
    """Inputs of the losses of a training step.

    Attributes:
        batch: The data: "x", and "index", "y", "condition" where they exist;
            and "mask", float [rows], 1 for rows that count and 0 for padding.
        states: Role -> draw, for the roles drawn so far.
        seed: Seed of the step, int32 [2], for terms that draw more; each uses a
            stream of its own. None outside training.
        shared: Results of `Objective.prepare` that several terms use.
    """
    batch: Mapping[str, Any]
    states: Mapping[str, Draw] = {}
    seed: rng.Seed | None = None
    shared: Mapping[str, Any] = {}

    @property
    def num_rows(self) -> int | tf.Tensor:
        """Number of observations, int or int32 []."""
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
        """The condition of the states of a role, or None."""
        condition = self.states[role].condition
        return self.batch.get("condition") if condition is None else condition

    def with_states(self, **states: Draw) -> "Draws":
        """Returns the draws with added or replaced states."""
        return self._replace(states={**self.states, **states})

    def mean(self, values: tf.Tensor) -> tf.Tensor:
        """Mean over the rows that count, [rows, ...] -> [...]."""
        mask = self.batch.get("mask")
        if mask is None:
            return tf.reduce_mean(values, 0)
        return self.sum(values) / tf.cast(tf.reduce_sum(mask), values.dtype)

    def sum(self, values: tf.Tensor) -> tf.Tensor:
        """Sum over the rows that count, [rows, ...] -> [...]."""
        mask = self.batch.get("mask")
        if mask is None:
            return tf.reduce_sum(values, 0)
        return tf.tensordot(tf.cast(mask, values.dtype), values, 1)
