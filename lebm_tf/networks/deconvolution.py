"""Transposed convolutions that are faster than TensorFlow's on a CPU.

The choices follow measurements of benchmarks/speed.py; on a GPU, TensorFlow's
own are used.
"""

import keras
import tensorflow as tf

_FEW = 4  # Maximum number of channels of an image.
_LARGE = 1 << 15  # Entries per tap of a large kernel.
_OUTSIDE = 16


def _taps_of_phases():
    """[3, 3, 4]: which of the 16 taps of a 4 x 4 kernel, or `_OUTSIDE`."""
    def tap(offset, phase):
        place = phase + 1 + 2 * (offset - 1)
        return place if 0 <= place < 4 else None

    def both(i, j):
        return _OUTSIDE if None in (i, j) else 4 * i + j
    return [[[both(tap(d, p), tap(e, q)) for p in range(2) for q in range(2)]
             for e in range(3)] for d in range(3)]


_TAPS = _taps_of_phases()


@keras.saving.register_keras_serializable(package="lebm_tf")
class Deconv(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with padding "same".

    It has the same weights and equal outputs up to rounding, for kernel 4 with
    stride 2 or kernel 3 with stride 1.
    """

    def call(self, inputs):
        x = transposed_convolution(inputs, self.kernel, self.strides[0])
        return x if self.bias is None else tf.nn.bias_add(x, self.bias)


def transposed_convolution(x: tf.Tensor, kernel: tf.Tensor, stride: int
                           ) -> tf.Tensor:
    """A transposed convolution with padding "same".

    Args:
        x: float [batch, height, width, channels_in].
        kernel: [4, 4, channels_out, channels_in] with stride 2, and
            [3, 3, ...] with stride 1.
        stride: 1 or 2.

    Returns:
        [batch, stride * height, stride * width, channels_out].
    """
    kernel = tf.convert_to_tensor(kernel)
    if tf.config.list_logical_devices("GPU"):
        return _plain(x, kernel, stride)
    return _on_cpu(stride)(x, kernel)


def _on_cpu(stride):
    @tf.custom_gradient
    def function(x, kernel):
        def gradient(upstream):
            return (tf.nn.conv2d(upstream, kernel, stride, "SAME"),
                    _kernel_gradient(upstream, x, kernel.shape, stride))
        return _forward(x, kernel, stride), gradient
    return function


def _plain(x, kernel, stride):
    batch, height, width, _ = _shape(x)
    return tf.nn.conv2d_transpose(
        x, kernel, [batch, stride * height, stride * width, kernel.shape[2]],
        stride, "SAME")


def _forward(x, kernel, stride):
    if kernel.shape[2] > _FEW:
        return _plain(x, kernel, stride)
    if stride == 2:
        return tf.nn.depth_to_space(_plain(x, _of_all_phases(kernel), 1), 2)
    # In half precision each product would be rounded.
    return _sum_of_taps(x, kernel) if x.dtype.size >= 4 else _plain(
        x, kernel, stride)


def _of_all_phases(kernel):
    """Kernel [3, 3, 4 channels_out, channels_in] for stride 1.

    Pixel 2 i + p of a line is sum_d x[i - d] kernel[p + 1 + 2 d], so one
    transposed convolution gives the 2 x 2 pixels of a place as channels.
    """
    units, fan_in = kernel.shape[2:]
    taps = tf.concat([tf.reshape(kernel, [16, units, fan_in]),
                      tf.zeros([1, units, fan_in], kernel.dtype)], 0)
    return tf.reshape(tf.gather(taps, _TAPS), [3, 3, 4 * units, fan_in])


def _sum_of_taps(x, kernel):
    """Kernel 3, stride 1: one product for all taps, shifted and summed."""
    batch, height, width, _ = _shape(x)
    fan_in, units = kernel.shape[3], kernel.shape[2]
    products = tf.matmul(tf.reshape(x, [-1, fan_in]), tf.reshape(
        kernel, [9 * units, fan_in]), transpose_b=True)
    products = tf.pad(tf.reshape(products, [batch, height, width, 9, units]),
                      [[0, 0], [1, 1], [1, 1], [0, 0], [0, 0]])
    return tf.add_n([products[:, 2 - i:2 - i + height, 2 - j:2 - j + width,
                              3 * i + j] for i in range(3) for j in range(3)])


def _kernel_gradient(upstream, x, shape, stride):
    _, height, width, _ = _shape(x)
    size, _, units, fan_in = shape
    if stride == 1 or units * fan_in < _LARGE:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=upstream, filter_sizes=shape, out_backprop=x,
            strides=[1, stride, stride, 1], padding="SAME")
    # One product per tap; several times faster in bfloat16.
    blocks = tf.pad(upstream, [[0, 0], [1, 1], [1, 1], [0, 0]])
    blocks = tf.reshape(
        blocks, [-1, height + 1, 2, width + 1, 2, units])
    x = tf.reshape(x, [-1, fan_in])
    taps = [tf.matmul(tf.reshape(
        blocks[:, i // 2:i // 2 + height, i % 2, j // 2:j // 2 + width, j % 2],
        [-1, units]), x, transpose_a=True)
        for i in range(size) for j in range(size)]
    return tf.reshape(tf.stack(taps), shape)


def _shape(x):
    """[batch, height, width, channels], static where known."""
    dynamic = tf.shape(x)
    return [dynamic[i] if size is None else size
            for i, size in enumerate(x.shape)]
