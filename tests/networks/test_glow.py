"""The flow of rotations and couplings, without the authors' numbers."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import LearnedFlow
from lebm_tf.mcmc import rng
from lebm_tf.networks import LatentGlow
from tests import oracles

Z = np.random.default_rng(0).normal(size=[5, 4])


@pytest.fixture(params=["affine", "additive"])
def network(request, float64):
    network = LatentGlow(4, 3, 6, request.param, seed=1)
    random = np.random.default_rng(1)
    network.set_weights([0.3 * random.normal(size=w.shape) + np.eye(4)
                         if w.shape == (4, 4) else 0.3 * random.normal(
                             size=w.shape) for w in network.get_weights()])
    return network


@pytest.mark.parametrize("compiled", [False, True])
def test_both_ways_undo_each_other(network, compiled):
    both = tf.function(lambda z: (*network.inverse(z), *network(
        network.inverse(z)[0])), jit_compile=compiled)
    u, growth, back, shrinkage = both(tf.constant(Z))
    np.testing.assert_allclose(back, Z, rtol=1e-10)
    np.testing.assert_allclose(growth, -shrinkage, rtol=1e-10)
    assert np.max(np.abs(u - Z)) > 0.1


def test_the_growth_is_that_of_volume(network):
    z = tf.constant(Z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        u, growth = network.inverse(z)
    np.testing.assert_allclose(
        np.linalg.slogdet(tape.batch_jacobian(u, z))[1], growth, rtol=1e-10)


def test_a_draw_knows_its_own_density(network):
    flow = LearnedFlow(network)
    z, log_prob = flow.sample_and_log_prob(7, rng.make_seed(2))
    np.testing.assert_allclose(log_prob, flow.log_prob(z), rtol=1e-9)
    np.testing.assert_array_equal(flow.sample(7, rng.make_seed(2)), z)


def test_a_new_flow_is_a_rotation_and_a_shrinking():
    network = LatentGlow(4, 1, 6, seed=3)
    u, _ = network.inverse(tf.constant(Z, tf.float32))
    lengths = np.linalg.norm(u / np.array([1, 1, 0.880797, 0.880797]), axis=-1)
    np.testing.assert_allclose(lengths, np.linalg.norm(Z, axis=-1), rtol=1e-5)


@pytest.mark.parametrize("arguments, message", [
    ((5,), "a flow of coupling layers needs an even dimension of at least 2, "
     "got 5."),
    ((4, 0), "num_steps and hidden_units must be >= 1, got 0 and 64."),
    ((4, 1, 6, "linear"),
     "coupling must be one of affine, additive, got 'linear'.")])
def test_what_is_no_flow_is_refused(arguments, message):
    with oracles.raises(ValueError, message):
        LatentGlow(*arguments)
