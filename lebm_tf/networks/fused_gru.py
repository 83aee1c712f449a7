"""A GRU over all steps of a sequence, with a custom gradient."""

import tensorflow as tf


def fused_gru(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor,
              first: tf.Tensor, constant: tf.Tensor | None = None
              ) -> tf.Tensor:
    """One GRU layer with the reset gate applied after the product.

    h_t = (1 - u) tanh(a + r b) + u h_{t-1} with r, u = sigmoid; a is a function
    of the inputs and b of h_{t-1}, each with a bias: the variant of cuDNN,
    PyTorch and Keras, with the gates of Cho et al. 2014, arXiv:1406.1078.

    Products with inputs are computed for all steps at once, that with a
    constant once. The forward and backward loops contain only the product with
    the states, and the gradient recomputes the gates for all steps at once.

    Args:
        x: float [length, batch, width].
        kernel: [width + constant width + hidden, 3 hidden], for inputs, then
            states; gates in the order r, u, candidate.
        bias: [4 hidden]: r, u, that of a, that of b.
        first: h before the first step, [batch, hidden].
        constant: Additional input of every step, [batch, width].

    Returns:
        States h, [length, batch, hidden].
    """
    kernel = tf.convert_to_tensor(kernel)
    if constant is None:
        constant = tf.zeros([tf.shape(x)[1], 0], x.dtype)
    return _gru(x, constant, kernel, tf.convert_to_tensor(bias), first)


def gru_step(of_inputs: tf.Tensor, h: tf.Tensor, of_states: tf.Tensor,
             bias: tf.Tensor) -> tf.Tensor:
    """The next state, from products with inputs that include all biases except
    that of b."""
    r, u, candidate, _ = _gates(of_inputs, tf.matmul(h, of_states), bias)
    return candidate + u * (h - candidate)


@tf.custom_gradient
def _gru(x, constant, kernel, bias, first):
    hidden = kernel.shape[1] // 3
    size = kernel.shape[0] - hidden - constant.shape[-1]
    of_states, last_bias = kernel[-hidden:], bias[3 * hidden:]
    of_inputs = (
        tf.tensordot(x, kernel[:size], 1)
        + tf.matmul(constant, kernel[size:-hidden]) + bias[:3 * hidden])
    states = tf.scan(
        lambda h, now: gru_step(now, h, of_states, last_bias), of_inputs,
        first)

    def gradient(upstream):
        before = tf.concat([first[None], states], 0)[:-1]
        r, u, candidate, inside = _gates(
            of_inputs, tf.tensordot(before, of_states, 1), last_bias)
        to_candidate = (1.0 - u) * (1.0 - candidate**2)
        known = tf.concat([
            to_candidate * inside * r * (1.0 - r),
            (before - candidate) * u * (1.0 - u), to_candidate * r], -1)

        def step(carried, now):
            upstream, known, kept = now
            state = upstream + carried[0]
            gates = known * tf.concat([state] * 3, -1)
            return (state * kept + tf.matmul(gates, of_states,
                                             transpose_b=True), state, gates)
        # A sum, because there may be zero steps.
        none = tf.zeros_like(first)
        carried, state, gates = tf.scan(
            step, (upstream, known, u), (none, none, tf.concat([none] * 3, -1)),
            reverse=True)
        read = tf.concat([gates[..., :2 * hidden], state * to_candidate], -1)
        total = tf.reduce_sum(read, 0)
        of_kernel = tf.concat([
            tf.tensordot(x, read, [[0, 1], [0, 1]]),
            tf.matmul(constant, total, transpose_a=True),
            tf.tensordot(before, gates, [[0, 1], [0, 1]])], 0)
        of_bias = tf.concat([tf.reduce_sum(total, 0), tf.reduce_sum(
            gates[..., 2 * hidden:], [0, 1])], 0)
        return (tf.tensordot(read, kernel[:size], [[2], [1]]),
                tf.matmul(total, kernel[size:-hidden], transpose_b=True),
                of_kernel, of_bias, tf.reduce_sum(carried[:1], 0))
    return states, gradient


def _gates(of_inputs, of_states, bias):
    """r, u, candidate, and b before the reset gate."""
    hidden = bias.shape[0]
    r, u = tf.split(tf.sigmoid(
        of_inputs[..., :2 * hidden] + of_states[..., :2 * hidden]), 2, -1)
    inside = of_states[..., 2 * hidden:] + bias
    return r, u, tf.tanh(of_inputs[..., 2 * hidden:] + r * inside), inside
