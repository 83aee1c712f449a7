"""The causal Transformer: what it may see, and one step after the other."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import DecodingConfig, SequenceLikelihood
from lebm_tf.mcmc import rng, value_and_gradient
from lebm_tf.networks import TransformerDecoder

SMALL = {"num_tokens": 9, "latent_dim": 3, "embedding_dim": 8,
         "hidden_dim": 12, "num_layers": 2, "num_heads": 2, "num_slots": 2}
TOKENS = tf.constant([[2, 5, 6, 4, 8], [2, 7, 7, 3, 0]])


@pytest.fixture(scope="module")
def decoder():
    return TransformerDecoder(**SMALL, dropout=0.5, seed=3)


@pytest.fixture
def z(numbers):
    return tf.constant(numbers.randn(2, 3), tf.float32)


def test_a_step_knows_nothing_of_later_tokens(decoder, z):
    whole = decoder(TOKENS, z)
    changed = decoder(tf.concat([TOKENS[:, :3], (TOKENS[:, 3:] + 1) % 9], 1), z)
    np.testing.assert_allclose(whole[:, :3], changed[:, :3], atol=1e-6)
    assert (abs(whole - changed)[:, 3:] > 1e-4).numpy().any(-1).all()
    # All before matter: the last step sees the first token.
    other = decoder(tf.concat([TOKENS[:, :1] + 2, TOKENS[:, 1:]], 1), z)
    assert (abs(whole - other)[:, -1] > 1e-4).numpy().any(-1).all()


def test_step_by_step_is_all_at_once(decoder, z):
    state = decoder.start(z, 7)
    for t in range(5):
        hidden, state = decoder.step(TOKENS[:, t], state, tf.constant(t))
        np.testing.assert_allclose(
            hidden, decoder(TOKENS, z)[:, t], atol=1e-5)


def test_every_position_reads_z_and_its_gradient_is_right(decoder, z):
    assert (abs(decoder(TOKENS, z) - decoder(TOKENS, z + 1.0)) > 1e-4
            ).numpy().any(-1).all()
    likelihood = SequenceLikelihood(decoder, 5)
    x = tf.constant([[5, 6, 4, 3, 0], [7, 3, 0, 0, 0]])
    _, gradient = value_and_gradient(lambda z: likelihood.log_prob(x, z), z)
    for i in range(3):
        move = np.zeros((2, 3), np.float32)
        move[:, i] = 1e-2
        numeric = (likelihood.log_prob(x, z + move)
                   - likelihood.log_prob(x, z - move)) / 2e-2
        np.testing.assert_allclose(gradient[:, i], numeric, atol=2e-3)


@pytest.mark.parametrize("settings", [
    {"method": "sample"}, {"method": "greedy"}, {"method": "beam"}])
def test_it_decodes_in_graph(decoder, z, settings):
    likelihood = SequenceLikelihood(decoder, 6, DecodingConfig(**settings))
    x = tf.function(likelihood.decode)(z, rng.make_seed(0))
    assert x.shape == (2, 6)
    np.testing.assert_array_equal(x, likelihood.decode(z, rng.make_seed(0)))


def test_dropout_leaves_out_what_layers_add(decoder, z):
    names = []

    def drop(values, name):
        names.append(name)
        return tf.zeros_like(values) if name != "output" else values
    assert len(set(decoder(TOKENS, z, drop=drop).numpy().ravel())) == 1
    assert len(set(names)) == len(names) == 2 + 3 * 2


def test_it_is_made_again_from_its_configuration(decoder, z):
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(decoder))
    np.testing.assert_array_equal(again(TOKENS, z), decoder(TOKENS, z))


@pytest.mark.parametrize("wrong, message", [
    ({"embedding_dim": 6}, "embedding_dim must be an even multiple of "
     "num_heads, got 6 and 2"),
    ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
    ({"num_slots": 0}, "all other sizes >= 1, got 9 and")])
def test_wrong_sizes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        TransformerDecoder(**{**SMALL, **wrong})
