"""Optimizers of the parts: Adam as in the authors' programs."""

import dataclasses
from typing import Annotated, Callable, Mapping

import keras
import tensorflow as tf

from lebm_tf.models import schedules
from lebm_tf.ranges import (
    Checked, Interval, NonNegativeFloat, NonNegativeInt, OneOf, PositiveFloat)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Checked):
    """Adam with a learning-rate schedule and gradient clipping, for one part.

    Attributes:
        learning_rate: Initial learning rate.
        beta_1: Decay rate of the first moment.
        beta_2: Decay rate of the second moment.
        epsilon: Added to the square root of the second moment, as in PyTorch.
        epoch_decay: Factor on the learning rate after every epoch.
        clip_norm: Maximum Euclidean norm of the gradient of the part; 0 does
            not clip.
        warmup_steps: Steps over which the learning rate rises from 0.
        warmup_offset: Warmup steps that the first update counts as done; with 0
            it has learning rate 0.
        schedule: constant; cosine or linear (fall to schedule_factor times the
            learning rate at schedule_steps); step (multiply by schedule_factor
            every schedule_steps); or epochs (after hold_epochs, fall to that
            factor in decay_epochs equal steps, one per epoch). epoch_decay
            applies in addition.
        schedule_steps: Length of the schedule in steps.
        schedule_factor: Factor of the schedule.
        hold_epochs: Epochs before the decay of schedule=epochs.
        decay_epochs: Epochs of the decay of schedule=epochs.
        average_decay: Decay of a moving average of the weights, which is then
            used for evaluation, sampling and export; 0 for none.
        average_warmup: Whether the decay is (1 + n) / (10 + n) at update n
            (from 1) as long as that is less than average_decay.
        weight_decay: L2 penalty: factor on the weights that is added to their
            gradient, as in PyTorch's Adam; not decoupled.
        decoupled_decay: Decoupled weight decay, times the learning rate, as in
            PyTorch's AdamW.
        least_learning_rate: Minimum learning rate of decay and schedule; warmup
            may be lower.
    """
    learning_rate: PositiveFloat = 1e-4
    beta_1: Annotated[float, Interval(ge=0, lt=1)] = 0.5
    beta_2: Annotated[float, Interval(ge=0, lt=1)] = 0.999
    epsilon: PositiveFloat = 1e-8
    epoch_decay: Annotated[float, Interval(gt=0, le=1)] = 1.0
    clip_norm: NonNegativeFloat = 0.0
    warmup_steps: NonNegativeInt = 0
    warmup_offset: NonNegativeInt = 1
    schedule: Annotated[str, OneOf(schedules.SCHEDULES)] = "constant"
    schedule_steps: NonNegativeInt = 0
    schedule_factor: Annotated[float, Interval(ge=0, le=1)] = 0.1
    hold_epochs: NonNegativeInt = 0
    decay_epochs: NonNegativeInt = 0
    average_decay: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    average_warmup: bool = False
    weight_decay: NonNegativeFloat = 0.0
    decoupled_decay: NonNegativeFloat = 0.0
    least_learning_rate: NonNegativeFloat = 0.0

    def validate(self):
        if self.schedule == "epochs":
            self.leave_out("schedule_steps", reason="with schedule=epochs")
            if not self.decay_epochs:
                raise ValueError("decay_epochs must be >= 1 for epochs, got "
                                 f"{self.decay_epochs}.")
            return
        if self.schedule != "constant" and not self.schedule_steps:
            raise ValueError(f"schedule_steps must be >= 1 for {self.schedule}"
                             f", got {self.schedule_steps}.")

    def make(self, steps_per_epoch: int) -> keras.optimizers.Optimizer:
        """Returns the optimizer, for a data set with that many batches per
        epoch."""
        rate = self.learning_rate
        if self.epoch_decay < 1:
            rate = keras.optimizers.schedules.ExponentialDecay(
                rate, steps_per_epoch, self.epoch_decay, staircase=True)
        if self.warmup_steps or self.schedule != "constant" or (
                self.least_learning_rate):
            rate = schedules.Scheduled(
                rate, self.schedule, steps_per_epoch if (
                    self.schedule == "epochs") else self.schedule_steps,
                self.schedule_factor, self.warmup_steps,
                self.least_learning_rate, self.hold_epochs, self.decay_epochs,
                self.warmup_offset)
        adam = Adam(rate, self.beta_1, self.beta_2, self.epsilon,
                    global_clipnorm=self.clip_norm or None,
                    use_ema=self.average_decay > 0,
                    ema_momentum=self.average_decay)
        adam.gradient_decay = self.weight_decay
        adam.decoupled_decay = self.decoupled_decay
        adam.average_warmup = self.average_warmup
        return adam


