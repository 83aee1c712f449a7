"""The cipher of counted numbers."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.mcmc import philox

# Of the authors' library Random123, philox2x32 with 10 rounds: counter, key,
# and what comes out.
KNOWN = [((0, 0), 0, (0xff1dae59, 0x6cd10df2)),
         ((0xffffffff, 0xffffffff), 0xffffffff, (0x2c3f628b, 0xab4fd7ad)),
         ((0x243f6a88, 0x85a308d3), 0x13198a2e, (0xdd7ce038, 0xf62a4c12))]


@pytest.mark.parametrize("counter, key, expected", KNOWN)
def test_words_are_the_known_ones(counter, key, expected):
    first, second = (tf.constant(word, tf.uint32) for word in counter)
    words = philox.counted_words(first[None], second, tf.constant(
        key, tf.uint32))
    np.testing.assert_array_equal(np.ravel(words), expected)
