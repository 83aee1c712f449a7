"""Tests of word frequencies and BLEU against values by hand."""

import math

import numpy as np
import pytest

from lebm_tf.evaluation.text.quality import corpus_bleu, word_divergence


def rows(*sentences):
    """Words are numbers from 4 on; an end and padding are added."""
    made = np.zeros((len(sentences), max(map(len, sentences)) + 2), np.int32)
    for row, sentence in zip(made, sentences):
        row[:len(sentence) + 1] = [*sentence, 3]
    return made


def test_equal_frequencies_have_no_divergence():
    assert word_divergence(rows([4, 5]), rows([5, 4], [4, 5])) == 0.0


def test_divergence_is_over_common_words_with_ends_counted():
    """Samples 4 4 5 and an end: 1/2, 1/4, 1/4. Reference 4 6 6 and an end,
    so 5 and 6 are left out: 1/2 log 2 + 1/4 log 1."""
    value = word_divergence(rows([4, 4, 5]), rows([4, 6, 6]))
    assert value == pytest.approx(0.5 * math.log(2.0))
    # The other words of the samples may make it negative.
    assert word_divergence(rows([5, 5, 5, 4]), rows([4, 4, 4])) < 0.0


def test_nothing_in_common_is_an_error():
    with pytest.raises(ValueError, match="a token in common, got none"):
        word_divergence(np.array([[4, 0]]), np.array([[5, 0]]))


def test_equal_sentences_have_100_and_others_0():
    same = rows([4, 5, 6, 7, 8], [9, 10, 11, 12])
    assert corpus_bleu(same, same) == pytest.approx(100.0)
    assert corpus_bleu(rows([4, 5, 6]), rows([4, 5, 6])) == 0.0  # No 4-gram.
    assert corpus_bleu(rows([]), rows([4, 5, 6, 7])) == 0.0


def test_it_is_the_value_by_hand():
    """The cat sat on the mat / the cat sat on a mat: of 6, 5, 4, 3 n-grams
    are 5, 3, 2, 1 right, at equal length."""
    ours, theirs = rows([4, 5, 6, 7, 4, 8]), rows([4, 5, 6, 7, 9, 8])
    value = 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3)**0.25
    assert corpus_bleu(ours, theirs) == pytest.approx(value)
    # Counts and lengths are of the set, not means of sentences.
    ours, theirs = (np.concatenate([row, rows([4, 5, 6, 7, 10, 11])])
                    for row in (ours, theirs))
    value = 100 * (11 / 12 * 8 / 10 * 6 / 8 * 4 / 6)**0.25
    assert corpus_bleu(ours, theirs) == pytest.approx(value)


def test_short_ones_pay_and_repetitions_count_once():
    long = rows([4, 5, 6, 7, 8, 9, 10, 11])
    assert corpus_bleu(rows([4, 5, 6, 7]), long) == pytest.approx(
        100 * math.exp(1 - 8 / 4))
    # 4 is right twice, as often as in the reference.
    ours, theirs = rows([4, 4, 4, 4, 5, 6, 7]), rows([4, 4, 5, 6, 7, 8, 9])
    value = 100 * (5 / 7 * 4 / 6 * 3 / 5 * 2 / 4)**0.25
    assert corpus_bleu(ours, theirs) == pytest.approx(value)


def test_sets_of_unequal_size_are_refused():
    with pytest.raises(ValueError, match="at least 1, got 1 and 2"):
        corpus_bleu(rows([4]), rows([4], [5]))
    with pytest.raises(ValueError, match="at least 1, got 0 and 0"):
        corpus_bleu(np.zeros((0, 3)), np.zeros((0, 3)))
