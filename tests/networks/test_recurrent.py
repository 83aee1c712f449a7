"""Recurrent layers against plain cells, and against Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.networks import RecurrentDecoder, RecurrentEncoder
from lebm_tf.networks.recurrent import num_gates, run_cell, step_cell
from tests import oracles


def inputs(cell, numbers):
    width, length, batch, size = 6, 5, 3, 4
    shapes = [(length, batch, size), (size + width, num_gates(cell) * width),
              (4 * width,)]
    shapes += [(batch, width)] * (2 if cell == "lstm" else 1)
    return [tf.constant(0.5 * numbers.randn(*shape), tf.float32)
            for shape in shapes]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_all_steps_at_once_are_the_steps_and_so_are_their_gradients(
        cell, numbers):
    values = inputs(cell, numbers)

    def once(x, kernel, bias, *first):
        return run_cell(cell, x, kernel, bias, first)

    def stepwise(x, kernel, bias, *state):
        outputs = []
        for row in tf.unstack(x):
            state = step_cell(cell, row, kernel, bias, state)
            outputs.append(state[-1])
        return tf.stack(outputs)
    results = []
    for function in (once, stepwise):
        with tf.GradientTape() as tape:
            tape.watch(values)
            output = function(*values)
            total = tf.reduce_sum(output**2 * tf.reshape(tf.range(
                float(tf.size(output))), output.shape))
        results.append([output, *tape.gradient(total, values)])
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_constant_is_read_at_every_step(cell, numbers):
    x, kernel, bias, *first = inputs(cell, numbers)
    constant = tf.constant(numbers.randn(3, 2), tf.float32)
    extra = tf.constant(numbers.randn(2, kernel.shape[1]), tf.float32)
    kernel = tf.concat([kernel[:4], extra, kernel[4:]], 0)
    results = []
    for apart in (True, False):
        with tf.GradientTape() as tape:
            tape.watch([constant, kernel, bias])
            read = x if apart else tf.concat(
                [x, tf.tile(constant[None], [5, 1, 1])], -1)
            output = run_cell(cell, read, kernel, bias, first,
                              constant if apart else None)
            total = tf.reduce_sum(output**2)
        results.append(
            [output, *tape.gradient(total, [constant, kernel, bias])])
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_cells_are_those_of_keras(cell, numbers):
    x, kernel, bias, *first = inputs(cell, numbers)
    size, width = x.shape[-1], first[0].shape[-1]
    # Keras: input, forget, candidate, output; update, reset, candidate.
    order = {"lstm": [0, 2, 1, 3], "gru": [1, 0, 2]}[cell]

    def ordered(matrix):
        parts = np.split(np.asarray(matrix), num_gates(cell), axis=-1)
        return np.concatenate([parts[i] for i in order], -1)
    if cell == "lstm":
        layer = keras.layers.LSTM(width, return_sequences=True)
        biases = ordered(bias)
    else:
        layer = keras.layers.GRU(width, return_sequences=True)
        of_inputs = ordered(bias[:3 * width])
        biases = np.stack([of_inputs, np.concatenate(
            [np.zeros(2 * width), bias[3 * width:]])])
    layer.build((None, None, size))
    layer.set_weights([ordered(kernel[:size]), ordered(kernel[size:]), biases])
    expected = layer(tf.transpose(x, [1, 0, 2]),
                     initial_state=list(reversed(first)))
    np.testing.assert_allclose(
        tf.transpose(run_cell(cell, x, kernel, bias, first), [1, 0, 2]),
        expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_encoder_does_not_read_padding(cell):
    encoder = RecurrentEncoder(9, 2, 4, 5, cell)
    short = tf.constant([[5, 6, 3], [7, 3, 0]])
    long = tf.constant([[5, 6, 3, 0, 0], [7, 3, 0, 0, 0]])
    for one, other in zip(encoder(short), encoder(long)):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    # Both ends matter, and so does the middle.
    changed = encoder(tf.constant([[5, 7, 3], [6, 3, 0]]))[0]
    assert (abs(changed - encoder(short)[0]) > 1e-5).numpy().all()


def test_the_decoder_leaves_out_what_it_is_told_to():
    decoder = RecurrentDecoder(9, 2, 4, 5, dropout=0.5)
    tokens, z = tf.constant([[2, 5, 6]]), tf.ones([1, 2])
    names = []

    def drop(values, name):
        names.append(name)
        return tf.zeros_like(values)
    assert not decoder(tokens, z, drop=drop).numpy().any()
    assert names == ["embedding", "output"]
    assert decoder(tokens, z).numpy().any()


@pytest.mark.parametrize("wrong, message", [
    ({"cell": "rnn"}, "cell must be one of lstm, gru, got 'rnn'"),
    ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
    ({"num_tokens": 3}, "num_tokens must be >= 4.* got 3"),
    ({"hidden_dim": 0}, "all widths must be >= 1, got"),
    ({"tied": True, "embedding_dim": 8, "hidden_dim": 4},
     "tied needs embedding_dim equal to hidden_dim, got 8 and 4"),
    ({"cell": "gru", "starts_cell": True},
     "starts_cell needs cell=lstm, got 'gru'")])
def test_wrong_sizes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        RecurrentDecoder(**{"num_tokens": 9, "latent_dim": 2, **wrong})


def test_half_precision_is_for_the_products_of_the_head_alone():
    full = RecurrentDecoder(9, 2, 4, 5)
    with oracles.precision("float32"):
        keras.config.set_dtype_policy("mixed_bfloat16")
        half = RecurrentDecoder(9, 2, 4, 5)
    tokens, z = tf.constant([[2, 5, 6]]), tf.ones([1, 2])
    np.testing.assert_array_equal(full(tokens, z), half(tokens, z))
    logits = half.logits(half(tokens, z))
    assert logits.dtype == tf.float32
    np.testing.assert_allclose(logits, full.logits(full(tokens, z)),
                               atol=1e-2)
