"""Random numbers: the only file of the library that draws any.

Every number is a pure function of a seed, so nothing random is ever saved in
a checkpoint. The seed of a draw is made by folding in what it belongs to: the
run, then the step, then the stream ("positive", "negative", ...), then the
position along a chain. A seed is used once; derive another with `fold_in` or
`stream`.

Under a distribution strategy each replica draws the noise of the whole global
batch and keeps its own rows, so a run gives the same result for any number of
replicas.
"""

import zlib
from typing import Any

import tensorflow as tf

Seed = tf.Tensor  # int32 [2], or int32 [rows, 2] for `normal_rows`.

_ALGORITHM = "philox"  # threefry fails outside XLA on a CPU.


def make_seed(seed: int | tf.Tensor) -> Seed:
    """Turns an integer, int64 [], into a seed, int32 [2]."""
    return tf.bitcast(_int64(seed), tf.int32)


def fold_in(seed: Seed, data: int | tf.Tensor) -> Seed:
    """Derives a new seed, int32 [2], from a seed and an integer.

    Args:
        seed: int32 [2].
        data: Integer [], for example a step or the index of a batch.
    """
    return tf.random.experimental.stateless_fold_in(
        seed, _int64(data), alg=_ALGORITHM)


def stream(seed: Seed, name: str) -> Seed:
    """Derives the seed, int32 [2], of a named purpose."""
    return fold_in(seed, zlib.crc32(name.encode()))


def normal(shape, seed: Seed, dtype=None) -> tf.Tensor:
    """Standard normal numbers whose first axis counts rows of the batch.

    Args:
        shape: Sequence of ints or int tensor, [rows, ...].
        seed: int32 [2].
        dtype: float32 if not given.
    """
    return _own_rows(
        lambda full: tf.random.stateless_normal(
            full, seed, dtype=dtype or tf.float32, alg=_ALGORITHM), shape)


def uniform(shape, seed: Seed, dtype=None) -> tf.Tensor:
    """Numbers uniform on [0, 1); arguments as of `normal`."""
    return _own_rows(
        lambda full: tf.random.stateless_uniform(
            full, seed, dtype=dtype or tf.float32, alg=_ALGORITHM), shape)


def normal_like(values: Any, seed: Seed) -> Any:
    """A nest of standard normal numbers with the shapes of `values`."""
    leaves = tf.nest.flatten(values)
    noise = [normal(_shape(leaf), _leaf_seed(seed, i, len(leaves)), leaf.dtype)
             for i, leaf in enumerate(leaves)]
    return tf.nest.pack_sequence_as(values, noise)


def normal_rows(shape, seeds: Seed, dtype=tf.float32) -> tf.Tensor:
    """Standard normal numbers [rows, *shape], row i from seed i alone.

    Args:
        shape: Shape of one row, a sequence of ints.
        seeds: int32 [rows, 2].
        dtype: A float type.
    """
    return tf.map_fn(
        lambda seed: tf.random.stateless_normal(
            shape, seed, dtype=dtype, alg=_ALGORITHM),
        seeds, fn_output_signature=tf.TensorSpec(shape, dtype))


def permutation(index: tf.Tensor, seed: Seed, size: int) -> tf.Tensor:
    """Places `index`, int64 [...], in a random order of 0 .. size - 1.

    Distinct indices go to distinct places. Source of the algorithm: the
    stateless shuffle of TensorFlow, `tf.random.experimental.index_shuffle`.
    """
    size = tf.cast(size, index.dtype)
    return tf.random.experimental.index_shuffle(
        index, seed=seed, max_index=size - 1)


def _int64(value):
    return tf.cast(value, tf.int64) if tf.is_tensor(value) or isinstance(
        value, tf.Variable) else tf.constant(value, tf.int64)


def _own_rows(draw, shape):
    """Draws [rows, ...] of the global batch and keeps this replica's."""
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync if context else 1
    if replicas == 1:
        return draw(shape)
    shape = tf.convert_to_tensor(shape, tf.int32)
    rows = shape[0]
    everyone = draw(tf.concat([[rows * replicas], shape[1:]], 0))
    first = tf.cast(context.replica_id_in_sync_group, tf.int32) * rows
    return everyone[first:first + rows]


def _leaf_seed(seed: Seed, leaf: int, num_leaves: int) -> Seed:
    return seed if num_leaves == 1 else fold_in(seed, leaf)


def _shape(tensor: tf.Tensor):
    static = tensor.shape
    return static if static.is_fully_defined() else tf.shape(tensor)
