"""Random numbers: pure functions of seeds, the same for any replicas."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from lebm_tf.mcmc import Langevin, rng, run_chain
from tests import oracles

SEED = rng.make_seed(7)
INT64 = st.integers(-2**63, 2**63 - 1)


def key(seed):
    return tuple(np.asarray(seed).tolist())


@hypothesis.given(first=INT64, second=INT64)
def test_different_integers_give_different_seeds(first, second):
    seeds = key(rng.make_seed(first)), key(rng.make_seed(second))
    assert (seeds[0] == seeds[1]) == (first == second)
    assert rng.make_seed(first).dtype == tf.int32


def test_folded_and_named_seeds_differ_from_one_another():
    seeds = [SEED, *(rng.fold_in(SEED, i) for i in (-1, 0, 1, 2**40)),
             *(rng.stream(SEED, name) for name in ("positive", "negative")),
             rng.fold_in(rng.make_seed(8), 0)]
    assert len(set(map(key, seeds))) == len(seeds)
    assert {(seed.dtype, *seed.shape) for seed in seeds} == {(tf.int32, 2)}


@pytest.mark.parametrize("data", [tf.constant(3), tf.Variable(
    3, dtype=tf.int64)])
def test_a_tensor_is_folded_in_as_the_integer_it_holds(data):
    assert key(rng.fold_in(SEED, data)) == key(rng.fold_in(SEED, 3))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("seed", [(7, 0), (-3, 2**31 - 1)], ids=str)
def test_numbers_are_those_of_tensorflow(seed, jit_compile):
    """Bit for bit, of the algorithm philox, by fewer operations."""
    seed = tf.constant(seed, tf.int32)

    def ours(seed):
        return (rng.fold_in(seed, -5), rng.normal([9, 5], seed),
                rng.uniform([9, 5], seed, tf.float64))

    def theirs(seed):
        random, options = tf.random, {"alg": "philox"}
        folded = random.experimental.stateless_fold_in(
            seed, tf.constant(-5, tf.int64), **options)
        return (random.stateless_uniform(
                    [2], folded, None, None, tf.int32, **options),
                random.stateless_normal([9, 5], seed, **options),
                random.stateless_uniform(
                    [9, 5], seed, dtype=tf.float64, **options))
    oracles.assert_nests_equal(*(tf.function(draw, jit_compile=jit_compile)(
        seed) for draw in (ours, theirs)))
    graph = tf.function(lambda seed: rng.normal([9, 5], seed)
                        ).get_concrete_function(seed).graph
    assert len(graph.get_operations()) <= 15


def test_normal_numbers_have_the_moments_of_a_standard_normal():
    draws = rng.normal([40_000, 2], SEED)
    oracles.assert_moments(draws, np.zeros(2), np.eye(2))


def test_uniform_numbers_fill_the_unit_interval():
    draws = rng.uniform([40_000, 1], SEED)
    assert np.min(draws) >= 0 and np.max(draws) < 1
    oracles.assert_moments(draws, [0.5], [[1 / 12]])


def test_the_leaves_of_a_nest_get_different_noise():
    a, b = rng.normal_like((tf.zeros([4, 3]), tf.zeros([4, 3])), SEED)
    assert not np.any(np.equal(a, b))


def test_a_single_leaf_gets_the_noise_of_its_seed():
    values = {"z": tf.zeros([4, 3], tf.float64)}
    np.testing.assert_array_equal(
        rng.normal_like(values, SEED)["z"],
        rng.normal([4, 3], SEED, tf.float64))


@hypothesis.given(st.permutations(range(5)), st.integers(1, 5))
def test_row_i_depends_on_seed_i_alone(order, count):
    seeds = tf.stack([rng.fold_in(SEED, i) for i in range(5)])
    rows = np.asarray(rng.normal_rows([3], seeds))
    chosen = order[:count]
    np.testing.assert_array_equal(
        rng.normal_rows([3], tf.gather(seeds, chosen)), rows[chosen])
    assert len(np.unique(rows)) == rows.size


@hypothesis.given(first=INT64, second=INT64, data=INT64)
def test_row_seeds_are_derived_one_by_one(first, second, data):
    """By own integer operations, but equal to TensorFlow's."""
    seeds = rng.make_seed(tf.constant([first, -4, second], tf.int64))
    for derive in (lambda s: rng.fold_in(s, data),
                   lambda s: rng.stream(s, "a")):
        derived = derive(seeds)
        assert derived.dtype == tf.int32
        for seed, one in zip(seeds, derived):
            np.testing.assert_array_equal(one, derive(seed))


def test_the_noise_of_a_chain_is_drawn_row_by_row():
    values = {"a": tf.zeros([4, 3]), "b": tf.zeros([4, 2, 2])}
    seeds = rng.make_seed(tf.constant([3, -4, 5, 6]))
    noise = rng.normal_steps(values, seeds, 5)
    assert noise["a"].shape == (5, 4, 3) and noise["b"].shape == (5, 4, 2, 2)
    order = [2, 0]
    part = rng.normal_steps(tf.nest.map_structure(
        lambda leaf: leaf[:2], values), tf.gather(seeds, order), 5)
    for name in values:
        assert len(np.unique(noise[name])) == np.size(noise[name])
        np.testing.assert_array_equal(
            part[name], np.asarray(noise[name])[:, order])


