"""p(x | z) of sequences and how they are read off it, in closed form."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import DecodingConfig, SequenceLikelihood
from lebm_tf.densities.decoding import beam_search, decode, draw
from lebm_tf.mcmc import rng, value_and_gradient
from lebm_tf.networks import RecurrentDecoder

SEED = rng.make_seed(3)


class Markov:
    """Tokens that depend on the last one alone, by a table of logits."""

    dropout = 0.0

    def __init__(self, logits):
        self.table = tf.constant(logits, tf.float32)

    def __call__(self, tokens, z, drop=None):
        return tf.one_hot(tokens, len(self.table))

    def logits(self, hidden):
        return tf.matmul(hidden, self.table)

    def start(self, z, max_length):
        return z

    def step(self, token, state, t):
        return tf.one_hot(token, len(self.table)), state


def markov(numbers, size=6):
    table = numbers.randn(size, size)
    table[:, [0, 1, 2]] = -1e9  # Only 3 (the end), 4 and 5 come.
    return Markov(table)


def log_probs(table):
    return np.asarray(tf.nn.log_softmax(table))


def test_log_prob_is_the_sum_over_tokens_with_the_end_and_no_padding(numbers):
    decoder = markov(numbers)
    likelihood = SequenceLikelihood(decoder, 5)
    x = tf.constant([[4, 5, 3, 0], [3, 0, 0, 0], [5, 5, 5, 3]])
    logs = log_probs(decoder.table)
    expected = [sum(logs[a, b] for a, b in zip([2, *row], row) if b)
                for row in x.numpy().tolist()]
    found = likelihood.log_prob(x, tf.zeros([3, 1]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_probabilities_of_all_sequences_sum_to_one(numbers):
    """Of up to 3 tokens; what is longer is the rest."""
    decoder = markov(numbers)
    likelihood = SequenceLikelihood(decoder, 4)
    rows, longer = [], []
    for length in range(4):
        for body in itertools.product([4, 5], repeat=length):
            rows.append((*body, 3, *[0] * (3 - length)))
            if length == 3:
                longer.append(sum(log_probs(decoder.table)[a, b] for a, b in
                                  zip((2, *body), body)))
    x = tf.constant(rows)
    whole = tf.reduce_sum(tf.exp(likelihood.log_prob(
        x, tf.zeros([len(rows), 1])))).numpy()
    ends = sum(math.exp(value) for value in longer) - sum(
        math.exp(value) for value, row in zip(likelihood.log_prob(
            x, tf.zeros([len(rows), 1])).numpy(), rows) if row[3] == 3)
    assert whole + ends == pytest.approx(1.0, rel=1e-5)


def test_the_gradient_of_z_is_that_of_finite_differences(numbers):
    likelihood = SequenceLikelihood(RecurrentDecoder(7, 2, 4, 5), 5)
    x = tf.constant([[4, 6, 3], [5, 3, 0]])
    z = tf.constant(numbers.randn(2, 2), tf.float32)
    _, gradient = value_and_gradient(
        lambda z: likelihood.log_prob(x, z), z)
    for i in range(2):
        move = np.zeros((2, 2), np.float32)
        move[:, i] = 1e-2
        numeric = (likelihood.log_prob(x, z + move)
                   - likelihood.log_prob(x, z - move)) / 2e-2
        np.testing.assert_allclose(gradient[:, i], numeric, atol=2e-4)


def test_dropout_is_a_function_of_its_seed_and_has_the_right_mean():
    likelihood = SequenceLikelihood(
        RecurrentDecoder(7, 2, 4, 5, dropout=0.3), 5)
    x, z = tf.constant([[4, 6, 3]]), tf.ones([1, 2])
    values = [float(likelihood.log_prob(
        x, z, seed=rng.make_seed(seed))[0])
              for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]
    assert float(likelihood.log_prob(x, z)[0]) not in values
    mask = rng.dropout_mask([100_000], 0.3, SEED)
    assert sorted(set(mask.numpy())) == pytest.approx([0.0, 1 / 0.7])
    assert float(tf.reduce_mean(mask)) == pytest.approx(1.0, abs=0.01)


def run(decoder, rows, length, **settings):
    config = DecodingConfig(**settings)
    return decode(
        lambda token, state, t: (decoder.logits(
            decoder.step(token, state, t)[0]), state),
        tf.zeros([rows, 1]), rows, length, config, SEED)


def test_samples_come_as_often_as_they_should(numbers):
    decoder = markov(numbers)
    tokens = run(decoder, 20_000, 2).numpy()
    logs = log_probs(decoder.table)
    for first, second in itertools.product([4, 5], [3, 4, 5]):
        frequency = (tokens == [first, second]).all(1).mean()
        expected = math.exp(logs[2, first] + logs[first, second])
        assert frequency == pytest.approx(expected, abs=0.015)
    ended = (tokens[:, 0] == 3)
    assert ended.mean() == pytest.approx(math.exp(logs[2, 3]), abs=0.015)
    assert not tokens[ended, 1].any()


def test_a_row_of_samples_depends_on_its_own_seed_alone(numbers):
    decoder = markov(numbers)

    def sample(seeds):
        return decode(
            lambda token, state, t: (decoder.logits(
                decoder.step(token, state, t)[0]), state),
            tf.zeros([len(seeds), 1]), len(seeds), 6, DecodingConfig(),
            rng.make_seed(tf.constant(seeds))).numpy()
    whole = sample([5, 6, 7, 8])
    np.testing.assert_array_equal(whole[[2, 0]], sample([7, 5]))
    assert len({row.tobytes() for row in whole}) > 1


def test_greedy_takes_the_most_probable_and_temperature_goes_there(numbers):
    decoder = markov(numbers)
    expected, token = [], 2
    for _ in range(4):
        token = 0 if token in (0, 3) else int(np.argmax(
            decoder.table[token]))
        expected.append(token)
    for settings in ({"method": "greedy"}, {"temperature": 1e-3},
                     {"top_k": 1}):
        np.testing.assert_array_equal(
            run(decoder, 2, 4, **settings), [expected] * 2)


def test_a_draw_never_takes_what_is_impossible():
    logits = tf.constant([[-np.inf, 0.0, 0.0, -np.inf]] * 3)
    uniform = tf.constant([0.0, 0.6, 1.0])
    np.testing.assert_array_equal(draw(logits, uniform), [1, 2, 2])
    np.testing.assert_array_equal(
        draw(tf.constant([[0.0, 2.0, 1.0]] * 2), tf.constant([0.01, 0.99]),
             top_k=2), [1, 2])


def test_a_wide_beam_finds_the_most_probable_sequence(numbers):
    decoder = markov(numbers)
    logs, best = log_probs(decoder.table), {}
    for length in range(4):
        for body in itertools.product([4, 5], repeat=length):
            row = (*body, 3)
            best[row] = sum(logs[a, b] for a, b in zip((2, *row), row))
    for body in itertools.product([4, 5], repeat=4):  # Cut off.
        best[body] = sum(logs[a, b] for a, b in zip((2, *body), body))
    winner = max(best, key=best.get)
    found = beam_search(
        lambda token, state, t: (decoder.logits(
            decoder.step(token, state, t)[0]), state),
        tf.zeros([2, 1]), 2, 4, 40)
    np.testing.assert_array_equal(
        found, [[*winner, *[0] * (4 - len(winner))]] * 2)


def test_a_beam_carries_its_state_along():
    """A decoder that counts says 4, 5, 4 and ends, whatever its rank."""
    script = tf.constant([4, 5, 4, 3])

    def step(token, state, t):
        said = tf.gather(script, tf.minimum(state[:, 0], 3))
        return 9.0 * tf.one_hot(said, 6), state + 1
    for width in (1, 3):
        np.testing.assert_array_equal(
            beam_search(step, tf.zeros([2, 1], tf.int32), 2, 6, width),
            [[4, 5, 4, 3, 0, 0]] * 2)


@pytest.mark.parametrize("wrong, message", [
    ({"method": "guess"}, "method must be one of sample, greedy, beam"),
    ({"temperature": 0.0}, "temperature must be > 0, got 0.0"),
    ({"top_k": -1}, "top_k must be >= 0, got -1"),
    ({"beam_width": 0}, "beam_width must be >= 1, got 0")])
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        DecodingConfig(**wrong)


def test_what_is_no_sequence_is_refused():
    likelihood = SequenceLikelihood(RecurrentDecoder(7, 2, 4, 5), 5)
    with pytest.raises(ValueError, match=r"integers \[batch, length\], got "
                       r"float32 \[1, 3\]"):
        likelihood.read(np.zeros((1, 3), np.float32))
