"""Layers that follow others slowly: target networks."""

import dataclasses

import keras
import tensorflow as tf

from lebm_tf.models import replication


@dataclasses.dataclass(frozen=True)
class MovingCopy:
    """A target network: an untrained layer that moves towards another one.

    copy += rate (source - copy), for all variables of the layers, every
    `interval` steps. It starts equal to the source.

    Attributes:
        layer: The copy, a layer with the same variable shapes.
        source: The layer that it follows.
        rate: Rate in (0, 1]; 1 copies.
        interval: Steps between two moves, at least 1.

    Raises:
        ValueError: If a number is out of range, or the shapes differ.
    """
    layer: keras.layers.Layer
    source: keras.layers.Layer
    rate: float
    interval: int = 1

    def __post_init__(self):
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate must lie in (0, 1], got {self.rate}.")
        if self.interval < 1:
            raise ValueError(f"interval must be >= 1, got {self.interval}.")
        shapes = [[tuple(variable.shape) for variable in layer.variables]
                  for layer in (self.layer, self.source)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"a copy must have the shapes of its source, {shapes[1]}, got "
                f"{shapes[0]}.")
        for copied, followed in self._pairs():
            copied.assign(followed)

    def follow(self, step: tf.Variable) -> None:
        """Moves the copy if `step` is a multiple of the interval.

        Args:
            step: Number of steps made, integer [] >= 1.
        """
        # No tf.cond: replicas cannot communicate inside one.
        rate = tf.where(tf.equal(step % self.interval, 0), self.rate, 0.0)
        new = [(copied, copied + tf.cast(rate, copied.dtype) * (
            tf.convert_to_tensor(followed) - copied))
               for copied, followed in self._pairs()]
        replication.assign(new)

    def _pairs(self):
        return zip(self.layer.variables, self.source.variables)