def test_the_numbers_of_rows_are_normal_and_the_same_under_xla():
    seeds = rng.make_seed(tf.range(50, dtype=tf.int64))
    rows = rng.normal_rows([800, 2], seeds)
    oracles.assert_moments(
        tf.reshape(rows, [-1, 2]), np.zeros(2), np.eye(2))
    assert 3.5 < np.max(np.abs(rows)) < 5.5
    compiled = tf.function(lambda: rng.normal_rows([800, 2], seeds),
                           jit_compile=True)()
    np.testing.assert_allclose(compiled, rows, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_rarest_numbers_are_finite_and_right(jit_compile):
    # A request of 100 rows draws 600,000 numbers, so each of these comes.
    bits = np.array([-2**23, 1 - 2**23, -1, 0, 2**23 - 2, 2**23 - 1])
    normals = tf.function(rng._normals, jit_compile=jit_compile)(
        tf.constant(bits, tf.int32))
    np.testing.assert_allclose(
        normals, scipy.stats.norm.ppf((bits + 0.5) / 2**24 + 0.5), rtol=1e-3)
    np.testing.assert_array_equal(normals, -normals[::-1])


def test_a_longer_chain_begins_with_the_noise_of_a_shorter_one():
    """So a row may be in a batch whose chains are longer than its own."""
    values, seeds = tf.zeros([3, 5]), rng.make_seed(tf.constant([3, -4, 5]))
    longer = rng.normal_steps(values, seeds, tf.constant(9))
    for length in (0, 1, 2, 7):
        np.testing.assert_array_equal(
            rng.normal_steps(values, seeds, length), longer[:length])


@hypothesis.given(size=st.integers(1, 200), seed=INT64)
def test_a_permutation_visits_every_row_once(size, seed):
    places = rng.permutation(
        tf.range(size, dtype=tf.int64), rng.make_seed(seed), size)
    assert sorted(np.asarray(places)) == list(range(size))


def test_different_seeds_permute_differently():
    index = tf.range(50, dtype=tf.int64)
    first, second = (rng.permutation(index, rng.make_seed(i), 50)
                     for i in range(2))
    assert np.any(first != second)


@pytest.mark.parametrize("draw", [rng.normal, rng.uniform])
def test_replicas_keep_their_rows_of_the_global_draw(draw, two_replicas):
    @tf.function
    def replicas():
        return two_replicas.run(lambda: draw([3, 2], SEED))
    parts = two_replicas.experimental_local_results(replicas())
    np.testing.assert_array_equal(
        tf.concat(parts, 0), draw([6, 2], SEED))


def test_a_chain_on_two_replicas_equals_one_on_a_single_device(two_replicas):
    start = np.random.default_rng(0).normal(size=[6, 2]).astype(np.float32)

    def chain(start):
        return run_chain(
            Langevin(0.4), oracles.standard_normal, start, 3, SEED).position

    @tf.function
    def replicas():
        rows = two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.constant(start[
                3 * context.replica_id_in_sync_group:][:3]))
        return two_replicas.run(chain, [rows])
    parts = two_replicas.experimental_local_results(replicas())
    np.testing.assert_allclose(
        tf.concat(parts, 0), chain(tf.constant(start)), rtol=1e-6)


def test_counted_rows_are_those_of_the_whole_wherever_it_is_cut():
    seed = rng.make_seed(7)
    with rng.counted_rows(0):
        whole = [draw([6, 3, 2], seed) for draw in (rng.normal, rng.uniform)]
    with rng.counted_rows(tf.constant(2)):
        part = [draw([4, 3, 2], seed) for draw in (rng.normal, rng.uniform)]
    for one, other in zip(whole, part):
        np.testing.assert_array_equal(one[2:], other)
        assert len(np.unique(one)) == 36


def test_counted_numbers_are_normal_and_uniform_and_the_same_under_xla():
    @tf.function(jit_compile=True)
    def compiled():
        with rng.counted_rows(0):
            return (rng.normal([40_000, 2], rng.make_seed(8)),
                    rng.uniform([40_000, 2], rng.make_seed(8)))
    normal, uniform = compiled()
    oracles.assert_moments(normal, np.zeros(2), np.eye(2))
    assert 3.8 < np.max(np.abs(normal)) < 5.5
    oracles.assert_moments(uniform, np.full(2, 0.5), np.eye(2) / 12)
    assert 0 <= np.min(uniform) < 1e-3 and 0.999 < np.max(uniform) < 1
    with rng.counted_rows(0):
        again = rng.normal([40_000, 2], rng.make_seed(8))
    np.testing.assert_allclose(again, normal, rtol=2e-4, atol=2e-5)


def test_counted_numbers_of_moves_do_not_correlate():
    with rng.counted_rows(0):
        moves = np.stack([rng.normal(
            [20_000], rng.fold_in(rng.make_seed(9), k)) for k in range(4)])
    np.testing.assert_allclose(np.corrcoef(moves), np.eye(4), atol=0.03)


def test_after_counted_rows_numbers_are_the_usual_ones():
    seed = rng.make_seed(10)
    before = rng.normal([5], seed)
    with rng.counted_rows(0):
        assert np.all(np.not_equal(rng.normal([5], seed), before))
    np.testing.assert_array_equal(rng.normal([5], seed), before)


def test_named_run_seeds_are_ints_that_do_not_meet():
    """Neither those of neighbouring runs nor of neighbouring draws."""
    seeds = [rng.named(seed, name, i) for seed in (0, 1, -1, 2**40)
             for name in ("a", "b") for i in range(200)]
    assert len(set(seeds)) == len(seeds)
    assert all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in seeds)
    assert rng.named(3, "a", 1) == rng.named(3, "a", 1)
