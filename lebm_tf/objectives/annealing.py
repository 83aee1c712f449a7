"""Terms whose weight depends on the step."""

import dataclasses
from typing import Any

import tensorflow as tf

from lebm_tf.objectives.objective import Term
from lebm_tf.samplers.draws import Draws


@dataclasses.dataclass(frozen=True)
class Annealed:
    """A term with a factor that is 0 at first and then rises to 1.

    It keeps a decoder that could do without z from ignoring it: Bowman et al.
    2016, arXiv:1511.06349; in cycles Fu et al. 2019, arXiv:1903.10145.

    Attributes:
        term: The term.
        hold_steps: Initial steps >= 0 with factor 0.
        warmup_steps: Following steps >= 0 in which the factor rises.
        cycle_steps: Period >= 0 after which the schedule restarts; 0 for never.

    Raises:
        ValueError: If a number of steps is negative.
    """
    term: Term
    hold_steps: int = 0
    warmup_steps: int = 0
    cycle_steps: int = 0

    def __post_init__(self):
        for name in ("hold_steps", "warmup_steps", "cycle_steps"):
            if vars(self)[name] < 0:
                raise ValueError(
                    f"{name} must be >= 0, got {vars(self)[name]}.")

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """The factor at a step, float32 [] in [0, 1]."""
        step = tf.cast(step, tf.float32)
        if self.cycle_steps:
            step = tf.math.floormod(step, float(self.cycle_steps))
        # Without warmup the factor jumps to 1.
        risen = (step - self.hold_steps + (not self.warmup_steps)) / max(
            1, self.warmup_steps)
        return tf.clip_by_value(risen, 0.0, 1.0)

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        value = self.term(model, draws)
        return tf.cast(self.factor(model.step.value), value.dtype) * value


@dataclasses.dataclass(frozen=True)
class Switched(Annealed):
    """A term that is left out while the factor of such a schedule is 0."""

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """1 if the factor of the schedule is above 0, else 0, float32 []."""
        return tf.cast(super().factor(step) > 0, tf.float32)
