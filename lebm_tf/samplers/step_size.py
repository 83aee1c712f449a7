"""A step size that follows how often moves are accepted."""

import keras
import tensorflow as tf

from lebm_tf.mcmc import adaptation, replicas
from lebm_tf.mcmc.kernel import Kernel


class StepSizeAdaptation(keras.layers.Layer):
    """The one step size of a kernel, kept from training step to training step.

    After every draw in training its logarithm moves by `rate` times the
    difference of the acceptance of the last moves from the goal (Robbins and
    Monro). It is a variable: a run that goes on, and samples, begin where it
    was. Chains of a draw all move with the same size, so each draw is
    calibrated.

    Args:
        kernel: Begins at its own step size, a number.
        accept_prob: The goal in (0, 1); of `mcmc.adaptation` if not given.
        rate: > 0.

    Raises:
        ValueError: If the kernel has no acceptance to aim at, or an argument
            is out of range.
    """

    def __init__(self, kernel: Kernel, accept_prob: float | None = None,
                 rate: float = 0.1, **kwargs):
        super().__init__(trainable=False, **kwargs)
        goal = adaptation.goal(kernel) if accept_prob is None else accept_prob
        if not 0 < goal < 1 or not rate > 0:
            raise ValueError("accept_prob must lie in (0, 1) and rate be > 0, "
                             f"got {goal} and {rate}.")
        self.goal, self.rate = goal, rate
        self.largest = adaptation.largest(kernel)
        self.size = self.add_weight(
            name="step_size", shape=(), trainable=False,
            initializer=keras.initializers.Constant(kernel.step_size),
            aggregation="only_first_replica")
        self.built = True

    @property
    def value(self) -> tf.Tensor:
        """The step size, float []."""
        return tf.convert_to_tensor(self.size)

    def update(self, accept_prob: tf.Tensor) -> None:
        """Takes note of how often the moves of chains were accepted.

        Args:
            accept_prob: float [chains].
        """
        rate = tf.reduce_mean(replicas.gather(accept_prob))
        change = self.rate * (tf.cast(rate, self.size.dtype) - self.goal)
        self.size.assign(tf.minimum(
            self.size * tf.exp(change), self.largest))
