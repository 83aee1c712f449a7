"""Chains that run one at a time, each with its own seed."""

import dataclasses

import tensorflow as tf

from lebm_tf.densities.targets import Target
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.chain import run_chain
from lebm_tf.mcmc.kernel import Kernel, Position, State, StepSize


def run_chains_alone(kernel: Kernel, target: Target, position: Position,
                     num_steps: int | tf.Tensor, seeds: rng.Seed,
                     step_size: StepSize | None = None) -> State:
    """`mcmc.run_chain` for each chain separately, for kernels that are not
    rowwise.

    Chain i depends on seed i alone, including the adaptation of its step size.

    Args:
        kernel: The kernel.
        target: Target whose rows can be separated.
        position: Initial positions, nest of [chains, ...].
        num_steps: Moves, int or int32 [chains].
        seeds: int32 [chains, 2].
        step_size: Replaces that of the kernel.

    Raises:
        ValueError: If the rows of the target depend on each other.
    """
    if not target.is_rowwise:
        raise ValueError("a seed per chain needs a target with independent "
                         "rows, got one whose rows depend on each other.")
    position = tf.nest.map_structure(tf.convert_to_tensor, position)
    owned = [tf.is_tensor(leaf) and leaf.shape.rank == 1
             for leaf in tf.nest.flatten((num_steps, step_size))]
    fixed = tf.nest.flatten((num_steps, step_size))
    own = [leaf for leaf, is_own in zip(fixed, owned) if is_own]

    def one(inputs):
        position, rows, seed, own = inputs
        position, rows, own = tf.nest.map_structure(
            lambda leaf: leaf[None], (position, rows, own))
        found = iter(own)
        num_steps_, step_size_ = tf.nest.pack_sequence_as(
            (num_steps, step_size), [next(found) if is_own else leaf
                                     for leaf, is_own in zip(fixed, owned)])
        state = run_chain(kernel, dataclasses.replace(target, rows=rows),
                          position, num_steps_, seed, step_size=step_size_)
        return tf.nest.map_structure(lambda leaf: leaf[0], state[:4])

    leaf = tf.nest.flatten(position)[0]
    number = tf.TensorSpec([], leaf.dtype)
    signature = (tf.nest.map_structure(
        lambda leaf: tf.TensorSpec(leaf.shape[1:], leaf.dtype), position),
        number, number, number)
    return State(*tf.map_fn(one, (position, target.rows, seeds, own),
                            fn_output_signature=signature))
