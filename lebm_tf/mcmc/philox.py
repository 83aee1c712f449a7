"""The cipher behind TensorFlow's "philox" numbers, for a seed a row at once.

TensorFlow's stateless functions take one seed a call, so a seed a row costs a
call a row. Deriving seeds needs integers only, and those are made here with
elementwise operations, equal bit for bit to TensorFlow's.

Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2,
3", Philox-4x32-10. How a seed becomes key and counter is TensorFlow's own.
"""

import tensorflow as tf

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_NUM_ROUNDS = 10
_SCRAMBLE = 0x3EC8F720, 0x02461E29  # The key with which TensorFlow mixes seeds.

Words = tuple[tf.Tensor, ...]  # uint32 [...] each.


def cipher(counter: Words, key: Words) -> Words:
    """Philox-4x32-10: four words of counter to four random words."""
    for _ in range(_NUM_ROUNDS):
        high_0, low_0 = _multiply(counter[0], _MULTIPLIERS[0])
        high_1, low_1 = _multiply(counter[2], _MULTIPLIERS[1])
        counter = (high_1 ^ counter[1] ^ key[0], low_1,
                   high_0 ^ counter[3] ^ key[1], low_0)
        key = tuple(word + _word(step) for word, step in zip(key, _KEY_STEPS))
    return counter


def first_words(seed: Words) -> Words:
    """The first four words that TensorFlow draws with a stateless seed.

    Args:
        seed: Both integers of the seed, as (low, high, low, high).
    """
    mixed = cipher(seed, tuple(map(_word, _SCRAMBLE)))
    zero = tf.zeros_like(mixed[0])
    return cipher((zero, zero, *mixed[2:]), mixed[:2])


def fold_in(seeds: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
    """`rng.fold_in` of every row, int32 [rows, 2].

    Args:
        seeds: int32 [rows, 2].
        data: int64 [].
    """
    first = _words(seeds)  # [rows, 2, (low, high)]
    drawn = first_words((first[:, 0, 0], first[:, 0, 1],
                         first[:, 1, 0], first[:, 1, 1]))
    data = _words(tf.broadcast_to(data, tf.shape(seeds)[:1]))
    folded = first_words((*drawn[:2], data[:, 0], data[:, 1]))
    return tf.bitcast(tf.stack(folded[:2], axis=-1), tf.int32)


def _words(values):
    """Integers [...] as words of their 64 bits, [..., 2], the low one first."""
    return tf.bitcast(tf.cast(values, tf.int64), tf.uint32)


def _multiply(word, factor):
    """Both halves, high and low, of the product of two words."""
    product = tf.cast(word, tf.uint64) * tf.constant(factor, tf.uint64)
    high = tf.bitwise.right_shift(product, tf.constant(32, tf.uint64))
    return tf.cast(high, tf.uint32), tf.cast(product, tf.uint32)


def _word(value):
    return tf.constant(value, tf.uint32)
