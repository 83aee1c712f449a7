"""A recurrent language model of sentences, without latents.

log p(x) = sum_t log p(x_t | x_<t), with embedding, dropout, one LSTM layer,
dropout and a linear layer, as in the public code of Pang and Wu 2021,
arXiv:2108.11556. It evaluates samples and, after training on samples, real
sentences; see `evaluation.text.perplexity`.
"""

import dataclasses
from typing import Annotated, Iterator, NamedTuple

from absl import logging
import keras
import numpy as np
import tensorflow as tf

from lebm_tf import token_ids
from lebm_tf.evaluation.text import tokens
from lebm_tf.mcmc import rng
from lebm_tf.networks.fused_lstm import fused_lstm
from lebm_tf.ranges import Checked, Interval, PositiveFloat, PositiveInt

_INITIAL_RANGE = 0.1


@dataclasses.dataclass(frozen=True)
class LanguageModelConfig(Checked):
    """Sizes and training; widths and dropout are those of the authors.

    They train for 8 epochs with a learning rate of 1e-4, without validation;
    the early stopping here allows a larger rate.

    Attributes:
        embedding_dim: Width of token embeddings.
        hidden_dim: Width of the LSTM.
        dropout: Dropout rate of the LSTM's inputs and outputs in training.
        learning_rate: Learning rate of Adam.
        batch_size: Sentences per step.
        max_epochs: Maximum number of epochs.
        patience: Number of epochs without a new best on held-out sentences
            after which training stops.
    """
    embedding_dim: PositiveInt = 512
    hidden_dim: PositiveInt = 512
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.5
    learning_rate: PositiveFloat = 1e-3
    batch_size: PositiveInt = 32
    max_epochs: PositiveInt = 20
    patience: PositiveInt = 2


class Score(NamedTuple):
    """Log likelihood of a set of sentences.

    Attributes:
        nll: -log p of all sentences together, in nats.
        num_tokens: Number of tokens, including ends of sentences but not
            starts.
        num_sentences: Number of sentences.
    """
    nll: float
    num_tokens: int
    num_sentences: int

    @property
    def perplexity(self) -> float:
        """exp(nll / num_tokens), over all tokens; not the mean over sentences.
        """
        with np.errstate(over="ignore"):  # Infinity is the right result.
            return float(np.exp(self.nll / self.num_tokens))

    @property
    def nll_per_sentence(self) -> float:
        """Mean of -log p(x), in nats."""
        return self.nll / self.num_sentences


class LanguageModel(tf.Module):
    """p(x_t | x_<t) of a sentence, by an LSTM.

    Args:
        vocabulary_size: Number of tokens V, including those of `token_ids`.
        config: Sizes.
        seed: Seed of the initial weights, int32 [2]: uniform on [-0.1, 0.1],
            with 1 added to the bias of the forget gate.
    """

    def __init__(self, vocabulary_size: int, config: LanguageModelConfig,
                 seed: rng.Seed):
        super().__init__()
        self.vocabulary_size, self.config = vocabulary_size, config
        width, hidden = config.embedding_dim, config.hidden_dim

        def variable(name, *shape, add=0.0):
            values = rng.uniform(shape, rng.stream(seed, name))
            values = _INITIAL_RANGE * (2.0 * values - 1.0) + add
            return keras.Variable(values, dtype="float32", name=name)

        self.embedding = variable("embedding", vocabulary_size, width)
        self.kernel = variable("kernel", width + hidden, 4 * hidden)
        self.bias = variable("bias", 4 * hidden, add=np.repeat(
            [0.0, 0.0, 1.0, 0.0], hidden))
        self.output_kernel = variable("output_kernel", hidden, vocabulary_size)
        self.output_bias = variable("output_bias", vocabulary_size)
        self.optimizer = keras.optimizers.Adam(config.learning_rate)
        self.optimizer.build(self.weights)
        self._compiled_score = tf.function(self._score, input_signature=[
            tf.TensorSpec([None, None], tf.int32)])
        self._compiled_step = tf.function(self._step, input_signature=[
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([2], tf.int32)])

    @property
    def weights(self) -> list[keras.Variable]:
        """Embedding, LSTM and output weights, in a fixed order."""
        return [self.embedding, self.kernel, self.bias, self.output_kernel,
                self.output_bias]

    def nll(self, rows: tf.Tensor, dropout_seed: rng.Seed | None = None
            ) -> tf.Tensor:
        """-log p(x_t | x_<t) of every token, as one vector.

        Args:
            rows: int32 [num_rows, length], as in `tokens.check`.
            dropout_seed: int32 [2]; None for no dropout.

        Returns:
            Nats, float [num_tokens]: all first tokens, then all second ones,
            and so on. Padding is left out, and costs no logits.
        """
        targets = tf.transpose(rows)
        inputs = tf.pad(targets[:-1], [[1, 0], [0, 0]],
                        constant_values=token_ids.BEGIN)
        x = self._drop(tf.gather(self.embedding.value, inputs), dropout_seed, 0)
        x = fused_lstm(x, self.kernel.value, self.bias.value)
        x = self._drop(x, dropout_seed, 1)
        where = tf.where(targets != token_ids.PAD)
        logits = (tf.gather_nd(x, where) @ self.output_kernel.value
                  + self.output_bias.value)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(
            tf.gather_nd(targets, where), logits)

    def score(self, rows: np.ndarray) -> tf.Tensor:
        """-log p of all rows together, in nats, float64 []."""
        return self._compiled_score(rows)

    def step(self, rows: np.ndarray, seed: rng.Seed) -> None:
        """Makes one step of Adam on the mean -log p of the rows.

        Args:
            rows: int32 [num_rows, length].
            seed: Seed of the dropout, int32 [2].
        """
        self._compiled_step(rows, seed)

    def _score(self, rows):
        return tf.reduce_sum(tf.cast(self.nll(rows), tf.float64))

    def _step(self, rows, seed):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self.nll(rows, seed)) / tf.cast(
                tf.shape(rows)[0], tf.float32)
        self.optimizer.apply(tape.gradient(
            loss, [weight.value for weight in self.weights]), self.weights)

    def _drop(self, x, seed, place):
        rate = self.config.dropout
        if seed is None or not rate:
            return x
        kept = rng.uniform(tf.shape(x), rng.fold_in(seed, place)) >= rate
        return tf.where(kept, x / (1.0 - rate), 0.0)


