"""Tests of the language model: languages whose entropy is known."""

import dataclasses
import gzip
import os

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import token_ids
from lebm_tf.evaluation.text import language_model
from lebm_tf.evaluation.text.language_model import (
    LanguageModel, LanguageModelConfig, Score, perplexity, random_batches,
    sorted_batches, train)
from lebm_tf.mcmc import rng

SMALL = LanguageModelConfig(
    embedding_dim=8, hidden_dim=16, dropout=0.0, learning_rate=1e-2,
    batch_size=50, max_epochs=5)
# From a start, or one of three words, to one of the words or an end.
STATES = [token_ids.BEGIN, 4, 5, 6]
NEXT = [4, 5, 6, token_ids.END]
CHAIN = np.array([[0.6, 0.3, 0.1, 0.0], [0.1, 0.6, 0.1, 0.2],
                  [0.2, 0.1, 0.4, 0.3], [0.5, 0.25, 0.0, 0.25]])


def pad(sentences):
    rows = np.zeros((len(sentences), max(map(len, sentences))), np.int32)
    for row, sentence in zip(rows, sentences):
        row[:len(sentence)] = sentence
    return rows


def speak(numbers, num_sentences):
    sentences = []
    for _ in range(num_sentences):
        word, sentence = token_ids.BEGIN, []
        while word != token_ids.END:
            word = numbers.choice(NEXT, p=CHAIN[STATES.index(word)])
            sentence.append(word)
        sentences.append(sentence)
    return pad(sentences)


def entropy_rate():
    """Nats a token: entropies of the states, as often as they are met."""
    moves = np.zeros((4, 4))
    moves[:, 1:] = CHAIN[:, :3]
    visits = np.linalg.inv(np.eye(4) - moves)[0]
    entropies = -(CHAIN * np.log(np.where(CHAIN > 0, CHAIN, 1.0))).sum(1)
    return visits @ entropies / visits.sum(), visits.sum()


def with_weights(vocabulary_size=7, output_bias=None):
    """A model that says the same whatever came before."""
    model = LanguageModel(vocabulary_size, SMALL, rng.make_seed(0))
    for weight in model.weights:
        weight.assign(tf.zeros_like(weight.value))
    if output_bias is not None:
        model.output_bias.assign(output_bias)
    return model


def test_it_reaches_the_entropy_rate_of_a_language(numbers):
    """The true chain is within its standard error of the entropy rate on held
    out sentences; the model within 0.012 nats of the chain, which it can't
    beat but by chance. Frequencies of words alone are 0.25 nats worse."""
    rate, length = entropy_rate()
    rows, held_out = speak(numbers, 4000), speak(numbers, 2000)
    model = train(rows, 7, speak(numbers, 300), SMALL)
    score = perplexity(model, held_out)
    before = np.insert(held_out, 0, token_ids.BEGIN, axis=1)
    true = [-np.log(CHAIN[STATES.index(a), NEXT.index(b)])
            for a, b in zip(before[:, :-1][held_out > 0],
                            held_out[held_out > 0])]
    error = np.std(true) / len(true)**0.5
    assert score.num_tokens == len(true)
    assert score.num_tokens == pytest.approx(2000 * length, rel=0.05)
    assert np.mean(true) == pytest.approx(rate, abs=4 * error)
    excess = score.nll / score.num_tokens - np.mean(true)
    assert -0.001 < excess < 0.012


def test_it_remembers_the_first_word_to_the_end():
    """The last word repeats the first, after 3 equal ones: log 3 nats a
    sentence of 6 tokens, all in the first one. To forget costs as much
    again."""
    sentences = np.array([[word, *[7] * 3, word, token_ids.END]
                          for word in (4, 5, 6)], np.int32)
    model = train(np.tile(sentences, (100, 1)), 8, sentences,
                  dataclasses.replace(SMALL, learning_rate=3e-2, batch_size=10,
                                      max_epochs=12, patience=12))
    score = perplexity(model, sentences)
    assert score.nll_per_sentence == pytest.approx(np.log(3), abs=0.1)
    assert score.perplexity == pytest.approx(3**(1 / 6), abs=0.02)


