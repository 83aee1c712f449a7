"""Encoder and decoder of sentences against the authors' program, both cells.

Pang and Wu 2021, arXiv:2108.11556, text_generation.py. Their encoder reads the
beginning, and padding to the end, which ours does if told so.
"""

import types

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.mcmc import value_and_gradient
from lebm_tf.networks import RecurrentDecoder, RecurrentEncoder
from lebm_tf.token_ids import BEGIN
from tests import oracles
from tests.golden.reference import (
    Reference, assert_close, assert_gradients, assert_read)


def cell_weights(reference, cell, prefix, way=""):
    """[kernel, bias] of one of their cells in our layout; of gradients, those
    of a sum of two biases are those of either."""
    def read(name):
        return reference.arrays[f"{prefix}.{name}_l0{way}"]
    kernel = np.concatenate([read("weight_ih").T, read("weight_hh").T])
    of_inputs, of_states = read("bias_ih"), read("bias_hh")
    is_gradient = prefix.startswith("grad")
    if cell == "gru":
        both = 2 * len(of_inputs) // 3
        first = of_inputs[:both] + (0 if is_gradient else of_states[:both])
        return [kernel, np.concatenate(
            [first, of_inputs[both:], of_states[both:]])]
    bias = of_inputs + (0 if is_gradient else of_states)
    # Their i, f, g, o is our input, candidate, forget, output.
    return [np.concatenate([np.split(array, 4, -1)[i] for i in (0, 2, 1, 3)],
                           -1) for array in (kernel, bias)]


def decoder_weights(reference, cell, prefix):
    arrays, first = reference.arrays, f"{prefix}/dec_init_connector.linear"
    kernels = [arrays[f"{first}.weight"]] if cell == "gru" else [
        arrays[f"{first}_{name}.weight"] for name in "ch"]
    kernel = np.concatenate(kernels).T
    # Theirs has no bias there.
    return [arrays[f"{prefix}/dec_embedding.weight"], kernel,
            np.zeros(kernel.shape[1]),
            *cell_weights(reference, cell, f"{prefix}/decoder.rnn")]


def encoder_weights(reference, cell, prefix="weights"):
    """In the order of our variables, of a head that says log variances."""
    heads = [reference.weights(prefix, f"q_y_{name}")
             for name in ("mean", "logvar")]
    return [reference.arrays[f"{prefix}/embedding.weight"],
            *cell_weights(reference, cell, f"{prefix}/x_encoder.rnn"),
            *cell_weights(reference, cell, f"{prefix}/x_encoder.rnn",
                          "_reverse"),
            *(np.concatenate(pair, -1) for pair in zip(*heads))]


@pytest.fixture(scope="module", params=["svebm_text", "svebm_text_lstm"])
def sentences(request):
    reference = Reference(request.param)
    c, cell = reference.config, reference.config["rnn_cell"]
    with oracles.precision("float64"):
        decoder = RecurrentDecoder(
            c["vocab_size"], c["latent_size"], c["embed_size"],
            c["dec_cell_size"], cell, tied=True, starts_cell=cell == "lstm")
        decoder.set_weights(decoder_weights(reference, cell, "weights"))
        encoder = RecurrentEncoder(
            c["vocab_size"], c["latent_size"], c["embed_size"],
            c["enc_cell_size"], cell, pad_to=reference["tokens"].shape[1],
            reads_begin=True)
        encoder.set_weights(encoder_weights(reference, cell))
        yield types.SimpleNamespace(
            reference=reference, cell=cell, decoder=decoder, encoder=encoder,
            tokens=reference["tokens"].astype(np.int32),
            z=tf.constant(reference["posterior/z"]))


def token_nll(sentences, z):
    """-log p of every token behind those before it, [batch, length - 1]."""
    tokens = sentences.tokens
    return tf.nn.sparse_softmax_cross_entropy_with_logits(
        tokens[:, 1:], sentences.decoder.logits(
            sentences.decoder(tokens[:, :-1], z)))


def nll(sentences, z):
    """-log p(x | z), [batch]."""
    return tf.reduce_sum((sentences.tokens[:, 1:] != 0)
                         * token_nll(sentences, z), 1)


def test_the_decoder_says_what_theirs_says(sentences):
    reference, decoder = sentences.reference, sentences.decoder
    logits = decoder.logits(decoder(sentences.tokens[:, :-1], sentences.z))
    assert_close(tf.nn.log_softmax(logits), reference["decoder/log_probs"])
    value, gradient = value_and_gradient(
        lambda z: nll(sentences, z), sentences.z)
    assert_close(value, reference["decoder/sequence_nll"])
    assert_close(gradient, reference["decoder/nll_grad_z"])
    assert_close(tf.reduce_mean(value), reference["loss/nll"])
    tokens = token_nll(sentences, sentences.z)
    assert_close((sentences.tokens[:, 1:] != 0) * tokens,
                 reference["decoder/token_nll"])
    assert_close(tf.reduce_sum(tokens, 1),
                 reference["decoder/sequence_nll_counting_pad"])


def test_all_its_weights_have_their_gradients(sentences):
    decoder = sentences.decoder
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(nll(sentences, sentences.z))
    gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(
        loss, decoder.trainable_variables)]
    expected = decoder_weights(sentences.reference, sentences.cell, "grad")
    of_bias = [variable.path for variable in decoder.trainable_variables
               ].index(decoder.first_bias.path)
    del gradients[of_bias], expected[of_bias]
    assert_gradients(gradients, expected)


def test_greedy_decoding_takes_their_tokens(sentences):
    expected = sentences.reference["generation/greedy_tokens"]
    z = tf.constant(sentences.reference["langevin/trajectory"][-1])
    state = sentences.decoder.start(z, expected.shape[1])
    token = tf.fill([len(z)], 2)
    for t in range(expected.shape[1]):
        hidden, state = sentences.decoder.step(token, state, tf.constant(t))
        token = tf.argmax(sentences.decoder.logits(hidden), 1, tf.int32)
        np.testing.assert_array_equal(token, expected[:, t])
    ended = np.cumsum(expected == 3, axis=1) > 0
    np.testing.assert_array_equal(
        sentences.reference["generation/lengths"],
        np.minimum((~ended).sum(1) + 1, expected.shape[1]))


def test_the_decoder_begins_as_theirs(sentences):
    h0, c0 = (sentences.reference[f"decoder/{name}0"] for name in "hc")
    _, *states = sentences.decoder.start(
        sentences.z, sentences.tokens.shape[1])
    # An LSTM has (c, h); their c of a GRU is 0 and not used.
    assert_close(states[-1], h0)
    if sentences.cell == "lstm":
        assert_close(states[0], c0)
    else:
        assert not np.any(c0)


def test_the_encoder_infers_what_theirs_infers(sentences):
    """Of sentences without the beginning, which is part of their tokens."""
    reference, x = sentences.reference, sentences.tokens[:, 1:]
    assert (sentences.tokens[:, 0] == BEGIN).all()
    np.testing.assert_array_equal(
        reference["lengths"], (sentences.tokens != 0).sum(1))
    mean, log_variance = sentences.encoder(x)
    assert_close(mean, reference["posterior/mean"])
    assert_close(log_variance, reference["posterior/logvar"])
    states, width = sentences.encoder.states(x), reference.config[
        "enc_cell_size"]
    assert_close(states, reference["encoder/outputs"])
    assert_close(tf.concat([states[:, -1, :width], states[:, 0, width:]], 1),
                 reference["encoder/last"])


def test_every_key_of_the_networks_is_read(request, sentences):
    assert_read(request, sentences.reference.name)