def train(rows: np.ndarray, vocabulary_size: int, validation: np.ndarray,
          config: LanguageModelConfig = LanguageModelConfig(), seed: int = 0
          ) -> LanguageModel:
    """Trains a new language model, and returns that of its best epoch.

    Results are deterministic on one machine.

    Args:
        rows: Training sentences, int32 [num_rows, length], as in
            `tokens.check`.
        vocabulary_size: Number of tokens.
        validation: Held-out sentences for early stopping.
        config: Sizes and training.
        seed: Seed of weights, order and dropout, any int.

    Raises:
        ValueError: If rows are not valid rows of tokens.
    """
    rows = tokens.check(rows, vocabulary_size)
    validation = tokens.check(validation, vocabulary_size, "validation")
    seed = rng.make_seed(seed)
    model = LanguageModel(vocabulary_size, config, rng.stream(seed, "weights"))
    best, weights, waited, step = np.inf, None, 0, 0
    for epoch in range(config.max_epochs):
        order = rng.fold_in(rng.stream(seed, "order"), epoch)
        for batch in random_batches(rows, config.batch_size, order):
            model.step(batch, rng.fold_in(rng.stream(seed, "dropout"), step))
            step += 1
        value = perplexity(model, validation).perplexity
        logging.info("language model: epoch %d, perplexity of held-out "
                     "sentences %.4f", epoch + 1, value)
        if value < best:
            best, waited = value, 0
            weights = [weight.numpy() for weight in model.weights]
        else:
            waited += 1
            if waited == config.patience:
                break
    if weights is None:
        raise ValueError("the language model must have a finite perplexity on "
                         f"held-out sentences, got {value}; lower its learning "
                         "rate.")
    for weight, value in zip(model.weights, weights):
        weight.assign(value)
    return model


def perplexity(model: LanguageModel, rows: np.ndarray) -> Score:
    """Log likelihood of sentences under a language model, without dropout.

    Args:
        model: A language model with the same vocabulary.
        rows: int32 [num_rows, length], as in `tokens.check`.

    Raises:
        ValueError: If rows are not valid rows of tokens.
    """
    rows = tokens.check(rows, model.vocabulary_size)
    nll = sum(float(model.score(batch))
              for batch in sorted_batches(rows, model.config.batch_size))
    return Score(nll, int(tokens.lengths(rows).sum()), len(rows))


def random_batches(rows: np.ndarray, batch_size: int, seed: rng.Seed
                   ) -> Iterator[np.ndarray]:
    """Every row once in random order, each batch cut to its longest row.

    Rows are not grouped by length, which would save a quarter of the time: then
    all sentences of a batch end at once, and the probability of an end is
    learned from far fewer independent examples. On a language of three words
    the excess over the true entropy was three times as large.

    Args:
        rows: int32 [num_rows, length].
        batch_size: Rows per batch; the last may have fewer.
        seed: int32 [2].

    Yields:
        int32 [batch_size, length of the longest].
    """
    order = rng.permutation(tf.range(len(rows), dtype=tf.int64), seed,
                            len(rows)).numpy()
    yield from _cut(rows, order, batch_size)


def sorted_batches(rows: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Every row once, sorted by length to minimize padding."""
    order = np.argsort(tokens.lengths(rows), kind="stable")
    yield from _cut(rows, order, batch_size)


def _cut(rows, order, batch_size):
    sizes = tokens.lengths(rows)
    for start in range(0, len(rows), batch_size):
        chosen = order[start:start + batch_size]
        yield rows[chosen, :sizes[chosen].max()]