def test_ends_are_counted_and_starts_and_padding_are_not():
    """Every token has the probability that the bias gives it, so the sum is
    known by hand: words 4, 5 and an end, then an end alone, then a sentence
    that was cut before its end."""
    bias = np.log([0.05, 0.05, 0.1, 0.2, 0.3, 0.2, 0.1])
    rows = np.array([[4, 5, 3, 0], [3, 0, 0, 0], [6, 6, 6, 6]], np.int32)
    score = perplexity(with_weights(output_bias=bias), rows)
    nll = -np.log(0.3 * 0.2 * 0.2 * 0.2 * 0.1**4)
    assert (score.num_tokens, score.num_sentences) == (8, 3)
    assert score.nll == pytest.approx(nll, rel=1e-6)
    assert score.perplexity == pytest.approx(np.exp(nll / 8), rel=1e-6)
    assert score.nll_per_sentence == pytest.approx(nll / 3, rel=1e-6)


def test_knowing_nothing_is_as_perplexed_as_the_vocabulary_is_large():
    rows = np.array([[4, 3, 0], [5, 6, 3]], np.int32)
    assert perplexity(with_weights(), rows).perplexity == pytest.approx(7)


def test_the_published_sentence_and_token_counts_agree():
    """101.01 nats a sentence of Penn Treebank's test part are a perplexity of
    100.36; and 91.35 are one of 64.6 only."""
    words, sentences = 78_669, 3_761
    for nll, value in ((101.01, 100.36), (91.35, 64.6)):
        score = Score(nll * sentences, words + sentences, sentences)
        assert score.perplexity == pytest.approx(value, rel=1e-3)


def test_neither_batches_nor_padding_change_a_score(numbers):
    rows = speak(numbers, 40)
    model = LanguageModel(7, SMALL, rng.make_seed(1))
    alone = sum(perplexity(model, row[None]).nll for row in rows)
    wide = np.pad(rows, [(0, 0), (0, 5)])
    for given in (rows, wide, rows[::-1]):
        assert perplexity(model, given).nll == pytest.approx(alone, rel=1e-6)


def widened(made, width):
    return np.concatenate([np.pad(
        batch, [(0, 0), (0, width - batch.shape[1])]) for batch in made])


def test_batches_hold_every_row_once(numbers):
    rows, seeds = speak(numbers, 500), [rng.make_seed(i) for i in range(2)]
    orders = [widened(made, rows.shape[1]) for made in (
        sorted_batches(rows, 32), *(random_batches(rows, 32, seed)
                                    for seed in (*seeds, seeds[0])))]
    for order in orders:
        assert sorted(map(tuple, order)) == sorted(map(tuple, rows))
    np.testing.assert_array_equal(orders[1], orders[3])
    assert (orders[1] != orders[2]).any()


def test_batches_are_cut_to_their_longest_row(numbers):
    rows = speak(numbers, 500)
    rows = np.pad(rows, [(0, 0), (0, 9)])
    padding = {}
    for name, made in (("sorted", sorted_batches(rows, 32)),
                       ("random", random_batches(rows, 32,
                                                 rng.make_seed(0)))):
        made = list(made)
        assert [len(batch) for batch in made] == [32] * 15 + [20]
        assert all((batch[:, -1] != 0).any() for batch in made)
        padding[name] = sum(np.count_nonzero(batch == 0) for batch in made)
    assert padding["sorted"] < 0.1 * padding["random"]


def test_equal_seeds_make_equal_models_and_others_do_not(numbers):
    rows = speak(numbers, 60)
    config = LanguageModelConfig(
        embedding_dim=4, hidden_dim=4, dropout=0.5, batch_size=20,
        max_epochs=2)
    first, same, other = (train(rows, 7, rows, config, seed)
                          for seed in (5, 5, 6))
    for a, b in zip(first.weights, same.weights):
        np.testing.assert_array_equal(a, b)
    assert (first.kernel.numpy() != other.kernel.numpy()).all()


