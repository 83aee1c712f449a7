"""What an encoder of sequences makes of padding."""

import numpy as np
import pytest

from lebm_tf.networks import RecurrentEncoder

TOKENS = np.array([[4, 5, 3, 0], [6, 3, 0, 0]], np.int32)
LONGER = np.pad(TOKENS, [[0, 0], [0, 3]])


def test_padding_is_not_read():
    encoder = RecurrentEncoder(7, 3, 4, 5, seed=1)
    for one, other in zip(encoder(TOKENS), encoder(LONGER)):
        np.testing.assert_allclose(one, other, atol=1e-7)


def test_or_it_is_read_to_one_length_as_the_authors_do():
    encoder = RecurrentEncoder(7, 3, 4, 5, seed=1, pad_to=6)
    same, masked = encoder(LONGER[:, :6]), RecurrentEncoder(7, 3, 4, 5, seed=1)
    for one, other, without in zip(encoder(TOKENS), same, masked(TOKENS)):
        np.testing.assert_array_equal(one, other)
        assert np.all(np.abs(one - without) > 1e-6)
    # A longer batch is read as far as it is padded.
    assert np.all(np.abs(encoder(LONGER)[0] - same[0]) > 1e-6)


def test_both_are_part_of_its_configuration():
    encoder = RecurrentEncoder(7, 3, 4, 5, pad_to=6, has_leaky_head=True)
    again = RecurrentEncoder.from_config(encoder.get_config())
    assert (again.pad_to, again.has_leaky_head) == (6, True)
    again.set_weights(encoder.get_weights())
    for one, other in zip(encoder(TOKENS), again(TOKENS)):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="pad_to must be >= 0, got -1"):
        RecurrentEncoder(7, 3, pad_to=-1)
