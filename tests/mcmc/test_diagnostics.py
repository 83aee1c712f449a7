"""Diagnostics on chains whose quality is known."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.mcmc import displacement, effective_sample_size, r_hat


def autoregressive(correlation, steps, chains, seed=0):
    random = np.random.default_rng(seed)
    z = random.normal(size=chains)
    trace = []
    for _ in range(steps):
        z = correlation * z + (1 - correlation**2)**0.5 * random.normal(
            size=chains)
        trace.append(z)
    return tf.constant(np.stack(trace), tf.float32)


def test_displacement_is_the_distance_over_all_leaves_of_a_nest():
    start = {"a": tf.zeros([2, 1]), "b": tf.zeros([2, 2, 2])}
    end = {"a": tf.constant([[3.0], [0.0]]),
           "b": tf.constant([[[4.0, 0.0], [0.0, 0.0]]] * 2)}
    np.testing.assert_allclose(displacement(start, end), [5.0, 4.0])


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_effective_sample_size_of_an_autoregression(correlation):
    """n (1 - r) / (1 + r) for correlation r, summed over chains."""
    trace = autoregressive(correlation, 2000, 8)
    expected = 16_000 * (1 - correlation) / (1 + correlation)
    assert float(effective_sample_size(trace)) == pytest.approx(
        expected, rel=0.15)


def test_r_hat_is_one_for_mixed_chains_and_larger_for_stuck_ones():
    trace = autoregressive(0.2, 500, 6)
    assert float(r_hat(trace)) == pytest.approx(1.0, abs=0.02)
    stuck = trace + 2.0 * tf.range(6, dtype=tf.float32)
    assert float(r_hat(stuck)) > 2.0
