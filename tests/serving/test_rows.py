"""Rows of different clients: none is touched by its neighbours."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.serving.rows import NOT_FINITE, Field, by_row

FIELDS = {"a": Field(tf.float32, (2,), "", -1.0, 1.0, 1e-3),
          "n": Field(tf.int32, (), "", 0, 5),
          "name": Field(tf.string, (), "", neutral="")}


def compute(a, n, name):
    rows = tf.cast(tf.shape(a)[0], tf.float32)
    return {"sum": tf.reduce_sum(a, 1) / tf.cast(n, tf.float32),
            "name": tf.strings.join([name, "!"]),
            "rows": tf.fill(tf.shape(n), rows)}


OUTPUTS = {"sum": Field(tf.float32, (), ""), "name": Field(tf.string, (), ""),
           "rows": Field(tf.float32, (), "")}
ANSWER = tf.function(by_row(
    compute, FIELDS, OUTPUTS, limit=9, blocks=tf.constant([4, 7], tf.int64)),
    reduce_retracing=True)


def ask(a, n):
    a, n = np.array(a, np.float32).reshape(-1, 2), np.array(n, np.int32)
    answer = ANSWER(a=tf.constant(a), n=tf.constant(n),
                    name=tf.fill([len(a)], "x"))
    return {key: value.numpy() for key, value in answer.items()}


@hypothesis.given(st.lists(st.sampled_from(
    [(0.5, 1, ""), (1.0005, 1, ""), (float("nan"), 1, "a must lie in [-1, 1]"),
     (2.5, 1, "a must lie in [-1, 1], got 2.5."),
     (-7.0, 1, "a must lie in [-1, 1], got -7."),
     (0.5, 6, "n must lie in [0, 5], got 6."),
     (2.5, 6, "a must lie"), (0.5, 0, NOT_FINITE)]), max_size=9))
def test_a_wrong_value_is_said_in_its_row_and_nowhere_else(rows):
    answer = ask([[a, 0.25] for a, _, _ in rows], [n for _, n, _ in rows])
    assert len(answer["status"]) == len(answer["sum"]) == len(rows)
    for (a, n, problem), status, total, name in zip(
            rows, answer["status"], answer["sum"], answer["name"]):
        assert status.decode().startswith(problem)
        if problem:
            assert np.isnan(total) and name == b""
        else:
            assert status == b"" and name == b"x!"
            assert total == np.float32(a) + np.float32(0.25)


@pytest.mark.parametrize("blocks", [
    [], [4], [4] * 4, [7] * 5, [7] * 6, [7] * 7, [7] * 7 + [4],
    [7] * 7 + [4] * 2], ids=len)
def test_calls_are_cut_into_blocks_of_the_sizes_given(blocks):
    """Of 5 rows on, which fill a block of 7 by two thirds, one of those."""
    np.testing.assert_array_equal(
        ask(np.zeros([len(blocks), 2]), np.ones(len(blocks)))["rows"], blocks)


def test_calls_that_are_too_long_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match="a call must have at most 9 rows, got.*10"):
        ask(np.zeros([10, 2]), np.ones(10))


def test_inputs_must_have_the_same_number_of_rows():
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match="n must have as many rows as a, got.*3.*2"):
        ask(np.zeros([2, 2]), np.ones(3))
