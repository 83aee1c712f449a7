"""The Philox ciphers by elementwise operations.

Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2,
3".

`fold_in` is Philox-4x32-10, the cipher behind TensorFlow's "philox" numbers,
for one seed per row, equal bit for bit to TensorFlow's results. TensorFlow's
stateless functions take one seed per call, so they would need a call per row.
The mapping from seed to key and counter is TensorFlow's own.

`drawn` is TensorFlow's own generator for one seed, without the thirty
operations with which its functions turn a seed into key and counter.

`counted_words` is Philox-2x32-10 with one counter per element, for programs
that XLA compiles: it becomes a single loop without intermediate memory.
"""

from typing import Callable, TypeAlias

import tensorflow as tf

# TensorFlow's number of Philox; threefry fails outside XLA on a CPU.
_ALGORITHM = 1
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_NUM_ROUNDS = 10
_SCRAMBLE = 0x3EC8F720, 0x02461E29  # The key with which TensorFlow mixes seeds.
_MASK = 0xFFFFFFFF
_COUNTED_MULTIPLIER, _COUNTED_KEY_STEP = 0xD256D193, 0x9E3779B9

# Words of 32 bits in uint64, so that products keep both halves. A counter is
# two pairs, its even and its odd words: one operation then does for two.
Pair: TypeAlias = tf.Tensor  # uint64 [..., 2]


def cipher(even: Pair, odd: Pair, key: Pair) -> tuple[Pair, Pair]:
    """Philox-4x32-10: a counter to random words, even and odd ones."""
    factors, steps, mask = map(_constant, (_MULTIPLIERS, _KEY_STEPS, _MASK))
    for _ in range(_NUM_ROUNDS):
        product = tf.reverse(even * factors, [-1])
        high = tf.bitwise.right_shift(product, _constant(32))
        even, odd = high ^ odd ^ key, product & mask
        key = (key + steps) & mask
    return even, odd


def first_words(first: Pair, second: Pair) -> Pair:
    """The first two words that TensorFlow draws with a stateless seed.

    Args:
        first, second: The integers of the seed, as low and high words.
    """
    even, odd = cipher(*_interleaved(first, second), _constant(_SCRAMBLE))
    key, (even, odd) = tf.stack([even[..., 0], odd[..., 0]], -1), _interleaved(
        tf.zeros_like(even), tf.stack([even[..., 1], odd[..., 1]], -1))
    even, odd = cipher(even, odd, key)
    return tf.stack([even[..., 0], odd[..., 0]], -1)


# A tf.function, so that graphs which derive many seeds stay small.
@tf.function(autograph=False, input_signature=[
    tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([], tf.int64)])
def fold_in(seeds: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
    """`rng.fold_in` of every row, int32 [rows, 2].

    Args:
        seeds: int32 [rows, 2].
        data: int64 [].
    """
    drawn = first_words(_words(seeds[:, 0]), _words(seeds[:, 1]))
    data = _words(tf.broadcast_to(data, tf.shape(seeds)[:1]))
    folded = tf.cast(first_words(drawn, data), tf.uint32)
    return tf.bitcast(folded, tf.int32)


def counted_words(counter: tf.Tensor, second: tf.Tensor, key: tf.Tensor
                  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Philox-2x32-10: two random words for every counter.

    Args:
        counter: First word of the counters, uint32 [...].
        second: Second word of all counters, uint32 [].
        key: uint32 [].

    Returns:
        uint32 [...], twice; bijective in (counter, second) for each key.
    """
    second = second + tf.zeros_like(counter)
    for _ in range(_NUM_ROUNDS):
        product = tf.cast(counter, tf.uint64) * _constant(_COUNTED_MULTIPLIER)
        high = tf.bitwise.right_shift(product, _constant(32))
        counter, second = tf.cast(high, tf.uint32) ^ key ^ second, tf.cast(
            product, tf.uint32)
        key = key + tf.constant(_COUNTED_KEY_STEP, tf.uint32)
    return counter, second


def _interleaved(first, second) -> tuple[Pair, Pair]:
    """Words 0, 1 and 2, 3 of a counter as even and odd words."""
    return (tf.stack([first[..., 0], second[..., 0]], -1),
            tf.stack([first[..., 1], second[..., 1]], -1))


def _words(values):
    """64-bit integers [...] as 32-bit words, [..., 2], the low word first."""
    words = tf.bitcast(tf.cast(values, tf.int64), tf.uint32)
    return tf.cast(words, tf.uint64)


def _constant(values):
    return tf.constant(values, tf.uint64)


def drawn(operation: Callable, shape, seed: tf.Tensor, dtype) -> tf.Tensor:
    """Numbers of a stateless operation, equal bit for bit to those of
    tf.random.

    (`StatelessRandomGetKeyCounter` alone gives other numbers under XLA.)

    Args:
        operation: Operation of tf.raw_ops, such as `StatelessRandomNormalV2`.
        shape: Sequence of ints or int tensor.
        seed: int32 [2].
        dtype: Type of the numbers.
    """
    low, high = _SCRAMBLE
    mixed = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[2], key=tf.constant([high << 32 | low], tf.uint64),
        counter=tf.cast(seed, tf.uint64), alg=_ALGORITHM, dtype=tf.uint64)
    key, counter = tf.split(mixed, 2)
    counter = tf.concat([tf.constant([0], tf.uint64), counter], 0)
    return operation(shape=tf.convert_to_tensor(shape, tf.int32), key=key,
                     counter=counter, alg=_ALGORITHM, dtype=dtype)
