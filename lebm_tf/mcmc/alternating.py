"""Two kernels in turn: each preserves the target, so both together do."""

import dataclasses

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Kernel, LogProbFn, Position, State, StepSize


@dataclasses.dataclass(frozen=True)
class Alternating:
    """Moves of one kernel, and every few moves one of another.

    For example local gradient-based moves, interleaved with moves that can jump
    between modes.

    Attributes:
        kernel: Makes most moves; step sizes passed to `step` apply to it.
        other: Makes every `every`-th move, with its own step size.
        every: Period, at least 2.

    Raises:
        ValueError: If an argument is out of range, or a kernel has adaptation
            steps; tune it beforehand, see `mcmc.adaptation`.
    """
    kernel: Kernel
    other: Kernel
    every: int = 5
    is_rowwise = False  # All chains share the count of moves.
    takes_noise = False
    num_adaptation_steps = 0

    def __post_init__(self):
        if self.every < 2:
            raise ValueError(f"every must be >= 2, got {self.every}.")
        for kernel in (self.kernel, self.other):
            if kernel.num_adaptation_steps:
                raise ValueError(
                    "alternating kernels need num_adaptation_steps 0, got "
                    f"{kernel.num_adaptation_steps} for "
                    f"{type(kernel).__name__}.")

    @property
    def is_calibrated(self) -> bool:
        """Whether both kernels are."""
        return self.kernel.is_calibrated and self.other.is_calibrated

    @property
    def step_size(self) -> StepSize:
        """The step size of the first kernel."""
        return self.kernel.step_size

    def init(self, log_prob_fn: LogProbFn, position: Position,
             step_size: StepSize | None = None) -> State:
        """The state before the first move."""
        return _counted(
            self.kernel.init(log_prob_fn, position, step_size), tf.zeros(
                [], tf.int32))

    def step(self, log_prob_fn: LogProbFn, state: State, seed: rng.Seed,
             noise: Position | None = None,
             step_size: StepSize | None = None) -> State:
        """Moves every chain once; does not accept `noise`."""
        if noise is not None:
            raise ValueError("Alternating draws its own noise; got noise.")
        moves, memory = state.memory
        inner = state._replace(memory=memory)

        def usual():
            return self.kernel.step(
                log_prob_fn, inner, seed, step_size=step_size)

        def other():
            moved = self.other.step(log_prob_fn, self.other.init(
                log_prob_fn, state.position), seed)
            # The first kernel's cached values belong to the old position.
            known = self.kernel.init(log_prob_fn, moved.position, step_size)
            return known._replace(accept_prob=moved.accept_prob)
        moved = tf.cond((moves + 1) % self.every == 0, other, usual)
        return _counted(moved, moves + 1)


def _counted(state: State, moves: tf.Tensor) -> State:
    return state._replace(memory=(moves, state.memory))
