"""A trained flow over a fitted base: it starts as the base and stays a density.
"""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.learned import FlowConfig
from lebm_tf.densities import Flow, GaussianMixture, LearnedFlow
from lebm_tf.mcmc import rng
from lebm_tf.networks import AffineCouplings
from tests import oracles

SEED = rng.make_seed(3)
CODES = np.random.default_rng(0).normal(size=[60, 4]) @ np.diag(
    [0.3, 1.0, 2.0, 5.0]) + np.arange(4)


def mixture():
    base = GaussianMixture(4, 2, 0.1)
    base.fit(CODES, 0, 0)
    return base


def affine_flow():
    base = Flow(AffineCouplings(4, 2, (5,)), num_steps=3)
    base.fit(CODES, 0, 0)
    return base


@pytest.fixture(params=[mixture, affine_flow], ids=["mixture", "flow"])
def base(request):
    return request.param()


def test_a_new_flow_draws_what_its_base_draws(base):
    flow = FlowConfig(3, 5).make(4, 0, base)
    z, log_prob = flow.sample_and_log_prob(9, SEED)
    np.testing.assert_allclose(z, base.sample(9, SEED), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(log_prob, base.log_prob(z), rtol=1e-4, atol=1e-3)


def test_draws_of_a_trained_flow_know_their_density(base):
    network = AffineCouplings(4, 3, (5,))
    random = np.random.default_rng(1)
    network.set_weights([0.3 * random.normal(size=weight.shape)
                         for weight in network.get_weights()])
    flow = LearnedFlow(network, base)
    z, log_prob = flow.sample_and_log_prob(9, SEED)
    assert np.abs(z - base.sample(9, SEED)).max() > 0.1
    np.testing.assert_allclose(flow.log_prob(z), log_prob, rtol=1e-3, atol=1e-3)
    again = LearnedFlow.from_config(flow.get_config())
    again.set_weights(flow.get_weights())
    np.testing.assert_allclose(again.log_prob(z), flow.log_prob(z), rtol=1e-5)


def test_it_learns_by_its_couplings_and_not_by_its_base():
    flow = FlowConfig(1, 5).make(4, 0, mixture())
    with tf.GradientTape() as tape:
        z, log_prob = flow.sample_and_log_prob(5, SEED)
        loss = tf.reduce_mean(log_prob) + tf.reduce_mean(z**2)
    gradients = tape.gradient(loss, flow.trainable_variables)
    assert len(gradients) == len(flow.network.trainable_variables)
    assert any(np.abs(g).max() > 0 for g in gradients)


def test_couplings_without_a_scale_are_refused():
    with oracles.raises(ValueError, "flow_coupling must be affine with a "
                        "fitted base, got additive."):
        FlowConfig(coupling="additive").make(4, 0, mixture())
