"""Penalties of an autoencoder, where the generator is linear."""

import types

import numpy as np
import tensorflow as tf

from lebm_tf.densities import GaussianLikelihood
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import initial_state
from lebm_tf.objectives import gradient_penalty, latent_penalty, weight_penalty
from lebm_tf.samplers import Draw, Draws
from tests import oracles

WEIGHT = np.linspace(-1.0, 2.0, 6).reshape(2, 3)
MODEL = types.SimpleNamespace(likelihood=GaussianLikelihood(
    oracles.LinearGenerator(WEIGHT, [5.0, 6.0, 7.0]), 1.0))


def draws(num):
    z = tf.tile(tf.constant([[3.0, 4.0]]), [num, 1])
    return Draws({}, {"positive": Draw(z, initial_state(z))},
                 rng.make_seed(5))


def test_codes_and_weights_are_penalized_by_their_squares():
    assert float(latent_penalty(MODEL, draws(4))) == 12.5
    np.testing.assert_allclose(
        weight_penalty(MODEL, draws(4)), (WEIGHT**2).sum(), rtol=1e-6)


def test_the_gradient_penalty_is_the_square_of_the_jacobian_on_average():
    """|W e|^2 has mean |W|^2 and variance 2 |W W^T|^2 for e ~ N(0, I)."""
    num = 20_000
    error = (2 * ((WEIGHT @ WEIGHT.T)**2).sum() / num)**0.5
    assert abs(float(gradient_penalty(MODEL, draws(num)))
               - (WEIGHT**2).sum()) < 5 * error


def test_the_gradient_penalty_teaches_the_generator():
    """The slope 2 e e^T W of |W^T e|^2 has mean 2 W and, of its element (i, j),
    the variance 4 (|w_j|^2 + w_ij^2) for e ~ N(0, I)."""
    num, variable = 20_000, MODEL.likelihood.generator.weight
    with tf.GradientTape() as tape:
        value = gradient_penalty(MODEL, draws(num))
    slope = tape.gradient(value, variable).numpy()
    variance = 4 * ((WEIGHT**2).sum(0) + WEIGHT**2)
    assert np.all(np.abs(slope - 2 * WEIGHT) < 5 * (variance / num)**0.5)
