"""Sines and cosines of a time."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.networks.time_embedding import sinusoidal_embedding


def test_the_first_wave_is_the_time_and_the_last_is_base_times_longer():
    times = tf.constant([0.0, 0.5, 3.0], tf.float64)
    embedded = sinusoidal_embedding(times, 6).numpy()
    assert embedded.shape == (3, 6)
    np.testing.assert_allclose(embedded[:, 0], np.sin(times), rtol=1e-12)
    np.testing.assert_allclose(embedded[:, 3], np.cos(times), rtol=1e-12)
    np.testing.assert_allclose(
        embedded[:, 2], np.sin(times.numpy() / 1e4), rtol=1e-12)
    np.testing.assert_allclose(
        embedded[:, :3]**2 + embedded[:, 3:]**2, 1.0, rtol=1e-12)


@pytest.mark.parametrize("width", [2, 5])
def test_a_width_that_has_no_two_halves_is_refused(width):
    with pytest.raises(ValueError, match=f"even and >= 4, got {width}"):
        sinusoidal_embedding(tf.zeros([1]), width)


def test_sines_and_cosines_may_take_turns():
    times = tf.constant([0.0, 0.5, 3.0], tf.float64)
    embedded = sinusoidal_embedding(times, 6, in_turn=True).numpy()
    for k in range(3):
        angles = times.numpy() * 1e4**(-k / 3)
        np.testing.assert_allclose(embedded[:, 2 * k], np.sin(angles),
                                   rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(embedded[:, 2 * k + 1], np.cos(angles),
                                   rtol=1e-12)
