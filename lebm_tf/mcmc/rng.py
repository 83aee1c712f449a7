"""Random numbers: the only file of the library that draws any.

Every number is a pure function of a seed, so nothing random is ever saved in
a checkpoint. The seed of a draw is made by folding in what it belongs to: the
run, then the step, then the stream ("positive", "negative", ...), then the
position along a chain. A seed is used once; derive another with `fold_in` or
`stream`.

Under a distribution strategy each replica draws the noise of the whole global
batch and keeps its own rows, so a run gives the same result for any number of
replicas. Within `counted_rows` a row's numbers are had without the others.
"""

import contextlib
import functools
import hashlib
import threading
from typing import Any, Callable
import zlib

import tensorflow as tf

from lebm_tf.mcmc import philox, replicas

# int32 [2]; or int32 [rows, 2], a seed for every row of a batch, and then row
# i of all that is drawn depends on seed i alone. Serving uses the second.
Seed = tf.Tensor

_words = tf.raw_ops.StatelessRandomUniformFullIntV2

# Numbers that a processor computes at once, at most. What is left over at the
# end of an array is computed one by one, and rounded otherwise.
_PACKET = 16

# Rounds of the cipher behind `permutation`. tf.random.experimental.
# index_shuffle fixes 4: over 60,000 rows, orders of seeds [s, e] and [s, e + 1]
# then correlate at 0.83. From 12 on none is seen; 24 cost 0.1 us a row.
_NUM_ROUNDS = 24


class _Counted(threading.local):  # Replicas are traced in own threads.
    first = None


_counted = _Counted()


def make_seed(seed: int | tf.Tensor) -> Seed:
    """Turns integers, int64 [...], into seeds, int32 [..., 2]."""
    return tf.bitcast(_int64(seed), tf.int32)


def fold_in(seed: Seed, data: int | tf.Tensor) -> Seed:
    """Derives a new seed from a seed and an integer.

    Args:
        seed: int32 [2], or [rows, 2] for as many new ones.
        data: Integer [], for example a step or the index of a batch.
    """
    if seed.shape.rank == 2:
        return philox.fold_in(seed, _int64(data))
    data = _int64(data)
    first = philox.drawn(_words, [], seed, tf.int64)
    # TensorFlow answers in the type of `data`; TFP takes int32 only.
    return philox.drawn(_words, [2], tf.stack([first, data]), tf.int32)


def retry(seed: Seed, attempt: tf.Tensor) -> Seed:
    """The seed of another attempt, int32 [2]; attempt 0 has the seed itself.

    Args:
        seed: int32 [2].
        attempt: Integer [] >= 0; a variable needs no new trace.
    """
    return tf.where(_int64(attempt) > 0, fold_in(seed, attempt), seed)


def stream(seed: Seed, name: str) -> Seed:
    """Derives the seed of a named purpose, shaped like `seed`."""
    return fold_in(seed, zlib.crc32(name.encode()))


def named(seed: int, name: str, index: int = 0) -> int:
    """Another run seed for a named purpose, and one of several of it, an int
    in [0, 2^31). `seed + i` would be that of a neighbouring run."""
    text = f"{seed}/{name}/{index}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(),
                          "little") >> 1


def seeds(seed: int) -> Callable[[str], int]:
    """name -> `named(seed, name)`."""
    return functools.partial(named, seed)


def of_replica(seed: Seed) -> Seed:
    """A seed of this replica's own, for draws that others make; the seed
    itself where there is only one replica."""
    if replicas.count() == 1:
        return seed
    return fold_in(seed, _replica(tf.int64))


@contextlib.contextmanager
def counted_rows(first: int | tf.Tensor):
    """What is drawn within is made for XLA, which fuses all of it.

    Element j of row i depends on (seed, first + i, j) alone: any cut of a
    batch into pieces draws the same. Under XLA several times faster than
    TensorFlow's numbers, and outside of it several times slower.

    Args:
        first: Where the rows stand in the batch of all replicas, an integer
            [].
    """
    before = _counted.first
    _counted.first = first
    try:
        yield
    finally:
        _counted.first = before


