"""Calibrated kernels of TensorFlow Probability, with our `init`/`step`
interface.

TFP draws random numbers for the rows it sees. Unlike with `Langevin`, another
number of replicas therefore gives other noise of the same distribution.
"""

import dataclasses

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import (
    LogProbFn, Position, State, StepSize, check_step_size, like_leaves, norm)


def _tfp():
    """TensorFlow Probability, imported at first use: most runs need none of
    it, and it takes a second."""
    import tensorflow_probability
    return tensorflow_probability


def _innermost(results, name: str):
    """A value of the innermost results, to which TFP has no public access;
    setup.cfg pins 0.25."""
    from tensorflow_probability.python.internal import unnest
    return unnest.get_innermost(results, name)


class _TfpKernel:
    """Adapts a TFP kernel, with dual averaging of its step size."""

    is_calibrated = True
    is_rowwise = False  # Chains share their step size.
    takes_noise = False
    step_size: StepSize
    num_adaptation_steps: int
    target_accept_prob: float

    def __post_init__(self):
        _tfp()  # Now, not while a step is traced.
        check_step_size(self.step_size)
        if not self.num_adaptation_steps >= 0:
            raise ValueError("num_adaptation_steps must be >= 0, got "
                             f"{self.num_adaptation_steps}.")
        if not 0 < self.target_accept_prob < 1:
            raise ValueError("target_accept_prob must lie in (0, 1), got "
                             f"{self.target_accept_prob}.")

    def _inner(self, target, step_size):
        raise TypeError(f"{type(self).__name__} must define _inner.")

    def _kernel(self, log_prob_fn: LogProbFn, position: Position,
                step_size: StepSize | None):
        def target(*parts):
            return log_prob_fn(tf.nest.pack_sequence_as(position, parts))
        sizes = like_leaves(self.step_size if step_size is None else step_size,
                            position)
        kernel = self._inner(target, sizes if len(sizes) > 1 else sizes[0])
        if self.num_adaptation_steps:
            kernel = _tfp().mcmc.DualAveragingStepSizeAdaptation(
                kernel, self.num_adaptation_steps,
                target_accept_prob=self.target_accept_prob)
        return kernel

    def _state(self, position: Position, results) -> State:
        gradient = _innermost(results, "grads_target_log_prob")
        log_ratio = _innermost(results, "log_accept_ratio")
        return State(
            position, _innermost(results, "target_log_prob"),
            norm(list(gradient)), tf.exp(tf.minimum(log_ratio, 0.0)), results)

    def init(self, log_prob_fn: LogProbFn, position: Position,
             step_size: StepSize | None = None) -> State:
        """Evaluates the target and its gradient at `position`."""
        kernel = self._kernel(log_prob_fn, position, step_size)
        return self._state(
            position, kernel.bootstrap_results(tf.nest.flatten(position)))

    def step(self, log_prob_fn: LogProbFn, state: State, seed: rng.Seed,
             noise: Position | None = None,
             step_size: StepSize | None = None) -> State:
        """Moves every chain once; does not accept `noise`. Adaptation starts
        from the step size passed to `init`."""
        if noise is not None:
            raise ValueError(
                f"{type(self).__name__} draws its own noise; got noise.")
        kernel = self._kernel(log_prob_fn, state.position, step_size)
        parts, results = kernel.one_step(
            tf.nest.flatten(state.position), state.memory,
            seed=rng.of_replica(seed))
        return self._state(
            tf.nest.pack_sequence_as(state.position, parts), results)


@dataclasses.dataclass(frozen=True)
class Hmc(_TfpKernel):
    """Hamiltonian Monte Carlo with a Metropolis correction.

    Attributes:
        step_size: Leapfrog step size > 0, in units of z.
        num_leapfrog_steps: Leapfrog steps per move, at least 1.
        num_adaptation_steps: Initial moves in which dual averaging tunes the
            step size; 0 keeps it. These moves are not calibrated: discard them.
            A few hundred are needed to come close to the goal.
        target_accept_prob: Goal of the tuning.
    """
    step_size: StepSize
    num_leapfrog_steps: int = 10
    num_adaptation_steps: int = 0
    target_accept_prob: float = 0.75

    def __post_init__(self):
        super().__post_init__()
        if not self.num_leapfrog_steps >= 1:
            raise ValueError("num_leapfrog_steps must be >= 1, got "
                             f"{self.num_leapfrog_steps}.")

    def _inner(self, target, step_size):
        return _tfp().mcmc.HamiltonianMonteCarlo(
            target, step_size, self.num_leapfrog_steps)


@dataclasses.dataclass(frozen=True)
class Mala(_TfpKernel):
    """Metropolis-adjusted Langevin: `Langevin` with an accept step.

    A leapfrog step of size s with new momentum is a Langevin move of step size
    s, so this is Hamiltonian Monte Carlo with one leapfrog step (the step size
    of TFP's own MALA cannot be adapted).

    Attributes:
        step_size: Step size s > 0, in units of z, as in `Langevin`.
        num_adaptation_steps, target_accept_prob: As in `Hmc`.
    """
    step_size: StepSize
    num_adaptation_steps: int = 0
    target_accept_prob: float = 0.574

    def _inner(self, target, step_size):
        return _tfp().mcmc.HamiltonianMonteCarlo(target, step_size, 1)


@dataclasses.dataclass(frozen=True)
class Nuts(_TfpKernel):
    """The no-U-turn sampler.

    Attributes:
        step_size: Leapfrog step size > 0, in units of z.
        max_tree_depth: Maximum depth d; a move costs up to 2^d - 1 gradients.
        num_adaptation_steps, target_accept_prob: As in `Hmc`.
    """
    step_size: StepSize
    max_tree_depth: int = 6
    num_adaptation_steps: int = 0
    target_accept_prob: float = 0.8

    def __post_init__(self):
        super().__post_init__()
        if not self.max_tree_depth >= 1:
            raise ValueError(
                f"max_tree_depth must be >= 1, got {self.max_tree_depth}.")

    def _inner(self, target, step_size):
        return _tfp().mcmc.NoUTurnSampler(
            target, step_size, max_tree_depth=self.max_tree_depth)
