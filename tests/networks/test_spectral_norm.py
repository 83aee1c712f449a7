"""Kernels over their norm."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.models import replication
from lebm_tf.networks import SpectralLayer
from tests import oracles


def largest(layer):
    """The largest singular value of the kernel that a layer applies."""
    matrix = layer.normalized().numpy().reshape(-1, layer.units)
    return np.linalg.svd(matrix, compute_uv=False)[0]


@pytest.mark.parametrize("size", [0, 3])
def test_a_new_layer_has_norm_1(size):
    layer = SpectralLayer(4, 5, size, seed=1)
    assert largest(layer) == pytest.approx(1.0, abs=1e-3)
    assert np.linalg.norm(layer.u) == pytest.approx(1.0, abs=1e-6)
    x = tf.ones([2, *(6, 6)[:size], 4])
    assert layer(x).shape == (2, *(6, 6)[:size], 5)
    again = SpectralLayer.from_config(layer.get_config())
    np.testing.assert_array_equal(again(x), layer(x))


def test_power_iterations_follow_the_kernel_and_calls_leave_it_alone():
    layer = SpectralLayer(4, 5, seed=1)
    layer.kernel.assign(np.random.default_rng(3).normal(size=[4, 5]))
    u = layer.u.numpy()
    layer(tf.ones([1, 4]))
    np.testing.assert_array_equal(layer.u, u)
    for _ in range(50):
        replication.renew([layer])
    assert largest(layer) == pytest.approx(1.0, abs=1e-5)
    assert not SpectralLayer(4, 5, normalize=False).renewals()


def test_small_kernels_stay_small_where_they_shall():
    small = SpectralLayer(4, 5, keeps_small=True, first_scale=1e-10, seed=1)
    assert 0 < largest(small) < 1e-4
    small.kernel.assign(1e6 * small.kernel)
    assert largest(small) == pytest.approx(1.0, abs=1e-3)
    small.kernel.assign(tf.zeros([4, 5]))
    np.testing.assert_array_equal(small(tf.ones([1, 4])), np.zeros([1, 5]))


def test_the_gradient_is_that_of_the_kernel_over_its_norm():
    """In which only the numerator and s = v^T W u are looked through."""
    with oracles.precision("float64"):
        layer = SpectralLayer(3, 3, use_bias=False, seed=1)
        for _ in range(200):
            replication.renew([layer])
        direction = np.random.default_rng(5).normal(size=[3, 3])
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(layer.normalized() * direction)
        gradient = tape.gradient(value, layer.kernel)
        kernel = layer.kernel.numpy()

        def exact(matrix):
            return np.sum(direction * matrix) / np.linalg.norm(matrix, 2)
        for i, j in np.ndindex(3, 3):
            step = np.zeros([3, 3])
            step[i, j] = 1e-6
            slope = (exact(kernel + step) - exact(kernel - step)) / 2e-6
            assert float(gradient[i, j]) == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("arguments,message", [
    ((0, 3), "got 0, 3 and 0"), ((3, 0), "got 3, 0 and 0"),
    ((3, 3, -1), "got 3, 3 and -1")])
def test_sizes_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpectralLayer(*arguments)