def test_dropout_is_a_function_of_its_seed_and_keeps_the_mean(numbers):
    rows = speak(numbers, 5)
    model = LanguageModel(7, LanguageModelConfig(
        embedding_dim=64, hidden_dim=64), rng.make_seed(0))
    losses = [float(tf.reduce_sum(model.nll(rows, seed))) for seed in (
        None, rng.make_seed(1), rng.make_seed(1), rng.make_seed(2))]
    assert losses[1] == losses[2]
    assert len(set(losses)) == 3
    x = model._drop(tf.ones([200, 200]), rng.make_seed(1), 0).numpy()
    assert set(np.unique(x)) == {0.0, 2.0}
    assert x.mean() == pytest.approx(1.0, abs=5 / 200)


def test_the_best_epoch_is_kept_and_patience_ends_it(monkeypatch, numbers):
    """Held-out perplexities are given: the second epoch is the best, and two
    worse ones end the training."""
    rows, given, seen = speak(numbers, 20), iter([9.0, 5.0, 6.0, 5.0, 1.0]), []

    def score(model, _):
        seen.append(model.kernel.numpy())
        return Score(np.log(next(given)), 1, 1)
    monkeypatch.setattr(language_model, "perplexity", score)
    model = train(rows, 7, rows, LanguageModelConfig(
        embedding_dim=4, hidden_dim=4, batch_size=10, patience=2))
    assert len(seen) == 4
    np.testing.assert_array_equal(model.kernel, seen[1])


@pytest.mark.parametrize("rows, message", [
    ([[4, 0, 5, 3]], "only padding after .* row 0"),
    ([[4, 3], [3, 3]], "only padding after .* row 1"),
    ([[4, 3], [0, 0]], "must have a token in each row, got only padding in "
     "row 1"),
    ([[4, 7]], "tokens from 0 to 6, got 4 to 7"),
    ([[4, -1]], "tokens from 0 to 6, got -1 to 4"),
    ([4, 3], r"integers \[num_rows >= 1, length >= 1\], got int64 \[2\]"),
    ([[4.0, 3.0]], "got float64"), (np.zeros((0, 3), np.int32), "got int32")])
def test_what_is_not_a_row_of_tokens_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        perplexity(with_weights(), np.array(rows))


@pytest.mark.parametrize("name, value, message", [
    ("hidden_dim", 0, "hidden_dim must be >= 1, got 0"),
    ("dropout", 1.0, r"dropout must lie in \[0, 1\), got 1.0"),
    ("learning_rate", 0.0, "learning_rate must be > 0, got 0.0")])
def test_settings_out_of_range_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        LanguageModelConfig(**{name: value})


def test_a_model_that_ran_away_is_an_error(numbers):
    rows = speak(numbers, 20)
    with pytest.raises(ValueError, match="must have a finite perplexity"):
        train(rows, 7, rows, LanguageModelConfig(
            embedding_dim=4, hidden_dim=4, learning_rate=1e38))


@pytest.mark.slow
def test_a_few_steps_on_penn_treebank_lower_its_perplexity():
    """600 sentences, 19 steps an epoch: from 10,000 equal words to below
    1,500 on held-out sentences, and below 1,100 with a second epoch."""
    folder = os.path.join(os.environ.get("LEBM_DATA_DIR", ""), "ptb")
    if not os.path.exists(os.path.join(folder, "ptb.train.txt.gz")):
        pytest.skip("set LEBM_DATA_DIR to a folder with ptb/ptb.train.txt.gz")
    words, parts = {}, []
    for part, num in (("train", 600), ("valid", 200)):
        with gzip.open(os.path.join(folder, f"ptb.{part}.txt.gz"),
                       "rt") as file:
            lines = [line.split() for line in file][:num]
        if part == "train":
            for word in sorted({word for line in lines for word in line}):
                words[word] = len(words) + 4
        parts.append(pad([[words.get(word, token_ids.UNKNOWN) for word in line]
                          + [token_ids.END] for line in lines]))
    values = [perplexity(train(parts[0], 10_002, parts[1], LanguageModelConfig(
        embedding_dim=64, hidden_dim=64, learning_rate=1e-2,
        max_epochs=epochs)),
        parts[1]).perplexity for epochs in (1, 2)]
    assert values[0] < 1500 and values[1] < 1100
