"""Random numbers; no other file of the library draws any.

Every number is a pure function of a seed, so checkpoints hold no random state.
Seeds are derived by folding in, one after the other, the run, the step, the
stream ("positive", "negative", ...) and the position along a chain. Use a seed
only once; derive others with `fold_in` or `stream`.

Under a distribution strategy, each replica draws the noise of the global batch
and keeps its own rows, so results do not depend on the number of replicas.
Within `counted_rows`, the numbers of a row are drawn without the others.
"""

import contextlib
import functools
import hashlib
import threading
from typing import Any, Callable, TypeAlias
import zlib

import tensorflow as tf

from lebm_tf.mcmc import philox, replicas

# int32 [2]; or int32 [rows, 2], one seed per row of a batch: row i of the
# result then depends on seed i alone. Serving uses the second.
Seed: TypeAlias = tf.Tensor

_words = tf.raw_ops.StatelessRandomUniformFullIntV2

# Largest number of values in a vector instruction. The rest of an array is
# computed one by one, with different rounding.
_PACKET = 16

# Rounds of the cipher behind `permutation`. tf.random.experimental.
# index_shuffle fixes 4: over 60,000 rows, orders of seeds [s, e] and [s, e + 1]
# then correlate at 0.83. From 12 on none is seen; 24 cost 0.1 us a row.
_NUM_ROUNDS = 24


class _Counted(threading.local):  # Each replica is traced in its own thread.
    first: int | tf.Tensor | None = None


_counted = _Counted()


def make_seed(seed: int | tf.Tensor) -> Seed:
    """Turns integers, int64 [...], into seeds, int32 [..., 2]."""
    return tf.bitcast(_int64(seed), tf.int32)


def fold_in(seed: Seed, data: int | tf.Tensor) -> Seed:
    """Derives a new seed from a seed and an integer.

    Args:
        seed: int32 [2], or [rows, 2] for as many new seeds.
        data: Integer [], for example a step or the index of a batch.
    """
    if seed.shape.rank == 2:
        return philox.fold_in(seed, _int64(data))
    data = _int64(data)
    first = philox.drawn(_words, [], seed, tf.int64)
    # TensorFlow returns the type of `data`; TFP takes int32 only.
    return philox.drawn(_words, [2], tf.stack([first, data]), tf.int32)


def retry(seed: Seed, attempt: tf.Tensor) -> Seed:
    """The seed of another attempt, int32 [2]; attempt 0 has the seed itself.

    Args:
        seed: int32 [2].
        attempt: Integer [] >= 0; a variable avoids retracing.
    """
    return tf.where(_int64(attempt) > 0, fold_in(seed, attempt), seed)


def stream(seed: Seed, name: str) -> Seed:
    """Derives the seed of a named purpose, with the shape of `seed`."""
    return fold_in(seed, zlib.crc32(name.encode()))


def named(seed: int, name: str, index: int = 0) -> int:
    """Derives a run seed for a named purpose and index, an int in [0, 2^31).
    (`seed + i` would be the seed of a neighbouring run.)"""
    text = f"{seed}/{name}/{index}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(),
                          "little") >> 1


def seeds(seed: int) -> Callable[[str], int]:
    """name -> `named(seed, name)`."""
    return functools.partial(named, seed)


def of_replica(seed: Seed) -> Seed:
    """A seed for this replica, for draws by other libraries; the seed itself if
    there is one replica."""
    if replicas.count() == 1:
        return seed
    return fold_in(seed, _replica(tf.int64))


@contextlib.contextmanager
def counted_rows(first: int | tf.Tensor):
    """Context in which random numbers are drawn by operations that XLA fuses.

    Element j of row i depends on (seed, first + i, j) alone, so any split of a
    batch draws the same numbers. This is several times faster than TensorFlow's
    numbers under XLA, and several times slower otherwise.

    Args:
        first: Index of the first row in the global batch, an integer [].
    """
    before = _counted.first
    _counted.first = first
    try:
        yield
    finally:
        _counted.first = before


def normal(shape, seed: Seed, dtype=None) -> tf.Tensor:
    """Standard normal numbers; the first axis counts rows of the batch.

    Args:
        shape: Sequence of ints or int tensor, [rows, ...].
        seed: int32 [2], or [rows, 2].
        dtype: Float type; default: float32.
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
    """Uniform numbers in [0, 1); arguments as in `normal`."""
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
    """1 / (1 - rate) with probability 1 - rate, else 0; arguments as in
    `normal`.

    The mask has mean 1 and is drawn for the global batch.
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

    It makes one call per row: numbers of `philox` for all rows at once cost as
    much, being 150 elementwise operations on arrays in memory. Integers are
    mapped by the inverse distribution function, because TensorFlow's own normal
    numbers differ under XLA; these agree up to rounding.

    Args:
        shape: Shape of one row, a sequence of ints; the first may be a tensor.
            A shorter first axis gives a part of the same numbers.
        seeds: int32 [rows, 2].
        dtype: A float type.
        made: Maps integers from -2^23 to 2^23 - 1 to numbers; default: normal.
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
        num_steps: Number of moves, at least 0; a longer chain starts with the
            same noise.
    """
    leaves = tf.nest.flatten(values)
    noise = [normal_rows([num_steps, *leaf.shape[1:]],
                         _leaf_seed(seeds, i, len(leaves)), leaf.dtype)
             for i, leaf in enumerate(leaves)]
    return tf.nest.pack_sequence_as(values, [
        tf.experimental.numpy.swapaxes(steps, 0, 1) for steps in noise])


def row_index(num_rows: int | tf.Tensor) -> tf.Tensor:
    """Indices of this replica's rows in the global batch, int64 [num_rows]."""
    num_rows = _int64(num_rows)
    return _replica(tf.int64) * num_rows + tf.range(num_rows)


def permutation(positions: tf.Tensor, seed: Seed, size: int | tf.Tensor
                ) -> tf.Tensor:
    """The row at each position of a random order of 0, ..., size - 1.

    Stateless: any part of the order can be computed alone.

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
    """Standard normal numbers from random integers of -2^23 .. 2^23 - 1."""
    # The precision of float32; 0.5 is added so that neither end is reached.
    middle = tf.cast(bits, tf.float32) + 0.5
    # Outside XLA, erfinv rounds its argument next to 1 to 1, which gives
    # infinity once in 2^24 numbers; next to -1 it is exact.
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
    """Draws [rows, ...] of the global batch and keeps this replica's rows."""
    if replicas.count() == 1:
        return draw(shape)
    shape = tf.convert_to_tensor(shape, tf.int32)
    rows = shape[0]
    everyone = draw(tf.concat([[rows * replicas.count()], shape[1:]], 0))
    first = _replica(tf.int32) * rows
    return everyone[first:first + rows]


def _replica(dtype):
    """Index of this replica, an integer [] of the given type."""
    if replicas.count() == 1:
        return tf.zeros([], dtype)
    context = tf.distribute.get_replica_context()
    return tf.cast(context.replica_id_in_sync_group, dtype)


def _leaf_seed(seed: Seed, leaf: int, num_leaves: int) -> Seed:
    return seed if num_leaves == 1 else fold_in(seed, leaf)


def _shape(tensor: tf.Tensor):
    """[rows, *static shape of a row], static rows where known."""
    rows = tensor.shape[0]
    return [tf.shape(tensor)[0] if rows is None else rows, *tensor.shape[1:]]
