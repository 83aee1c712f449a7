"""The second stage, where its decoder is linear and so all is Gaussian."""

import json

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from lebm_tf.densities import GaussianLikelihood, LatentVAE
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.networks import VectorMLP
from lebm_tf.objectives import SecondBound
from lebm_tf.samplers import Draw, Draws
from tests import oracles

SLOPES, SHIFT, SCALE = np.array([0.5, 2.0]), np.array([1.0, -1.0]), 0.6


def linear():
    """z = slopes u + shift + scale e, with its exact posterior as encoder."""
    decoder = VectorMLP(2, 2, ())
    decoder.head.set_weights([np.diag(SLOPES), SHIFT])
    variance = 1 / (1 + SLOPES**2 / SCALE**2)
    gain = variance * SLOPES / SCALE**2
    encoder = VectorMLP(2, 2, (), num_outputs=2)
    encoder.head.set_weights([
        np.concatenate([np.diag(gain), np.zeros([2, 2])], 1),
        np.concatenate([-gain * SHIFT, 0.5 * np.log(variance)])])
    return LatentVAE(2, decoder, encoder, SCALE)


def test_samples_have_the_moments_of_both_steps():
    draws = linear().sample(20_000, rng.make_seed(2))
    oracles.assert_moments(draws, SHIFT, np.diag(SLOPES**2 + SCALE**2))


def test_the_bound_is_tight_with_the_exact_posterior():
    density, z = linear(), tf.constant([[0.3, -2.0]])
    bounds = density.evidence_bound(
        tf.repeat(z, 20_000, 0), rng.make_seed(1)).numpy()
    exact = tfp.distributions.MultivariateNormalDiag(
        SHIFT.astype("f"), np.sqrt(SLOPES**2 + SCALE**2).astype("f")
    ).log_prob(z)[0]
    error = bounds.std() / len(bounds)**0.5
    assert abs(bounds.mean() - exact) < 5 * error
    # Another posterior makes it looser.
    density.encoder.network.head.bias.assign_add([0.5, 0, 0, 0])
    looser = density.evidence_bound(
        tf.repeat(z, 20_000, 0), rng.make_seed(1)).numpy()
    assert looser.mean() < exact - 5 * error


def test_the_first_stage_learns_nothing_from_the_second():
    density, z = linear(), tf.constant([[0.3, -2.0], [1.0, 0.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        draw = Draw(z, initial_state(z))
        loss = SecondBound(density)(None, Draws(
            {}, {"positive": draw}, rng.make_seed(4)))
    assert tape.gradient(loss, z) is None
    gradients = tape.gradient(loss, density.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    # Kernel and bias of either network, and the scale.
    assert len(gradients) == 5


def test_a_density_made_from_its_config_draws_the_same():
    density = LatentVAE(2, VectorMLP(2, 2, (3,), seed=1),
                        VectorMLP(2, 2, (3,), num_outputs=2, seed=2), 0.7)
    config = json.loads(json.dumps(
        keras.saving.serialize_keras_object(density)))
    twin = keras.saving.deserialize_keras_object(config)
    seed = rng.make_seed(3)
    np.testing.assert_array_equal(
        twin.sample(4, seed), density.sample(4, seed))


def test_the_best_learned_scale_is_the_root_mean_squared_error():
    generator = oracles.LinearGenerator(np.eye(3), np.zeros(3))
    z = tf.constant(np.random.default_rng(0).normal(size=[50, 3]), tf.float32)
    x = z + 0.4 * tf.constant(
        np.random.default_rng(1).normal(size=[50, 3]), tf.float32)
    best = float(tf.sqrt(tf.reduce_mean(tf.square(x - z))))
    slopes = []
    for scale in (0.9 * best, best, 1.1 * best):
        density = GaussianLikelihood(generator, scale, learn_scale=True)
        np.testing.assert_allclose(
            density.log_prob(x, z),
            GaussianLikelihood(generator, scale).log_prob(x, z), rtol=1e-4)
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(density.log_prob(x, z))
        slopes.append(float(tape.gradient(value, density.log_scale)))
    assert slopes[0] > 10 and slopes[2] < -10 and abs(slopes[1]) < 0.01
