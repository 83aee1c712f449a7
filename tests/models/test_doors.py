"""What public methods of a model refuse, and what they name instead."""

import copy
import pickle

import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf.densities import GaussianLikelihood
from lebm_tf.networks import VectorMLP


@pytest.fixture(scope="module")
def model():
    config = lebm_tf.ImageConfig(
        latent_dim=3, generator=lebm_tf.GeneratorConfig(channels=(8,)),
        energy=lebm_tf.EnergyConfig((5,)),
        posterior=lebm_tf.ChainConfig(2, 0.1),
        prior=lebm_tf.ChainConfig(2, 0.4))
    return lebm_tf.build("image", config, lebm_tf.load_dataset("digits"),
                         batch_size=50)


@pytest.mark.parametrize("method", ["infer", "score", "reconstruct"])
@pytest.mark.parametrize("shape, message", [
    ([2, 8, 8, 3], r"\[batch, 8, 8, 1\], got \[2, 8, 8, 3\]\.$"),
    ([2, 8, 1, 1], r"\[batch, 8, 8, 1\], got \[2, 8, 1, 1\]\.$"),
    ([8, 8, 1], r"\[batch, 8, 8, 1\], got \[8, 8, 1\]; for a single example")])
def test_observations_of_another_shape_are_refused(
        model, method, shape, message):
    with pytest.raises(ValueError, match="^x must have shape " + message):
        getattr(model, method)(np.zeros(shape, np.float32))


@pytest.mark.parametrize("method", ["decode", "energy"])
@pytest.mark.parametrize("shape", [[2, 4], [3], [2, 3, 1]])
def test_latents_of_another_width_are_refused(model, method, shape):
    with pytest.raises(ValueError, match=r"^z must have shape \[batch, 3\], "
                                         rf"got \{shape}\.$"):
        getattr(model, method)(np.zeros(shape, np.float32))


def test_a_condition_has_a_row_for_each_observation(model):
    with pytest.raises(ValueError, match="each of the 2 rows of x, got .3"):
        model._inputs(np.zeros([2, 8, 8, 1], np.float32), np.zeros([3, 4]))


def test_a_likelihood_compares_no_other_shapes():
    likelihood = GaussianLikelihood(VectorMLP(2, 3, (4,), seed=0), 1.0)
    with pytest.raises(ValueError, match=r"shape of x, \[5, 1\], got \[5, 3\]"):
        likelihood.log_prob(tf.zeros([5, 1]), tf.zeros([5, 2]))


@pytest.mark.parametrize("call, error, named", [
    (lambda model: model.save("x.keras"), NotImplementedError, "lebm_tf.load"),
    (lambda model: model.predict(np.zeros(3)), NotImplementedError, "sample"),
    (lambda model: model.evaluate(np.zeros(3)), NotImplementedError, "score"),
    (pickle.dumps, TypeError, "lebm_tf.export"),
    (copy.copy, TypeError, "lebm_tf.build"),
    (copy.deepcopy, TypeError, "lebm_tf.build"),
    (lambda model: model.fit(np.zeros([4, 8, 8, 1], np.float32), verbose=0),
     TypeError, "lebm_tf.fit"),
    (tf.function(lambda model: model.sample(2)), RuntimeError, "answers")])
def test_what_is_not_offered_names_what_is(model, call, error, named):
    with pytest.raises(error, match=named.replace(".", r"\.")) as raised:
        call(model)
    assert "\n" not in str(raised.value) or error is not NotImplementedError
