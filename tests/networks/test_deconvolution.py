"""Transposed convolutions in the forms that are fast on a CPU."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.networks import deconvolution
from lebm_tf.networks.deconvolution import Deconv, transposed_convolution

# (stride, channels in, channels out): pictures, wide layers, narrow ones.
LAYERS = [(2, 5, 3), (2, 5, 1), (1, 5, 3), (1, 5, 1), (2, 6, 7), (1, 6, 7)]


def arguments(stride, fan_in, units, dtype=tf.float64):
    size = 4 if stride == 2 else 3
    return (rng.normal([2, 5, 7, fan_in], rng.make_seed(0), dtype),
            rng.normal([size, size, units, fan_in], rng.make_seed(1), dtype))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("large", [1, 1 << 20])
def test_values_and_gradients_are_those_of_tensorflow(
        layer, large, monkeypatch):
    monkeypatch.setattr(deconvolution, "_LARGE", large)
    stride, _, units = layer
    x, kernel = arguments(*layer)
    weights = rng.normal([2, 5 * stride, 7 * stride, units],
                         rng.make_seed(2), tf.float64)
    found = []
    for function in (
            lambda: transposed_convolution(x, kernel, stride),
            lambda: tf.nn.conv2d_transpose(
                x, kernel, weights.shape, stride, "SAME")):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = function()
            total = tf.reduce_sum(weights * y)
        found.append((y, *tape.gradient(total, (x, kernel))))
    for ours, theirs in zip(*found):
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_half_precision_is_as_exact_as_that_of_tensorflow(layer):
    stride, _, units = layer
    x, kernel = (tf.cast(value, tf.bfloat16) for value in arguments(*layer))
    exact = tf.nn.conv2d_transpose(
        *(tf.cast(value, tf.float64) for value in (x, kernel)),
        [2, 5 * stride, 7 * stride, units], stride, "SAME")
    found = tf.cast(transposed_convolution(x, kernel, stride), tf.float64)
    theirs = tf.cast(tf.nn.conv2d_transpose(
        x, kernel, exact.shape, stride, "SAME"), tf.float64)
    size = tf.nn.conv2d_transpose(
        *(tf.cast(tf.abs(value), tf.float64) for value in (x, kernel)),
        exact.shape, stride, "SAME")
    # One rounding to 8 bits where the processor has instructions for
    # bfloat16; elsewhere one of the sum of channels, and one of each of the
    # up to 4 or 9 sums of taps.
    once = 2**-8 * np.abs(exact) + 1e-2
    taps = 4 if stride == 2 else 9
    bound = once if np.all(np.abs(theirs - exact) <= once) else (
        (1 + taps) * 2**-8 * size)
    assert np.all(np.abs(theirs - exact) <= bound)
    assert np.all(np.abs(found - exact) <= bound)


def test_a_gpu_gets_the_convolution_of_tensorflow(monkeypatch):
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: [kind])
    x, kernel = arguments(2, 5, 3, tf.float32)
    graph = tf.function(lambda: transposed_convolution(x, kernel, 2)
                        ).get_concrete_function().graph.as_graph_def()
    names = {node.op for node in graph.node}
    assert "Conv2DBackpropInput" in names and "DepthToSpace" not in names


def test_the_layer_is_the_one_of_keras_and_loads_its_weights():
    options = {"strides": 2, "padding": "same"}
    theirs = keras.layers.Conv2DTranspose(3, 4, **options)
    ours = Deconv(3, 4, **options)
    x = rng.normal([2, 4, 4, 5], rng.make_seed(0))
    expected = theirs(x)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(x), expected, rtol=1e-5, atol=1e-5)


def test_a_batch_of_any_size_goes_through_one_graph():
    _, kernel = arguments(2, 5, 3, tf.float32)
    function = tf.function(
        lambda x: transposed_convolution(x, kernel, 2), input_signature=[
            tf.TensorSpec([None, 5, 7, 5], tf.float32)])
    for rows in (1, 3):
        assert function(tf.ones([rows, 5, 7, 5])).shape == (rows, 10, 14, 3)
