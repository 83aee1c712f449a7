"""Selection of the chains that XLA compiles, and their execution."""

import dataclasses
import os

import tensorflow as tf

from lebm_tf.densities.targets import Target
from lebm_tf.mcmc import chain, replicas, rng
from lebm_tf.mcmc.kernel import (
    Kernel, LogProbFn, Position, State, StepSize, is_per_chain, num_chains)

SETTINGS = ("auto", "on", "off")
# Compilation does not pay off for fewer moves.
_WORTHWHILE_STEPS = 20
# Minimum number of chains per core.
_ROWS_OF_A_CORE = 16
_NOT_COMPILED = {"BlockLSTM", "Where"}


def setting(value: str | bool) -> str:
    """Returns one of `SETTINGS`; True, False, "true" and "false" mean on and
    off, for older configurations.

    Raises:
        ValueError: If the value is none of these.
    """
    value = {"true": "on", "false": "off"}.get(str(value).lower(), value)
    if value not in SETTINGS:
        raise ValueError(f"jit_compile must be one of {', '.join(SETTINGS)}, "
                         f"got {value!r}.")
    return value


def wanted(setting: str, target: LogProbFn, start: Position, num_steps: int
           ) -> bool:
    """Whether to compile a chain.

    "auto" compiles all chains on a GPU. On a CPU, convolutions are 5 to 8 times
    slower under XLA than in TensorFlow, so chains with convolutions are not
    compiled. Operations that XLA cannot compile, such as the recurrent layer of
    sequences, prevent compilation everywhere.

    Args:
        setting: One of `SETTINGS`.
        target: Target of the chain, position -> [chains].
        start: Initial positions.
        num_steps: Number of moves.
    """
    if setting != "auto":
        return setting == "on"
    names = _operations(target, start)
    if _NOT_COMPILED & names:
        return False
    if tf.config.list_logical_devices("GPU"):
        return True
    return num_steps >= _WORTHWHILE_STEPS and not any(
        "Conv" in name for name in names)


def run_chain(kernel: Kernel, target: LogProbFn, position: Position,
              num_steps: int | tf.Tensor, seed: rng.Seed,
              step_size: StepSize | None = None) -> State:
    """`mcmc.run_chain`, compiled by XLA, with random numbers of
    `rng.counted_rows`.

    On a CPU, XLA runs most of a small network on one core. Independent chains
    are therefore split into as many parts as there are cores, which run in
    parallel; the samples do not depend on the number of parts.

    Args:
        kernel: The kernel.
        target: Position -> [chains]; only a `densities.Target` with independent
            rows runs on several cores.
        position: Initial positions, nest of [chains, ...].
        num_steps: Moves, int or int32 [chains].
        seed: int32 [2].
        step_size: Replaces that of the kernel.
    """
    count = num_chains(position)
    own = is_per_chain(num_steps)
    own_sizes = any(map(is_per_chain, tf.nest.flatten(step_size)))
    split = target if (
        isinstance(target, Target) and target.is_rowwise) else None
    rows = (position, split.rows if split else (),
            num_steps if own else (), step_size if own_sizes else ())

    @tf.function(jit_compile=True, autograph=False)
    def run(first, seed, rows):
        position, of_target, steps, sizes = rows
        log_prob_fn = target if split is None else dataclasses.replace(
            split, rows=of_target)
        with rng.counted_rows(first):
            return chain.run_chain(
                kernel, log_prob_fn, position, steps if own else num_steps,
                seed, step_size=sizes if own_sizes else step_size)

    parts = num_parts(count) if (
        kernel.is_rowwise and split) else 1
    first = rng.row_index(count)[0] if replicas.count() > 1 else 0
    states = [run(first + i * count // parts, seed, part)
              for i, part in enumerate(_split(rows, parts))]
    return tf.nest.map_structure(lambda *leaves: tf.concat(leaves, 0), *states)


def num_parts(rows: int | tf.Tensor) -> int:
    """Number of equal parts to split chains into; 1 with a GPU, or if the
    number of chains is not static."""
    if tf.is_tensor(rows) or tf.config.list_logical_devices("GPU"):
        return 1
    cores = (tf.config.threading.get_intra_op_parallelism_threads()
             or len(os.sched_getaffinity(0)))
    return max(parts for parts in range(1, cores + 1) if parts == 1 or (
        rows % parts == 0 and rows // parts >= _ROWS_OF_A_CORE))


def _split(rows, parts):
    """Nests with the rows of each part."""
    if parts == 1:
        return [rows]
    leaves = [tf.split(leaf, parts) for leaf in tf.nest.flatten(rows)]
    return [tf.nest.pack_sequence_as(rows, part) for part in zip(*leaves)]


def _operations(target, start) -> set[str]:
    graph = tf.function(target, autograph=False).get_concrete_function(
        tf.nest.map_structure(
            lambda leaf: tf.TensorSpec(leaf.shape, leaf.dtype), start)
    ).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function
                            for node in function.node_def)]
    return {node.op for node in nodes}
