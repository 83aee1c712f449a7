"""Likelihood of word counts given a latent vector."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.densities.contracts import Likelihood
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import replicas, rng
from lebm_tf.mcmc.kernel import Position

_SMALLEST = 1e-12  # Frequency of words that are absent from training.
_EPSILON = 1e-3


@keras.saving.register_keras_serializable(package="lebm_tf")
class UnigramLikelihood(Nested, Likelihood, keras.Model):
    """log p(x | z) = sum_v x_v log softmax_v(h(z) + b) for word counts x.

    h is the output of the generator, normalized by its mean and variance over
    the batch, plus a learned bias; b is the log frequency of words in the
    training data (`adapt`). As in the public code of Pang and Wu 2021,
    arXiv:2108.11556 (semi_sup_classification.py), which also omits the
    multinomial coefficient.

    In training (with a seed), the statistics are those of the batch, over all
    replicas; otherwise moving averages. Chains use the latter, so that they are
    independent of each other.

    Args:
        generator: Layer, z -> [batch, num_words].
        num_words: Size of the vocabulary, >= 1; word 0 means no word.
        average_decay: Decay of the moving averages, in [0, 1); the authors'
            0.999.

    Raises:
        ValueError: If an argument is out of range.
    """

    has_mean = True

    def __init__(self, generator: keras.layers.Layer, num_words: int,
                 average_decay: float = 0.999, **kwargs):
        super().__init__(**kwargs)
        if num_words < 1:
            raise ValueError(f"num_words must be >= 1, got {num_words}.")
        if not 0 <= average_decay < 1:
            raise ValueError("average_decay must lie in [0, 1), got "
                             f"{average_decay}.")
        self.generator, self.num_words = generator, num_words
        self.average_decay = average_decay
        self.bias = self._vector("bias", "zeros", trainable=True)
        self.background = self._vector("background", "zeros")
        self.moving_mean = self._vector("moving_mean", "zeros")
        self.moving_variance = self._vector("moving_variance", "ones")
        self.built = True

    def _vector(self, name, initializer, trainable=False):
        return self.add_weight(
            name=name, shape=(self.num_words,), initializer=initializer,
            trainable=trainable, dtype=self.variable_dtype,
            aggregation="mean" if trainable else "only_first_replica")

    def adapt(self, data: Any) -> None:
        """Sets word frequencies from the training part of `data`, an object
        with `frequencies`, float [num_words]."""
        self.background.assign(np.log(np.maximum(
            data.frequencies, _SMALLEST)))

    def logits(self, z: Position, training: bool = False) -> tf.Tensor:
        """h(z) + b, float [batch, num_words]."""
        raw = tf.cast(self.generator(z), self.variable_dtype)
        mean, variance = (self._batch_statistics(raw) if training else
                          (self.moving_mean, self.moving_variance))
        scaled = (raw - mean) * tf.math.rsqrt(variance + _EPSILON)
        return scaled + self.bias + self.background

    def _batch_statistics(self, raw):
        """Mean and variance over the whole batch; updates the moving averages.
        """
        rows = replicas.gather(raw)
        mean, variance = tf.nn.moments(rows, axes=[0])
        count = tf.cast(tf.shape(rows)[0], raw.dtype)
        # As in PyTorch, the moving average is of the unbiased variance.
        unbiased = variance * count / tf.maximum(count - 1, 1)
        for kept, new in ((self.moving_mean, mean),
                          (self.moving_variance, unbiased)):
            old = tf.convert_to_tensor(kept)
            kept.assign(old + (1 - self.average_decay) * (
                tf.stop_gradient(new) - old))
        return mean, variance

    def log_prob(self, x: tf.Tensor, z: Position, *, condition=None,
                 seed: rng.Seed | None = None) -> tf.Tensor:
        """log p(x | z), float [batch], in nats.

        Args:
            x: Counts, float [batch, num_words].
            z: Latents, [batch, ...].
            condition: Ignored.
            seed: Given in training, see above; no random numbers are drawn.
        """
        logs = tf.nn.log_softmax(self.logits(z, training=seed is not None))
        return tf.reduce_sum(tf.cast(x, logs.dtype) * logs, axis=-1)

    def mean(self, z: Position, *, condition=None) -> tf.Tensor:
        """Word probabilities, float [batch, num_words]."""
        return tf.nn.softmax(self.logits(z))

    def decode(self, z: Position, seed: rng.Seed, *, condition=None
               ) -> tf.Tensor:
        """Same as `mean`; ignores the seed."""
        return self.mean(z)

    def read(self, x) -> tf.Tensor:
        """Checks counts and converts them to float [batch, num_words].

        Raises:
            ValueError: If they have another shape.
        """
        x = tf.convert_to_tensor(x)
        if x.shape.rank != 2 or x.shape[1] != self.num_words:
            raise ValueError(
                f"x must be word counts, [batch, {self.num_words}], got "
                f"{x.shape.as_list()}.")
        return tf.cast(x, keras.config.floatx())

    def call(self, z, x):
        return self.log_prob(x, z)

    def get_config(self):
        return {**super().get_config(), "num_words": self.num_words,
                "average_decay": self.average_decay, "generator":
                keras.saving.serialize_keras_object(self.generator)}
