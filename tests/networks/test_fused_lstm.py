"""Tests of the fused LSTM against a loop of single steps."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.networks.fused_lstm import fused_lstm


def loop(x, kernel, bias, cell=None, state=None, constant=None):
    """The equations of the docstring, one step after the other."""
    if state is None:
        state = cell = tf.zeros([x.shape[1], kernel.shape[1] // 4], x.dtype)
    if constant is None:
        constant = tf.zeros([x.shape[1], 0], x.dtype)
    states = []
    for t in range(x.shape[0]):
        i, g, f, o = tf.split(tf.concat(
            [x[t], constant, state], -1) @ kernel + bias, 4, axis=-1)
        cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
        state = tf.sigmoid(o) * tf.tanh(cell)
        states.append(state)
    return tf.stack(states)


def value_and_gradients(layer, arguments, weights):
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        states = layer(*arguments)
        value = tf.reduce_sum(tf.sin(states) * weights)
    return [states, *tape.gradient(value, arguments)]


@pytest.mark.parametrize("length", [1, 2, 9])
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_states_and_gradients_are_those_of_a_loop(length, scale):
    """The loop in float64, so the tolerance is that of float32 alone."""
    numbers = np.random.RandomState(length)
    batch, width, hidden = 3, 4, 5
    arguments = [scale * numbers.normal(size=shape) for shape in (
        (length, batch, width), (width + hidden, 4 * hidden), (4 * hidden,))]
    weights = numbers.normal(size=(length, batch, hidden))
    exact = value_and_gradients(
        loop, [tf.constant(a) for a in arguments], weights)
    arguments = [tf.constant(a, tf.float32) for a in arguments]
    weights = tf.constant(weights, tf.float32)
    for layer in (fused_lstm, tf.function(fused_lstm)):
        for ours, true in zip(
                value_and_gradients(layer, arguments, weights), exact):
            np.testing.assert_allclose(ours, true, rtol=1e-4, atol=2e-5)


def fused_from(x, kernel, bias, cell, state, constant):
    return fused_lstm(x, kernel, bias, (cell, state), constant)


@pytest.mark.parametrize("length", [1, 7])
def test_a_start_and_a_constant_are_those_of_a_loop(length):
    numbers = np.random.RandomState(length)
    batch, width, more, hidden = 3, 4, 2, 5
    arguments = [numbers.normal(size=shape) for shape in (
        (length, batch, width), (width + more + hidden, 4 * hidden),
        (4 * hidden,), (batch, hidden), (batch, hidden), (batch, more))]
    weights = numbers.normal(size=(length, batch, hidden))
    exact = value_and_gradients(
        loop, [tf.constant(a) for a in arguments], weights)
    arguments = [tf.constant(a, tf.float32) for a in arguments]
    weights = tf.constant(weights, tf.float32)
    for layer in (fused_from, tf.function(fused_from)):
        for ours, true in zip(
                value_and_gradients(layer, arguments, weights), exact):
            np.testing.assert_allclose(ours, true, rtol=1e-4, atol=2e-5)


def test_a_chain_computes_no_gradient_of_the_weights():
    """Of the graph that TensorFlow runs, after it has left out the rest."""
    numbers = np.random.RandomState(0)
    x, kernel, bias, start = (tf.constant(
        numbers.normal(size=shape), tf.float32)
        for shape in ((6, 3, 4), (11, 20), (20,), (3, 2)))

    @tf.function
    def moved(z):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            value = tf.reduce_sum(fused_lstm(x, kernel, bias, constant=z))
        return tape.gradient(value, z)
    graph = moved.get_concrete_function(start).graph
    by_name = {operation.name: operation
               for operation in graph.get_operations()}
    needed, waiting = set(), [graph.outputs[0].op]
    while waiting:
        operation = waiting.pop()
        if operation.name not in needed:
            needed.add(operation.name)
            waiting += [value.op for value in operation.inputs]
    shapes = [by_name[name].outputs[0].shape.as_list()
              for name in needed if by_name[name].type == "MatMul"]
    assert shapes == [[3, 2]]


def test_a_step_knows_nothing_of_later_ones():
    numbers = np.random.RandomState(0)
    x = numbers.normal(size=(6, 2, 3)).astype(np.float32)
    kernel = numbers.normal(size=(5, 8)).astype(np.float32)
    bias = np.zeros(8, np.float32)
    whole = fused_lstm(x, kernel, bias)
    np.testing.assert_array_equal(fused_lstm(x[:4], kernel, bias), whole[:4])


def test_lengths_and_batches_need_no_new_trace():
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3])])
    def states(x):
        traces.append(1)
        return fused_lstm(x, tf.ones([5, 8]), tf.zeros([8]))
    for shape in ((4, 2, 3), (1, 7, 3), (0, 2, 3)):
        assert states(tf.zeros(shape)).shape == (*shape[:2], 2)
    assert len(traces) == 1
