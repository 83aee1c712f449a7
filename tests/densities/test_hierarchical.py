"""Layers of Gaussians, against the one Gaussian that linear layers make."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from lebm_tf.densities import TopDownGaussian
from lebm_tf.mcmc import rng
from lebm_tf.networks import VectorMLP
from tests import oracles

FLOOR, TOP = 0.2, 1.5


def linear_layers(seed=0):
    """Three layers of widths 2, 2, 3; each network is one affine map."""
    return TopDownGaussian(
        [VectorMLP(2, 2, (), num_outputs=2, seed=seed),
         VectorMLP(3, 2, (), num_outputs=2, seed=seed + 1)], 3, TOP, FLOOR)


def constant_scales(density):
    """The maps of the means; those of the scales give a constant."""
    maps = []
    for network in density.networks:
        kernel, bias = (v.numpy() for v in network.head.weights)
        kernel[:, 2:] = 0.0
        network.head.set_weights([kernel, bias])
        maps.append((kernel[:, :2], bias[:2], np.exp(bias[2:]) + FLOOR))
    return maps


def joint(density):
    """Mean [7] and covariance [7, 7] of (z1, z2, z3)."""
    (a, b, s), (c, d, t) = constant_scales(density)
    top = TOP**2 * np.eye(3)
    second = c.T @ top @ c + np.diag(t**2)
    first = a.T @ second @ a + np.diag(s**2)
    blocks = [[first, a.T @ second, a.T @ c.T @ top],
              [second @ a, second, c.T @ top],
              [top @ c @ a, top @ c, top]]
    return np.concatenate([d @ a + b, d, np.zeros(3)]), np.block(blocks)


def test_linear_layers_are_one_gaussian():
    density = linear_layers()
    mean, covariance = joint(density)
    z = density.sample(20_000, rng.make_seed(3))
    assert [leaf.shape[1] for leaf in z] == [2, 2, 3]
    oracles.assert_moments(np.concatenate(z, 1), mean, covariance)
    rows = tuple(leaf[:6] for leaf in z)
    twin = tfp.distributions.MultivariateNormalTriL(
        mean, np.linalg.cholesky(covariance))
    np.testing.assert_allclose(
        density.log_prob(rows), twin.log_prob(np.concatenate(rows, 1)),
        rtol=1e-4)
    terms = density.log_prob_of_layers(rows)
    assert len(terms) == 3
    np.testing.assert_allclose(tf.add_n(terms), density.log_prob(rows))


def test_a_density_made_from_its_config_gives_the_same_numbers():
    density = linear_layers(seed=4)
    config = json.loads(json.dumps(
        keras.saving.serialize_keras_object(density)))
    twin = keras.saving.deserialize_keras_object(config)
    z = density.sample(5, rng.make_seed(1))
    oracles.assert_nests_equal(twin.sample(5, rng.make_seed(1)), z)
    np.testing.assert_array_equal(twin.log_prob(z), density.log_prob(z))


@pytest.mark.parametrize("change, message", [
    ({"top_dim": 0}, "top_dim must be >= 1, got 0."),
    ({"top_dim": 2, "top_scale": 0.0}, "top_scale must be > 0, got 0.0."),
    ({"top_dim": 2, "scale_floor": -1.0},
     "scale_floor must be > 0, got -1.0.")])
def test_a_bad_value_is_refused_with_its_message(change, message):
    with oracles.raises(ValueError, message):
        TopDownGaussian([], **change)