def normal(shape, seed: Seed, dtype=None) -> tf.Tensor:
    """Standard normal numbers whose first axis counts rows of the batch.

    Args:
        shape: Sequence of ints or int tensor, [rows, ...].
        seed: int32 [2], or [rows, 2].
        dtype: float32 if not given.
    """
    if seed.shape.rank == 2:
        return normal_rows(shape[1:], seed, dtype or tf.float32)
    if _counted.first is not None:
        words = tf.bitcast(_counted_words(shape, seed), tf.int32)
        return tf.cast(_normals(tf.bitwise.right_shift(words, 8)),
                       dtype or tf.float32)
    return _own_rows(lambda full: philox.drawn(
        tf.raw_ops.StatelessRandomNormalV2, full, seed, dtype or tf.float32),
        shape)


def uniform(shape, seed: Seed, dtype=None) -> tf.Tensor:
    """Numbers uniform on [0, 1); arguments as of `normal`."""
    if seed.shape.rank == 2:
        return normal_rows(shape[1:], seed, dtype or tf.float32, lambda bits: (
            tf.cast(bits, tf.float32) + 2.0**23) * 2.0**-24)
    if _counted.first is not None:
        words = tf.bitwise.right_shift(
            _counted_words(shape, seed), tf.constant(8, tf.uint32))
        return tf.cast(tf.cast(words, tf.float32) * 2.0**-24,
                       dtype or tf.float32)
    return _own_rows(lambda full: philox.drawn(
        tf.raw_ops.StatelessRandomUniformV2, full, seed, dtype or tf.float32),
        shape)


def dropout_mask(shape, rate: float, seed: Seed, dtype=None) -> tf.Tensor:
    """1 / (1 - rate) with probability 1 - rate, and 0; arguments of `normal`.

    A factor of mean 1, drawn for the whole global batch.
    """
    keep = 1.0 - rate
    drawn = uniform(shape, seed, tf.float32) < keep
    return tf.cast(drawn, dtype or tf.float32) / keep


def normal_like(values: Any, seed: Seed) -> Any:
    """A nest of standard normal numbers with the shapes of `values`."""
    leaves = tf.nest.flatten(values)
    noise = [normal(_shape(leaf), _leaf_seed(seed, i, len(leaves)), leaf.dtype)
             for i, leaf in enumerate(leaves)]
    return tf.nest.pack_sequence_as(values, noise)


def normal_rows(shape, seeds: Seed, dtype=tf.float32, made=None) -> tf.Tensor:
    """Standard normal numbers [rows, *shape], row i from seed i alone.

    A call a row: numbers of `philox` for all rows at once cost as much, as
    150 elementwise operations on arrays in memory make one. And from integers
    by the inverse distribution function, as TensorFlow's own normal numbers
    are others under XLA; these are the same up to rounding.

    Args:
        shape: Shape of one row, a sequence of ints; the first may be a
            tensor. A shorter first axis gives a part of the same numbers.
        seeds: int32 [rows, 2].
        dtype: A float type.
        made: Integers of -2^23 .. 2^23 - 1 -> other numbers than normal ones.
    """
    size = tf.reduce_prod(tf.convert_to_tensor(shape, tf.int32))
    filled = size + -size % _PACKET

    def draw(seed):
        bits = philox.drawn(_words, [filled], seed, tf.int32)
        drawn = (made or _normals)(tf.bitwise.right_shift(bits, 8))
        return tf.cast(tf.reshape(drawn[:size], shape), dtype)

    static = [None if tf.is_tensor(size) else size for size in shape]
    return tf.map_fn(
        draw, seeds, fn_output_signature=tf.TensorSpec(static, dtype))


