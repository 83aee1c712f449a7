"""Batch normalization with moving statistics."""

import keras
import tensorflow as tf

_EPSILON = 1e-5
_MOMENTUM = 0.1


class BatchNorm(keras.layers.Layer):
    """(x - mean) / sqrt(variance + 1e-5) * scale + offset of every channel.

    Ioffe and Szegedy 2015, arXiv:1502.03167, as in PyTorch: in training mean
    and variance are those of the batch (over all replicas), and the moving
    statistics, with the unbiased variance, are updated with momentum 0.1;
    otherwise the moving statistics are used. Computed in float32 under mixed
    precision.

    Args:
        channels: Number of channels.
        seed: Seed of the initial scales, N(1, 0.02^2).

    Call arguments:
        x: float [batch, ..., channels].
        training: Whether to use the statistics of the batch.
        remember: Whether to update the moving statistics as well.
    """

    def __init__(self, channels: int, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.seed = channels, seed
        self.scale = self.add_weight(
            name="scale", shape=(channels,), initializer=(
                keras.initializers.RandomNormal(1.0, 0.02, seed=seed)))
        self.offset = self.add_weight(
            name="offset", shape=(channels,), initializer="zeros")
        self.moving_mean, self.moving_variance = (
            self.add_weight(name=name, shape=(channels,), initializer=initial,
                            trainable=False, aggregation="only_first_replica")
            for name, initial in (("moving_mean", "zeros"),
                                  ("moving_variance", "ones")))
        self.built = True

    def call(self, x, training: bool = False, remember: bool = False):
        wide = tf.cast(x, self.variable_dtype)
        mean, variance = (tf.cast(weight, wide.dtype) for weight in (
            self.moving_mean, self.moving_variance))
        if training:
            mean, variance, count = _moments(wide)
            if remember:
                unbiased = variance * count / (count - 1.0)
                for kept, value in ((self.moving_mean, mean),
                                    (self.moving_variance, unbiased)):
                    kept.assign(tf.stop_gradient(
                        (1.0 - _MOMENTUM) * tf.convert_to_tensor(kept.value)
                        + _MOMENTUM * value))
        scale, offset = (tf.cast(weight, wide.dtype)
                         for weight in (self.scale, self.offset))
        return tf.cast((wide - mean) * (
            scale / tf.sqrt(variance + _EPSILON)) + offset, x.dtype)


def _moments(x):
    """Mean and variance of channels over all replicas, and the count."""
    axes = list(range(x.shape.rank - 1))
    count = tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), x.dtype)
    sums = [tf.reduce_sum(x, axes), count]
    context = tf.distribute.get_replica_context()
    several = context is not None and context.num_replicas_in_sync > 1
    if several:
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, sums)
    mean, count = sums[0] / sums[1], sums[1]
    squares = tf.reduce_sum(tf.square(x - mean), axes)
    if several:
        squares = context.all_reduce(tf.distribute.ReduceOp.SUM, squares)
    return mean, squares / count, count
