"""A causal Transformer decoder: a latent vector to a sequence of tokens."""

import math
from typing import Any, Callable

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers

_EPSILON = 1e-5
_LONGEST_WAVE = 10_000.0


@keras.saving.register_keras_serializable(package="lebm_tf")
class TransformerDecoder(keras.layers.Layer):
    """A causal Transformer decoder that attends to z.

    Layers of causal self-attention, attention to z and a perceptron, each
    residual and with layer normalization in front. Vaswani et al. 2017,
    arXiv:1706.03762, with their positions. z enters as num_slots vectors,
    affine functions of it, as keys and values of the second attention; the
    Latent Prompt Transformer of Kong et al. 2024 has such a decoder for
    molecules.

    Args:
        num_tokens: Size of the vocabulary, at least 4.
        latent_dim: Dimension of z.
        embedding_dim: Width of all layers, an even multiple of num_heads.
        hidden_dim: Width inside the perceptrons.
        num_layers: Number of layers, at least 1.
        num_heads: Number of attention heads.
        num_slots: Number of vectors that represent z.
        dropout: Dropout rate of embeddings, residual branches and outputs, in
            [0, 1).
        seed: Seed of the initial weights.

    Call arguments:
        tokens: Previous token at each position, int32 [batch, length].
        z: float [batch, latent_dim].
        drop: Dropout function (values, name) -> values; None for no dropout.

    Returns:
        float32 [batch, length, embedding_dim], the input of `logits`.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, num_tokens: int, latent_dim: int,
                 embedding_dim: int = 256, hidden_dim: int = 1024,
                 num_layers: int = 2, num_heads: int = 4, num_slots: int = 4,
                 dropout: float = 0.0, seed: int = 0, **kwargs):
        super().__init__(**{"autocast": False, **kwargs})
        sizes = (latent_dim, embedding_dim, hidden_dim, num_layers, num_heads,
                 num_slots)
        if num_tokens < 4 or min(sizes) < 1:
            raise ValueError("num_tokens must be >= 4 and all other sizes >= "
                             f"1, got {num_tokens} and {sizes}.")
        if embedding_dim % (2 * num_heads):
            raise ValueError(
                "embedding_dim must be an even multiple of num_heads, got "
                f"{embedding_dim} and {num_heads}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}.")
        self.num_tokens, self.latent_dim = num_tokens, latent_dim
        self.embedding_dim, self.hidden_dim = embedding_dim, hidden_dim
        self.num_layers, self.num_heads = num_layers, num_heads
        self.num_slots, self.dropout, self.seed = num_slots, dropout, seed
        self._weights: dict[str, Any] = {}
        width = embedding_dim
        self._add("embedding", num_tokens, width)
        self._add("memory", latent_dim, num_slots * width)
        self._add("memory_bias", num_slots * width)
        for i in range(num_layers):
            for name, shape in (
                    ("self", (width, 3 * width)), ("self_out", (width, width)),
                    ("cross", (width, width)), ("cross_out", (width, width)),
                    ("slots", (width, 2 * width)), ("in", (width, hidden_dim)),
                    ("out", (hidden_dim, width))):
                self._add(f"{name}_{i}", *shape)
                self._add(f"{name}_{i}_bias", shape[1])
            for name in ("self", "cross", "in"):
                self._add_norm(f"{name}_{i}")
        self._add_norm("head")
        self._add("head", width, num_tokens)
        self._add("head_bias", num_tokens)
        self.built = True

    def call(self, tokens: tf.Tensor, z: tf.Tensor,
             drop: Callable | None = None) -> tf.Tensor:
        drop = drop or (lambda values, name: values)
        positions = tf.range(tf.shape(tokens)[1])
        x = drop(self._read(tokens, positions), "embedding")
        before = positions[:, None] >= positions
        for i, slots in enumerate(self._memory(z)):
            x = self._layer(i, x, lambda k, v: (k, v), before, slots, drop)
        return drop(self._normed(x, "head"), "output")

    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """Logits [..., num_tokens] in float32, from the output of a call or
        step."""
        dtype = self.compute_dtype
        product = tf.matmul(tf.cast(hidden, dtype),
                            tf.cast(self._of("head"), dtype))
        return tf.cast(product, hidden.dtype) + self._of("head_bias")

    def start(self, z: tf.Tensor, max_length: int) -> tuple:
        """Initial state: keys and values of z for each layer, and empty keys
        and values of max_length tokens; a nest of [batch, ...]."""
        slots = self._memory(z)
        empty = tf.zeros([*_rows(z), max_length, self.embedding_dim],
                         self.variable_dtype)
        return slots, ((empty, empty),) * self.num_layers

    def step(self, token: tf.Tensor, state: tuple, t: tf.Tensor
             ) -> tuple[tf.Tensor, tuple]:
        """(input of `logits`, [batch, embedding_dim]; next state) after reading
        a token, int32 [batch], at position t."""
        slots, past = state
        kept, known = [], tf.range(past[0][0].shape[1])
        x = self._read(token[:, None], tf.reshape(t, [1]))
        for i in range(self.num_layers):
            def extend(*new, old=past[i]):
                kept.append(tuple(tf.where(
                    (known == t)[:, None], one, other)
                    for one, other in zip(new, old)))
                return kept[-1]
            x = self._layer(i, x, extend, (known <= t)[None], slots[i],
                            lambda values, name: values)
        return self._normed(x, "head")[:, 0], (slots, tuple(kept))

    def _read(self, tokens, positions):
        """Embeddings plus positional encodings, as in the paper."""
        x = tf.gather(self._of("embedding"), tokens)
        half = self.embedding_dim // 2
        rates = tf.exp(-math.log(_LONGEST_WAVE) / half
                       * tf.range(half, dtype=x.dtype))
        angles = tf.cast(positions, x.dtype)[:, None] * rates
        waves = tf.concat([tf.sin(angles), tf.cos(angles)], -1)
        return x * math.sqrt(self.embedding_dim) + waves

    def _memory(self, z):
        """Keys and values of z for every layer, [batch, num_slots, width]."""
        z = tf.cast(z, self.variable_dtype)
        slots = tf.reshape(self._affine(z, "memory"), [
            *_rows(z), self.num_slots, self.embedding_dim])
        return tuple(tuple(tf.split(self._affine(slots, f"slots_{i}"), 2, -1))
                     for i in range(self.num_layers))

    def _layer(self, i, x, extend, mask, slots, drop):
        """One layer; `extend` appends keys and values to previous ones."""
        query, *new = tf.split(self._affine(
            self._normed(x, f"self_{i}"), f"self_{i}"), 3, -1)
        key, value = extend(*new)
        told = self._attend(query, key, value, mask)
        x += drop(self._affine(told, f"self_out_{i}"), f"self_{i}")
        query = self._affine(self._normed(x, f"cross_{i}"), f"cross_{i}")
        key, value = slots
        told = self._attend(query, key, value, None)
        x += drop(self._affine(told, f"cross_out_{i}"), f"cross_{i}")
        inside = activations.get("gelu")(self._affine(
            self._normed(x, f"in_{i}"), f"in_{i}"))
        return x + drop(self._affine(inside, f"out_{i}"), f"out_{i}")

    def _attend(self, query, key, value, mask):
        """[batch, queries, width]; mask bool [queries, keys], or None."""
        def heads(x):
            return tf.transpose(tf.reshape(x, [
                *_rows(x), tf.shape(x)[1], self.num_heads,
                self.embedding_dim // self.num_heads]), [0, 2, 1, 3])
        query, key, value = heads(query), heads(key), heads(value)
        scores = tf.matmul(query, key, transpose_b=True) / math.sqrt(
            self.embedding_dim // self.num_heads)
        if mask is not None:
            scores = tf.where(mask, scores, -float("inf"))
        told = tf.transpose(tf.matmul(tf.nn.softmax(scores), value),
                            [0, 2, 1, 3])
        return tf.reshape(told, [
            *_rows(told), tf.shape(told)[1], self.embedding_dim])

    def _normed(self, x, name):
        mean = tf.reduce_mean(x, -1, keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), -1, keepdims=True)
        x = (x - mean) * tf.math.rsqrt(variance + _EPSILON)
        return x * self._of(f"{name}_scale") + self._of(f"{name}_shift")

    def _affine(self, x, name):
        return tf.tensordot(x, self._of(name), 1) + self._of(f"{name}_bias")

    def _of(self, name):
        return self._weights[name].value

    def _add(self, name, *shape):
        """Adds a weight: kernels N(0, 2 / (in + out)), embeddings N(0, 1 /
        width)."""
        seed = initializers.derive_seed(self.seed, name)
        start = "zeros" if len(shape) == 1 else (
            initializers.xavier_normal(seed))
        if name == "embedding":
            start = keras.initializers.RandomNormal(
                0.0, shape[1]**-0.5, seed=seed)
        self._weights[name] = self.add_weight(
            name=name, shape=shape, autocast=False, initializer=start)

    def _add_norm(self, name):
        for what, start in (("scale", "ones"), ("shift", "zeros")):
            self._weights[f"{name}_{what}"] = self.add_weight(
                name=f"{name}_{what}", shape=(self.embedding_dim,),
                autocast=False, initializer=start)

    def get_config(self):
        return {**super().get_config(), **{
            name: getattr(self, name) for name in (
                "num_tokens", "latent_dim", "embedding_dim", "hidden_dim",
                "num_layers", "num_heads", "num_slots", "dropout", "seed")}}


def _rows(x):
    """[batch], static where known."""
    return [tf.shape(x)[0] if x.shape[0] is None else x.shape[0]]