def with_loss_scale(optimizer: keras.optimizers.Optimizer
                    ) -> keras.optimizers.LossScaleOptimizer:
    """Wraps an optimizer with a dynamic loss scale, which skips overflowing
    steps."""
    if has_loss_scale(optimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)


def has_loss_scale(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether an optimizer has a loss scale."""
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def unscaled(optimizer: keras.optimizers.Optimizer
             ) -> keras.optimizers.Optimizer:
    """The optimizer without its loss-scale wrapper, if it has one."""
    return optimizer.inner_optimizer if has_loss_scale(optimizer) else (
        optimizer)


def expect_totals(optimizer: keras.optimizers.Optimizer) -> None:
    """Makes an optimizer take gradients that are already summed over replicas.

    Keras would sum them itself, but only after clipping, and after checking for
    overflow on the first replica. Clipping would then depend on the number of
    replicas, and an overflow on another replica would reach the weights.
    """
    unscaled(optimizer)._all_reduce_sum_gradients = lambda pairs: pairs


def loss_scale(optimizer: keras.optimizers.Optimizer):
    """The factor on gradients that an optimizer expects, []."""
    if has_loss_scale(optimizer):
        return tf.convert_to_tensor(optimizer.dynamic_scale)
    return tf.ones([])


def apply(optimizer: keras.optimizers.Optimizer, gradients: list,
          variables: list) -> dict[str, tf.Tensor]:
    """Updates variables; returns values to log.

    Args:
        optimizer: An optimizer, with or without a loss scale.
        gradients: Gradients times `loss_scale(optimizer)`, summed over
            replicas.
        variables: The variables of the gradients.

    Returns:
        "gradient_norm", []. With a loss scale it is 0 for a skipped step, and
        "loss_scale" and "skipped" (1 or 0) are returned as well.
    """
    # Gradients of an embedding may contain several slices of one row.
    gradients = [gradient if gradient is None else tf.convert_to_tensor(
        gradient) for gradient in gradients]
    norm = tf.linalg.global_norm(gradients)
    logs = {"gradient_norm": norm}
    if has_loss_scale(optimizer):
        scale, finite = loss_scale(optimizer), tf.math.is_finite(norm)
        logs = {"gradient_norm": tf.where(finite, norm / scale, 0.0),
                "loss_scale": scale, "skipped": tf.cast(~finite, tf.float32)}
    optimizer.apply(gradients, variables)
    return logs


def clipped_together(
        largest: float, optimizers: Mapping[str, keras.optimizers.Optimizer],
        gradients: Mapping[str, list]) -> dict[str, list]:
    """Clips the gradients of several parts by their common norm.

    Args:
        largest: Maximum norm > 0; larger gradients are multiplied by
            largest / (norm + 1e-6), as in PyTorch.
        optimizers: Part -> optimizer.
        gradients: Part -> gradients scaled by `loss_scale`.
    """
    gradients = {part: [None if gradient is None else tf.convert_to_tensor(
        gradient) for gradient in some] for part, some in gradients.items()}
    norm = tf.sqrt(tf.add_n([tf.square(
        tf.linalg.global_norm(some) / tf.cast(
            loss_scale(optimizers[part]), keras.config.floatx()))
        for part, some in gradients.items()]))
    factor = tf.minimum(1.0, largest / (norm + 1e-6))
    return {part: [None if gradient is None else tf.cast(
        factor, gradient.dtype) * gradient for gradient in some]
            for part, some in gradients.items()}


def is_energy(part: str) -> bool:
    """Whether a part trains an energy: families name these parts energy, or
    energy_a and the like."""
    return part.startswith("energy")


def slow_down(optimizers: Mapping[str, keras.optimizers.Optimizer],
              rollbacks: tf.Variable) -> None:
    """Halves the learning rate of the energy for every rollback.

    This applies to the parts of energies, see `is_energy`, or to all parts if
    there are none.

    Args:
        optimizers: Part -> optimizer; only `Adam` is affected.
        rollbacks: Number of rollbacks, integer [].
    """
    chosen = [part for part in optimizers if is_energy(part)]
    for part in chosen or optimizers:
        unscaled(optimizers[part]).rate_factor = lambda: tf.pow(
            0.5, tf.cast(rollbacks, tf.float32))


def learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """The learning rate of the next step of an `Adam`."""
    inner = unscaled(optimizer)
    rate = float(tf.convert_to_tensor(inner.learning_rate))
    return rate if inner.rate_factor is None else (
        rate * float(inner.rate_factor()))


class Adam(keras.optimizers.Adam):
    """Adam with PyTorch's epsilon: m^ / (sqrt(v^) + epsilon).

    Keras adds epsilon to the root of the uncorrected second moment, which is
    sqrt(1 - beta_2^t) times smaller. Early steps on tiny gradients, such as
    those of an energy network, then differ by up to 0.3 of the learning rate.

    Attributes:
        rate_factor: None, or a function that returns a factor [] on the
            learning rate; a variable would become part of every checkpoint.
        gradient_decay: L2 factor added to gradients, as in PyTorch's Adam.
        decoupled_decay: Decoupled weight decay, as in PyTorch's AdamW. (Keras's
            weight_decay does the same, but rounds beta_2 to float32.)
        average_warmup: As in `OptimizerConfig`.
    """
    rate_factor: Callable[[], tf.Tensor] | None = None
    gradient_decay = decoupled_decay = 0.0
    average_warmup = False

    def finalize_variable_values(self, var_list):
        """Does nothing: Keras would replace weights by averages after every
        `fit`, which breaks resuming; see `averaging`."""

    def _update_model_variables_moving_average(self, trainable_variables):
        """With `average_warmup`, averages start from the weights before the
        first update and use the warmup decay; otherwise as in Keras."""
        if not (self.use_ema and self.average_warmup):
            super()._update_model_variables_moving_average(trainable_variables)
            return
        count = tf.cast(self.iterations + 1, tf.float32)
        decay = tf.minimum(self.ema_momentum, (1.0 + count) / (10.0 + count))
        for variable, average in zip(
                trainable_variables, self._model_variables_moving_average):
            kept = tf.cast(decay, average.dtype)
            average.assign(kept * average + (1.0 - kept) * tf.cast(
                variable, average.dtype))

    def update_step(self, gradient, variable, learning_rate):
        dtype = variable.dtype
        rate = tf.cast(learning_rate, dtype)
        if self.rate_factor is not None:
            rate *= tf.cast(self.rate_factor(), dtype)
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = (tf.constant(b, dtype)
                          for b in (self.beta_1, self.beta_2))
        mean, square = (moments[self._get_variable_index(variable)]
                        for moments in (self._momentums, self._velocities))
        gradient = tf.cast(gradient, dtype)
        if self.gradient_decay:
            gradient += self.gradient_decay * tf.convert_to_tensor(variable)
        mean.assign_add((gradient - mean) * (1 - beta_1))
        square.assign_add((tf.square(gradient) - square) * (1 - beta_2))
        if self.decoupled_decay:
            variable.assign_sub(
                rate * self.decoupled_decay * tf.convert_to_tensor(variable))
        root = tf.sqrt(square / (1 - tf.pow(beta_2, step))) + self.epsilon
        variable.assign_sub(rate * mean / (1 - tf.pow(beta_1, step)) / root)
