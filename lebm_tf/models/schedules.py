"""Learning-rate schedules."""

import math

import keras
import tensorflow as tf

SCHEDULES = ("constant", "cosine", "linear", "step", "epochs")


class Scheduled(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate times a factor that depends on the step.

    Args:
        rate: Learning rate, or another schedule.
        schedule: One of `SCHEDULES`. cosine (half a period) and linear fall
            from 1 to `factor` at `num_steps` and stay there; step multiplies by
            `factor` every `num_steps`; epochs is 1 for `hold + 1` epochs of
            `num_steps` each, then falls to `factor` in `decay` equal steps, one
            per epoch.
        num_steps: See `schedule`.
        factor: See `schedule`.
        warmup_steps: Update k, from 0, has the factor (k + warmup_offset) /
            warmup_steps, at most 1.
        warmup_offset: 1 gives the last warmup update the full rate, 0 gives the
            first one none.
        least: Minimum learning rate of the schedule.
        hold, decay: See `schedule`.
    """

    def __init__(self, rate, schedule: str, num_steps: int, factor: float,
                 warmup_steps: int, least: float = 0.0, hold: int = 0,
                 decay: int = 0, warmup_offset: int = 1):
        super().__init__()
        self.hold, self.decay = hold, decay
        self.rate, self.schedule, self.num_steps = rate, schedule, num_steps
        self.factor, self.warmup_steps = factor, warmup_steps
        self.least, self.warmup_offset = least, warmup_offset

    def __call__(self, step) -> tf.Tensor:
        """The learning rate of update number `step`, from 0."""
        rate = self.rate(step) if callable(self.rate) else self.rate
        step = tf.cast(step, tf.float32)
        value = tf.cast(rate, tf.float32)
        if self.schedule == "step":
            value *= tf.pow(self.factor, tf.floor(step / self.num_steps))
        elif self.schedule != "constant":
            done = step / self.num_steps
            if self.schedule == "epochs":
                done = tf.maximum(tf.floor(done) - self.hold, 0.0) / self.decay
            done = tf.minimum(done, 1.0)
            left = 0.5 * (1.0 + tf.cos(math.pi * done)) if (
                self.schedule == "cosine") else 1.0 - done
            value *= self.factor + (1.0 - self.factor) * left
        if self.least:
            value = tf.maximum(value, self.least)
        if self.warmup_steps:
            value *= tf.minimum(
                (step + self.warmup_offset) / self.warmup_steps, 1.0)
        return value

    def get_config(self):
        """The arguments, as Keras keeps them."""
        return {"rate": self.rate, "schedule": self.schedule,
                "num_steps": self.num_steps, "factor": self.factor,
                "warmup_steps": self.warmup_steps, "least": self.least,
                "hold": self.hold, "decay": self.decay,
                "warmup_offset": self.warmup_offset}
