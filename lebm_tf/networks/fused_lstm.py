"""An LSTM over all steps of a sequence, with a custom gradient."""

import tensorflow as tf


def fused_lstm(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor,
               first: tuple[tf.Tensor, tf.Tensor] | None = None,
               constant: tf.Tensor | None = None) -> tf.Tensor:
    """One LSTM layer.

    c_t = f c_{t-1} + i g,  h_t = o tanh(c_t), with i, f, o = sigmoid and g =
    tanh of [x_t, constant, h_{t-1}] kernel + bias; Hochreiter and Schmidhuber
    1997, with the forget gate of Gers et al. 2000.

    All steps are one TensorFlow operation, `BlockLSTM`, which runs on CPU and
    GPU but not under XLA. The custom gradient has only the recurrent part in
    its loop, whereas the gradient of the operation sums that of the kernel step
    by step. Forward and backward pass took 245 ms with that and take 50 ms with
    this (32 rows of 20 steps, width 512, one core). In a graph, unused parts of
    the gradient are not computed, such as those of kernel and x in a chain that
    moves `constant` and `first`. The gradient of `BlockLSTMV2` is wrong on a
    CPU (TensorFlow 2.21).

    Args:
        x: float32 [length, batch, width].
        kernel: float32 [width + constant width + hidden, 4 hidden], for inputs,
            then states; gates in the order i, g, f, o.
        bias: float32 [4 hidden].
        first: (c, h) before the first step, float32 [batch, hidden] each;
            default: zeros.
        constant: Additional input of every step, float32 [batch, width].

    Returns:
        States h, float32 [length, batch, hidden].
    """
    kernel = tf.convert_to_tensor(kernel)
    num_rows, hidden = tf.shape(x)[1], kernel.shape[1] // 4
    if first is None:
        first = (tf.zeros([num_rows, hidden]),) * 2
    if constant is None:
        constant = tf.zeros([num_rows, 0])
    return _lstm(x, constant, kernel, tf.convert_to_tensor(bias), *first)


@tf.custom_gradient
def _lstm(x, constant, kernel, bias, first_c, first_h):
    hidden = kernel.shape[1] // 4
    size = kernel.shape[0] - hidden - constant.shape[-1]
    peephole = tf.zeros([hidden])
    repeated = tf.tile(constant[None], [tf.shape(x)[0], 1, 1])
    x = tf.concat([x, repeated], -1)
    run = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.shape(x, tf.int64)[0], x=x, cs_prev=first_c,
        h_prev=first_h, w=kernel, wci=peephole, wcf=peephole, wco=peephole,
        b=bias, forget_bias=0.0, cell_clip=-1.0, use_peephole=False)

    def gradient(upstream):
        # Transposed once, since each product would repack the matrix.
        of_states = tf.transpose(kernel[-hidden:])
        gates, c = _gate_gradients(run, of_states, first_c, upstream)
        inputs = tf.concat([x, _previous(run.h, first_h)], axis=-1)
        total = tf.reduce_sum(gates, 0)
        return (tf.tensordot(gates, kernel[:size], [[2], [1]]),
                tf.matmul(total, kernel[size:-hidden], transpose_b=True),
                tf.tensordot(inputs, gates, [[0, 1], [0, 1]]),
                tf.reduce_sum(total, 0), tf.reduce_sum(c[:1], 0),
                tf.matmul(tf.reduce_sum(gates[:1], 0), of_states))
    return run.h, gradient


def _gate_gradients(run, of_states, first, upstream):
    """Gradients before the activations, [length, batch, 4 hidden], and those of
    c_{t-1}, [length, batch, hidden].

    Those of i, g, f are dc times a known factor, that of o is dh times a known
    factor, with dh_t = upstream_t + gates_{t+1} of_states and dc_t = dh_t o (1
    - tanh(c_t)^2) + dc_{t+1} f_{t+1}.
    """
    candidate, cell = run.ci, run.co
    known = tf.concat([
        candidate * run.i * (1.0 - run.i), run.i * (1.0 - candidate**2),
        _previous(run.cs, first) * run.f * (1.0 - run.f),
        cell * run.o * (1.0 - run.o)], axis=-1)
    to_cell = run.o * (1.0 - cell**2)

    def step(later, now):
        gates, carried = later
        upstream, known, to_cell, forget = now
        state = upstream + tf.matmul(gates, of_states)
        inside = carried + state * to_cell
        gates = known * tf.concat([inside, inside, inside, state], axis=-1)
        return gates, inside * forget

    # Sums, because there may be zero steps.
    none = [tf.zeros_like(tf.reduce_sum(a[:1], 0)) for a in (known, to_cell)]
    return tf.scan(step, (upstream, known, to_cell, run.f), tuple(none),
                   reverse=True)


def _previous(states, first):
    """States of the previous step."""
    return tf.concat([first[None], states], 0)[:-1]
