"""Adaptation of a step size to the acceptance rate during training."""

import keras
import tensorflow as tf

from lebm_tf.mcmc import adaptation, replicas
from lebm_tf.mcmc.kernel import Kernel


class StepSizeAdaptation(keras.layers.Layer):
    """The step size of a kernel, adapted from training step to training step.

    After every draw in training, its logarithm changes by `rate` times the
    difference between the acceptance of the last moves and the goal
    (Robbins-Monro). It is a variable, so resumed runs and samples start from
    its value. All chains of a draw use one step size, so each draw is
    calibrated.

    Args:
        kernel: Kernel with the initial step size, a number.
        accept_prob: Goal in (0, 1); default: that of `mcmc.adaptation`.
        rate: Adaptation rate > 0.

    Raises:
        ValueError: If the kernel has no acceptance rate, or an argument is out
            of range.
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
        """Adapts the step size to the acceptance of the last moves.

        Args:
            accept_prob: float [chains].
        """
        rate = tf.reduce_mean(replicas.gather(accept_prob))
        change = self.rate * (tf.cast(rate, self.size.dtype) - self.goal)
        self.size.assign(tf.minimum(
            self.size * tf.exp(change), self.largest))