def normal_steps(values: Any, seeds: Seed, num_steps: int | tf.Tensor) -> Any:
    """The noise of a whole chain, a nest of [num_steps, rows, ...].

    Args:
        values: Nest of tensors [rows, ...].
        seeds: int32 [rows, 2]; row i depends on seed i alone.
        num_steps: Moves of the chain, at least 0; of a longer chain the
            first are the same.
    """
    leaves = tf.nest.flatten(values)
    noise = [normal_rows([num_steps, *leaf.shape[1:]],
                         _leaf_seed(seeds, i, len(leaves)), leaf.dtype)
             for i, leaf in enumerate(leaves)]
    return tf.nest.pack_sequence_as(values, [
        tf.experimental.numpy.swapaxes(steps, 0, 1) for steps in noise])


def row_index(num_rows: int | tf.Tensor) -> tf.Tensor:
    """Which rows of the global batch are this replica's, int64 [num_rows]."""
    num_rows = _int64(num_rows)
    return _replica(tf.int64) * num_rows + tf.range(num_rows)


def permutation(positions: tf.Tensor, seed: Seed, size: int | tf.Tensor
                ) -> tf.Tensor:
    """Which row stands at each position of a random order of 0 .. size - 1.

    Stateless: any part of the order is had without the rest.

    Args:
        positions: int64 [...], from 0 to size - 1.
        seed: int32 [2].
        size: Length of the order.

    Returns:
        int64 [...]; distinct for distinct positions.
    """
    rows = tf.raw_ops.RandomIndexShuffle(
        index=positions, seed=tf.concat([seed, [0]], 0),
        max_index=_int64(size) - 1, rounds=_NUM_ROUNDS)
    return tf.ensure_shape(rows, positions.shape)


def _int64(value):
    if tf.is_tensor(value) or isinstance(value, tf.Variable):
        return tf.cast(value, tf.int64)
    return tf.constant(value, tf.int64)


def _normals(bits):
    """Standard normal numbers of random integers of -2^23 .. 2^23 - 1."""
    # As many bits as a float32 has; halves, so that neither end is reached.
    middle = tf.cast(bits, tf.float32) + 0.5
    # Outside of XLA, erfinv rounds what is next to 1 to 1, which is infinity
    # once in 2^24 numbers; next to -1 it is exact.
    lower = 2.0**0.5 * tf.math.erfinv(-tf.abs(middle) * 2.0**-23)
    return tf.where(middle < 0.0, lower, -lower)


def _counted_words(shape, seed):
    """A random word for every element of [rows, ...], uint32."""
    shape = tf.convert_to_tensor(shape, tf.int32)
    size = tf.reduce_prod(shape[1:])
    element = tf.range(tf.reduce_prod(shape)) + size * tf.cast(
        _counted.first, tf.int32)
    key, second = tf.unstack(tf.bitcast(seed, tf.uint32))
    return tf.reshape(philox.counted_words(
        tf.bitcast(element, tf.uint32), second, key)[0], shape)


def _own_rows(draw, shape):
    """Draws [rows, ...] of the global batch and keeps this replica's."""
    if replicas.count() == 1:
        return draw(shape)
    shape = tf.convert_to_tensor(shape, tf.int32)
    rows = shape[0]
    everyone = draw(tf.concat([[rows * replicas.count()], shape[1:]], 0))
    first = _replica(tf.int32) * rows
    return everyone[first:first + rows]


def _replica(dtype):
    """Number of this replica among all, [] of an integer type."""
    if replicas.count() == 1:
        return tf.zeros([], dtype)
    context = tf.distribute.get_replica_context()
    return tf.cast(context.replica_id_in_sync_group, dtype)


def _leaf_seed(seed: Seed, leaf: int, num_leaves: int) -> Seed:
    return seed if num_leaves == 1 else fold_in(seed, leaf)


def _shape(tensor: tf.Tensor):
    """[rows, *static shape of a row], rows as known."""
    rows = tensor.shape[0]
    return [tf.shape(tensor)[0] if rows is None else rows, *tensor.shape[1:]]
