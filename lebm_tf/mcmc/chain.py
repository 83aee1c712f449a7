"""The chain loop: runs a kernel for a number of moves, with or without a trace.
"""

from typing import Any, Callable

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Kernel, LogProbFn, Position, State, StepSize


def run_chain(kernel: Kernel, log_prob_fn: LogProbFn, position: Position,
              num_steps: int | tf.Tensor, seed: rng.Seed,
              noise: Position | None = None,
              step_size: StepSize | None = None) -> State:
    """Runs independent chains and returns their last state.

    Memory does not grow with `num_steps`. Call it outside the tape that
    differentiates parameters: `stop_gradient` afterwards is not enough, because
    the tape would still store every step.

    Args:
        kernel: The kernel.
        log_prob_fn: Target, position -> [chains].
        position: Initial positions, a nest of tensors [chains, ...].
        num_steps: Number of moves >= 0; int32 [chains] gives one per chain, for
            kernels whose state holds only values per chain.
        seed: int32 [2]; move k uses `fold_in(seed, k)`. A rowwise kernel that
            takes no noise also accepts [chains, 2].
        noise: Noise to use in place of random numbers, a nest like `position`
            with an additional first axis [num_steps].
        step_size: Replaces that of the kernel.

    Returns:
        The state after the last move.
    """
    state = kernel.init(log_prob_fn, position, step_size)
    return _advance(kernel, log_prob_fn, state, 0, num_steps, seed, noise,
                    step_size)


def trace_chain(kernel: Kernel, log_prob_fn: LogProbFn, position: Position,
                num_steps: int, seed: rng.Seed,
                trace_fn: Callable[[State], Any], every: int = 1,
                step_size: StepSize | None = None) -> tuple[State, Any]:
    """Runs the same chains as `run_chain` and records them.

    Args:
        kernel, log_prob_fn, position, num_steps, seed: As in `run_chain`.
        trace_fn: State -> nest of tensors to record.
        every: Steps between two records, a divisor of `num_steps`.
        step_size: Replaces that of the kernel.

    Returns:
        The last state, and the records stacked along a new first axis of length
        num_steps / every + 1; the first record is that of the start.

    Raises:
        ValueError: If `every` is below 1 or does not divide `num_steps`.
    """
    if every < 1 or num_steps % every:
        raise ValueError(f"every must be >= 1 and divide num_steps, got "
                         f"{every} and {num_steps}.")
    num_records = num_steps // every + 1
    state = kernel.init(log_prob_fn, position, step_size)
    first = trace_fn(state)
    records = tf.nest.map_structure(
        lambda leaf: tf.TensorArray(
            leaf.dtype, num_records, element_shape=leaf.shape).write(0, leaf),
        first)

    def body(k, state, records):
        state = _advance(
            kernel, log_prob_fn, state, (k - 1) * every, every, seed,
            step_size=step_size)
        values = tf.nest.flatten(trace_fn(state))
        arrays = [array.write(k, value) for array, value in
                  zip(tf.nest.flatten(records), values)]
        return k + 1, state, tf.nest.pack_sequence_as(records, arrays)

    _, state, records = tf.while_loop(
        lambda k, *_: k < num_records, body, (1, state, records),
        maximum_iterations=num_records - 1)
    return state, tf.nest.map_structure(lambda array: array.stack(), records)


def _advance(kernel, log_prob_fn, state, first, count, seed, noise=None,
             step_size=None):
    """Moves `first` .. `first + count - 1` of a chain."""
    own = tf.is_tensor(count) and count.shape.rank == 1
    longest = tf.reduce_max(count) if own else count

    def body(k, state):
        if noise is not None:
            moved = kernel.step(log_prob_fn, state, None, tf.nest.map_structure(
                lambda leaf: leaf[k], noise), step_size)
        else:
            moved = kernel.step(log_prob_fn, state, rng.fold_in(
                seed, first + k), step_size=step_size)
        return k + 1, _where(k < count, moved, state) if own else moved

    # Not a Python loop over tf.range: `fit` turns AutoGraph off.
    _, state = tf.while_loop(
        lambda k, _: k < longest, body, (0, state),
        maximum_iterations=longest)
    return state


def _where(chains, moved, kept):
    """Selects moved states for the chains in bool [chains]."""
    return tf.nest.map_structure(lambda new, old: tf.where(tf.reshape(
        chains, [-1] + [1] * (new.shape.rank - 1)), new, old), moved, kept)
